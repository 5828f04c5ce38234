import type { SystemId } from '../../formats/cenc.ts'
import { CPIX_NAMESPACE, PSKC_NAMESPACE, XMLDSIG_NAMESPACE, XMLENC_NAMESPACE } from '../../formats/cpix/fields.ts'
import { type Markup, writeFragment } from '../../formats/xml/markup.ts'
import type { LedgerRecord } from '../../keys/ports/ledger-store.ts'
import { SPEKE_2_1 } from '../../protocols/speke/tables/versions.ts'
import { deliveryDataMarkup } from '../../protocols/transfer/expand.ts'
import type { IssuedKey } from '../contents/known-keys.ts'

/** The issued keys of a content, without the keys themselves. */
interface IssuedContent {
  readonly contentId: string
  readonly keys: readonly IssuedKey[]
  readonly periods: readonly LedgerRecord[]
  /** The DRM systems to name for a key. */
  readonly systemsOf: (key: IssuedKey) => readonly SystemId[]
  /** The certificates (DER) of the recipients. */
  readonly recipients: readonly Uint8Array[]
}

/**
 * Writes the CPIX document that asks for issued keys as an encryptor would: kids, periods and track types, without keys and
 * signalling. The ledger knows only the kind of each filter.
 * @see CPIX 2.3, CPIX
 */
export function writeIssuedDocument({ contentId, keys, periods, systemsOf, recipients }: IssuedContent): string {
  const named = periods.filter(({ periodId }) => periodId !== '')
  // Only SPEKE 2.1, which uses CPIX 2.4, has bounds beside an index.
  const version = named.some(({ periodStart }) => periodStart !== undefined) ? '2.4' : '2.3'
  const namespaces = {
    xmlns: CPIX_NAMESPACE,
    'xmlns:pskc': PSKC_NAMESPACE,
    'xmlns:ds': XMLDSIG_NAMESPACE,
    'xmlns:enc': XMLENC_NAMESPACE,
  }
  const contentKeys = keys.map((key) => element('ContentKey', { kid: key.kid, commonEncryptionScheme: schemeOf(key) }))
  const systems = keys.flatMap((key) =>
    systemsOf(key).map((systemId) => element('DRMSystem', { kid: key.kid, systemId })),
  )
  const root = element('CPIX', { ...namespaces, contentId, version }, [
    ...list(
      'DeliveryDataList',
      recipients.map((certificate) => deliveryDataMarkup(certificate)),
    ),
    ...list('ContentKeyList', contentKeys),
    ...list('DRMSystemList', systems),
    ...list('ContentKeyPeriodList', named.map(period)),
    ...list('ContentKeyUsageRuleList', keys.flatMap(rulesOf)),
  ])
  return writeFragment([root])
}

/** The scheme of an HLS method name: only CPIX 2.4 knows the names. */
function schemeOf({ commonEncryptionScheme: name }: IssuedKey): string | undefined {
  return name !== undefined && Object.hasOwn(SPEKE_2_1.schemes, name) ? SPEKE_2_1.schemes[name] : undefined
}

function period({ periodId, periodIndex, periodStart, periodEnd }: LedgerRecord): Markup {
  const isOffset = periodStart?.startsWith('P') === true
  return element('ContentKeyPeriod', {
    id: periodId,
    index: periodIndex === undefined ? undefined : String(periodIndex),
    [isOffset ? 'startOffset' : 'start']: periodStart,
    [isOffset ? 'endOffset' : 'end']: periodEnd,
  })
}

function rulesOf({ kid, intendedTrackTypes, periodIds }: IssuedKey): readonly Markup[] {
  const periodFilters = periodIds.map((periodId) => element('KeyPeriodFilter', { periodId }))
  if (intendedTrackTypes.length === 0) {
    return periodFilters.length === 0 ? [] : [element('ContentKeyUsageRule', { kid }, periodFilters)]
  }
  return intendedTrackTypes.map((intendedTrackType) =>
    element('ContentKeyUsageRule', { kid, intendedTrackType }, [...periodFilters, ...trackFilters(intendedTrackType)]),
  )
}

/** One filter for each part of a track type; `ALL` has one of each kind. */
function trackFilters(intendedTrackType: string): readonly Markup[] {
  const parts = intendedTrackType.split('+')
  const audio = parts.filter((part) => part === 'ALL' || part.includes('AUDIO'))
  const video = parts.filter((part) => part === 'ALL' || !part.includes('AUDIO'))
  return [...video.map(() => element('VideoFilter', {})), ...audio.map(() => element('AudioFilter', {}))]
}

function list(name: string, entries: readonly Markup[]): readonly Markup[] {
  return entries.length === 0 ? [] : [element(name, {}, entries)]
}

function element(
  name: string,
  attributes: Readonly<Record<string, string | undefined>>,
  children: readonly Markup[] = [],
): Markup {
  const given = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value] as const],
  )
  return { name, attributes: given, children }
}

import type { SystemId } from '../../formats/cenc.ts'
import { CPIX_NAMESPACE, PSKC_NAMESPACE, XMLDSIG_NAMESPACE, XMLENC_NAMESPACE } from '../../formats/cpix/names.ts'
import { escapeAttribute } from '../../formats/xml/escape.ts'
import type { LedgerRecord } from '../../keys/ports/ledger-store.ts'
import { SPEKE_2_1 } from '../../protocols/speke/tables/versions.ts'
import type { IssuedKey } from '../contents/known-keys.ts'

/** What a document is written from. */
export interface IssuedContent {
  readonly contentId: string
  readonly keys: readonly IssuedKey[]
  readonly periods: readonly LedgerRecord[]
  /** The systems to name for a key. */
  readonly systemsOf: (key: IssuedKey) => readonly SystemId[]
  /** DER certificates of whom it is for. */
  readonly recipients: readonly Uint8Array[]
}

/**
 * The CPIX document that asks for what was issued, as an encryptor would have written it: kids, periods and track types; no key and
 * no signalling. Of the filters of its rules only the kind is known.
 * @see CPIX 2.3, CPIX
 */
export function writeIssuedDocument({ contentId, keys, periods, systemsOf, recipients }: IssuedContent): string {
  const named = periods.filter(({ periodId }) => periodId !== '')
  // Bounds beside an index are of SPEKE 2.1, which is of CPIX 2.4.
  const version = named.some(({ periodStart }) => periodStart !== undefined) ? '2.4' : '2.3'
  const namespaces = {
    xmlns: CPIX_NAMESPACE,
    'xmlns:pskc': PSKC_NAMESPACE,
    'xmlns:ds': XMLDSIG_NAMESPACE,
    'xmlns:enc': XMLENC_NAMESPACE,
  }
  return element('CPIX', { ...namespaces, contentId, version }, [
    list(
      'DeliveryDataList',
      recipients.map((certificate) => deliveryData(certificate)),
    ),
    list(
      'ContentKeyList',
      keys.map((key) => element('ContentKey', { kid: key.kid, commonEncryptionScheme: schemeOf(key) })),
    ),
    list(
      'DRMSystemList',
      keys.flatMap((key) => systemsOf(key).map((systemId) => element('DRMSystem', { kid: key.kid, systemId }))),
    ),
    list('ContentKeyPeriodList', named.map(period)),
    list('ContentKeyUsageRuleList', keys.flatMap(rulesOf)),
  ])
}

/** `DeliveryData` that names a recipient; `prefix` with its colon, where CPIX has one. */
export function deliveryData(certificate: Uint8Array, prefix = ''): string {
  const base64 = Buffer.from(certificate).toString('base64')
  const x509 = `<ds:X509Data xmlns:ds="${XMLDSIG_NAMESPACE}"><ds:X509Certificate>${base64}</ds:X509Certificate></ds:X509Data>`
  return element(`${prefix}DeliveryData`, {}, [element(`${prefix}DeliveryKey`, {}, [x509])])
}

/** An HLS method name stands for its scheme: only CPIX 2.4 knows the names. */
function schemeOf({ commonEncryptionScheme: name }: IssuedKey): string | undefined {
  return name !== undefined && Object.hasOwn(SPEKE_2_1.schemes, name) ? SPEKE_2_1.schemes[name] : undefined
}

function period({ periodId, periodIndex, periodStart, periodEnd }: LedgerRecord): string {
  const isOffset = periodStart?.startsWith('P') === true
  return element('ContentKeyPeriod', {
    id: periodId,
    index: periodIndex === undefined ? undefined : String(periodIndex),
    [isOffset ? 'startOffset' : 'start']: periodStart,
    [isOffset ? 'endOffset' : 'end']: periodEnd,
  })
}

function rulesOf({ kid, intendedTrackTypes, periodIds }: IssuedKey): readonly string[] {
  const periodFilters = periodIds.map((periodId) => element('KeyPeriodFilter', { periodId }))
  if (intendedTrackTypes.length === 0) {
    return periodFilters.length === 0 ? [] : [element('ContentKeyUsageRule', { kid }, periodFilters)]
  }
  return intendedTrackTypes.map((intendedTrackType) =>
    element('ContentKeyUsageRule', { kid, intendedTrackType }, [...periodFilters, ...trackFilters(intendedTrackType)]),
  )
}

/** One for each part of a track type; `ALL` has one of each kind. @see speke.md 6 */
function trackFilters(intendedTrackType: string): readonly string[] {
  const parts = intendedTrackType.split('+')
  const audio = parts.filter((part) => part === 'ALL' || part.includes('AUDIO'))
  const video = parts.filter((part) => part === 'ALL' || !part.includes('AUDIO'))
  return [...video.map(() => '<VideoFilter/>'), ...audio.map(() => '<AudioFilter/>')]
}

function list(name: string, entries: readonly string[]): string {
  return entries.length === 0 ? '' : element(name, {}, entries)
}

function element(
  name: string,
  attributes: Readonly<Record<string, string | undefined>>,
  children: readonly string[] = [],
): string {
  const written = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${escapeAttribute(value)}"`],
  )
  const tag = name + written.join('')
  return children.length === 0 ? `<${tag}/>` : `<${tag}>${children.join('')}</${name}>`
}

import { type Filling, fillOnce } from '../../core/template.ts'
import { readRecipients } from '../../formats/cpix/delivery-data.ts'
import { entriesOf, readCpix } from '../../formats/cpix/document.ts'
import type { DocumentEncryption, EncryptedValue, WrappedKeys } from '../../formats/cpix/encryption.ts'
import { deliveryData, encryptedData } from '../../formats/cpix/fill.ts'
import { CPIX_NAMESPACE, PSKC_NAMESPACE, XMLDSIG_NAMESPACE, XMLENC_NAMESPACE } from '../../formats/cpix/names.ts'
import { appendContent, applyEdits, type Edit, insertAfter } from '../../formats/xml/edits.ts'
import { type Markup, writeMarkup } from '../../formats/xml/markup.ts'
import { readXml } from '../../formats/xml/reader.ts'
import type { EncryptionRecipient, ResolvedKey } from './resolution.ts'

interface CpixFilling extends Filling {
  readonly wrapped: WrappedKeys
  readonly values: readonly EncryptedValue[]
}

/** The keys as a CPIX document, encrypted for `recipient`. @see CPIX 2.3, Key Management */
export function resolutionCpix(
  keys: readonly ResolvedKey[],
  recipient: EncryptionRecipient,
  wrapped: WrappedKeys,
  encrypt: DocumentEncryption['encrypt'],
): string {
  const { document, lists } = readCpix(readXml(Buffer.from(writeMarkup(unfilled(keys, recipient)))))
  const edits: Edit<CpixFilling>[] = readRecipients(document, entriesOf(lists.DeliveryDataList, 'DeliveryData')).map(
    ({ element, deliveryKey, modulusBytes }) =>
      insertAfter(
        deliveryKey,
        deliveryData<CpixFilling>(element, { modulusBytes }, ({ wrapped }) => wrapped),
      ),
  )
  for (const [i, element] of entriesOf(lists.ContentKeyList, 'ContentKey').entries()) {
    edits.push(
      appendContent(
        document,
        element,
        encryptedData<CpixFilling>(element, ({ values }) => encryptedAt(values, i)),
      ),
    )
  }
  const values = keys.map(({ key }) => {
    const contentKey = Buffer.from(key, 'base64')
    const value = encrypt(contentKey)
    contentKey.fill(0)
    return value
  })
  const filling = { memo: new Map<object, string>(), wrapped, values }
  return fillOnce(applyEdits(document.source, edits), filling).toString()
}

/** The document without content keys and document keys. */
function unfilled(keys: readonly ResolvedKey[], { certificate, fingerprint }: EncryptionRecipient): Markup {
  const contentIds = new Set(keys.map(({ contentId }) => contentId))
  const [contentId] = contentIds.size === 1 ? contentIds : []
  const deliveryKey = element('DeliveryKey', {}, [
    element('ds:X509Data', {}, [{ name: 'ds:X509Certificate', text: certificate }]),
  ])
  return element(
    'CPIX',
    {
      xmlns: CPIX_NAMESPACE,
      'xmlns:pskc': PSKC_NAMESPACE,
      'xmlns:enc': XMLENC_NAMESPACE,
      'xmlns:ds': XMLDSIG_NAMESPACE,
      contentId,
      version: '2.3',
    },
    [
      element('DeliveryDataList', {}, [element('DeliveryData', { id: `certificate-${fingerprint}` }, [deliveryKey])]),
      element(
        'ContentKeyList',
        {},
        keys.map(({ kid, explicitIV, commonEncryptionScheme }) =>
          element('ContentKey', { kid, explicitIV, commonEncryptionScheme }),
        ),
      ),
      ...rules(keys),
    ],
  )
}

/** The known period and track types of each key. */
function rules(keys: readonly ResolvedKey[]): readonly Markup[] {
  const periods = new Map<string, { readonly id: string; readonly markup: Markup }>()
  const periodOf = ({ contentId, contentKeyPeriod }: ResolvedKey): string | undefined => {
    if (contentKeyPeriod === undefined) return undefined
    const name = JSON.stringify([contentId, contentKeyPeriod])
    const known = periods.get(name)
    if (known !== undefined) return known.id
    const id = `period-${periods.size + 1}`
    periods.set(name, { id, markup: periodMarkup(id, contentKeyPeriod) })
    return id
  }
  const usages = keys.flatMap((key) => {
    const periodId = periodOf(key)
    const filters = periodId === undefined ? [] : [element('KeyPeriodFilter', { periodId })]
    return key.intendedTrackTypes.map((intendedTrackType) =>
      element('ContentKeyUsageRule', { kid: key.kid, intendedTrackType }, filters),
    )
  })
  const listed = Array.from(periods.values(), ({ markup }) => markup)
  return [
    ...(listed.length > 0 ? [element('ContentKeyPeriodList', {}, listed)] : []),
    ...(usages.length > 0 ? [element('ContentKeyUsageRuleList', {}, usages)] : []),
  ]
}

function periodMarkup(id: string, { index, start, end }: NonNullable<ResolvedKey['contentKeyPeriod']>): Markup {
  const isOffset = start?.trim().startsWith('P') ?? false
  const [from, to] = isOffset ? ['startOffset', 'endOffset'] : ['start', 'end']
  return element('ContentKeyPeriod', {
    id,
    index: index === undefined ? undefined : String(index),
    [from]: start,
    [to]: end,
  })
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

function encryptedAt(values: readonly EncryptedValue[], i: number): EncryptedValue {
  const value = values[i]
  if (value === undefined) throw new RangeError('a content key of the document was not encrypted')
  return value
}

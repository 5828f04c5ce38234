import { CompactEncrypt } from 'jose'
import type { KeyProviderError } from '../../core/errors.ts'
import { type Filling, fillOnce } from '../../core/template.ts'
import { readCertificate, readRecipients, recipientError, validityProblem } from '../../formats/cpix/delivery-data.ts'
import { entriesOf, readCpix } from '../../formats/cpix/document.ts'
import {
  createDocumentEncryption,
  type DocumentEncryption,
  type EncryptedValue,
  type WrappedKeys,
} from '../../formats/cpix/encryption.ts'
import { CPIX_NAMESPACE, PSKC_NAMESPACE, XMLDSIG_NAMESPACE, XMLENC_NAMESPACE } from '../../formats/cpix/fields.ts'
import { deliveryData, encryptedData } from '../../formats/cpix/fill.ts'
import { appendContent, applyEdits, type Edit, insertAfter } from '../../formats/xml/edits.ts'
import { type Markup, writeMarkup } from '../../formats/xml/markup.ts'
import { readXml } from '../../formats/xml/reader.ts'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import type { EncryptedResolution, Encryption, EncryptionRecipient, Resolution, ResolvedKey } from './resolution.ts'

const PLACE = 'encryption.certificate'
const PEM = /^\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----\s*$/

/** Reads the recipient. Throws ERR_RECIPIENT_INVALID for a certificate that cannot be used at `now`. */
export function readEncryption({ format, certificate }: Encryption, now: number): EncryptionRecipient {
  const base64 = (PEM.exec(certificate)?.[1] ?? certificate).replaceAll(/\s+/g, '')
  const recipient = readCertificate(base64, PLACE)
  const problem = validityProblem(recipient, now)
  if (problem !== undefined) throw recipientError(PLACE, problem)
  return { ...recipient, format, certificate: base64 }
}

/** Encrypts an answer for `recipient`: JWE holds every fact of each key, CPIX those that CPIX has elements for. */
export async function encryptResolution(
  resolution: Resolution,
  recipient: EncryptionRecipient,
  { randomBytes }: { readonly randomBytes: RandomBytes },
): Promise<EncryptedResolution> {
  const { keys, errors } = resolution
  const { format } = recipient
  const encrypted = format === 'jwe' ? await jweOf(resolution, recipient) : cpixOf(keys, recipient, randomBytes)
  return { format, encrypted, count: keys.length, errors }
}

/** @see RFC 7516, 3.1; RFC 7518, 4.3 and 5.3 */
async function jweOf(resolution: Resolution, { publicKey, fingerprint }: EncryptionRecipient): Promise<string> {
  const jwe = new CompactEncrypt(Buffer.from(JSON.stringify(resolution))).setProtectedHeader({
    alg: 'RSA-OAEP-256',
    enc: 'A256GCM',
    cty: 'application/json',
    'x5t#S256': Buffer.from(fingerprint, 'hex').toString('base64url'),
  })
  return jwe.encrypt(publicKey).catch((cause: unknown) => {
    throw unusable(cause)
  })
}

function cpixOf(keys: Resolution['keys'], recipient: EncryptionRecipient, randomBytes: RandomBytes): string {
  const encryption = createDocumentEncryption(randomBytes)
  let wrapped: WrappedKeys
  try {
    wrapped = encryption.wrapFor(recipient)
  } catch (cause) {
    throw unusable(cause)
  }
  return resolutionCpix(keys, recipient, wrapped, encryption.encrypt)
}

function unusable(cause: unknown): KeyProviderError {
  return recipientError(PLACE, 'holds an RSA key that cannot encrypt', cause)
}

interface CpixFilling extends Filling {
  readonly wrapped: WrappedKeys
  readonly values: readonly EncryptedValue[]
}

/** The keys as a CPIX document, encrypted for `recipient`. @see CPIX 2.3, Key Management */
function resolutionCpix(
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

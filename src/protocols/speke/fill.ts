import { KeyProviderError } from '../../core/errors.ts'
import { fillOnce, fillSkeleton, type Skeleton, type Template } from '../../core/template.ts'
import type { KeyAndIv, Kid } from '../../formats/cenc.ts'
import { type Recipient, recipientError } from '../../formats/cpix/delivery-data.ts'
import { createDocumentEncryption } from '../../formats/cpix/encryption.ts'
import type { WantedKey } from '../../keys/content/content-key.ts'
import type { AnswerFilling } from './layout.ts'

/** A recipient of an answer, without its element. */
export type AnsweredRecipient = Pick<Recipient, 'path' | 'publicKey' | 'fingerprint' | 'validFrom' | 'validTo'>

interface WantedAnswer {
  readonly wanted: readonly WantedKey[]
  /** Undefined: the keys are in the clear. */
  readonly recipients: readonly AnsweredRecipient[] | undefined
}

/** The bytes of an answer: its layout, filled with the keys of `wanted`, in the same order. */
export function fillAnswer(
  answer: WantedAnswer & { readonly layout: Template<AnswerFilling> | Skeleton<AnswerFilling> },
  keys: readonly KeyAndIv[],
  randomBytes: (size: number) => Uint8Array,
): Uint8Array {
  const { layout } = answer
  const filling = toFilling(answer, keys, randomBytes)
  return 'text' in layout ? fillOnce(layout, filling) : fillSkeleton(layout, filling)
}

/** The values for the holes of a layout. If there are recipients, encrypts the keys for them. Throws ERR_RECIPIENT_INVALID. */
export function toFilling(
  { wanted, recipients }: WantedAnswer,
  keys: readonly KeyAndIv[],
  randomBytes: (size: number) => Uint8Array,
): AnswerFilling {
  const keyOf = new Map<Kid, KeyAndIv>()
  for (const [i, { kid }] of wanted.entries()) {
    const key = keys[i]
    if (key !== undefined) keyOf.set(kid, key)
  }
  const keyAndIv = (kid: Kid): KeyAndIv => {
    const key = keyOf.get(kid)
    if (key === undefined)
      throw new KeyProviderError('ERR_STORE_UNAVAILABLE', `no key was issued for the kid ${kid}. Retry.`)
    return key
  }
  const memo = new Map<object, string>()
  if (recipients === undefined) {
    return { memo, keyAndIv, wrappedFor: () => notEncrypted(), encrypted: () => notEncrypted() }
  }
  const encryption = createDocumentEncryption(randomBytes)
  const wrapped = recipients.map((recipient) => {
    try {
      return encryption.wrapFor(recipient)
    } catch (cause) {
      throw recipientError(recipient.path, 'the RSA key cannot encrypt the document key', cause)
    }
  })
  const encrypted = new Map(wanted.map(({ kid }) => [kid, encryption.encrypt(keyAndIv(kid).contentKey)]))
  return {
    memo,
    keyAndIv,
    wrappedFor: (recipient) => wrapped[recipient] ?? notEncrypted(),
    encrypted: (kid) => encrypted.get(kid) ?? notEncrypted(),
  }
}

function notEncrypted(): never {
  throw new Error('the layout has a place for an encrypted key, but the key was not encrypted')
}

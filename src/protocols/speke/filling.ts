import { KeyProviderError } from '../../core/errors.ts'
import type { KeyAndIv, Kid } from '../../formats/cenc.ts'
import { type Recipient, recipientError } from '../../formats/cpix/delivery-data.ts'
import { createDocumentEncryption } from '../../formats/cpix/encryption.ts'
import type { WantedKey } from '../../keys/content/content-key.ts'
import type { AnswerFilling } from './layout.ts'

/** Whom an answer is encrypted for, without their elements. */
export type AnsweredRecipient = Pick<Recipient, 'path' | 'publicKey' | 'fingerprint' | 'validFrom' | 'validTo'>

/** What an answer is filled from: the keys issued for `wanted`, in its order, encrypted for the recipients where there are any. */
export function toFilling(
  {
    wanted,
    recipients,
  }: { readonly wanted: readonly WantedKey[]; readonly recipients: readonly AnsweredRecipient[] | undefined },
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
    if (key === undefined) throw new KeyProviderError('ERR_STORE_UNAVAILABLE', 'a key of the answer was not issued')
    return key
  }
  const memo = new Map<object, string>()
  if (recipients === undefined) {
    return { memo, keyAndIv, wrappedFor: () => refuseClear(), encrypted: () => refuseClear() }
  }
  const encryption = createDocumentEncryption(randomBytes)
  const wrapped = recipients.map((recipient) => {
    try {
      return encryption.wrapFor(recipient)
    } catch (cause) {
      throw recipientError(recipient.path, 'holds an RSA key that nothing can be encrypted with', cause)
    }
  })
  const encrypted = new Map(wanted.map(({ kid }) => [kid, encryption.encrypt(keyAndIv(kid).contentKey)]))
  return {
    memo,
    keyAndIv,
    wrappedFor: (recipient) => wrapped[recipient] ?? refuseClear(),
    encrypted: (kid) => encrypted.get(kid) ?? refuseClear(),
  }
}

function refuseClear(): never {
  throw new Error('the answer has a place for an encrypted key that was not encrypted')
}

import type { ErrorCode } from '../../core/errors.ts'
import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import type { Recipient } from '../../formats/cpix/delivery-data.ts'

/** A content key and what a licence for it needs to know. Times are of ISO 8601. */
export interface ResolvedKey {
  readonly kid: Kid
  readonly contentId: string
  readonly class: ContentKeyClass
  /** Base64 of 16 bytes, as is the IV. */
  readonly key: string
  /** The IV that Keyspring gives where it gives one; an encryptor may have brought its own. */
  readonly explicitIV: string | undefined
  /** As the encryptor wrote it. Undefined, as are the next two, for a key that no encryptor was seen to ask for. */
  readonly commonEncryptionScheme: string | undefined
  readonly intendedTrackTypes: readonly string[]
  /** The newest key period that the key was asked for in, as the encryptor wrote it. */
  readonly contentKeyPeriod:
    | { readonly index: number | undefined; readonly start: string | undefined; readonly end: string | undefined }
    | undefined
  readonly policy: {
    /** From when players are refused; undefined: never, as long as the rules stay. */
    readonly expiresAt: string | undefined
  }
}

/** A kid without a key, and why. */
export interface UnresolvedKid {
  readonly kid: Kid
  readonly code: ErrorCode
  readonly message: string
  /** The contents that have the kid, where they are several. */
  readonly contentIds?: readonly string[]
}

/** What is encrypted when that is asked for. */
export interface Resolution {
  readonly keys: readonly ResolvedKey[]
  readonly errors: readonly UnresolvedKid[]
}

/** How keys are encrypted for whoever asks. */
export interface Encryption {
  /** `jwe`: the JSON of the answer, RSA-OAEP-256 and A256GCM, compact. `cpix`: a CPIX document with encrypted content keys. */
  readonly format: 'jwe' | 'cpix'
  /** PEM, or base64 of DER. RSA of 2048 to 4096 bits. */
  readonly certificate: string
}

/** An answer whose keys are readable to the holder of the certificate's private key alone. */
export interface EncryptedResolution {
  readonly format: Encryption['format']
  /** The JWE, or the document. */
  readonly encrypted: string
  /** How many keys it holds. */
  readonly count: number
  readonly errors: readonly UnresolvedKid[]
}

/** Whom to encrypt for. */
export interface EncryptionRecipient extends Omit<Recipient, 'element' | 'deliveryKey' | 'path'> {
  readonly format: Encryption['format']
  /** Base64 of DER. */
  readonly certificate: string
}

import type { ErrorCode } from '../../core/errors.ts'
import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import type { Recipient } from '../../formats/cpix/delivery-data.ts'

/** A content key, and the facts that a licence needs. Times are ISO 8601. */
export interface ResolvedKey {
  readonly kid: Kid
  readonly contentId: string
  readonly class: ContentKeyClass
  /** Base64 of 16 bytes, as is the IV. */
  readonly key: string
  /** The IV that Keyspring answers if it answers one. An encryptor can use its own. */
  readonly explicitIV: string | undefined
  /** In the spelling of the encryptor. This and the next two are undefined or empty for a key that no encryptor requested. */
  readonly commonEncryptionScheme: string | undefined
  readonly intendedTrackTypes: readonly string[]
  /** The newest key period of the key, in the spelling of the encryptor. */
  readonly contentKeyPeriod:
    | { readonly index: number | undefined; readonly start: string | undefined; readonly end: string | undefined }
    | undefined
  readonly policy: {
    /** From when players get 410; undefined if it never expires under the current rules. */
    readonly expiresAt: string | undefined
  }
}

/** A kid without a key, and the reason. */
export interface UnresolvedKid {
  readonly kid: Kid
  readonly code: ErrorCode
  readonly message: string
  /** The contents that have the kid, if there are several. */
  readonly contentIds?: readonly string[]
}

/** The answer for a licence server, which can be encrypted. */
export interface Resolution {
  readonly keys: readonly ResolvedKey[]
  readonly errors: readonly UnresolvedKid[]
}

/** The requested encryption. */
export interface Encryption {
  /** `jwe`: the JSON of the answer, RSA-OAEP-256 and A256GCM, compact. `cpix`: a CPIX document with encrypted content keys. */
  readonly format: 'jwe' | 'cpix'
  /** PEM, or base64 of DER. RSA of 2048 to 4096 bits. */
  readonly certificate: string
}

/** An answer that only the holder of the certificate's private key can read. */
export interface EncryptedResolution {
  readonly format: Encryption['format']
  /** The JWE, or the document. */
  readonly encrypted: string
  /** How many keys it holds. */
  readonly count: number
  readonly errors: readonly UnresolvedKid[]
}

/** The recipient of an encrypted answer. */
export interface EncryptionRecipient extends Omit<Recipient, 'element' | 'deliveryKey' | 'path'> {
  readonly format: Encryption['format']
  /** Base64 of DER. */
  readonly certificate: string
}

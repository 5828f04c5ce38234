import type { Recipient } from '../../formats/cpix/delivery-data.ts'
import type { Answered } from '../answers/fields.ts'
import type { ENCRYPTED_RESOLUTION, RESOLUTION, RESOLVED_KEY, UNRESOLVED_KID } from '../answers/keys.ts'

/** A content key, and the facts that a licence needs. Times are ISO 8601. */
export type ResolvedKey = Answered<typeof RESOLVED_KEY>

/** A kid without a key, and the reason. */
export type UnresolvedKid = Answered<typeof UNRESOLVED_KID>

/** The answer for a licence server, which can be encrypted. */
export type Resolution = Answered<typeof RESOLUTION>

/** The requested encryption. */
export interface Encryption {
  /** `jwe`: the JSON of the answer, RSA-OAEP-256 and A256GCM, compact. `cpix`: a CPIX document with encrypted content keys. */
  readonly format: 'jwe' | 'cpix'
  /** PEM, or base64 of DER. RSA of 2048 to 4096 bits. */
  readonly certificate: string
}

/** An answer that only the holder of the certificate's private key can read. */
export type EncryptedResolution = Answered<typeof ENCRYPTED_RESOLUTION>

/** The recipient of an encrypted answer. */
export interface EncryptionRecipient extends Omit<Recipient, 'element' | 'deliveryKey' | 'path'> {
  readonly format: Encryption['format']
  /** Base64 of DER. */
  readonly certificate: string
}

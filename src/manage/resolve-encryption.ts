import { CompactEncrypt } from 'jose'
import { type Recipient, readCertificate, recipientError, validityProblem } from '../cpix/delivery-data.ts'
import { createDocumentEncryption, type WrappedKeys } from '../cpix/encryption.ts'
import type { KeyProviderError } from '../errors.ts'
import type { RandomBytes } from '../keys/seal.ts'
import { resolutionCpix } from './resolution-cpix.ts'
import type { Resolution, UnresolvedKid } from './resolve.ts'

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

const PLACE = 'encryption.certificate'
const PEM = /^\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----\s*$/

/** Reads whom to encrypt for. Throws ERR_RECIPIENT_INVALID for a certificate that cannot be used at `now`. */
export function readEncryption({ format, certificate }: Encryption, now: number): EncryptionRecipient {
  const base64 = (PEM.exec(certificate)?.[1] ?? certificate).replaceAll(/\s+/g, '')
  const recipient = readCertificate(base64, PLACE)
  const problem = validityProblem(recipient, now)
  if (problem !== undefined) throw recipientError(PLACE, problem)
  return { ...recipient, format, certificate: base64 }
}

/** Encrypts an answer for `recipient`: by JWE with all that is said of each key, by CPIX as far as CPIX has words for it. */
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
  return recipientError(PLACE, 'holds an RSA key that nothing can be encrypted with', cause)
}

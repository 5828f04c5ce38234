import { CompactEncrypt } from 'jose'
import type { KeyProviderError } from '../../core/errors.ts'
import { readCertificate, recipientError, validityProblem } from '../../formats/cpix/delivery-data.ts'
import { createDocumentEncryption, type WrappedKeys } from '../../formats/cpix/encryption.ts'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import { resolutionCpix } from './cpix.ts'
import type { EncryptedResolution, Encryption, EncryptionRecipient, Resolution } from './resolution.ts'

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

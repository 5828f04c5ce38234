import {
  constants,
  createCipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import { type SignerCredential, sameBytes } from '../credentials/credential.ts'
import {
  defineMethod,
  FILE,
  ID,
  idOf,
  optional,
  type ReadCredentialOptions,
  sealed,
  type WrittenCredential,
} from './definition.ts'

/** The key of a signer of the Widevine key API: to sign requests, or to verify signatures. */
export type WidevineSigner =
  | { readonly kind: 'aes'; readonly key: KeyObject; readonly iv: Uint8Array }
  | { readonly kind: 'rsa'; readonly key: KeyObject }

const AES_KEY = 32
const AES_BLOCK = 16

/** The definition of signers of the Widevine key API, whose requests `protocols/widevine` verifies. */
export const signerMethod = defineMethod({
  method: 'signer',
  stored: { kind: 'text', sealed: 'bytes' },
  fields: { name: ID, aesKeyFile: optional(FILE), aesIvFile: optional(FILE), rsaPublicKeyFile: optional(FILE) },
  async read({ name = '', ...files }, options) {
    const signer = readSigner(files, options)
    if (signer === undefined) return undefined
    return { ...(await sealed(options, 'signer', name, encodeWidevineSigner(signer))), kind: signer.kind }
  },
  async issue(options) {
    const id = idOf(options, 'the name of the signer')
    if (options.publicKeyPem !== undefined) {
      const spki = encodeWidevineSigner(rsaSigner(options.publicKeyPem))
      return { credential: { ...(await sealed(options, 'signer', id, spki)), kind: 'rsa' }, shown: [] }
    }
    const [key, iv] = [options.randomBytes(32), options.randomBytes(16)]
    return {
      credential: { ...(await sealed(options, 'signer', id, encodeWidevineSigner(aesSigner(key, iv)))), kind: 'aes' },
      shown: [
        ['signer', id],
        ['AES signing key', hexOf(key)],
        ['AES signing IV', hexOf(iv)],
      ],
    }
  },
})

function readSigner(
  { aesKeyFile, aesIvFile, rsaPublicKeyFile }: WrittenCredential,
  { readSecret, report }: ReadCredentialOptions,
): WidevineSigner | undefined {
  if (rsaPublicKeyFile !== undefined && aesKeyFile === undefined && aesIvFile === undefined) {
    const pem = readSecret('rsaPublicKeyFile', rsaPublicKeyFile)
    return pem === undefined ? undefined : rsaSigner(pem)
  }
  if (aesKeyFile === undefined || aesIvFile === undefined || rsaPublicKeyFile !== undefined) {
    return report('expected aesKeyFile with aesIvFile, or rsaPublicKeyFile')
  }
  const [key, iv] = [readSecret('aesKeyFile', aesKeyFile), readSecret('aesIvFile', aesIvFile)]
  return key === undefined || iv === undefined ? undefined : aesSigner(Buffer.from(key, 'hex'), Buffer.from(iv, 'hex'))
}

function hexOf(bytes: Uint8Array): Secret<string> {
  return new Secret(Buffer.from(bytes).toString('hex'))
}

/**
 * The signature of the bytes of a request: AES-256-CBC over their padded SHA-1, or RSASSA-PSS with SHA-1. The API requires
 * SHA-1.
 * @see https://www.widevine.com/ (Widevine Common Encryption API, request signature)
 */
export function signWidevineRequest(signer: WidevineSigner, request: Uint8Array): Buffer {
  return signer.kind === 'aes'
    ? encryptHash(signer, request, true)
    : sign('sha1', request, pssOf(signer.key, constants.RSA_PSS_SALTLEN_DIGEST))
}

/** Whether `signature` is the signer's over `request`. */
export function verifyWidevineRequest(signer: WidevineSigner, request: Uint8Array, signature: Uint8Array): boolean {
  if (signer.kind === 'rsa') {
    return verify('sha1', request, pssOf(signer.key, constants.RSA_PSS_SALTLEN_AUTO), signature)
  }
  // Kaltura's client pads the hash with zeros; the hash bytes are the same.
  const [padded, zeroPadded] = [true, false].map((pkcs) => sameBytes(encryptHash(signer, request, pkcs), signature))
  return padded === true || zeroPadded === true
}

/** The bytes of a signer, to be sealed: key ‖ IV, or the public key as SubjectPublicKeyInfo. */
export function encodeWidevineSigner(signer: WidevineSigner): Buffer {
  if (signer.kind === 'aes') return Buffer.concat([signer.key.export(), signer.iv])
  const publicKey = signer.key.type === 'public' ? signer.key : createPublicKey(signer.key)
  return publicKey.export({ type: 'spki', format: 'der' })
}

/** The signer that `encodeWidevineSigner` wrote. */
export function decodeWidevineSigner(kind: SignerCredential['kind'], bytes: Buffer): WidevineSigner {
  if (kind === 'rsa') return { kind, key: createPublicKey({ key: bytes, format: 'der', type: 'spki' }) }
  return aesSigner(bytes.subarray(0, AES_KEY), bytes.subarray(AES_KEY))
}

/** A signer by AES key and IV. Throws ERR_CONFIG_INVALID for other sizes. */
export function aesSigner(key: Uint8Array, iv: Uint8Array): WidevineSigner {
  if (key.length !== AES_KEY || iv.length !== AES_BLOCK) {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      `a Widevine signer requires an AES key of ${AES_KEY} bytes and an IV of ${AES_BLOCK}, got ${key.length} and ${iv.length}`,
    )
  }
  return { kind: 'aes', key: createSecretKey(key), iv: Uint8Array.from(iv) }
}

/** A signer by RSA private key (to sign) or public key (to verify), in PEM. */
export function rsaSigner(pem: string): WidevineSigner {
  const key = pem.includes('PRIVATE KEY') ? createPrivateKey(pem) : createPublicKey(pem)
  if (key.asymmetricKeyType !== 'rsa' || (key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048) {
    throw new KeyProviderError('ERR_CONFIG_INVALID', 'a Widevine signer requires an RSA key of 2048 bits or more')
  }
  return { kind: 'rsa', key }
}

function encryptHash(signer: Extract<WidevineSigner, { kind: 'aes' }>, request: Uint8Array, pkcs: boolean): Buffer {
  const hash = createHash('sha1').update(request).digest()
  const cipher = createCipheriv('aes-256-cbc', signer.key, signer.iv).setAutoPadding(pkcs)
  const block = pkcs ? hash : Buffer.concat([hash, Buffer.alloc(2 * AES_BLOCK - hash.length)])
  return Buffer.concat([cipher.update(block), cipher.final()])
}

function pssOf(key: KeyObject, saltLength: number) {
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
}

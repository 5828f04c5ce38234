import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { Secret } from '../../core/secret.ts'

/**
 * The cost of one guess: 64 MB of memory and about a third of a second. @see OWASP Password Storage Cheat Sheet,
 * scrypt
 */
export const PASSPHRASE_COST = { N: 65_536, r: 8, p: 2 } as const
export type PassphraseCost = { readonly N: number; readonly r: number; readonly p: number }
/** The highest cost that a file may request. An altered file must not exhaust the memory. */
const MAX_N = 1_048_576
const SALT = 16
const NONCE = 12
const TAG = 16
const ALGORITHM = 'aes-256-gcm'
const LINE = /^keyspring-root-key-sealed v1 N=(\d{1,7}),r=8,p=(\d) ([A-Za-z0-9+/=]+)$/m
const ADDITIONAL = Buffer.from('keyspring/root-key-file/v1')

/** Seals a root key file with a passphrase: salt ‖ nonce ‖ AES-256-GCM ciphertext ‖ tag. scrypt derives the key. */
export async function sealWithPassphrase(text: string, passphrase: Secret<string>): Promise<string> {
  const [salt, nonce] = [randomBytes(SALT), randomBytes(NONCE)]
  const key = await passphraseKey(passphrase, salt, PASSPHRASE_COST)
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(ADDITIONAL)
  const sealed = Buffer.concat([salt, nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
  key.fill(0)
  return [
    '# Back this file up, apart from the store, and its passphrase apart from both: without the two every content key is lost.',
    `keyspring-root-key-sealed v1 N=${PASSPHRASE_COST.N},r=${PASSPHRASE_COST.r},p=${PASSPHRASE_COST.p} ${sealed.toString('base64')}`,
    '',
  ].join('\n')
}

/** Whether a root key file needs a passphrase. */
export function isSealedWithPassphrase(text: string): boolean {
  return /^keyspring-root-key-sealed /m.test(text)
}

/** The sealed text. Throws ERR_ROOT_KEY_INVALID for a wrong passphrase and for an altered file alike. */
export async function openWithPassphrase(file: string, text: string, passphrase: Secret<string>): Promise<string> {
  const [, N = '', p = '', base64 = ''] = LINE.exec(text) ?? []
  const bytes = Buffer.from(base64, 'base64')
  const cost = { N: Number(N), r: 8, p: Number(p) }
  if (bytes.length <= SALT + NONCE + TAG || !isAffordable(cost)) {
    throw invalid(file, 'it is not "keyspring-root-key-sealed v1 N=…,r=8,p=… <base64>"; restore it from a backup')
  }
  const key = await passphraseKey(passphrase, bytes.subarray(0, SALT), cost)
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(SALT, SALT + NONCE), { authTagLength: TAG })
  key.fill(0)
  decipher.setAAD(ADDITIONAL).setAuthTag(bytes.subarray(bytes.length - TAG))
  const clear = decipher.update(bytes.subarray(SALT + NONCE, bytes.length - TAG))
  try {
    decipher.final()
    return clear.toString('utf8')
  } catch {
    throw invalid(file, 'it does not open: the passphrase is wrong, or the file was altered')
  } finally {
    clear.fill(0)
  }
}

/** The 32-byte key that scrypt derives from a passphrase. */
export function passphraseKey(passphrase: Secret<string>, salt: Uint8Array, { N, r, p }: PassphraseCost) {
  const options = { N, r, p, maxmem: 256 * N * r }
  return new Promise<Buffer>((resolve, reject) => {
    scrypt(passphrase.reveal().normalize('NFC'), salt, 32, options, (error, key) =>
      error ? reject(error) : resolve(key),
    )
  })
}

/** Whether the requested cost is within the limits. */
export function isAffordable({ N, r, p }: PassphraseCost): boolean {
  const isPowerOfTwo = Number.isInteger(N) && N >= 2 && (N & (N - 1)) === 0
  return isPowerOfTwo && N <= MAX_N && r === 8 && Number.isInteger(p) && p >= 1 && p <= 9
}

function invalid(file: string, problem: string): KeyProviderError {
  return new KeyProviderError('ERR_ROOT_KEY_INVALID', `root key file ${file}: ${problem}`)
}

import { isUtf8 } from 'node:buffer'
import { createHmac, createSecretKey, type KeyObject, type ScryptOptions, scrypt } from 'node:crypto'
import { BoundedCache } from '../../core/bounded-cache.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { lengthPrefixed } from '../../core/length-prefixed.ts'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import type { Client } from '../clients/client.ts'
import type { ClientDirectory } from '../clients/directory.ts'
import { sameBytes } from '../credentials/constant-time.ts'
import { checkValidity } from '../credentials/credential.ts'
import { AuthenticationError } from '../failure.ts'
import type { AuthMethod } from '../method.ts'
import { authorizationOf } from '../presented.ts'
import { checkedRealm } from './realm.ts'
import { createTurns } from './turns.ts'

export interface BasicOptions {
  readonly clients: ClientDirectory
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: RandomBytes
  readonly realm: string
  /** How many hashes may be under way: each takes about 0.1 s of a core, and a thread that others need too. */
  readonly maxHashing?: number
  /** How many may wait for that: all encryptors come at once after a restart. */
  readonly maxWaiting?: number
}

/** N = 2^13, r = 8, p = 10: 8 MB, which each thread of the pool keeps. @see OWASP Password Storage Cheat Sheet, scrypt */
const COST: ScryptCost = { logN: 13, r: 8, p: 10 }
const HASH_BYTES = 32

/** The most bytes that proven credentials take in memory: about 10,000 of them. */
const MAX_PROVEN_BYTES = 2 * 1024 * 1024

/**
 * User name and password, over TLS or from a trusted proxy only. A password is hashed when it first comes; then a keyed
 * digest of it is remembered in this process, so that no further request pays for the hash.
 *
 * @see RFC 7617
 */
export function basic(options: BasicOptions): AuthMethod {
  const { clients, now, randomBytes, maxHashing = 2, maxWaiting = 64 } = options
  const realm = checkedRealm(options.realm)
  const processKey = createSecretKey(randomBytes(32))
  const proven = new BoundedCache<true>({ maxBytes: MAX_PROVEN_BYTES, sizeOf: () => 0 })
  const takeTurn = createTurns(maxHashing, maxWaiting)
  const underWay = new Map<string, Promise<boolean>>()
  const nobody = printHash({ cost: COST, salt: randomBytes(16), hash: randomBytes(HASH_BYTES) })

  /** One hash for all requests that bring the same credential at the same time. */
  const hashing = (digest: string, password: string, passwordHash: string): Promise<boolean> => {
    const running = underWay.get(digest)
    if (running !== undefined) return running
    const checking = takeTurn(() => fitsHash(password, passwordHash)).finally(() => underWay.delete(digest))
    underWay.set(digest, checking)
    return checking
  }

  return {
    name: 'basic',
    place: 'request',
    challenges: ({ secure }) => (secure ? [`Basic realm="${realm}", charset="UTF-8"`] : []),
    recognizes: (presented) => authorizationOf(presented, 'basic') !== undefined,
    verify(presented) {
      if (!presented.secure) throw new AuthenticationError('insecure')
      const { user, password } = readBasic(authorizationOf(presented, 'basic') ?? '')
      const found = clients.find('basic', user)
      const passwordHash = found?.credential.passwordHash ?? nobody
      // The stored hash is part of it: a password that was changed is not remembered.
      const digest = digestOf(processKey, [user, password, passwordHash])
      const clientIf = (fits: boolean): Client => {
        if (found === undefined) throw new AuthenticationError('unknown')
        if (!fits) throw new AuthenticationError('mismatch')
        proven.set(digest, true)
        checkValidity(found.credential, now())
        return found.client
      }
      if (proven.get(digest) !== undefined) return clientIf(true)
      return hashing(digest, password, passwordHash).then(clientIf)
    },
  }
}

/** What is stored of a password. */
export async function hashPassword(password: string, randomBytes: RandomBytes): Promise<string> {
  const salt = randomBytes(16)
  return printHash({ cost: COST, salt, hash: await runScrypt(password, salt, COST) })
}

/** The user name and password of a Basic credential. @see RFC 7617, 2 */
export function readBasic(credentials: string): { readonly user: string; readonly password: string } {
  const bytes = Buffer.from(credentials, 'base64')
  const text = bytes.toString('utf8')
  const colon = text.indexOf(':')
  // Control characters are not allowed, and a NUL at the end of a password would not change its hash.
  if (colon === -1 || CONTROL.test(text) || !isUtf8(bytes) || bytes.toString('base64') !== credentials) {
    throw new AuthenticationError('malformed')
  }
  return { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

const CONTROL = /\p{Cc}/u

interface ScryptCost {
  readonly logN: number
  readonly r: number
  readonly p: number
}

interface PasswordHash {
  readonly cost: ScryptCost
  readonly salt: Uint8Array
  readonly hash: Uint8Array
}

async function fitsHash(password: string, passwordHash: string): Promise<boolean> {
  const { cost, salt, hash } = readHash(passwordHash)
  return sameBytes(await runScrypt(password, salt, cost), hash)
}

function runScrypt(password: string, salt: Uint8Array, { logN, r, p }: ScryptCost): Promise<Buffer> {
  const options: ScryptOptions = { N: 2 ** logN, r, p, maxmem: 256 * r * 2 ** logN }
  return new Promise((resolve, reject) => {
    scrypt(password, salt, HASH_BYTES, options, (error, hash) => (error === null ? resolve(hash) : reject(error)))
  })
}

function printHash({ cost: { logN, r, p }, salt, hash }: PasswordHash): string {
  const [saltText, hashText] = [salt, hash].map((bytes) => Buffer.from(bytes).toString('base64'))
  return `$scrypt$ln=${logN},r=${r},p=${p}$${saltText}$${hashText}`
}

const MAX_LOG_N = 20
const PRINTED_HASH = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+=*)\$([A-Za-z0-9+/]{43}=)$/

/** Whether this is a hash that `hashPassword` could have printed. */
export function isPasswordHash(text: string): boolean {
  return Number(PRINTED_HASH.exec(text)?.[1] ?? 99) <= MAX_LOG_N
}

function readHash(printed: string): PasswordHash {
  const [, logN, r, p, salt = '', hash = ''] = PRINTED_HASH.exec(printed) ?? []
  if (!isPasswordHash(printed)) {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      'a stored password hash is not one that keyspring wrote ($scrypt$ln=…,r=…,p=…$salt$hash): set the password again',
    )
  }
  return {
    cost: { logN: Number(logN), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  }
}

function digestOf(key: KeyObject, parts: readonly string[]): string {
  return createHmac('sha256', key).update(lengthPrefixed(parts)).digest('base64')
}

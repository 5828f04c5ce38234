import { isUtf8 } from 'node:buffer'
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { BoundedCache } from '../../core/bounded-cache.ts'
import { lengthPrefixed } from '../../core/length-prefixed.ts'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import type { AuthMethod } from '../authenticate.ts'
import type { Client } from '../clients/client.ts'
import type { ClientDirectory, Registration } from '../clients/directory.ts'
import { checkValidity } from '../credentials/credential.ts'
import { AuthenticationError, RateLimitedError } from '../failure.ts'
import { authorizationOf, type Presented } from '../presented.ts'
import { RateLimit } from '../rate-limit.ts'
import { checkedRealm } from './auth-params.ts'
import { type AuthSettings, defineMethod, FILE, ID, idOf, optional, passwordOf, userAnd } from './definition.ts'
import { fitsHash, hashOfNobody, hashPassword, isPasswordHash, PasswordChecks } from './password-checks.ts'

interface BasicOptions {
  readonly clients: ClientDirectory
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: RandomBytes
  readonly realm: string
  /** Password hashes at the same time. */
  readonly maxHashing?: number
  /** Password hashes that wait. */
  readonly maxWaiting?: number
  /** Wrong passwords of one user, or of all unknown users, from one address. */
  readonly failures?: { readonly perSecond: number; readonly burst: number }
}

/** The most bytes that proven credentials take in memory: about 10,000 of them. */
const MAX_PROVEN_BYTES = 2 * 1024 * 1024
/** Generous to a person who mistypes; beyond it a wrong password costs no hash. */
const FAILURES = { perSecond: 1, burst: 20 }

/** The definition of HTTP Basic. */
export const basicMethod = defineMethod({
  method: 'basic',
  stored: { passwordHash: 'text' },
  fields: {
    user: ID,
    passwordHash: optional({ expected: 'a hash from keyspring client add --print', fits: isPasswordHash }),
    passwordFile: optional(FILE),
  },
  async read({ user = '', passwordHash, passwordFile }, { readSecret, randomBytes, report }) {
    if ((passwordHash === undefined) === (passwordFile === undefined)) {
      return report('expected passwordHash or passwordFile')
    }
    if (passwordHash !== undefined) return { method: 'basic', id: user, passwordHash }
    const password = readSecret('passwordFile', passwordFile ?? '')
    if (password === undefined) return undefined
    return { method: 'basic', id: user, passwordHash: await hashPassword(password, randomBytes) }
  },
  async issue(options) {
    const [id, password] = [idOf(options, 'a user name'), passwordOf(options)]
    const passwordHash = await hashPassword(password.reveal(), options.randomBytes)
    return { credential: { method: 'basic', id, passwordHash }, shown: userAnd(id, password) }
  },
  unusable: ({ tls, trustProxy }) =>
    tls === undefined && trustProxy.length === 0
      ? 'neither tls nor trustProxy is set: passwords are accepted over TLS only'
      : undefined,
  settingsOf: ({ auth }: AuthSettings) => ({ realm: auth.realm }),
  make: ({ clients, now, randomBytes }, { realm }) => basic({ clients, now, randomBytes, realm, failures: FAILURES }),
})

/**
 * User name and password, over TLS or from a trusted proxy only. A password is hashed once; then this process remembers a
 * keyed digest of it, so that later requests need no hash.
 * @see RFC 7617
 */
export function basic(options: BasicOptions): AuthMethod {
  const realm = checkedRealm(options.realm)
  const passwords = new BasicPasswords(options)
  return {
    name: 'basic',
    place: 'request',
    challenges: ({ secure }) => (secure ? [`Basic realm="${realm}", charset="UTF-8"`] : []),
    recognizes: (presented) => authorizationOf(presented, 'basic') !== undefined,
    verify(presented) {
      if (!presented.secure) throw new AuthenticationError('insecure')
      return passwords.verify(presented)
    },
  }
}

/** The passwords that were proven, and the queue of those to be proven. */
class BasicPasswords {
  readonly #options: BasicOptions
  readonly #processKey: KeyObject
  readonly #nobody: string
  readonly #proven
  readonly #checks: PasswordChecks
  readonly #failures: RateLimit | undefined
  /** One hash for all requests that present the same credential at the same time. */
  readonly #underWay = new Map<string, Promise<boolean>>()

  constructor(options: BasicOptions) {
    const { randomBytes, maxHashing = 2, maxWaiting = 64, failures, now } = options
    this.#options = options
    this.#processKey = createSecretKey(randomBytes(32))
    this.#nobody = hashOfNobody(randomBytes)
    this.#proven = new BoundedCache<true>({ maxBytes: MAX_PROVEN_BYTES, sizeOf: () => 0 })
    this.#checks = new PasswordChecks({ atOnce: maxHashing, maxWaiting })
    this.#failures = failures && new RateLimit({ ...failures, now })
  }

  verify(presented: Presented): Client | Promise<Client> {
    const { user, password } = readBasic(authorizationOf(presented, 'basic') ?? '')
    const found = this.#options.clients.find('basic', user)
    const passwordHash = found?.credential.passwordHash ?? this.#nobody
    // The stored hash is part of it: a password that was changed is not remembered.
    const digest = digestOf(this.#processKey, [user, password, passwordHash])
    if (found !== undefined && this.#proven.get(digest) !== undefined) return this.#clientOf(found)
    return this.#prove(presented.address, user, digest, found, () => fitsHash(password, passwordHash))
  }

  async #prove(
    address: string,
    user: string,
    digest: string,
    found: Registration<'basic'> | undefined,
    hash: () => Promise<boolean>,
  ): Promise<Client> {
    // The wrong passwords of others must not keep a user out, so users that exist are counted by themselves.
    const lane = found === undefined ? address : `${user} ${address}`
    const wait = this.#failures?.peek(lane)
    if (wait !== undefined) throw new RateLimitedError(wait, found?.client.name)
    const running = this.#underWay.get(digest)
    const checking = running ?? this.#checks.run({ lane, isKnown: found !== undefined }, hash)
    if (running === undefined) {
      this.#underWay.set(digest, checking)
      const done = (): boolean => this.#underWay.delete(digest)
      checking.then(done, done)
    }
    const fits = await checking
    if (found !== undefined && fits) {
      this.#proven.set(digest, true)
      return this.#clientOf(found)
    }
    this.#failures?.take(lane)
    throw new AuthenticationError(found === undefined ? 'unknown' : 'mismatch')
  }

  #clientOf({ client, credential }: Registration<'basic'>): Client {
    checkValidity(credential, this.#options.now())
    return client
  }
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

function digestOf(key: KeyObject, parts: readonly string[]): string {
  return createHmac('sha256', key).update(lengthPrefixed(parts)).digest('base64')
}

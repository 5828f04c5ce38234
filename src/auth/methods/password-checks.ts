import { type ScryptOptions, scrypt } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import { sameBytes } from '../credentials/credential.ts'

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

/** N = 2^13, r = 8, p = 10: 8 MB for each hash. @see https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html */
const COST: ScryptCost = { logN: 13, r: 8, p: 10 }
const HASH_BYTES = 32
const MAX_LOG_N = 20
const PRINTED_HASH = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+=*)\$([A-Za-z0-9+/]{43}=)$/

/** The text that is stored of a password. */
export async function hashPassword(password: string, randomBytes: RandomBytes): Promise<string> {
  const salt = randomBytes(16)
  return printHash({ cost: COST, salt, hash: await runScrypt(password, salt, COST) })
}

/** A hash that no password has: unknown users cost the same time as known ones. */
export function hashOfNobody(randomBytes: RandomBytes): string {
  return printHash({ cost: COST, salt: randomBytes(16), hash: randomBytes(HASH_BYTES) })
}

/** Whether `hashPassword` could have written this text. */
export function isPasswordHash(text: string): boolean {
  return Number(PRINTED_HASH.exec(text)?.[1] ?? 99) <= MAX_LOG_N
}

/** Whether a password has this hash. Rejects with ERR_CONFIG_INVALID for a text that is not a hash. */
export async function fitsHash(password: string, passwordHash: string): Promise<boolean> {
  const { cost, salt, hash } = readHash(passwordHash)
  return sameBytes(await runScrypt(password, salt, cost), hash)
}

interface PasswordChecksOptions {
  /** Hashes at the same time: each takes about 0.1 s of a core, and a thread that others need too. */
  readonly atOnce: number
  /** Hashes that wait, of all lanes together: all encryptors come at once after a restart. */
  readonly maxWaiting: number
}

/** Waiting hashes of one lane. */
const MAX_OF_LANE = 8

/**
 * A queue of password hashes with a lane for each caller. Lanes take turns, so a lane that is full of wrong passwords delays
 * another by one hash. Users that exist have half of the queue, and one of the running hashes, for themselves.
 */
export class PasswordChecks {
  readonly #options: PasswordChecksOptions
  readonly #lanes = new Map<string, (() => void)[]>()
  #running = 0
  #runningStrangers = 0
  #waiting = 0
  #waitingStrangers = 0

  constructor(options: PasswordChecksOptions) {
    this.#options = options
  }

  /** Runs a hash when it is its turn. Rejects with ERR_OVERLOADED if too many wait. */
  async run<T>({ lane, isKnown }: { readonly lane: string; readonly isKnown: boolean }, hash: () => Promise<T>) {
    if (this.#hasRoom(isKnown)) this.#begin(isKnown)
    else await this.#wait(lane, isKnown)
    try {
      return await hash()
    } finally {
      this.#running--
      if (!isKnown) this.#runningStrangers--
      this.#next()
    }
  }

  #begin(isKnown: boolean): void {
    this.#running++
    if (!isKnown) this.#runningStrangers++
  }

  #hasRoom(isKnown: boolean): boolean {
    const { atOnce } = this.#options
    return this.#running < atOnce && (isKnown || this.#runningStrangers < Math.max(1, atOnce - 1))
  }

  #wait(lane: string, isKnown: boolean): Promise<void> {
    const { maxWaiting } = this.#options
    const name = `${isKnown ? 'user' : 'stranger'} ${lane}`
    const waiting = this.#lanes.get(name) ?? []
    const isFull = this.#waiting >= maxWaiting || (!isKnown && this.#waitingStrangers >= maxWaiting / 2)
    if (isFull || waiting.length >= MAX_OF_LANE) {
      throw new KeyProviderError('ERR_OVERLOADED', 'too many passwords are being checked at this moment: try again')
    }
    this.#waiting++
    if (!isKnown) this.#waitingStrangers++
    return new Promise((resolve) => {
      waiting.push(resolve)
      this.#lanes.set(name, waiting)
    })
  }

  /** Starts the first hash of the next lane that may run. */
  #next(): void {
    for (const [name, waiting] of this.#lanes) {
      const isKnown = name.startsWith('user ')
      if (!this.#hasRoom(isKnown)) continue
      const start = waiting.shift()
      // The lane goes to the end of the line.
      this.#lanes.delete(name)
      if (waiting.length > 0) this.#lanes.set(name, waiting)
      if (start === undefined) continue
      this.#waiting--
      if (!isKnown) this.#waitingStrangers--
      this.#begin(isKnown)
      start()
      return
    }
  }
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

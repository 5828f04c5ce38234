import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** `ks_` as every token, then a name that no client has. */
const TOKEN = /^ks_bootstrap_[\w-]{43}$/

/**
 * The token for management while no client is configured. It is in a file that only the user of the server can read, so that a
 * proxy or a page in a browser on the same machine cannot use the management API.
 */
export class BootstrapToken {
  readonly file: string
  readonly #hash: Uint8Array

  /** Reads the token in `file`, or creates it with mode 0600. A file that others can read gets a new token. Throws the error of the system call. */
  static open(file: string): BootstrapToken {
    const known = readPrivate(file)
    if (known !== undefined) return new BootstrapToken(file, known)
    const token = `ks_bootstrap_${randomBytes(32).toString('base64url')}`
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    // A new file: an old one may be a link, or open in another program.
    rmSync(file, { force: true })
    writeFileSync(file, `${token}\n`, { flag: 'wx', mode: 0o600 })
    return new BootstrapToken(file, token)
  }

  private constructor(file: string, token: string) {
    this.file = file
    this.#hash = sha256(token)
  }

  /** Whether the value of an Authorization header is this token, compared in constant time. */
  isIn(authorization: string | undefined): boolean {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    return token !== undefined && timingSafeEqual(sha256(token), this.#hash)
  }
}

/** The token of a regular file that only its owner can read; undefined if there is none. */
function readPrivate(file: string): string | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false })
  if (stat === undefined || !stat.isFile() || (stat.mode & 0o077) !== 0) return undefined
  const token = readFileSync(file, 'utf8').trim()
  return TOKEN.test(token) ? token : undefined
}

function sha256(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}

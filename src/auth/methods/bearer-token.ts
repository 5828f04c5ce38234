import { createHash } from 'node:crypto'
import { Secret } from '../../core/secret.ts'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import type { AuthMethod } from '../authenticate.ts'
import { normalizeFingerprint } from '../certificate.ts'
import type { ClientDirectory } from '../clients/directory.ts'
import { checkValidity, sameBytes, type TokenCredential } from '../credentials/credential.ts'
import { AuthenticationError } from '../failure.ts'
import { authorizationOf, isRepeated, type Presented } from '../presented.ts'
import { defineMethod, FILE, ID, optional, SHA256 } from './definition.ts'

interface BearerTokenOptions {
  readonly clients: ClientDirectory
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** A new token, and the credential that is stored. */
interface IssuedToken {
  /** Shown once. */
  readonly token: Secret<string>
  readonly credential: TokenCredential
}

const TOKEN = /^ks_([0-9A-Za-z]{8,32})_[0-9A-Za-z_-]{22,128}$/
const LOOKS_LIKE_TOKEN = /^ks_/
/** The header names that encryptors use for API keys. */
const API_KEY_HEADERS = ['x-api-key', 'api-key'] as const
const NO_HASH = new Uint8Array(32)

/** The definition of opaque tokens. */
export const tokenMethod = defineMethod({
  method: 'token',
  stored: { sha256: 'bytes' },
  fields: { id: optional(ID), sha256: optional(SHA256), tokenFile: optional(FILE) },
  read({ id, sha256, tokenFile }, { readSecret, report }) {
    if (tokenFile === undefined && id !== undefined && sha256 !== undefined) {
      return { method: 'token', id, sha256: Buffer.from(normalizeFingerprint(sha256), 'hex') }
    }
    if (tokenFile === undefined || id !== undefined || sha256 !== undefined) {
      return report('expected id and sha256, or tokenFile')
    }
    const token = readSecret('tokenFile', tokenFile)
    if (token === undefined) return undefined
    const tokenIdRead = tokenId(token)
    if (tokenIdRead === undefined) {
      return report('tokenFile: expected a token ks_ID_SECRET, as keyspring client add prints it')
    }
    return { method: 'token', id: tokenIdRead, sha256: hashToken(token) }
  },
  async issue({ randomBytes }) {
    const { token, credential } = issueToken(randomBytes)
    return { credential, shown: [['token', token]] }
  },
  settingsOf: () => ({}),
  make: ({ clients, now }) => bearerToken({ clients, now }),
})

/**
 * Opaque tokens `ks_<id>_<secret>` in Authorization: Bearer, X-API-Key or API-KEY. The ID finds the credential, the hash proves
 * it.
 * @see RFC 6750, 2.1
 */
export function bearerToken({ clients, now }: BearerTokenOptions): AuthMethod {
  return {
    name: 'token',
    place: 'request',
    challenges: () => ['Bearer realm="keyspring"'],
    recognizes: (presented) => tokensOf(presented).length > 0,
    // API Gateway uses X-API-Key itself, for its usage plans.
    isLeftByGateway: (presented) => !tokensOf(presented).some((token) => LOOKS_LIKE_TOKEN.test(token)),
    verify(presented) {
      const [token = '', second] = tokensOf(presented)
      if (second !== undefined || API_KEY_HEADERS.some((name) => isRepeated(presented, name))) {
        throw new AuthenticationError('ambiguous')
      }
      const id = tokenId(token)
      if (id === undefined) throw new AuthenticationError('malformed')
      const found = clients.find('token', id)
      const same = sameBytes(hashToken(token), found?.credential.sha256 ?? NO_HASH)
      if (found === undefined) throw new AuthenticationError('unknown')
      if (!same) throw new AuthenticationError('mismatch')
      checkValidity(found.credential, now())
      return found.client
    },
  }
}

/** A new token of 256 random bits. */
export function issueToken(randomBytes: RandomBytes): IssuedToken {
  const id = Buffer.from(randomBytes(8)).toString('hex')
  const token = `ks_${id}_${Buffer.from(randomBytes(32)).toString('base64url')}`
  return { token: new Secret(token), credential: { method: 'token', id, sha256: hashToken(token) } }
}

/** The ID in a token; undefined if the text is not a token. */
function tokenId(token: string): string | undefined {
  return TOKEN.exec(token)?.[1]
}

/** The stored hash of a token, which has 128 random bits or more: a plain hash is enough. */
function hashToken(token: string): Uint8Array {
  return createHash('sha256').update(token).digest()
}

/** Every presented token. A Bearer credential that does not look like ours may be a JWT. */
function tokensOf(presented: Presented): readonly string[] {
  const bearer = authorizationOf(presented, 'bearer')
  const tokens = bearer !== undefined && LOOKS_LIKE_TOKEN.test(bearer) ? [bearer] : []
  for (const name of API_KEY_HEADERS) {
    const value = presented.headers[name]
    if (value !== undefined) tokens.push(String(value))
  }
  return tokens
}

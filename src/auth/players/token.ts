import type { KeyObject } from 'node:crypto'
import { type FetchImplementation, SignJWT } from 'jose'
import { KeyProviderError } from '../../core/errors.ts'
import { matchesPattern } from '../../core/glob.ts'
import { type Kid, toKid } from '../../formats/cenc.ts'
import type { ContentRef, Tenant } from '../../keys/ports/content-ref.ts'
import { remoteKeySet, VerifiedTokens, verifyJwt } from '../credentials/jwt-verify.ts'
import { AuthenticationError } from '../failure.ts'

/** The algorithms of player tokens, and the key that each requires: a key is used with its own algorithm only. */
const KEYS = {
  HS256: { expected: 'a secret of 32 bytes or more', fits: (key: KeyObject) => (key.symmetricKeySize ?? 0) >= 32 },
  EdDSA: { expected: 'an Ed25519 public key', fits: (key: KeyObject) => isPublic(key, 'ed25519') },
  RS256: { expected: 'an RSA public key of 2048 bits or more', fits: (key: KeyObject) => isPublic(key, 'rsa') },
} as const
export type PlayerTokenAlgorithm = keyof typeof KEYS

/** A key that verifies player tokens. Two at once serve a rotation. */
export interface PlayerTokenKey {
  /** The `kid` of the token's header. */
  readonly id: string
  readonly algorithm: PlayerTokenAlgorithm
  /** The secret of HS256, or the public key. */
  readonly key: KeyObject
}

/** What a player may have. */
export interface PlayerGrant {
  readonly tenant: Tenant
  /** Patterns in which `*` stands for any text. */
  readonly contentIds: readonly string[]
  /** Absent: every kid of these contents. */
  readonly kids?: readonly Kid[] | undefined
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  /** The name under which the player's requests are counted. */
  readonly subject?: string | undefined
}

interface PlayerTokensOptions {
  readonly keys: readonly PlayerTokenKey[]
  /** Where the issuer publishes more public keys (JWKS): `https:`, or `http:` on this machine. */
  readonly jwks?: URL
  /** How that is fetched. */
  readonly fetch?: FetchImplementation
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly audience?: string
}

export interface PlayerTokens {
  /** What the token grants. Throws an AuthenticationError. */
  verify(token: string): PlayerGrant | Promise<PlayerGrant>
}

/** The audience of every player token, so that no other token of the same keys is accepted. */
export const PLAYER_AUDIENCE = 'keyspring:player'

/** A token that was verified by a key is accepted this long after its issuer withdraws the key. */
const REMEMBER_MS = 300_000

/** The most bytes that verified tokens take in memory. */
const MAX_VERIFIED_BYTES = 32 * 1024 * 1024

/** Verifies player tokens. A verified token is remembered until it expires. @see RFC 7519 */
export function createPlayerTokens(options: PlayerTokensOptions): PlayerTokens {
  const { now, audience = PLAYER_AUDIENCE } = options
  const keys = new Map(options.keys.map((one) => [one.id, checkedKey(one)]))
  const published = options.jwks === undefined ? undefined : remoteKeySet(options.jwks, options.fetch)
  const verified = new VerifiedTokens<PlayerGrant>(MAX_VERIFIED_BYTES, sizeOfGrant, now)

  const check = async (token: string): Promise<PlayerGrant> => {
    const payload = await verifyJwt(
      token,
      (header, jws) => {
        const { kid, alg } = header
        const found = keys.get(kid ?? '')
        // A published key is public, so never the secret of HS256: the key set rejects that algorithm itself.
        if (found === undefined && published !== undefined) return published(header, jws)
        if (found === undefined) throw new AuthenticationError('unknown')
        // Otherwise the public key of RS256 could serve as the secret of HS256. RFC 8725, 3.1
        if (found.algorithm !== alg) throw new AuthenticationError('mismatch')
        return found.key
      },
      { audience, algorithms: Object.keys(KEYS), requiredClaims: ['exp'], currentDate: new Date(now()) },
    )
    const grant = readGrant(payload)
    verified.set(
      token,
      grant,
      published === undefined ? grant.expiresAt : Math.min(grant.expiresAt, now() + REMEMBER_MS),
    )
    return grant
  }

  return { verify: (token) => verified.get(token) ?? check(token) }
}

/** A token for `grant`, signed by a secret (HS256) or private key. */
export function mintPlayerToken(
  { id, algorithm, key }: PlayerTokenKey,
  grant: PlayerGrant,
  issuedAt: number,
  audience: string = PLAYER_AUDIENCE,
): Promise<string> {
  const { tenant, contentIds, kids, expiresAt, subject } = grant
  const token = new SignJWT({ tenant, contentIds, ...(kids === undefined ? {} : { kids }) })
    .setProtectedHeader({ alg: algorithm, kid: id, typ: 'JWT' })
    .setAudience(audience)
    .setIssuedAt(Math.floor(issuedAt / 1_000))
    .setExpirationTime(Math.floor(expiresAt / 1_000))
  return (subject === undefined ? token : token.setSubject(subject)).sign(key)
}

/** Whether a grant covers a content, and the kid if one is given. */
export function grantCovers(grant: PlayerGrant, { tenant, contentId }: ContentRef, kid?: Kid): boolean {
  return (
    grant.tenant === tenant &&
    grant.contentIds.some((pattern) => matchesPattern(pattern, contentId)) &&
    (kid === undefined || grant.kids === undefined || grant.kids.includes(kid))
  )
}

/** About the bytes that a grant takes in memory. */
function sizeOfGrant({ tenant, contentIds, kids = [], subject = '' }: PlayerGrant): number {
  const texts = [tenant, subject, ...contentIds, ...kids]
  return texts.reduce((bytes, text) => bytes + 2 * text.length + 32, 200)
}

function checkedKey(one: PlayerTokenKey): PlayerTokenKey {
  const { expected, fits } = KEYS[one.algorithm]
  if (fits(one.key)) return one
  throw new KeyProviderError(
    'ERR_CONFIG_INVALID',
    `the player token key ${JSON.stringify(one.id)} of ${one.algorithm}: expected ${expected}`,
  )
}

function isPublic(key: KeyObject, type: 'ed25519' | 'rsa'): boolean {
  const modulusLength = key.asymmetricKeyDetails?.modulusLength ?? 2048
  return key.type === 'public' && key.asymmetricKeyType === type && modulusLength >= 2048
}

function readGrant(payload: Readonly<Record<string, unknown>>): PlayerGrant {
  const { tenant, contentIds, kids, exp, sub } = payload
  if (typeof tenant !== 'string' || !isTexts(contentIds) || typeof exp !== 'number') {
    throw new AuthenticationError('malformed')
  }
  const grant = { tenant, contentIds, expiresAt: exp * 1_000, subject: typeof sub === 'string' ? sub : undefined }
  if (kids === undefined) return grant
  const read = isTexts(kids) ? kids.map(toKid) : [undefined]
  // A text that is not a kid must not be dropped: the token would grant something else than its issuer meant.
  if (!read.every((kid) => kid !== undefined)) throw new AuthenticationError('malformed')
  return { ...grant, kids: read }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

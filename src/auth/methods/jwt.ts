import type { FetchImplementation, JSONWebKeySet } from 'jose'
import type { AuthMethod } from '../authenticate.ts'
import type { Client } from '../clients/client.ts'
import type { ClientDirectory } from '../clients/directory.ts'
import { checkValidity } from '../credentials/credential.ts'
import { AuthenticationError, RateLimitedError } from '../failure.ts'
import { authorizationOf, type Presented } from '../presented.ts'
import { RateLimit } from '../rate-limit.ts'
import { type AuthSettings, defineMethod, idOf, LINE, missing, type SettingsReader } from './definition.ts'

/** The algorithms that are accepted by default: those with public keys. @see RFC 8725, 3.1 */
export const JWT_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'] as const

interface JwtOptions {
  readonly clients: ClientDirectory
  /** A key set, or its URL: `https:`, or `http:` on this machine. */
  readonly jwks: JSONWebKeySet | URL
  readonly issuer: string
  readonly audience: string
  /** The claim whose value is the ID of the client's credential. */
  readonly clientClaim?: string
  readonly algorithms?: readonly string[] | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly clockToleranceSeconds?: number
  /** Rejected tokens from one address; beyond it no signature is verified. */
  readonly failures?: { readonly perSecond: number; readonly burst: number }
  /** Fetches the key set. */
  readonly fetch?: FetchImplementation
}

const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/
/** A token that was verified by a key is accepted this long after its issuer withdraws the key. */
const REMEMBER_MS = 300_000
/** The most bytes that verified tokens take in memory. */
const MAX_VERIFIED_BYTES = 16 * 1024 * 1024
/** Generous, because all callers behind a proxy that is not trusted share one address. */
const FAILURES = { perSecond: 50, burst: 200 }

/** The definition of JSON Web Tokens. */
export const jwtMethod = defineMethod({
  method: 'jwt',
  stored: { issuer: 'text' },
  fields: { subject: LINE },
  read: ({ subject = '' }, { auth }) =>
    auth.jwt === undefined ? undefined : { method: 'jwt', id: subject, issuer: auth.jwt.issuer },
  async issue(options) {
    const { issuer } = options
    if (issuer === undefined) throw missing('auth.jwt.issuer in the configuration: the issuer of the subject')
    return { credential: { method: 'jwt', id: idOf(options, 'the subject of its tokens'), issuer }, shown: [] }
  },
  unusable: ({ auth }) => (auth.jwt === undefined ? 'auth.jwt is not set: no token can be verified' : undefined),
  settingsOf: jwtSettings,
  make({ clients, now }, { jwksUrl, jwksText, ...own }) {
    const jwks = jwksUrl === undefined ? (JSON.parse(jwksText) as JSONWebKeySet) : new URL(jwksUrl)
    return jwt({ clients, now, jwks, failures: FAILURES, ...own })
  },
})

/**
 * JSON Web Tokens of an issuer, in Authorization: Bearer. `iss`, `aud` and `exp` are required and must fit.
 * @see RFC 7519, 4.1; RFC 8725
 */
export async function jwt(options: JwtOptions): Promise<AuthMethod> {
  const { clients, issuer, audience, clientClaim = 'sub', algorithms = JWT_ALGORITHMS, now } = options
  const { clockToleranceSeconds = 30 } = options
  // Loaded late: few servers verify JWTs.
  const { localKeySet, remoteKeySet, VerifiedTokens, verifyJwt } = await import('../credentials/jwt-verify.ts')
  const keys = options.jwks instanceof URL ? remoteKeySet(options.jwks, options.fetch) : localKeySet(options.jwks)
  const verified = new VerifiedTokens<string>(MAX_VERIFIED_BYTES, (subject) => 2 * subject.length, now)
  const failures = options.failures && new RateLimit({ ...options.failures, now })

  const subjectOf = async (token: string, address: string): Promise<string> => {
    const wait = failures?.peek(address)
    if (wait !== undefined) throw new RateLimitedError(wait)
    try {
      const payload = await verifyJwt(token, keys, {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['exp'],
        currentDate: new Date(now()),
      })
      const subject = payload[clientClaim]
      if (typeof subject !== 'string' || payload.exp === undefined) throw new AuthenticationError('malformed')
      verified.set(token, subject, Math.min(payload.exp * 1_000, now() + REMEMBER_MS))
      return subject
    } catch (error) {
      if (error instanceof AuthenticationError) failures?.take(address)
      throw error
    }
  }

  const clientOf = (subject: string): Client => {
    const found = clients.find('jwt', subject)
    if (found === undefined || found.credential.issuer !== issuer) throw new AuthenticationError('unknown')
    checkValidity(found.credential, now())
    return found.client
  }

  return {
    name: 'jwt',
    place: 'request',
    challenges: () => ['Bearer realm="keyspring"'],
    recognizes: (presented) => JWT.test(tokenOf(presented)),
    verify(presented) {
      const token = tokenOf(presented)
      const known = verified.get(token)
      return known === undefined ? subjectOf(token, presented.address).then(clientOf) : clientOf(known)
    },
  }
}

function tokenOf(presented: Presented): string {
  return authorizationOf(presented, 'bearer') ?? ''
}

function jwtSettings({ auth }: AuthSettings, { readText, report }: SettingsReader) {
  if (auth.jwt === undefined) return undefined
  const { jwks, ...own } = auth.jwt
  if (/^https?:/i.test(jwks)) {
    if (isSafeUrl(jwks)) return { ...own, jwksUrl: jwks, jwksText: '' }
    report('auth.jwt.jwks', 'expected an https URL: anyone who can change the key set on the way can sign tokens')
    return undefined
  }
  const jwksText = readText('auth.jwt.jwks', jwks)
  if (jwksText === undefined) return undefined
  if (isKeySet(jwksText)) return { ...own, jwksUrl: undefined, jwksText }
  report('auth.jwt.jwks', 'expected a JWKS: a JSON object with a list "keys"')
  return undefined
}

function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname } = new URL(text)
  return protocol === 'https:' || ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
}

function isKeySet(text: string): boolean {
  try {
    return Array.isArray((JSON.parse(text) as { readonly keys?: unknown } | null)?.keys)
  } catch (error) {
    // The message of V8 quotes the text, which may hold a private key.
    if (error instanceof SyntaxError) return false
    throw error
  }
}

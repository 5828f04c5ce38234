import { createLocalJWKSet, type FetchImplementation, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { Client } from '../clients/client.ts'
import type { ClientDirectory } from '../clients/directory.ts'
import { checkValidity } from '../credentials/credential.ts'
import { verifyJwt } from '../credentials/jwt-verify.ts'
import { remoteKeySet } from '../credentials/remote-key-set.ts'
import { createVerifiedTokens } from '../credentials/verified-tokens.ts'
import { AuthenticationError } from '../failure.ts'
import type { AuthMethod } from '../method.ts'
import { authorizationOf, type Presented } from '../presented.ts'

/** The algorithms taken where none are named: public keys only. @see RFC 8725, 3.1 */
export const JWT_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'] as const
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number]

export interface JwtOptions {
  readonly clients: ClientDirectory
  /** A key set, or where to get it: `https:` only, or `http:` of this machine. */
  readonly jwks: JSONWebKeySet | URL
  readonly issuer: string
  readonly audience: string
  /** The claim whose value is the id of the client's credential. */
  readonly clientClaim?: string
  readonly algorithms?: readonly JwtAlgorithm[]
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly clockToleranceSeconds?: number
  /** How the key set is fetched. */
  readonly fetch?: FetchImplementation
}

const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/
/** A key that its issuer withdraws is trusted no longer than this for a token that came before. */
const REMEMBER_MS = 300_000

/** The most bytes that verified tokens take in memory. */
const MAX_VERIFIED_BYTES = 16 * 1024 * 1024

/**
 * JSON Web Tokens of an issuer, in Authorization: Bearer. `iss`, `aud` and `exp` have to be there and to fit.
 *
 * @see RFC 7519, 4.1; RFC 8725
 */
export function jwt(options: JwtOptions): AuthMethod {
  const { clients, issuer, audience, clientClaim = 'sub', algorithms = JWT_ALGORITHMS, now } = options
  const { clockToleranceSeconds = 30 } = options
  const keys = keySource(options)
  const verified = createVerifiedTokens<string>(MAX_VERIFIED_BYTES, now)

  const subjectOf = async (token: string): Promise<string> => {
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
      const subject = verified.get(token)
      return subject === undefined ? subjectOf(token).then(clientOf) : clientOf(subject)
    },
  }
}

function tokenOf(presented: Presented): string {
  return authorizationOf(presented, 'bearer') ?? ''
}

function keySource({ jwks, fetch }: JwtOptions): JWTVerifyGetKey {
  return jwks instanceof URL ? remoteKeySet(jwks, fetch) : createLocalJWKSet(jwks)
}

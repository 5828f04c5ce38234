import { readAuthParams } from '../../auth/methods/auth-params.ts'
import {
  DIGEST_ALGORITHMS,
  type DigestAlgorithm,
  digestHash,
  digestResponse,
  digestSecret,
} from '../../auth/methods/digest-secret.ts'

import { type AccessKey, type SigV4Scope, signSigV4 } from '../../auth/methods/sigv4-sign.ts'
import type { Secret } from '../../core/secret.ts'

/** The credentials of an encryptor. mTLS belongs to the connection and combines with each of them. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly user: string; readonly password: Secret<string> }
  | { readonly kind: 'digest'; readonly user: string; readonly password: Secret<string> }
  | { readonly kind: 'bearer'; readonly token: Secret<string> }
  | { readonly kind: 'sigv4'; readonly accessKey: AccessKey; readonly scope: SigV4Scope }
export type CredentialsKind = Credentials['kind']

/** A request before it is sent. */
interface Outgoing {
  readonly method: string
  /** Path and query of the request line. */
  readonly rawPath: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Builds the headers that authenticate a request. */
interface Authorizer {
  headersFor(request: Outgoing): Readonly<Record<string, string>>
  /** Reads the challenges of a 401. Returns true if the caller should send the request again. */
  takeChallenges?(challenges: readonly string[]): boolean
}

/** The clock and the random source of an authorizer. */
export interface AuthorizerWorld {
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: (size: number) => Uint8Array
}

/** Returns the authorizer for some credentials. */
export function authorizerOf(credentials: Credentials, world: AuthorizerWorld): Authorizer {
  switch (credentials.kind) {
    case 'none':
      return { headersFor: () => ({}) }
    case 'basic': {
      const pair = `${credentials.user}:${credentials.password.reveal()}`
      return constant(`Basic ${Buffer.from(pair).toString('base64')}`)
    }
    case 'bearer':
      return constant(`Bearer ${credentials.token.reveal()}`)
    case 'digest':
      return digestAuthorizer(credentials.user, credentials.password, world.randomBytes)
    case 'sigv4': {
      const { accessKey, scope } = credentials
      return { headersFor: (request) => signSigV4(request, accessKey, scope, world.now()) }
    }
  }
}

/** Whether the request contains the secret itself. Digest and SigV4 prove that the caller knows it without sending it. */
export function sendsSecret({ kind }: Credentials): boolean {
  return kind === 'basic' || kind === 'bearer'
}

function constant(authorization: string): Authorizer {
  return { headersFor: () => ({ authorization }) }
}

/** An HTTP Digest challenge that this client supports. */
interface DigestChallenge {
  readonly algorithm: DigestAlgorithm
  readonly realm: string
  readonly nonce: string
  readonly opaque: string | undefined
  /** Undefined: the challenge has the form of RFC 2069, which old servers still send. */
  readonly qop: 'auth' | undefined
}

/**
 * Answers HTTP Digest challenges: SHA-256 before MD5, with or without qop=auth. It uses a nonce until the server sends
 * another one.
 *
 * @see RFC 7616, 3.4; RFC 2617, 3.2.2
 */
function digestAuthorizer(
  user: string,
  password: Secret<string>,
  randomBytes: (size: number) => Uint8Array,
): Authorizer {
  let challenge: DigestChallenge | undefined
  let count = 0
  return {
    headersFor(request) {
      if (challenge === undefined) return {}
      count += 1
      const nc = count.toString(16).padStart(8, '0')
      const cnonce = Buffer.from(randomBytes(16)).toString('hex')
      return { authorization: answer(challenge, { user, password, nc, cnonce }, request) }
    },
    takeChallenges(texts) {
      const found = texts.flatMap(splitChallenges).flatMap((text) => readChallenge(text) ?? [])
      const best = ORDER.flatMap((algorithm) => found.filter((one) => one.algorithm === algorithm))[0]
      if (best === undefined || best.nonce === challenge?.nonce) return false
      challenge = best
      count = 0
      return true
    },
  }
}

/** The strongest first. */
const ORDER = Object.keys(DIGEST_ALGORITHMS) as readonly DigestAlgorithm[]

interface Proof {
  readonly user: string
  readonly password: Secret<string>
  readonly nc: string
  readonly cnonce: string
}

function answer(challenge: DigestChallenge, { user, password, nc, cnonce }: Proof, request: Outgoing): string {
  const { algorithm, realm, nonce, opaque, qop } = challenge
  const { method, rawPath: uri } = request
  const ha1 = digestSecret(user, realm, password.reveal())[algorithm]
  const response =
    qop === undefined
      ? digestHash(algorithm, `${ha1}:${nonce}:${digestHash(algorithm, `${method}:${uri}`)}`)
      : digestResponse({ algorithm, ha1, method, uri, nonce, nc, cnonce })
  const params = [
    `username="${quoted(user)}"`,
    `realm="${quoted(realm)}"`,
    `nonce="${quoted(nonce)}"`,
    `uri="${uri}"`,
    `algorithm=${algorithm}`,
    `response="${response}"`,
  ]
  if (qop !== undefined) params.push(`qop=${qop}`, `nc=${nc}`, `cnonce="${cnonce}"`)
  if (opaque !== undefined) params.push(`opaque="${quoted(opaque)}"`)
  return `Digest ${params.join(', ')}`
}

/** Splits a header field into challenges. Each starts with a scheme: a token without `=`. @see RFC 9110, 11.6.1 */
function splitChallenges(field: string): readonly string[] {
  return field.split(/,\s*(?=[A-Za-z][\w-]*\s+[\w-]+\s*=)/)
}

function readChallenge(text: string): DigestChallenge | undefined {
  const [, rest] = /^\s*Digest\s+(.*)$/is.exec(text) ?? []
  const params = rest === undefined ? undefined : readAuthParams(rest)
  const [realm, nonce] = [params?.get('realm'), params?.get('nonce')]
  const named = (params?.get('algorithm') ?? 'MD5').toUpperCase()
  const algorithm = ORDER.find((one) => one === named)
  if (params === undefined || realm === undefined || nonce === undefined || algorithm === undefined) return undefined
  const qops = params
    .get('qop')
    ?.split(',')
    .map((one) => one.trim())
  if (qops !== undefined && !qops.includes('auth')) return undefined
  return { algorithm, realm, nonce, opaque: params.get('opaque'), qop: qops === undefined ? undefined : 'auth' }
}

function quoted(text: string): string {
  return text.replaceAll(/[\\"]/g, '\\$&')
}

import { readAuthParams } from '../../auth/methods/auth-params.ts'
import {
  DIGEST_ALGORITHMS,
  type DigestAlgorithm,
  digestHash,
  digestResponse,
  digestSecret,
} from '../../auth/methods/digest-secret.ts'
import type { Secret } from '../../core/secret.ts'
import type { Authorizer, Outgoing } from './authorizer.ts'

/** A challenge of HTTP Digest that can be answered. */
interface DigestChallenge {
  readonly algorithm: DigestAlgorithm
  readonly realm: string
  readonly nonce: string
  readonly opaque: string | undefined
  /** Absent: the form of RFC 2069, which old servers still ask for. */
  readonly qop: 'auth' | undefined
}

/**
 * Answers challenges of HTTP Digest: SHA-256 before MD5, with qop=auth or without. A nonce is used until the server has
 * another.
 *
 * @see RFC 7616, 3.4; RFC 2617, 3.2.2
 */
export function digestAuthorizer(
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

/** The challenges of one header field: each begins with a scheme, a token that no `=` follows. @see RFC 9110, 11.6.1 */
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

import type { KeyObject } from 'node:crypto'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import { type CredentialSecrets, openOnce } from '../clients/credential-secrets.ts'
import type { ClientDirectory } from '../clients/directory.ts'
import { sameBytes } from '../credentials/constant-time.ts'
import { checkValidity, type DigestCredential } from '../credentials/credential.ts'
import { AuthenticationError } from '../failure.ts'
import type { AuthMethod } from '../method.ts'
import { authorizationOf, type Presented } from '../presented.ts'
import { readAuthParams } from './auth-params.ts'
import { createDigestNonces } from './digest-nonces.ts'
import {
  type DigestAlgorithm,
  type DigestSecret,
  decodeDigestSecret,
  digestResponse,
  digestSecret,
} from './digest-secret.ts'
import { checkedRealm } from './realm.ts'

export interface DigestOptions {
  readonly clients: ClientDirectory
  readonly secrets: Pick<CredentialSecrets, 'open'>
  /** Signs nonces; the same on all nodes. */
  readonly nonceKey: KeyObject
  readonly realm: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: RandomBytes
  /** What is offered, the preferred first. On-premises encoders of 2010 to 2020 know MD5 alone. */
  readonly algorithms?: readonly DigestAlgorithm[]
  readonly nonceLifetimeMs?: number
  readonly maxFollowedNonces?: number
}

/** What a Digest credential says. */
interface DigestAnswer {
  readonly algorithm: DigestAlgorithm
  readonly user: string
  readonly nonce: string
  readonly nc: string
  readonly cnonce: string
  readonly response: Buffer
}

const NC = /^[0-9a-f]{8}$/i
const HEX = /^(?:[0-9a-f]{2})+$/i

/**
 * HTTP Digest with qop=auth, by SHA-256 and MD5.
 *
 * @see RFC 7616; RFC 2617, 3
 */
export function digest(options: DigestOptions): AuthMethod {
  const { clients, secrets, nonceKey, now, randomBytes } = options
  const realm = checkedRealm(options.realm)
  const { algorithms = ['SHA-256', 'MD5'], nonceLifetimeMs = 60_000, maxFollowedNonces = 50_000 } = options
  const nonces = createDigestNonces({
    key: nonceKey,
    realm,
    now,
    randomBytes,
    lifetimeMs: nonceLifetimeMs,
    maxFollowed: maxFollowedNonces,
  })
  const secretOf = openOnce<DigestCredential, DigestSecret>(secrets, decodeDigestSecret)
  const nobody = digestSecret('', realm, Buffer.from(randomBytes(32)).toString('hex'))

  return {
    name: 'digest',
    place: 'request',
    challenges(_presented, failure) {
      const nonce = nonces.issue()
      const stale = failure === 'stale' || failure === 'replayed' ? ', stale=true' : ''
      return algorithms.map(
        (algorithm) => `Digest realm="${realm}", qop="auth", algorithm=${algorithm}, nonce="${nonce}"${stale}`,
      )
    },
    recognizes: (presented) => authorizationOf(presented, 'digest') !== undefined,
    async verify(presented) {
      const answer = readAnswer(presented, realm, algorithms)
      const found = clients.find('digest', answer.user)
      const known = found !== undefined && found.credential.realm === realm ? found : undefined
      const secret = known === undefined ? nobody : await secretOf(known)
      const expected = digestResponse({
        ...answer,
        ha1: secret[answer.algorithm],
        method: presented.method,
        uri: presented.rawPath,
      })
      const fits = sameBytes(answer.response, Buffer.from(expected, 'hex'))
      if (known === undefined) throw new AuthenticationError('unknown')
      if (!fits) throw new AuthenticationError('mismatch')
      const use = nonces.use(answer.nonce, Number.parseInt(answer.nc, 16))
      if (use !== 'fresh') throw new AuthenticationError(use)
      checkValidity(known.credential, now())
      return known.client
    },
  }
}

function readAnswer(presented: Presented, realm: string, algorithms: readonly DigestAlgorithm[]): DigestAnswer {
  const params = readAuthParams(authorizationOf(presented, 'digest') ?? '')
  const named = (params?.get('algorithm') ?? 'MD5').toUpperCase()
  const algorithm = algorithms.find((one) => one === named)
  const [user, nonce, nc, cnonce, response] = ['username', 'nonce', 'nc', 'cnonce', 'response'].map((name) =>
    params?.get(name),
  )
  if (
    algorithm === undefined ||
    user === undefined ||
    nonce === undefined ||
    nc === undefined ||
    cnonce === undefined ||
    response === undefined ||
    !NC.test(nc) ||
    !HEX.test(response) ||
    params?.get('qop') !== 'auth' ||
    params.get('realm') !== realm ||
    // What was asked for is what was signed for: else an answer could be moved to another path.
    params.get('uri') !== presented.rawPath
  ) {
    throw new AuthenticationError('malformed')
  }
  return { algorithm, user, nonce, nc, cnonce, response: Buffer.from(response, 'hex') }
}

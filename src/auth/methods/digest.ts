import type { KeyObject } from 'node:crypto'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import type { AuthMethod } from '../authenticate.ts'
import { type CredentialSecrets, OpenedSecrets } from '../clients/credential-secrets.ts'
import type { ClientDirectory } from '../clients/directory.ts'
import { checkValidity, type DigestCredential, sameBytes } from '../credentials/credential.ts'
import { AuthenticationError } from '../failure.ts'
import { authorizationOf, type Presented } from '../presented.ts'
import { checkedRealm, readAuthParams } from './auth-params.ts'
import { type AuthSettings, defineMethod, FILE, ID, idOf, passwordOf, sealed, userAnd } from './definition.ts'
import { DigestNonces } from './digest-nonces.ts'
import {
  type DigestAlgorithm,
  type DigestSecret,
  decodeDigestSecret,
  digestResponse,
  digestSecret,
  encodeDigestSecret,
} from './digest-secret.ts'

interface DigestOptions {
  readonly clients: ClientDirectory
  readonly secrets: Pick<CredentialSecrets, 'open'>
  /** Signs nonces; the same on all nodes. */
  readonly nonceKey: KeyObject
  readonly realm: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: RandomBytes
  /** The offered algorithms, the preferred first. On-premises encoders of 2010 to 2020 support MD5 only. */
  readonly algorithms?: readonly string[]
  readonly nonceLifetimeMs?: number
  readonly maxFollowedNonces?: number
}

/** A Digest credential. */
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

/** The definition of HTTP Digest. */
export const digestMethod = defineMethod({
  method: 'digest',
  stored: { realm: 'text', sealed: 'bytes' },
  fields: { user: ID, passwordFile: FILE },
  async read({ user = '', passwordFile = '' }, options) {
    const password = options.readSecret('passwordFile', passwordFile)
    if (password === undefined) return undefined
    const { realm } = options.auth
    return {
      ...(await sealed(options, 'digest', user, encodeDigestSecret(digestSecret(user, realm, password)))),
      realm,
    }
  },
  async issue(options) {
    const [id, password] = [idOf(options, 'a user name'), passwordOf(options)]
    const { realm } = options
    const secret = encodeDigestSecret(digestSecret(id, realm, password.reveal()))
    const credential = { ...(await sealed(options, 'digest', id, secret)), realm }
    return { credential, shown: [...userAnd(id, password), ['realm', realm]] }
  },
  settingsOf: ({ auth }: AuthSettings) => ({ realm: auth.realm, ...auth.digest }),
  async make({ nonceKey, ...world }, { realm, algorithms, nonceSeconds }) {
    return digest({ ...world, nonceKey: await nonceKey(), realm, algorithms, nonceLifetimeMs: nonceSeconds * 1_000 })
  },
})

/**
 * HTTP Digest with qop=auth, by SHA-256 and MD5.
 * @see RFC 7616; RFC 2617, 3
 */
export function digest(options: DigestOptions): AuthMethod {
  const { clients, secrets, nonceKey, now, randomBytes } = options
  const realm = checkedRealm(options.realm)
  const { nonceLifetimeMs = 60_000, maxFollowedNonces = 50_000 } = options
  const algorithms = (options.algorithms ?? ['SHA-256', 'MD5']).filter(isDigestAlgorithm)
  const nonces = new DigestNonces({
    key: nonceKey,
    realm,
    now,
    randomBytes,
    lifetimeMs: nonceLifetimeMs,
    maxFollowed: maxFollowedNonces,
  })
  const opened = new OpenedSecrets<DigestCredential, DigestSecret>(secrets, decodeDigestSecret)
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
      const secret = known === undefined ? nobody : await opened.of(known)
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

function isDigestAlgorithm(name: string): name is DigestAlgorithm {
  return name === 'SHA-256' || name === 'MD5'
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
    // The signed path must be the requested path: otherwise an answer could be moved to another path.
    params.get('uri') !== presented.rawPath
  ) {
    throw new AuthenticationError('malformed')
  }
  return { algorithm, user, nonce, nc, cnonce, response: Buffer.from(response, 'hex') }
}

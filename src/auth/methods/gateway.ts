import { createHash } from 'node:crypto'
import type { ClientDirectory } from '../clients/directory.ts'
import { sameBytes } from '../credentials/constant-time.ts'
import { checkValidity } from '../credentials/credential.ts'
import { AuthenticationError } from '../failure.ts'
import { normalizeFingerprint } from '../fingerprint.ts'
import type { AuthMethod } from '../method.ts'
import { headerOf, isRepeated, type Presented } from '../presented.ts'

export interface GatewayOptions {
  readonly clients: ClientDirectory
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** A header (lower case) and the SHA-256 of the secret in it; two for a rotation. */
  readonly secretHeader?: { readonly name: string; readonly sha256: readonly Uint8Array[] } | undefined
  /** SHA-256 fingerprints of the certificates that the gateway connects with. */
  readonly certificateFingerprints?: readonly string[]
  /** The headers (lower case) in which the gateway says who is calling. */
  readonly identityHeaders?: { readonly arn: string; readonly account: string }
}

/** What an API Gateway maps `context.identity.userArn` and `context.identity.accountId` to. */
export const GATEWAY_IDENTITY_HEADERS = { arn: 'x-speke-caller-arn', account: 'x-speke-account' } as const

const ARN = /^arn:[a-z0-9-]+:(iam|sts)::(\d{12}):(.+)$/
const ACCOUNT = /^\d{12}$/
const ASSUMED_ROLE = /^assumed-role\/([^/]+)\/[^/]+$/

/**
 * A gateway that checked the caller's own signature and says who it is: only API Gateway can check the SigV4 of MediaPackage and
 * MediaConvert. Without its proof, a secret header or a certificate, what it would say is ignored.
 */
export function gateway(options: GatewayOptions): AuthMethod {
  const { clients, now, secretHeader, identityHeaders = GATEWAY_IDENTITY_HEADERS } = options
  const trusted = new Set((options.certificateFingerprints ?? []).map(normalizeFingerprint))

  const hasCertificate = ({ clientCertificate }: Presented): boolean =>
    clientCertificate !== undefined && trusted.has(normalizeFingerprint(clientCertificate.fingerprint256))
  const hasSecretHeader = ({ headers }: Presented): boolean =>
    secretHeader !== undefined && headers[secretHeader.name] !== undefined

  const checkSecret = (presented: Presented): void => {
    if (secretHeader === undefined || !hasSecretHeader(presented)) return
    const hash = createHash('sha256')
      .update(headerOf(presented, secretHeader.name) ?? '')
      .digest()
    const fits = secretHeader.sha256.map((one) => sameBytes(hash, one))
    if (!fits.includes(true)) throw new AuthenticationError('mismatch')
  }

  return {
    name: 'gateway',
    place: 'gateway',
    recognizes: (presented) => hasSecretHeader(presented) || hasCertificate(presented),
    verify(presented) {
      checkSecret(presented)
      const { arn, account } = identityHeaders
      if (isRepeated(presented, arn) || isRepeated(presented, account)) throw new AuthenticationError('ambiguous')
      const ids = identities(headerOf(presented, arn), headerOf(presented, account))
      const found = ids.map((id) => clients.find('gateway', id)).find((one) => one !== undefined)
      if (found === undefined) throw new AuthenticationError('unknown')
      checkValidity(found.credential, now())
      return found.client
    },
  }
}

/** What a caller may be configured as, the most particular first: the ARN as it is, the ARN of its role, its account. */
export function identities(arn: string | undefined, account: string | undefined): readonly string[] {
  if (account !== undefined && !ACCOUNT.test(account)) throw new AuthenticationError('malformed')
  if (arn === undefined) return account === undefined ? [] : [account]
  const [, , arnAccount = '', resource = ''] = ARN.exec(arn) ?? []
  if (arnAccount === '') throw new AuthenticationError('malformed')
  if (account !== undefined && account !== arnAccount) throw new AuthenticationError('ambiguous')
  const role = ASSUMED_ROLE.exec(resource)?.[1]
  const partition = arn.split(':')[1] ?? ''
  return role === undefined ? [arn, arnAccount] : [arn, `arn:${partition}:iam::${arnAccount}:role/${role}`, arnAccount]
}

import { createHash } from 'node:crypto'
import type { AuthMethod } from '../authenticate.ts'
import { normalizeFingerprint } from '../certificate.ts'
import type { ClientDirectory } from '../clients/directory.ts'
import { checkValidity, sameBytes } from '../credentials/credential.ts'
import { AuthenticationError } from '../failure.ts'
import { headerOf, isRepeated, type Presented } from '../presented.ts'
import { type AuthSettings, defineMethod, idOf, missing, type SettingsReader } from './definition.ts'

interface GatewayOptions {
  readonly clients: ClientDirectory
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** A header (lower case) and the SHA-256 of its secret; two for a rotation. */
  readonly secretHeader?: { readonly name: string; readonly sha256: readonly Uint8Array[] } | undefined
  /** SHA-256 fingerprints of the client certificates of the gateway. */
  readonly certificateFingerprints?: readonly string[]
  /** The headers (lower case) in which the gateway names its caller. */
  readonly identityHeaders?: { readonly arn: string; readonly account: string }
}

/** The headers that API Gateway is set up to fill from `context.identity.userArn` and `context.identity.accountId`. */
export const GATEWAY_IDENTITY_HEADERS = { arn: 'x-speke-caller-arn', account: 'x-speke-account' } as const

const ARN = /^arn:[a-z0-9-]+:(iam|sts)::(\d{12}):(.+)$/
const ACCOUNT = /^\d{12}$/
const ASSUMED_ROLE = /^assumed-role\/([^/]+)\/[^/]+$/

const CALLER = {
  expected: 'an account number, or the ARN of a user or role',
  fits: (value: string) => /^(\d{12}|arn:[^\s]+)$/.test(value),
}
/** Base64 of 128 bits has 22 characters. */
const MIN_SECRET = 22

/** The definition of callers behind a gateway. */
export const gatewayMethod = defineMethod({
  method: 'gateway',
  stored: {},
  fields: { caller: CALLER },
  read: ({ caller = '' }) => ({ method: 'gateway', id: caller }),
  async issue(options) {
    const id = idOf(options, CALLER.expected)
    if (!CALLER.fits(id)) throw missing(`--id: ${CALLER.expected}`)
    return { credential: { method: 'gateway', id }, shown: [] }
  },
  unusable: ({ auth }) => (auth.gateway === undefined ? 'auth.gateway is not set: no gateway is known' : undefined),
  requiresTls: true,
  settingsOf({ auth }: AuthSettings, reader) {
    if (auth.gateway === undefined) return undefined
    const { secretHeader, secretSha256, certificateFingerprints, arnHeader, accountHeader } = auth.gateway
    return {
      hashes: [...secretSha256.map(normalizeFingerprint), ...hashesInFiles(auth.gateway.secretFiles, reader)],
      secretHeader: secretHeader.toLowerCase(),
      certificateFingerprints,
      arn: arnHeader.toLowerCase(),
      account: accountHeader.toLowerCase(),
    }
  },
  make({ clients, now }, { hashes, secretHeader, arn, account, certificateFingerprints }) {
    const sha256 = hashes.map((hex) => Buffer.from(hex, 'hex'))
    return gateway({
      clients,
      now,
      certificateFingerprints,
      secretHeader: sha256.length === 0 ? undefined : { name: secretHeader, sha256 },
      identityHeaders: { arn, account },
    })
  },
})

function hashesInFiles(files: readonly string[], { readText, report }: SettingsReader): readonly string[] {
  return files.flatMap((file, i) => {
    const setting = `auth.gateway.secretFiles.${i}`
    const secret = readText(setting, file)?.replace(/\r?\n$/, '')
    if (secret !== undefined && secret.length < MIN_SECRET) {
      report(setting, `expected a secret of ${MIN_SECRET} characters or more`)
    }
    return secret === undefined ? [] : [createHash('sha256').update(secret).digest('hex')]
  })
}

/**
 * A gateway that verified the signature of its caller and names the caller: only API Gateway can verify the SigV4 of
 * MediaPackage and MediaConvert. It authenticates itself by a secret header or a certificate; otherwise its headers are ignored.
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

/** The IDs that a caller may be configured under, the most specific first: its ARN, the ARN of its role, its account. */
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

import type { KeyObject } from 'node:crypto'
import type { CredentialSecrets } from '../../auth/clients/credential-secrets.ts'
import type { ClientDirectory } from '../../auth/clients/directory.ts'
import type { CredentialMethod } from '../../auth/credentials/credential.ts'
import type { AuthMethod } from '../../auth/method.ts'
import { basic } from '../../auth/methods/basic.ts'
import { bearerToken } from '../../auth/methods/bearer-token.ts'
import { digest } from '../../auth/methods/digest.ts'
import { gateway } from '../../auth/methods/gateway.ts'
import type { JwtOptions } from '../../auth/methods/jwt.ts'
import { mtls } from '../../auth/methods/mtls.ts'
import { onlySecure } from '../../auth/methods/only-secure.ts'
import { sigV4 } from '../../auth/methods/sigv4.ts'
import { proxyAmong } from '../../http/listener/loopback.ts'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import type { Config } from '../config/config.ts'
import type { ReportProblem } from '../config/fields.ts'
import { readText } from '../config/files.ts'
import { hashSecret } from './configured-clients.ts'

/** What methods check credentials with. */
export interface AuthWorld {
  readonly clients: ClientDirectory
  readonly secrets: CredentialSecrets
  /** Signs Digest nonces: the same on all nodes of a store. */
  readonly nonceKey: () => Promise<KeyObject>
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: RandomBytes
}

export type AuthSettings = Pick<Config, 'auth' | 'trustProxy'>

/** The methods of these credentials under a configuration. What cannot be read is reported and its method left out. */
export type AuthMethodsFor = (
  settings: AuthSettings,
  inUse: ReadonlySet<CredentialMethod>,
  report: ReportProblem,
) => Promise<readonly AuthMethod[]>

/**
 * Makes methods, each once for its settings: what a method remembers (counts of nonces, proven passwords) outlasts a reload
 * that does not concern it.
 */
export function authMethods(world: AuthWorld): AuthMethodsFor {
  const made = new Map<string, AuthMethod>()
  return async (settings, inUse, report) => {
    const methods: AuthMethod[] = []
    for (const [method, { settingsOf, make }] of Object.entries(MAKERS)) {
      if (!inUse.has(method as CredentialMethod)) continue
      const own = settingsOf(settings, report)
      if (own === undefined) continue
      const key = `${method} ${JSON.stringify(own)}`
      const known = made.get(key) ?? (await make(world, own))
      made.set(key, known)
      methods.push(known)
    }
    return methods
  }
}

/** One method: what of the configuration it is made from, and how. To add one, add a line to `MAKERS`. */
interface Maker<S> {
  /** Plain data, or undefined when something is missing, which is reported. */
  settingsOf(settings: AuthSettings, report: ReportProblem): S | undefined
  make(world: AuthWorld, own: S): Promise<AuthMethod> | AuthMethod
}

const maker = <S>(settingsOf: Maker<S>['settingsOf'], make: Maker<S>['make']): Maker<unknown> => ({
  settingsOf,
  // What is given to `make` is what this maker's own `settingsOf` returned.
  make: (world, own) => make(world, own as S),
})

/** The strongest challenge first. */
const MAKERS: Readonly<Record<string, Maker<unknown>>> = {
  gateway: maker(gatewaySettings, ({ clients, now }, { hashes, secretHeader, arn, account, certificateFingerprints }) =>
    onlySecure(
      gateway({
        clients,
        now,
        certificateFingerprints,
        secretHeader:
          hashes.length === 0
            ? undefined
            : { name: secretHeader, sha256: hashes.map((hex) => Buffer.from(hex, 'hex')) },
        identityHeaders: { arn, account },
      }),
    ),
  ),
  token: maker(
    () => ({}),
    ({ clients, now }) => bearerToken({ clients, now }),
  ),
  jwt: maker(jwtSettings, async ({ clients, now }, { jwksUrl, jwksText, ...own }) => {
    const { jwt } = await import('../../auth/methods/jwt.ts')
    const jwks = jwksUrl === undefined ? (JSON.parse(jwksText) as JwtOptions['jwks']) : new URL(jwksUrl)
    return jwt({ clients, now, jwks, ...own })
  }),
  sigv4: maker(
    ({ auth }) => auth.sigv4,
    ({ clients, secrets, now, randomBytes }, own) => sigV4({ clients, secrets, now, randomBytes, ...own }),
  ),
  digest: maker(
    ({ auth }) => ({ realm: auth.realm, ...auth.digest }),
    async ({ nonceKey, ...world }, { realm, algorithms, nonceSeconds }) =>
      digest({ ...world, nonceKey: await nonceKey(), realm, algorithms, nonceLifetimeMs: nonceSeconds * 1_000 }),
  ),
  basic: maker(
    ({ auth }) => ({ realm: auth.realm }),
    ({ clients, now, randomBytes }, { realm }) => basic({ clients, now, randomBytes, realm }),
  ),
  certificate: maker(
    ({ trustProxy }) => ({ trustProxy }),
    ({ clients, now }, { trustProxy }) => onlySecure(mtls({ clients, now, isTrustedProxy: proxyAmong(trustProxy) })),
  ),
}

function gatewaySettings({ auth }: AuthSettings, report: ReportProblem) {
  if (auth.gateway === undefined) return undefined
  const { secretHeader, secretSha256, secretFiles, certificateFingerprints, arnHeader, accountHeader } = auth.gateway
  const fromFiles = secretFiles.flatMap((file, i) => {
    const secret = readText(`auth.gateway.secretFiles.${i}`, file, report)?.replace(/\r?\n$/, '')
    if (secret !== undefined && secret.length < MIN_SECRET) {
      report(`auth.gateway.secretFiles.${i}`, `expected a secret of ${MIN_SECRET} characters or more`)
    }
    return secret === undefined ? [] : [Buffer.from(hashSecret(secret)).toString('hex')]
  })
  return {
    hashes: [...secretSha256.map((hex) => hex.replaceAll(':', '').toLowerCase()), ...fromFiles],
    secretHeader: secretHeader.toLowerCase(),
    certificateFingerprints,
    arn: arnHeader.toLowerCase(),
    account: accountHeader.toLowerCase(),
  }
}

/** Base64 of 128 bits has 22. */
const MIN_SECRET = 22

function jwtSettings({ auth }: AuthSettings, report: ReportProblem) {
  if (auth.jwt === undefined) return undefined
  const { jwks, algorithms, ...own } = auth.jwt
  const given = { ...own, ...(algorithms !== undefined && { algorithms }) }
  if (/^https?:/i.test(jwks)) {
    if (isSafeUrl(jwks)) return { ...given, jwksUrl: jwks, jwksText: '' }
    report('auth.jwt.jwks', 'expected an https URL: whoever can change the key set on the way could sign tokens')
    return undefined
  }
  const jwksText = readText('auth.jwt.jwks', jwks, report)
  if (jwksText === undefined) return undefined
  if (isKeySet(jwksText)) return { ...given, jwksUrl: undefined, jwksText }
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
    // Its message quotes the text, which may hold a private key.
    if (error instanceof SyntaxError) return false
    throw error
  }
}

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { normalizeFingerprint } from '../../../auth/certificate.ts'
import type { RegisteredClient } from '../../../auth/clients/client.ts'
import type { Credential, CredentialMethod } from '../../../auth/credentials/credential.ts'
import type { IssueCredentialOptions } from '../../../auth/methods/definition.ts'
import { wrongUsage } from '../../../core/errors.ts'
import { type KeysOptions, readSecretFile } from '../../shared/stored.ts'
import type { World } from '../../shared/world.ts'

/** The options of a new credential. */
export interface CredentialOptions extends KeysOptions {
  readonly name: string
  readonly method: CredentialMethod
  readonly id?: string
  readonly passwordFile?: string
  readonly certificateFile?: string
  readonly issuer?: string
  readonly publicKeyFile?: string
  readonly notAfter?: string
  readonly json?: boolean
}

export const RELOAD_HINT = 'hint: `keyspring server reload` makes a running server apply this, without losing a request'

/** What a credential is made from. Throws ERR_USAGE_INVALID for options that its method does not have. */
export function readCredentialOptions(
  options: CredentialOptions,
  world: World,
): Pick<IssueCredentialOptions, 'method' | 'id' | 'issuerFingerprint' | 'password' | 'publicKeyPem'> {
  const { method, passwordFile, publicKeyFile, issuer } = options
  if (issuer !== undefined && method !== 'certificate') throw wrongUsage('--issuer: only for the method certificate')
  if (passwordFile !== undefined && method !== 'basic' && method !== 'digest') {
    throw wrongUsage('--password-file: only for the methods basic and digest')
  }
  if (publicKeyFile !== undefined && method !== 'signer')
    throw wrongUsage('--public-key-file: only for the method signer')
  return {
    method,
    id: readId(options),
    issuerFingerprint: issuer,
    password: passwordFile === undefined ? undefined : readSecretFile('--password-file', passwordFile, world),
    publicKeyPem: publicKeyFile === undefined ? undefined : readFileSync(publicKeyFile, 'utf8'),
  }
}

/** When --not-after ends a credential, if it is given. */
export function readNotAfter({ notAfter }: CredentialOptions): { readonly notAfter?: number } {
  if (notAfter === undefined) return {}
  const end = Date.parse(notAfter)
  if (Number.isNaN(end)) throw wrongUsage('--not-after: expected a time such as 2027-01-31T00:00:00Z')
  return { notAfter: end }
}

function readId({ method, id, certificateFile }: CredentialOptions): string | undefined {
  if (certificateFile === undefined) return id
  if (method !== 'certificate' || id !== undefined)
    throw wrongUsage('--certificate-file: only for the method certificate, without --id')
  return normalizeFingerprint(new X509Certificate(readFileSync(certificateFile)).fingerprint256)
}

/** The stored client of a name. Throws ERR_USAGE_INVALID if there is none. */
export function clientNamed(clients: readonly RegisteredClient[], name: string): RegisteredClient {
  const found = clients.find(({ client }) => client.name === name)
  if (found === undefined)
    throw wrongUsage('--name: the store has no client of this name; run `keyspring client list` to see all')
  return found
}

/** A credential without its secret, as JSON shows it. */
export function describeCredential({ method, id, notBefore, notAfter }: Credential) {
  return {
    method,
    id,
    ...(notBefore !== undefined && { notBefore: new Date(notBefore).toISOString() }),
    ...(notAfter !== undefined && { notAfter: new Date(notAfter).toISOString() }),
  }
}

/** A client and a credential for `clients` in a configuration file: YAML in one line. @see docs/config.md, "Clients" */
export function yamlOf({ client, credentials: [credential] }: RegisteredClient, notAfter: string | undefined): string {
  const credentials =
    credential === undefined
      ? {}
      : { [credential.method]: [{ ...settingsOf(credential), ...(notAfter !== undefined && { notAfter }) }] }
  return `- ${JSON.stringify({ ...client, credentials })}`
}

function settingsOf(credential: Credential): Readonly<Record<string, string>> {
  const { id } = credential
  switch (credential.method) {
    case 'token':
      return { id, sha256: Buffer.from(credential.sha256).toString('hex') }
    case 'basic':
      return { user: id, passwordHash: credential.passwordHash }
    case 'jwt':
      return { subject: id }
    case 'certificate':
      if (/^[\da-f]{64}$/.test(id)) return { fingerprint: id }
      return { name: id, ...(credential.issuer !== undefined && { issuer: credential.issuer }) }
    default:
      return { caller: id }
  }
}

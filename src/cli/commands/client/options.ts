import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Client, SCOPES, type Scope } from '../../../auth/clients/client.ts'
import type { CredentialMethod } from '../../../auth/credentials/credential.ts'
import { normalizeFingerprint } from '../../../auth/fingerprint.ts'
import type { IssueCredentialOptions } from '../../../auth/methods/issue-credential.ts'
import { KeyProviderError } from '../../../core/errors.ts'
import type { Config } from '../../../server/config/config.ts'
import { type KeysOptions, readSecretFile } from '../../shared/keys-options.ts'

/** What `client add` and `client rotate` take of a credential. */
export interface CredentialOptions extends KeysOptions {
  readonly name: string
  readonly method: CredentialMethod
  readonly id?: string
  readonly passwordFile?: string
  readonly certificateFile?: string
  readonly publicKeyFile?: string
  readonly notAfter?: string
  readonly json?: boolean
}

/** And `client add` of the client. */
export interface AddOptions extends CredentialOptions {
  readonly tenant?: string
  readonly scope?: readonly string[]
  readonly contentId?: readonly string[]
  readonly recipient?: readonly string[]
  readonly signalingProfile?: string
  readonly print?: boolean
}

/** A client as the options describe it. */
export function newClient(options: AddOptions, config: Config): Client {
  const { name, tenant = 'default', scope = ['keys:issue'], contentId, recipient, signalingProfile } = options
  for (const [option, value] of Object.entries({ '--name': name, '--tenant': tenant })) {
    if (!/^[\w.-]{1,64}$/.test(value))
      throw wrongUsage(`${option}: expected 1 to 64 letters, digits, dots, dashes or underscores`)
  }
  if (signalingProfile !== undefined && !config.signalingProfiles.has(signalingProfile)) {
    throw wrongUsage('--signaling-profile: no signalling profile has this name')
  }
  return {
    name,
    tenant,
    scopes: scope.map(readScope),
    ...(contentId !== undefined && { contentIds: contentId }),
    ...(recipient !== undefined && { recipientFingerprints: recipient.map(readFingerprint) }),
    ...(signalingProfile !== undefined && { signalingProfile }),
  }
}

/** The client that is there: it is not changed by the way. */
export function sameClient(client: Client, options: AddOptions): Client {
  const { tenant, scope, contentId, recipient, signalingProfile } = options
  if ([tenant, scope, contentId, recipient, signalingProfile].some((one) => one !== undefined)) {
    throw wrongUsage('the client is there already: expected nothing but a credential; remove it to add it otherwise')
  }
  return client
}

/** What a credential is made from, as far as the options say. */
export function issueOptions(
  options: CredentialOptions,
): Pick<IssueCredentialOptions, 'method' | 'id' | 'password' | 'publicKeyPem'> {
  const { method, passwordFile, publicKeyFile } = options
  if (passwordFile !== undefined && method !== 'basic' && method !== 'digest') {
    throw wrongUsage('--password-file: only for the methods basic and digest')
  }
  if (publicKeyFile !== undefined && method !== 'signer')
    throw wrongUsage('--public-key-file: only for the method signer')
  return {
    method,
    id: idOf(options),
    password: passwordFile === undefined ? undefined : readSecretFile('--password-file', passwordFile),
    publicKeyPem: publicKeyFile === undefined ? undefined : readFileSync(publicKeyFile, 'utf8'),
  }
}

/** When --not-after ends a credential, if it does. */
export function endOf({ notAfter }: CredentialOptions): { readonly notAfter?: number } {
  if (notAfter === undefined) return {}
  const end = Date.parse(notAfter)
  if (Number.isNaN(end)) throw wrongUsage('--not-after: expected a time such as 2027-01-31T00:00:00Z')
  return { notAfter: end }
}

function idOf({ method, id, certificateFile }: CredentialOptions): string | undefined {
  if (certificateFile === undefined) return id
  if (method !== 'certificate' || id !== undefined)
    throw wrongUsage('--certificate-file: only for the method certificate, without --id')
  return normalizeFingerprint(new X509Certificate(readFileSync(certificateFile)).fingerprint256)
}

function readScope(text: string): Scope {
  const scope = SCOPES.find((one) => one === text)
  if (scope === undefined) throw wrongUsage(`--scope: expected ${SCOPES.join(', ')}`)
  return scope
}

function readFingerprint(text: string): string {
  const fingerprint = normalizeFingerprint(text)
  if (!/^[\da-f]{64}$/.test(fingerprint)) throw wrongUsage('--recipient: expected a SHA-256 fingerprint in hex')
  return fingerprint
}

/** The refusal of options. */
export function wrongUsage(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_CONFIG_INVALID', problem)
}

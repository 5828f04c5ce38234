import type { KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type { AuthMethod } from '../authenticate.ts'
import type { RegisteredClient } from '../clients/client.ts'
import type { CredentialSecrets, SealedMethod } from '../clients/credential-secrets.ts'
import type { ClientDirectory } from '../clients/directory.ts'
import type { Credential, CredentialMethod } from '../credentials/credential.ts'

/** What the methods verify credentials with. */
export interface AuthWorld {
  readonly clients: ClientDirectory
  readonly secrets: CredentialSecrets
  /** Signs Digest nonces: the same on all nodes of a store. */
  readonly nonceKey: () => Promise<KeyObject>
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: RandomBytes
}

/** The settings that methods read: `auth.*` of the configuration, and what the listener has. */
export interface AuthSettings {
  readonly auth: {
    readonly realm: string
    readonly jwt:
      | {
          readonly issuer: string
          readonly audience: string
          readonly jwks: string
          readonly clientClaim: string
          readonly algorithms?: readonly string[] | undefined
        }
      | undefined
    readonly gateway:
      | {
          readonly secretHeader: string
          readonly secretSha256: readonly string[]
          readonly secretFiles: readonly string[]
          readonly certificateFingerprints: readonly string[]
          readonly arnHeader: string
          readonly accountHeader: string
        }
      | undefined
    readonly sigv4: {
      readonly service: string
      readonly region?: string | undefined
      readonly allowUnsignedPayload: boolean
    }
    readonly digest: { readonly algorithms: readonly string[]; readonly nonceSeconds: number }
  }
  readonly tls: { readonly clientCa: string | undefined } | undefined
  readonly trustProxy: readonly string[]
}

/** Reads the files that settings name, and reports problems by the name of the setting. */
export interface SettingsReader {
  /** The text of a file; undefined, after a report, if it cannot be read. */
  readText(setting: string, file: string): string | undefined
  report(setting: string, problem: string): void
}

/** One setting of a credential in the configuration. */
export interface CredentialField {
  /** Completes "expected". */
  readonly expected: string
  readonly fits: (value: string) => boolean
  readonly isOptional?: boolean
}

/** A credential as it is written in the configuration, by the names of its fields. */
export type WrittenCredential = Readonly<Record<string, string | undefined>>

export interface ReadCredentialOptions {
  readonly tenant: Tenant
  readonly secrets: Pick<CredentialSecrets, 'seal'>
  readonly randomBytes: RandomBytes
  readonly auth: Pick<AuthSettings['auth'], 'realm' | 'jwt'>
  /** The secret in a file, without its last line end; undefined, after a report, if there is none. */
  readonly readSecret: (field: string, file: string) => string | undefined
  /** Reports a problem of this credential. */
  readonly report: (problem: string) => undefined
}

/** A new credential, and the values that its owner gets: shown once, because only hashes and seals are stored. */
export interface IssuedCredential {
  readonly credential: Credential
  readonly shown: readonly (readonly [name: string, value: string | Secret<string>])[]
}

export interface IssueCredentialOptions {
  readonly method: CredentialMethod
  /** The name by which the caller presents it; tokens and access keys get one. */
  readonly id?: string | undefined
  readonly tenant: Tenant
  /** The realm that Digest passwords are hashed for. */
  readonly realm: string
  /** The issuer of the tokens of a JWT subject. */
  readonly issuer?: string | undefined
  /** SHA-256 fingerprint of the certificate that issues certificates of a name. */
  readonly issuerFingerprint?: string | undefined
  /** An existing password; otherwise one is made. */
  readonly password?: Secret<string> | undefined
  /** The public key of an RSA signer, in PEM; otherwise an AES signer is made. */
  readonly publicKeyPem?: string | undefined
  readonly secrets: Pick<CredentialSecrets, 'seal'>
  readonly randomBytes: RandomBytes
}

/**
 * Everything about one method of authentication: how its credentials are configured, issued and stored, and how requests are
 * verified. `Own` is what `settingsOf` returns: plain data, because a method is made once for equal settings.
 */
export interface MethodDefinition<M extends CredentialMethod = CredentialMethod, Own = unknown> {
  readonly method: M
  /** The members of a stored credential, besides ID and validity. */
  readonly stored: Readonly<Record<string, 'text' | 'bytes' | 'optional text'>>
  /** The settings of a credential in the configuration, besides `notBefore` and `notAfter`. */
  readonly fields: Readonly<Record<string, CredentialField>>
  /** The credential of these settings; undefined after a report. Throws ERR_CONFIG_INVALID. */
  read(
    written: WrittenCredential,
    options: ReadCredentialOptions,
  ): Promise<Credential | undefined> | Credential | undefined
  /** A new credential. Throws ERR_CONFIG_INVALID if something is missing. */
  issue(options: IssueCredentialOptions): Promise<IssuedCredential>
  /** Why no request could authenticate by this method under these settings; undefined if one could. */
  unusable?(settings: AuthSettings): string | undefined
  /** Requests are rejected unless nobody on the way could read them, for example because they are sent over TLS. */
  readonly requiresTls?: boolean
  /** The settings of the method; undefined, after a report, if something is missing. */
  settingsOf?(settings: AuthSettings, reader: SettingsReader): Own | undefined
  /** What is wrong with the clients of this method under its settings. */
  problemsOf?(own: Own, clients: readonly RegisteredClient[]): readonly string[]
  /** Absent: a protocol verifies the credential itself, as that of the Widevine key API. */
  make?(world: AuthWorld, own: Own): Promise<AuthMethod> | AuthMethod
}

/** A definition as one of the table. */
export function defineMethod<M extends CredentialMethod, Own>(
  definition: MethodDefinition<M, Own>,
): MethodDefinition<M> {
  // `make` and `problemsOf` get only what `settingsOf` of the same definition returned.
  return definition as MethodDefinition<M>
}

const HEX_256 = /^(?:[\da-f]{2}:?){32}$/i
export const FILE: CredentialField = {
  expected: 'a path',
  fits: (value) => value.length > 0 && !value.includes('\0'),
}
export const ID: CredentialField = {
  expected: '1 to 128 letters, digits, dots, dashes, underscores or @',
  fits: (value) => /^[\w.@-]{1,128}$/.test(value),
}
export const LINE: CredentialField = {
  expected: 'one line of text',
  fits: (value) => value.length > 0 && value.length <= 1_024 && !/[\p{Cc}]/u.test(value),
}
export const SHA256: CredentialField = { expected: 'a SHA-256 in hex', fits: (value) => HEX_256.test(value) }

export function optional(field: CredentialField): CredentialField {
  return { ...field, isOptional: true }
}

/** Seals a secret for a credential, then erases it. */
export async function sealed<M extends SealedMethod>(
  { secrets, tenant }: Pick<ReadCredentialOptions, 'secrets' | 'tenant'>,
  method: M,
  id: string,
  clear: Buffer,
): Promise<{ readonly method: M; readonly id: string; readonly sealed: Uint8Array }> {
  const blob = await secrets.seal(tenant, { method, id }, clear)
  clear.fill(0)
  return { method, id, sealed: blob }
}

/** The ID of a new credential. `what` describes it to an operator who gave none. */
export function idOf({ id }: IssueCredentialOptions, what: string): string {
  if (id === undefined) throw missing(`--id: ${what}`)
  // A colon ends the user name of Basic, and quotes end that of Digest.
  if (!/^[^\s"\\\p{Cc}]{1,2048}$/u.test(id)) throw missing(`--id: ${what}, without spaces, quotes and backslashes`)
  return id
}

/** The given password, or a new one: 192 random bits, in characters that every configuration page accepts. */
export function passwordOf({ password, randomBytes }: IssueCredentialOptions): Secret<string> {
  return password ?? new Secret(Buffer.from(randomBytes(24)).toString('base64url'))
}

export function userAnd(user: string, password: Secret<string>): IssuedCredential['shown'] {
  return [
    ['user', user],
    ['password', password],
  ]
}

export function missing(what: string): KeyProviderError {
  return new KeyProviderError('ERR_CONFIG_INVALID', `expected ${what}`)
}

import { timingSafeEqual } from 'node:crypto'
import { AuthenticationError } from '../failure.ts'

interface CredentialBase {
  /** The name by which the caller presents it: unique within its method. */
  readonly id: string
  /** Milliseconds since 1970: the credential is rejected before it. */
  readonly notBefore?: number | undefined
  /** Milliseconds since 1970: the credential is rejected from then on. Two of a client may overlap for a rotation. */
  readonly notAfter?: number | undefined
}

/** An opaque token `ks_<id>_<secret>`. */
export interface TokenCredential extends CredentialBase {
  readonly method: 'token'
  /** SHA-256 of the whole token. */
  readonly sha256: Uint8Array
}

/** A user name, which is the id, and a password for HTTP Basic. */
interface BasicCredential extends CredentialBase {
  readonly method: 'basic'
  /** As `hashPassword` returns it. */
  readonly passwordHash: string
}

/** A user name, which is the id, and a password for HTTP Digest. */
export interface DigestCredential extends CredentialBase {
  readonly method: 'digest'
  /** The realm that the sealed hashes were made for. */
  readonly realm: string
  /** A `DigestSecret`, sealed. */
  readonly sealed: Uint8Array
}

/** An access key: the id is the access key id. */
export interface SigV4Credential extends CredentialBase {
  readonly method: 'sigv4'
  /** The secret access key, sealed. */
  readonly sealed: Uint8Array
}

/** A subject of a token issuer: the id is the value of the claim that names the client. */
interface JwtCredential extends CredentialBase {
  readonly method: 'jwt'
  readonly issuer: string
}

/** A client certificate: the id is its SHA-256 fingerprint in lower-case hex, or a name such as `DNS:a.example`. */
interface CertificateCredential extends CredentialBase {
  readonly method: 'certificate'
  /** SHA-256 fingerprint of a certificate that issued it, in lower-case hex: for a name, which any issuer could write. */
  readonly issuer?: string | undefined
}

/** A caller behind a gateway: the id is the ARN of a user or role, or an account number. */
interface GatewayCredential extends CredentialBase {
  readonly method: 'gateway'
}

/** A signer of the Widevine key API: the id is its name. */
export interface SignerCredential extends CredentialBase {
  readonly method: 'signer'
  readonly kind: 'aes' | 'rsa'
  /** A `WidevineSigner`, sealed. */
  readonly sealed: Uint8Array
}

/** A credential of a client, as it is stored. Nobody can call with it: it holds hashes, names and sealed secrets. */
export type Credential =
  | TokenCredential
  | BasicCredential
  | DigestCredential
  | SigV4Credential
  | JwtCredential
  | CertificateCredential
  | GatewayCredential
  | SignerCredential

export type CredentialMethod = Credential['method']
export type CredentialOf<M extends CredentialMethod> = Extract<Credential, { readonly method: M }>

/** Whether a credential is valid at `now`. */
export function isValidAt({ notBefore = 0, notAfter = Number.POSITIVE_INFINITY }: Credential, now: number): boolean {
  return notBefore <= now && now < notAfter
}

/** Throws if a credential is not valid now. Call it after the proof: a caller without the secret must not learn this. */
export function checkValidity({ notBefore, notAfter }: Credential, now: number): void {
  if (notBefore !== undefined && now < notBefore) throw new AuthenticationError('not-yet-valid')
  if (notAfter !== undefined && now >= notAfter) throw new AuthenticationError('expired')
}

/** Whether two values are equal, in a time that does not depend on where they differ. Their lengths are not secret. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

import { KeyProviderError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type { CredentialSecrets, SealedMethod } from '../clients/credential-secrets.ts'
import type { Credential, CredentialMethod, CredentialOf } from '../credentials/credential.ts'
import { normalizeFingerprint } from '../fingerprint.ts'
import { hashPassword } from './basic.ts'
import { issueToken } from './bearer-token.ts'
import { digestSecret, encodeDigestSecret } from './digest-secret.ts'
import { issueAccessKey } from './sigv4.ts'
import { aesSigner, encodeWidevineSigner, rsaSigner } from './widevine-signer.ts'

/** A new credential, and what its owner has to be told: this once, for only hashes and seals are kept. */
export interface IssuedCredential {
  readonly credential: Credential
  readonly shown: readonly (readonly [name: string, value: string | Secret<string>])[]
}

export interface IssueCredentialOptions {
  readonly method: CredentialMethod
  /** What the caller will name it by; tokens and access keys are given one. */
  readonly id?: string | undefined
  readonly tenant: Tenant
  /** What Digest passwords are hashed for. */
  readonly realm: string
  /** Whose tokens a JWT subject is of. */
  readonly issuer?: string | undefined
  /** A password that is there already; else one is made. */
  readonly password?: Secret<string> | undefined
  /** The public key of an RSA signer, in PEM; else an AES signer is made. */
  readonly publicKeyPem?: string | undefined
  readonly secrets: Pick<CredentialSecrets, 'seal'>
  readonly randomBytes: RandomBytes
}

/** Makes a credential of a client. Throws ERR_CONFIG_INVALID where something is missing that the method needs. */
export async function issueCredential(options: IssueCredentialOptions): Promise<IssuedCredential> {
  return ISSUE[options.method](options)
}

type Issue = (options: IssueCredentialOptions) => Promise<IssuedCredential>

const ISSUE: Readonly<Record<CredentialMethod, Issue>> = {
  async token({ randomBytes }) {
    const { token, credential } = issueToken(randomBytes)
    return { credential, shown: [['token', token]] }
  },

  async basic(options) {
    const [id, password] = [idOf(options, 'a user name'), passwordOf(options)]
    const passwordHash = await hashPassword(password.reveal(), options.randomBytes)
    return { credential: { method: 'basic', id, passwordHash }, shown: userAnd(id, password) }
  },

  async digest(options) {
    const [id, password] = [idOf(options, 'a user name'), passwordOf(options)]
    const { realm } = options
    const sealed = await sealedBy(options, 'digest', id, encodeDigestSecret(digestSecret(id, realm, password.reveal())))
    return { credential: { method: 'digest', id, realm, sealed }, shown: [...userAnd(id, password), ['realm', realm]] }
  },

  async sigv4(options) {
    const { accessKeyId: id, secretAccessKey } = issueAccessKey(options.randomBytes)
    const sealed = await sealedBy(options, 'sigv4', id, Buffer.from(secretAccessKey.reveal()))
    return {
      credential: { method: 'sigv4', id, sealed },
      shown: [
        ['access key id', id],
        ['secret access key', secretAccessKey],
      ],
    }
  },

  async jwt(options) {
    if (options.issuer === undefined) throw missing('auth.jwt.issuer in the configuration: whose subject it is')
    return {
      credential: { method: 'jwt', id: idOf(options, 'the subject of its tokens'), issuer: options.issuer },
      shown: [],
    }
  },

  async certificate(options) {
    const id = idOf(options, 'a SHA-256 fingerprint, or a name such as DNS:encoder.example')
    const fingerprint = normalizeFingerprint(id)
    return {
      credential: { method: 'certificate', id: /^[\da-f]{64}$/.test(fingerprint) ? fingerprint : id },
      shown: [],
    }
  },

  async gateway(options) {
    const id = idOf(options, 'an account number, or the ARN of a user or role')
    if (!/^(\d{12}|arn:\S+)$/.test(id)) throw missing('--id: an account number, or the ARN of a user or role')
    return { credential: { method: 'gateway', id }, shown: [] }
  },

  async signer(options) {
    const id = idOf(options, 'the name of the signer')
    if (options.publicKeyPem !== undefined) {
      const sealed = await sealedBy(options, 'signer', id, encodeWidevineSigner(rsaSigner(options.publicKeyPem)))
      return { credential: { method: 'signer', id, kind: 'rsa', sealed }, shown: [] }
    }
    const [key, iv] = [options.randomBytes(32), options.randomBytes(16)]
    const sealed = await sealedBy(options, 'signer', id, encodeWidevineSigner(aesSigner(key, iv)))
    return {
      credential: { method: 'signer', id, kind: 'aes', sealed },
      shown: [
        ['signer', id],
        ['AES signing key', hexOf(key)],
        ['AES signing IV', hexOf(iv)],
      ],
    }
  },
}

async function sealedBy(
  { secrets, tenant }: IssueCredentialOptions,
  method: SealedMethod,
  id: string,
  clear: Buffer,
): Promise<CredentialOf<SealedMethod>['sealed']> {
  const sealed = await secrets.seal(tenant, { method, id }, clear)
  clear.fill(0)
  return sealed
}

function userAnd(user: string, password: Secret<string>): IssuedCredential['shown'] {
  return [
    ['user', user],
    ['password', password],
  ]
}

/** 192 random bits, in characters that every configuration page takes. */
function passwordOf({ password, randomBytes }: IssueCredentialOptions): Secret<string> {
  return password ?? new Secret(Buffer.from(randomBytes(24)).toString('base64url'))
}

function idOf({ id }: IssueCredentialOptions, what: string): string {
  if (id === undefined) throw missing(`--id: ${what}`)
  // A colon ends the user name of Basic, and quotes that of Digest.
  if (!/^[^\s"\\\p{Cc}]{1,2048}$/u.test(id)) throw missing(`--id: ${what}, without spaces, quotes and backslashes`)
  return id
}

function hexOf(bytes: Uint8Array): Secret<string> {
  return new Secret(Buffer.from(bytes).toString('hex'))
}

function missing(what: string): KeyProviderError {
  return new KeyProviderError('ERR_CONFIG_INVALID', `expected ${what}`)
}

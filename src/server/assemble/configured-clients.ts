import { createHash } from 'node:crypto'
import type { CredentialSecrets, SealedMethod } from '../../auth/clients/credential-secrets.ts'
import type { RegisteredClient } from '../../auth/clients/store.ts'
import type { Credential } from '../../auth/credentials/credential.ts'
import { normalizeFingerprint } from '../../auth/fingerprint.ts'
import { hashPassword } from '../../auth/methods/basic.ts'
import { hashToken, tokenId } from '../../auth/methods/bearer-token.ts'
import { digestSecret, encodeDigestSecret } from '../../auth/methods/digest-secret.ts'
import { encodeWidevineSigner } from '../../auth/methods/widevine-signer.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import type { ReportProblem } from '../config/fields.ts'
import { readSecretText } from '../config/files.ts'
import type { WrittenClient } from '../config/shapes.ts'
import { readSignerFiles } from '../config/signers.ts'

type Written = WrittenClient['credentials']
type Method = Extract<keyof Written, string>
type WrittenOf<M extends Method> = Written[M][number]

interface ConfiguredClientsOptions {
  readonly secrets: Pick<CredentialSecrets, 'seal'>
  readonly randomBytes: RandomBytes
  /** Digest passwords are hashed for this realm. */
  readonly realm: string
  /** The issuer of the JWTs whose subjects are clients; undefined: JWT is not configured. */
  readonly issuer: string | undefined
  readonly report: ReportProblem
}

/** The clients of the configuration in the form of the store: reads their secret files, then hashes or seals each secret. */
export async function toRegisteredClients(
  written: readonly WrittenClient[],
  options: ConfiguredClientsOptions,
): Promise<readonly RegisteredClient[]> {
  const registered: RegisteredClient[] = []
  for (const [i, { credentials, ...client }] of written.entries()) {
    const found: Credential[] = []
    const of = { ...options, tenant: client.tenant, path: `clients.${i}.credentials` }
    for (const method of METHODS) found.push(...(await toCredentials(method, credentials, of)))
    if (Object.values(credentials).every((list) => list.length === 0)) {
      options.report(
        `clients.${i}.credentials`,
        'expected at least one: without a credential nothing can authenticate as this client',
      )
    }
    registered.push({ client, credentials: found })
  }
  return registered
}

interface Place extends ConfiguredClientsOptions {
  readonly tenant: string
  readonly path: string
}

async function toCredentials<M extends Method>(
  method: M,
  written: Written,
  place: Place,
): Promise<readonly Credential[]> {
  const credentials: Credential[] = []
  for (const [i, one] of written[method].entries()) {
    const path = `${place.path}.${method}.${i}`
    try {
      const credential = await READ[method](one as WrittenOf<M>, { ...place, path })
      if (credential !== undefined) credentials.push({ ...credential, ...validityOf(one) })
    } catch (error) {
      // The message of node:crypto may quote the file.
      if (error instanceof KeyProviderError && error.code !== 'ERR_CONFIG_INVALID') throw error
      place.report(path, error instanceof KeyProviderError ? error.message : 'its key cannot be read')
    }
  }
  return credentials
}

type Read<M extends Method> = (
  written: WrittenOf<M>,
  place: Place,
) => Promise<Credential | undefined> | Credential | undefined

const READ: { readonly [M in Method]: Read<M> } = {
  token({ id, sha256, tokenFile }, place) {
    if (tokenFile === undefined && id !== undefined && sha256 !== undefined) {
      return { method: 'token', id, sha256: Buffer.from(normalizeFingerprint(sha256), 'hex') }
    }
    if (tokenFile === undefined || id !== undefined || sha256 !== undefined) {
      return problem(place, 'expected id and sha256, or tokenFile')
    }
    const token = readSecretText(`${place.path}.tokenFile`, tokenFile, place.report)
    if (token === undefined) return undefined
    const read = tokenId(token)
    if (read === undefined)
      return problem(place, 'tokenFile: expected a token ks_ID_SECRET, as keyspring client add prints it')
    return { method: 'token', id: read, sha256: hashToken(token) }
  },

  async basic({ user, passwordHash, passwordFile }, place) {
    if ((passwordHash === undefined) === (passwordFile === undefined)) {
      return problem(place, 'expected passwordHash or passwordFile')
    }
    if (passwordHash !== undefined) return { method: 'basic', id: user, passwordHash }
    const password = readSecretText(`${place.path}.passwordFile`, passwordFile ?? '', place.report)
    if (password === undefined) return undefined
    return { method: 'basic', id: user, passwordHash: await hashPassword(password, place.randomBytes) }
  },

  async digest({ user, passwordFile }, place) {
    const password = readSecretText(`${place.path}.passwordFile`, passwordFile, place.report)
    if (password === undefined) return undefined
    const { realm } = place
    return { ...(await sealed(place, 'digest', user, encodeDigestSecret(digestSecret(user, realm, password)))), realm }
  },

  async sigv4({ accessKeyId, secretAccessKeyFile }, place) {
    const secret = readSecretText(`${place.path}.secretAccessKeyFile`, secretAccessKeyFile, place.report)
    return secret === undefined ? undefined : sealed(place, 'sigv4', accessKeyId, Buffer.from(secret))
  },

  jwt: ({ subject }, { issuer }) => (issuer === undefined ? undefined : { method: 'jwt', id: subject, issuer }),

  certificate({ fingerprint, name }, place) {
    if ((fingerprint === undefined) === (name === undefined)) return problem(place, 'expected fingerprint or name')
    return { method: 'certificate', id: name ?? normalizeFingerprint(fingerprint ?? '') }
  },

  gateway: ({ caller }) => ({ method: 'gateway', id: caller }),

  async signer({ name, ...files }, place) {
    const signer = readSignerFiles(place.path, files, place.report)
    if (signer === undefined) return undefined
    return { ...(await sealed(place, 'signer', name, encodeWidevineSigner(signer))), kind: signer.kind }
  },
}
const METHODS = Object.keys(READ) as Method[]

async function sealed<M extends SealedMethod>({ secrets, tenant }: Place, method: M, id: string, clear: Buffer) {
  const blob = await secrets.seal(tenant, { method, id }, clear)
  clear.fill(0)
  return { method, id, sealed: blob }
}

function problem({ path, report }: Place, text: string): undefined {
  report(path, text)
}

function validityOf({ notBefore, notAfter }: { notBefore?: string | undefined; notAfter?: string | undefined }) {
  return {
    ...(notBefore !== undefined && { notBefore: Date.parse(notBefore) }),
    ...(notAfter !== undefined && { notAfter: Date.parse(notAfter) }),
  }
}

/** The hash of a gateway's secret. */
export function hashSecret(secret: string): Uint8Array {
  return createHash('sha256').update(secret).digest()
}

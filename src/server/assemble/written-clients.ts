import { createHash } from 'node:crypto'
import type { z } from 'zod'
import type { CredentialSecrets, SealedMethod } from '../../auth/clients/credential-secrets.ts'
import type { RegisteredClient } from '../../auth/clients/store.ts'
import type { Credential } from '../../auth/credentials/credential.ts'
import { normalizeFingerprint } from '../../auth/fingerprint.ts'
import { hashPassword } from '../../auth/methods/basic.ts'
import { hashToken, tokenId } from '../../auth/methods/bearer-token.ts'
import { digestSecret, encodeDigestSecret } from '../../auth/methods/digest-secret.ts'
import { aesSigner, encodeWidevineSigner, rsaSigner, type WidevineSigner } from '../../auth/methods/widevine-signer.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import type { CLIENTS } from '../config/caller-settings.ts'
import type { ReportProblem } from '../config/fields.ts'
import { readText } from '../config/playback-config.ts'

export type WrittenClient = z.infer<typeof CLIENTS>[number]
type Written = WrittenClient['credentials']
type WrittenOf<M extends keyof Written> = Written[M][number]

export interface WrittenClientsOptions {
  readonly secrets: Pick<CredentialSecrets, 'seal'>
  readonly randomBytes: RandomBytes
  /** What Digest passwords are hashed for. */
  readonly realm: string
  /** Whose tokens the JWT subjects are of. */
  readonly issuer: string | undefined
  readonly report: ReportProblem
}

/** The clients of the configuration, as a store would hold them: their secret files are read, hashed and sealed here. */
export async function toRegisteredClients(
  written: readonly WrittenClient[],
  options: WrittenClientsOptions,
): Promise<readonly RegisteredClient[]> {
  const registered: RegisteredClient[] = []
  for (const [i, { credentials, ...client }] of written.entries()) {
    const found: Credential[] = []
    const of = { ...options, tenant: client.tenant, path: `clients.${i}.credentials` }
    for (const method of METHODS) found.push(...(await toCredentials(method, credentials, of)))
    if (Object.values(credentials).every((list) => list.length === 0)) {
      options.report(`clients.${i}.credentials`, 'expected at least one: without it nobody can be this client')
    }
    registered.push({ client, credentials: found })
  }
  return registered
}

interface Place extends WrittenClientsOptions {
  readonly tenant: string
  readonly path: string
}

async function toCredentials<M extends keyof Written>(
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
      // A key that node:crypto refuses: its own message may quote the file.
      if (error instanceof KeyProviderError && error.code !== 'ERR_CONFIG_INVALID') throw error
      place.report(path, error instanceof KeyProviderError ? error.message : 'its key cannot be read')
    }
  }
  return credentials
}

type Read<M extends keyof Written> = (
  written: WrittenOf<M>,
  place: Place,
) => Promise<Credential | undefined> | Credential | undefined

const READ: { readonly [M in keyof Written]: Read<M> } = {
  token({ id, sha256, tokenFile }, place) {
    if (tokenFile === undefined && id !== undefined && sha256 !== undefined) {
      return { method: 'token', id, sha256: Buffer.from(normalizeFingerprint(sha256), 'hex') }
    }
    if (tokenFile === undefined || id !== undefined || sha256 !== undefined) {
      return problem(place, 'expected id and sha256, or tokenFile')
    }
    const token = readSecret('tokenFile', tokenFile, place)
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
    const password = readSecret('passwordFile', passwordFile ?? '', place)
    if (password === undefined) return undefined
    return { method: 'basic', id: user, passwordHash: await hashPassword(password, place.randomBytes) }
  },

  async digest({ user, passwordFile }, place) {
    const password = readSecret('passwordFile', passwordFile, place)
    if (password === undefined) return undefined
    const { realm } = place
    return { ...(await sealed(place, 'digest', user, encodeDigestSecret(digestSecret(user, realm, password)))), realm }
  },

  async sigv4({ accessKeyId, secretAccessKeyFile }, place) {
    const secret = readSecret('secretAccessKeyFile', secretAccessKeyFile, place)
    return secret === undefined ? undefined : sealed(place, 'sigv4', accessKeyId, Buffer.from(secret))
  },

  jwt: ({ subject }, { issuer }) => (issuer === undefined ? undefined : { method: 'jwt', id: subject, issuer }),

  certificate({ fingerprint, name }, place) {
    if ((fingerprint === undefined) === (name === undefined)) return problem(place, 'expected fingerprint or name')
    return { method: 'certificate', id: name ?? normalizeFingerprint(fingerprint ?? '') }
  },

  gateway: ({ caller }) => ({ method: 'gateway', id: caller }),

  async signer({ name, ...files }, place) {
    const signer = readSigner(files, place)
    if (signer === undefined) return undefined
    return { ...(await sealed(place, 'signer', name, encodeWidevineSigner(signer))), kind: signer.kind }
  },
}
const METHODS = Object.keys(READ) as (keyof Written)[]

function readSigner(
  { aesKeyFile, aesIvFile, rsaPublicKeyFile }: Omit<WrittenOf<'signer'>, 'name'>,
  place: Place,
): WidevineSigner | undefined {
  if (rsaPublicKeyFile !== undefined && aesKeyFile === undefined && aesIvFile === undefined) {
    const pem = readSecret('rsaPublicKeyFile', rsaPublicKeyFile, place)
    return pem === undefined ? undefined : rsaSigner(pem)
  }
  if (aesKeyFile === undefined || aesIvFile === undefined || rsaPublicKeyFile !== undefined) {
    return problem(place, 'expected aesKeyFile with aesIvFile, or rsaPublicKeyFile')
  }
  const [key, iv] = [readSecret('aesKeyFile', aesKeyFile, place), readSecret('aesIvFile', aesIvFile, place)]
  return key === undefined || iv === undefined ? undefined : aesSigner(Buffer.from(key, 'hex'), Buffer.from(iv, 'hex'))
}

async function sealed<M extends SealedMethod>({ secrets, tenant }: Place, method: M, id: string, clear: Buffer) {
  const blob = await secrets.seal(tenant, { method, id }, clear)
  clear.fill(0)
  return { method, id, sealed: blob }
}

/** What a file holds, without the line end that editors put there. */
function readSecret(name: string, file: string, { path, report }: Place): string | undefined {
  const secret = readText(`${path}.${name}`, file, report)?.replace(/\r?\n$/, '')
  if (secret !== '') return secret
  report(`${path}.${name}`, 'the file is empty')
  return undefined
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

import type { RegisteredClient } from '../../auth/clients/client.ts'
import type { Credential, CredentialMethod } from '../../auth/credentials/credential.ts'
import type { AuthSettings, ReadCredentialOptions, WrittenCredential } from '../../auth/methods/definition.ts'
import { AUTH_METHODS, CREDENTIAL_METHODS } from '../../auth/methods/methods.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { ReportProblem } from '../config/fields.ts'
import { readSecretText } from '../config/files.ts'
import type { WrittenClient } from '../config/shapes.ts'

interface ConfiguredClientsOptions extends Pick<ReadCredentialOptions, 'secrets' | 'randomBytes'> {
  readonly auth: Pick<AuthSettings['auth'], 'realm' | 'jwt'>
  readonly report: ReportProblem
}

/** The clients of the configuration as a store would hold them: their secret files are read, hashed and sealed here. */
export async function toRegisteredClients(
  written: readonly WrittenClient[],
  options: ConfiguredClientsOptions,
): Promise<readonly RegisteredClient[]> {
  const registered: RegisteredClient[] = []
  for (const [i, { credentials, ...client }] of written.entries()) {
    const found: Credential[] = []
    const path = `clients.${i}.credentials`
    for (const method of CREDENTIAL_METHODS) {
      for (const [at, one] of credentials[method].entries()) {
        const credential = await toCredential(method, one, client.tenant, `${path}.${method}.${at}`, options)
        if (credential !== undefined) found.push({ ...credential, ...validityOf(one) })
      }
    }
    if (Object.values(credentials).every((list) => list.length === 0)) {
      options.report(path, 'expected at least one: without a credential the client cannot authenticate')
    }
    registered.push({ client, credentials: found })
  }
  return registered
}

async function toCredential(
  method: CredentialMethod,
  written: WrittenCredential,
  tenant: string,
  path: string,
  options: ConfiguredClientsOptions,
): Promise<Credential | undefined> {
  const { report } = options
  try {
    return await AUTH_METHODS[method].read(written, {
      ...options,
      tenant,
      readSecret: (field, file) => readSecretText(`${path}.${field}`, file, report),
      report: (problem) => void report(path, problem),
    })
  } catch (error) {
    // node:crypto rejected a key: its own message may quote the file.
    if (error instanceof KeyProviderError && error.code !== 'ERR_CONFIG_INVALID') throw error
    report(path, error instanceof KeyProviderError ? error.message : 'its key cannot be read')
    return undefined
  }
}

function validityOf({ notBefore, notAfter }: WrittenCredential) {
  return {
    ...(notBefore !== undefined && { notBefore: Date.parse(notBefore) }),
    ...(notAfter !== undefined && { notAfter: Date.parse(notAfter) }),
  }
}

import { KeyProviderError } from '../../core/errors.ts'
import type { Credential, CredentialMethod, CredentialOf } from '../credentials/credential.ts'
import type { Client, RegisteredClient } from './client.ts'

/** A credential and the client it stands for. */
export interface Registration<M extends CredentialMethod = CredentialMethod> {
  readonly client: Client
  readonly credential: CredentialOf<M>
}

/** The clients in memory: what every request is checked against. */
export interface ClientDirectory {
  find<M extends CredentialMethod>(method: M, id: string): Registration<M> | undefined
}

/** A directory whose clients can change while it serves. */
interface ReplaceableClientDirectory extends ClientDirectory {
  /** Puts `clients` in the place of all before, or throws ERR_CONFIG_INVALID with every problem and changes nothing. */
  replace(clients: readonly RegisteredClient[]): void
  readonly size: number
}

/** For a rotation: the old and the new. */
const MAX_OF_A_METHOD = 2
/** Names are no secrets: a client may have any number. */
const UNLIMITED: readonly CredentialMethod[] = ['jwt', 'certificate', 'gateway']

/** A directory of `clients`. Throws ERR_CONFIG_INVALID with every problem at once. */
export function createClientDirectory(clients: readonly RegisteredClient[] = []): ReplaceableClientDirectory {
  let current = index(clients)
  let size = clients.length
  return {
    find: <M extends CredentialMethod>(method: M, id: string) =>
      // The key holds the method, so what is found under it is of that method.
      current.get(keyOf(method, id)) as Registration<M> | undefined,
    replace(next) {
      current = index(next)
      size = next.length
    },
    get size() {
      return size
    },
  }
}

function index(clients: readonly RegisteredClient[]): ReadonlyMap<string, Registration> {
  const problems: string[] = []
  const names = new Set<string>()
  const found = new Map<string, Registration>()
  for (const { client, credentials } of clients) {
    const where = `client ${JSON.stringify(client.name)}`
    if (names.has(client.name)) problems.push(`${where}: there are two of this name`)
    names.add(client.name)
    if (client.tenant === '') problems.push(`${where}: tenant: expected a name`)
    for (const credential of credentials) {
      const key = keyOf(credential.method, credential.id)
      const other = found.get(key)
      const what = `${where}: ${credential.method} credential ${JSON.stringify(credential.id)}`
      if (other !== undefined) problems.push(`${what}: client ${JSON.stringify(other.client.name)} has it too`)
      found.set(key, { client, credential })
    }
    for (const method of crowded(credentials)) {
      problems.push(
        `${where}: more than ${MAX_OF_A_METHOD} ${method} credentials: remove one that is not used any more`,
      )
    }
  }
  if (problems.length > 0) throw new KeyProviderError('ERR_CONFIG_INVALID', problems.join('\n'))
  return found
}

function crowded(credentials: readonly Credential[]): readonly CredentialMethod[] {
  const counts = new Map<CredentialMethod, number>()
  for (const { method } of credentials) counts.set(method, (counts.get(method) ?? 0) + 1)
  return [...counts]
    .filter(([method, count]) => count > MAX_OF_A_METHOD && !UNLIMITED.includes(method))
    .map(([method]) => method)
}

function keyOf(method: CredentialMethod, id: string): string {
  return `${method} ${id}`
}

import { randomBytes } from 'node:crypto'
import { normalizeFingerprint } from '../../../auth/certificate.ts'
import {
  type Client,
  type ClientStore,
  type RegisteredClient,
  SCOPES,
  type Scope,
} from '../../../auth/clients/client.ts'
import { createCredentialSecrets } from '../../../auth/clients/credential-secrets.ts'
import { createClientDirectory } from '../../../auth/clients/directory.ts'
import { type CredentialMethod, isValidAt } from '../../../auth/credentials/credential.ts'
import type { IssuedCredential } from '../../../auth/methods/definition.ts'
import { issueCredential } from '../../../auth/methods/methods.ts'
import { wrongUsage } from '../../../core/errors.ts'
import { openKeys } from '../../../keys/crypto/data-keys.ts'
import { openStore } from '../../../server/assemble/open-store.ts'
import { type Config, readConfig } from '../../../server/config/config.ts'
import { readNumber } from '../../shared/options.ts'
import { type KeysOptions, readKeysConfig } from '../../shared/stored.ts'
import { printResult, type World } from '../../shared/world.ts'
import {
  type CredentialOptions,
  clientNamed,
  RELOAD_HINT,
  readCredentialOptions,
  readNotAfter,
  yamlOf,
} from './credentials.ts'

export interface AddOptions extends CredentialOptions {
  readonly tenant?: string
  readonly scope?: readonly string[]
  readonly contentId?: readonly string[]
  readonly recipient?: readonly string[]
  readonly signalingProfile?: string
  readonly print?: boolean
}

export interface RotateOptions extends CredentialOptions {
  readonly overlap: string
}

/** Adds a client with a credential, or a credential to an existing client, and shows its secret. */
export async function add(options: AddOptions, world: World): Promise<void> {
  if (options.print === true) return printForConfiguration(options, world)
  await withClients(options, world, async ({ config, store, clients, issue }) => {
    const known = clients.find(({ client }) => client.name === options.name)
    const client = known === undefined ? newClient(options, config) : unchangedClient(known.client, options)
    const issued = await issue(client.tenant, options)
    const changed = { client, credentials: [...(known?.credentials ?? []), issued.credential] }
    await showAndStore({ store, clients, changed, issued }, options, world)
  })
}

/** Adds another credential. The other credentials of its method end after the overlap. */
export async function rotate(options: RotateOptions, world: World): Promise<void> {
  const overlapHours = readNumber('--overlap', options.overlap, 0, 999_999)
  const now = Date.now()
  const end = now + overlapHours * 3_600_000
  await withClients(options, world, async ({ store, clients, issue }) => {
    const { client, credentials } = clientNamed(clients, options.name)
    const newest = credentials.filter(({ method }) => method === options.method).at(-1)
    if (newest === undefined) throw wrongUsage(`the client has no ${options.method} credential: run client add`)
    const id = options.id ?? nextId(options.method, newest.id)
    const issued = await issue(client.tenant, { ...options, ...(id !== undefined && { id }) })
    // Expired credentials make room. The others end with the overlap, or earlier if they expire earlier.
    const kept = credentials
      .filter((one) => one.method !== options.method || isValidAt({ ...one, notBefore: 0 }, now))
      .map((one) => (one.method === options.method ? { ...one, notAfter: Math.min(end, one.notAfter ?? end) } : one))
    const changed = { client, credentials: [...kept, issued.credential] }
    await showAndStore({ store, clients, changed, issued }, options, world)
    world.stderr.line(`keyspring: the old credential is valid until ${new Date(end).toISOString()}`)
  })
}

/** Prints a client for the configuration file, for servers deployed as files. Stores nothing. */
async function printForConfiguration(options: AddOptions, world: World): Promise<void> {
  const { config: file, data } = options
  const config = readConfig({ file, environment: world.env, flags: { data }, serves: false })
  const client = newClient(options, config)
  const seal = (): never => {
    throw wrongUsage(
      `--print: the store seals the secret of ${options.method}; in a configuration, a file holds it: see docs/config.md`,
    )
  }
  const { realm, jwt } = config.auth
  const issued = await issueCredential({
    tenant: client.tenant,
    realm,
    issuer: jwt?.issuer,
    secrets: { seal },
    randomBytes,
    ...readCredentialOptions(options, world),
  })
  for (const [what, value] of issued.shown)
    world.stderr.line(`${what}: ${typeof value === 'string' ? value : value.reveal()}`)
  world.stdout.line(yamlOf({ client, credentials: [issued.credential] }, options.notAfter))
}

interface IssuingClients {
  readonly config: Config
  readonly store: ClientStore
  readonly clients: readonly RegisteredClient[]
  readonly issue: (tenant: string, options: CredentialOptions) => Promise<IssuedCredential>
}

/** Opens the store and the keys that seal secrets. Creates both if there are none: clients can be added before the first start. */
async function withClients<T>(
  options: KeysOptions,
  world: World,
  use: (open: IssuingClients) => Promise<T>,
): Promise<T> {
  const config = readKeysConfig(options, world)
  const { store, openRootKey, rootKeyName } = await openStore(config)
  try {
    const { rootKey, dataKeys, created } = await openKeys({ store, openRootKey, rootKeyName, randomBytes })
    if (created) world.stderr.line(`keyspring: created ${rootKeyName}: back it up, without it every key is lost`)
    const secrets = createCredentialSecrets({ dataKeys, randomBytes })
    const { realm, jwt } = config.auth
    try {
      return await use({
        config,
        store,
        clients: await store.listClients(),
        async issue(tenant, given) {
          const common = { tenant, realm, issuer: jwt?.issuer, secrets, randomBytes }
          const issued = await issueCredential({ ...common, ...readCredentialOptions(given, world) })
          return { ...issued, credential: { ...issued.credential, ...readNotAfter(given) } }
        },
      })
    } finally {
      await rootKey.close()
    }
  } finally {
    await store.close()
  }
}

interface Change {
  readonly store: ClientStore
  readonly clients: readonly RegisteredClient[]
  readonly changed: RegisteredClient
  readonly issued: IssuedCredential
}

/** Shows the secret of a credential, then stores it: a secret that could not be printed must not open anything. */
async function showAndStore(
  { store, clients, changed, issued }: Change,
  { json }: CredentialOptions,
  world: World,
): Promise<void> {
  const { client } = changed
  // Throws if the credential conflicts with another client.
  createClientDirectory([...clients.filter((one) => one.client.name !== client.name), changed])
  const { credential, shown } = issued
  const values = shown.map(([what, value]) => [what, typeof value === 'string' ? value : value.reveal()] as const)
  const result = {
    name: client.name,
    tenant: client.tenant,
    method: credential.method,
    id: credential.id,
    ...Object.fromEntries(values.map(([what, value]) => [camelCase(what), value])),
  }
  printResult(world, json, result, () => [
    `client: ${client.name}`,
    ...values.map(([what, value]) => `${what}: ${value}`),
  ])
  const hasSecret = shown.some(([, value]) => typeof value !== 'string')
  try {
    if (hasSecret) await world.stdout.delivered()
  } catch (error) {
    world.stderr.line(`keyspring: the secret of client ${client.name} could not be printed, so nothing was stored`)
    throw error
  }
  await store.putClient(changed)
  if (hasSecret) {
    world.stderr.line('keyspring: the secret is shown only once: the store keeps a hash or an encrypted copy')
  }
  world.stderr.line(RELOAD_HINT)
}

function newClient(options: AddOptions, config: Config): Client {
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

/** The existing client, to which a credential is added. Throws ERR_USAGE_INVALID if the options would change the client. */
function unchangedClient(client: Client, options: AddOptions): Client {
  const { tenant, scope, contentId, recipient, signalingProfile } = options
  if ([tenant, scope, contentId, recipient, signalingProfile].some((one) => one !== undefined)) {
    throw wrongUsage('the client exists already: give only a credential, or remove the client and add it again')
  }
  return client
}

/** The ID of the next user: `encoder` is followed by `encoder-2`. Undefined for methods whose IDs are generated. */
function nextId(method: CredentialMethod, id: string): string | undefined {
  if (method === 'token' || method === 'sigv4') return undefined
  if (method !== 'basic' && method !== 'digest' && method !== 'signer') throw wrongUsage('--id: expected the new ID')
  const [, base = id, number = '1'] = /^(.*)-(\d{1,6})$/.exec(id) ?? []
  return `${base}-${Number(number) + 1}`
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

function camelCase(words: string): string {
  return words.replaceAll(/ (\w)/g, (_space, letter: string) => letter.toUpperCase())
}

import { randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Client, SCOPES, type Scope } from '../auth/client.ts'
import { createClientDirectory } from '../auth/client-directory.ts'
import type { ClientStore, RegisteredClient } from '../auth/client-store.ts'
import { type Credential, type CredentialMethod, isValidAt } from '../auth/credential.ts'
import { createCredentialSecrets } from '../auth/credential-secrets.ts'
import { normalizeFingerprint } from '../auth/fingerprint.ts'
import { type IssuedCredential, issueCredential } from '../auth/issue-credential.ts'
import { KeyProviderError } from '../errors.ts'
import { openKeys } from '../keys/open-keys.ts'
import { Secret } from '../secret.ts'
import { type Config, readConfig } from '../server/config.ts'
import { openStore } from '../server/open-store.ts'

interface StoreOptions {
  readonly config?: string
  readonly data?: string
}

interface CredentialOptions extends StoreOptions {
  readonly name: string
  readonly method: CredentialMethod
  readonly id?: string
  readonly passwordFile?: string
  readonly certificateFile?: string
  readonly publicKeyFile?: string
  readonly notAfter?: string
  readonly json?: boolean
}

interface AddOptions extends CredentialOptions {
  readonly tenant?: string
  readonly scope?: readonly string[]
  readonly contentId?: readonly string[]
  readonly recipient?: readonly string[]
  readonly signalingProfile?: string
}

/** Adds a client with a credential, or a credential to a client that is there, and shows its secret. */
export async function add(options: AddOptions): Promise<void> {
  await withClients(options, async ({ config, store, clients, issue }) => {
    const known = clients.find(({ client }) => client.name === options.name)
    const client = known === undefined ? newClient(options, config) : sameClient(known.client, options)
    const issued = await issue(client.tenant, options)
    await put(store, clients, { client, credentials: [...(known?.credentials ?? []), issued.credential] })
    show(options, client, issued)
  })
}

/** Adds another credential and ends those of its method after an overlap. */
export async function rotate(options: CredentialOptions & { readonly overlap: string }): Promise<void> {
  if (!/^\d{1,6}$/.test(options.overlap)) throw wrongUsage('--overlap: expected a whole number of hours')
  const now = Date.now()
  const end = now + Number(options.overlap) * 3_600_000
  await withClients(options, async ({ store, clients, issue }) => {
    const { client, credentials } = named(clients, options.name)
    const old = credentials.filter(({ method }) => method === options.method)
    const newest = old.at(-1)
    if (newest === undefined) throw wrongUsage(`the client has no ${options.method} credential: add one`)
    const id = options.id ?? nextId(options.method, newest.id)
    const issued = await issue(client.tenant, { ...options, ...(id !== undefined && { id }) })
    // What has ended makes room; the others end with the overlap, or before if they were to.
    const kept = credentials
      .filter((one) => one.method !== options.method || isValidAt({ ...one, notBefore: 0 }, now))
      .map((one) => (one.method === options.method ? { ...one, notAfter: Math.min(end, one.notAfter ?? end) } : one))
    await put(store, clients, { client, credentials: [...kept, issued.credential] })
    show(options, client, issued)
    process.stderr.write(`keyspring: the old one is taken until ${new Date(end).toISOString()}\n`)
  })
}

/** Removes a client, or one of its credentials. */
export async function remove(
  options: StoreOptions & { readonly name: string; readonly method?: CredentialMethod; readonly id?: string },
): Promise<void> {
  const { name, method, id } = options
  if ((method === undefined) !== (id === undefined)) throw wrongUsage('expected --method and --id, or neither')
  await withStore(options, async ({ store }) => {
    const { client, credentials } = named(await store.listClients(), name)
    if (method === undefined) {
      await store.removeClient(name)
    } else {
      const kept = credentials.filter((one) => one.method !== method || one.id !== id)
      if (kept.length === credentials.length) throw wrongUsage(`the client has no ${method} credential of this id`)
      await store.putClient({ client, credentials: kept })
    }
    print('removed')
    process.stderr.write(SIGHUP_HINT)
  })
}

/** Prints clients and what they prove themselves by, never a secret. */
export async function list(options: StoreOptions & { readonly json?: boolean }): Promise<void> {
  await withStore(options, async ({ store }) => {
    const clients = (await store.listClients()).map(({ client, credentials }) => {
      return { ...client, credentials: credentials.map(describeCredential) }
    })
    if (options.json === true) return print(JSON.stringify(clients, undefined, 2))
    for (const { name, tenant, scopes, contentIds = ['*'], credentials } of clients) {
      print(`${name} tenant:${tenant} ${scopes.join(' ')} contents:${contentIds.join(',')}`)
      for (const { method, id, notAfter } of credentials) {
        print(`  ${method} ${id}${notAfter === undefined ? '' : ` until ${notAfter}`}`)
      }
    }
  })
}

const SIGHUP_HINT = 'hint: a server that runs takes it on SIGHUP, without losing a request\n'

interface OpenClients {
  readonly config: Config
  readonly store: ClientStore
}

interface IssuingClients extends OpenClients {
  readonly clients: readonly RegisteredClient[]
  readonly issue: (tenant: string, options: CredentialOptions) => Promise<IssuedCredential>
}

async function withStore<T>(options: StoreOptions, use: (open: OpenClients) => Promise<T>): Promise<T> {
  const config = readClientConfig(options)
  const { store } = await openStore(config, { create: false })
  try {
    return await use({ config, store })
  } finally {
    await store.close()
  }
}

/** Lends the store with the keys that seal secrets, made where there are none yet: clients may be added before the first start. */
async function withClients<T>(options: StoreOptions, use: (open: IssuingClients) => Promise<T>): Promise<T> {
  const config = readClientConfig(options)
  const { store, openRootKey, rootKeyName } = await openStore(config)
  try {
    const { rootKey, dataKeys, created } = await openKeys({ store, openRootKey, rootKeyName, randomBytes })
    if (created) process.stderr.write(`keyspring: created ${rootKeyName}: back it up, without it every key is lost\n`)
    const secrets = createCredentialSecrets({ dataKeys, randomBytes })
    const { realm, jwt } = config.auth
    try {
      return await use({
        config,
        store,
        clients: await store.listClients(),
        async issue(tenant, given) {
          const { method, notAfter } = given
          const own = { method, id: idOf(given), password: passwordOf(given), publicKeyPem: pemOf(given) }
          const issued = await issueCredential({ ...own, tenant, realm, issuer: jwt?.issuer, secrets, randomBytes })
          if (notAfter === undefined) return issued
          return { ...issued, credential: { ...issued.credential, notAfter: momentOf(notAfter) } }
        },
      })
    } finally {
      await rootKey.close()
    }
  } finally {
    await store.close()
  }
}

function readClientConfig({ config: file, data }: StoreOptions): Config {
  const config = readConfig({ file, environment: process.env, flags: { data }, serves: false })
  if (config.store === 'memory') throw wrongUsage('the store is `memory`: it would forget the client at once')
  return config
}

/** Stores a client, unless it stands against another. */
async function put(store: ClientStore, clients: readonly RegisteredClient[], changed: RegisteredClient): Promise<void> {
  const others = clients.filter(({ client }) => client.name !== changed.client.name)
  createClientDirectory([...others, changed])
  await store.putClient(changed)
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

/** A client that is there is not changed by the way. */
function sameClient(client: Client, options: AddOptions): Client {
  const { tenant, scope, contentId, recipient, signalingProfile } = options
  if ([tenant, scope, contentId, recipient, signalingProfile].some((one) => one !== undefined)) {
    throw wrongUsage('the client is there already: expected nothing but a credential; remove it to add it otherwise')
  }
  return client
}

function named(clients: readonly RegisteredClient[], name: string): RegisteredClient {
  const found = clients.find(({ client }) => client.name === name)
  if (found === undefined)
    throw wrongUsage('--name: the store has no client of this name; keyspring client list shows them')
  return found
}

/** A user name cannot have two passwords: `encoder` is followed by `encoder-2`. Tokens and access keys are given ids of their own. */
function nextId(method: CredentialMethod, id: string): string | undefined {
  if (method === 'token' || method === 'sigv4') return undefined
  if (method !== 'basic' && method !== 'digest' && method !== 'signer') throw wrongUsage('--id: expected the new one')
  const [, base = id, number = '1'] = /^(.*)-(\d{1,6})$/.exec(id) ?? []
  return `${base}-${Number(number) + 1}`
}

function idOf({ method, id, certificateFile }: CredentialOptions): string | undefined {
  if (certificateFile === undefined) return id
  if (method !== 'certificate' || id !== undefined)
    throw wrongUsage('--certificate-file: only for the method certificate, without --id')
  return normalizeFingerprint(new X509Certificate(readFileSync(certificateFile)).fingerprint256)
}

function passwordOf({ method, passwordFile }: CredentialOptions): Secret<string> | undefined {
  if (passwordFile === undefined) return undefined
  if (method !== 'basic' && method !== 'digest')
    throw wrongUsage('--password-file: only for the methods basic and digest')
  const password = readFileSync(passwordFile === '-' ? 0 : passwordFile, 'utf8').replace(/\r?\n$/, '')
  if (password.length < MIN_PASSWORD) throw wrongUsage(`--password-file: expected ${MIN_PASSWORD} characters or more`)
  return new Secret(password)
}

const MIN_PASSWORD = 12

function pemOf({ method, publicKeyFile }: CredentialOptions): string | undefined {
  if (publicKeyFile === undefined) return undefined
  if (method !== 'signer') throw wrongUsage('--public-key-file: only for the method signer')
  return readFileSync(publicKeyFile, 'utf8')
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

function momentOf(text: string): number {
  const moment = Date.parse(text)
  if (Number.isNaN(moment)) throw wrongUsage('--not-after: expected a time such as 2027-01-31T00:00:00Z')
  return moment
}

function describeCredential({ method, id, notBefore, notAfter }: Credential) {
  return {
    method,
    id,
    ...(notBefore !== undefined && { notBefore: new Date(notBefore).toISOString() }),
    ...(notAfter !== undefined && { notAfter: new Date(notAfter).toISOString() }),
  }
}

/** The secrets go to standard output alone, where a script can take them from. */
function show({ json }: CredentialOptions, { name, tenant }: Client, { credential, shown }: IssuedCredential): void {
  const told = shown.map(([what, value]) => [what, typeof value === 'string' ? value : value.reveal()] as const)
  if (json === true) {
    const { method, id } = credential
    print(
      JSON.stringify({
        name,
        tenant,
        method,
        id,
        ...Object.fromEntries(told.map(([what, value]) => [camelCase(what), value])),
      }),
    )
  } else {
    print(`client: ${name}`)
    for (const [what, value] of told) print(`${what}: ${value}`)
  }
  if (shown.some(([, value]) => typeof value !== 'string')) {
    process.stderr.write('keyspring: the secret is shown this once: only a hash or a seal of it is kept\n')
  }
  process.stderr.write(SIGHUP_HINT)
}

function camelCase(words: string): string {
  return words.replaceAll(/ (\w)/g, (_space, letter: string) => letter.toUpperCase())
}

function wrongUsage(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_CONFIG_INVALID', problem)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

import { randomBytes } from 'node:crypto'
import type { Client } from '../../../auth/clients/client.ts'
import { createCredentialSecrets } from '../../../auth/clients/credential-secrets.ts'
import { createClientDirectory } from '../../../auth/clients/directory.ts'
import type { ClientStore, RegisteredClient } from '../../../auth/clients/store.ts'
import { type Credential, type CredentialMethod, isValidAt } from '../../../auth/credentials/credential.ts'
import { type IssuedCredential, issueCredential } from '../../../auth/methods/issue-credential.ts'
import { openKeys } from '../../../keys/crypto/open-keys.ts'
import { openStore } from '../../../server/assemble/open-store.ts'
import { type Config, readConfig } from '../../../server/config/config.ts'
import { type KeysOptions, readKeysConfig } from '../../shared/keys-options.ts'
import {
  type AddOptions,
  type CredentialOptions,
  endOf,
  issueOptions,
  newClient,
  sameClient,
  wrongUsage,
} from './options.ts'

/** Adds a client with a credential, or a credential to a client that is there, and shows its secret. */
export async function add(options: AddOptions): Promise<void> {
  if (options.print === true) return printWritten(options)
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
  options: KeysOptions & { readonly name: string; readonly method?: CredentialMethod; readonly id?: string },
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
export async function list(options: KeysOptions & { readonly json?: boolean }): Promise<void> {
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

/** A client as the configuration has it, in YAML of one line, for what is deployed as files; nothing is stored. */
async function printWritten(options: AddOptions): Promise<void> {
  const { config: file, data } = options
  const config = readConfig({ file, environment: process.env, flags: { data }, serves: false })
  const client = newClient(options, config)
  const refuse = (): never => {
    throw wrongUsage(
      `--print: what ${options.method} needs is sealed in the store; in a configuration it stands in a file`,
    )
  }
  const { realm, jwt } = config.auth
  const common = { tenant: client.tenant, realm, issuer: jwt?.issuer, secrets: { seal: refuse }, randomBytes }
  const issued = await issueCredential({ ...common, ...issueOptions(options) })
  const credentials = {
    [options.method]: [
      {
        ...writtenCredential(issued.credential),
        ...(options.notAfter !== undefined && { notAfter: options.notAfter }),
      },
    ],
  }
  for (const [what, value] of issued.shown)
    process.stderr.write(`${what}: ${typeof value === 'string' ? value : value.reveal()}\n`)
  print(`- ${JSON.stringify({ ...client, credentials })}`)
}

/** The members of a credential under `clients`. @see docs/config.md, "Clients" */
function writtenCredential(credential: Credential): Readonly<Record<string, string>> {
  const { id } = credential
  switch (credential.method) {
    case 'token':
      return { id, sha256: Buffer.from(credential.sha256).toString('hex') }
    case 'basic':
      return { user: id, passwordHash: credential.passwordHash }
    case 'jwt':
      return { subject: id }
    case 'certificate':
      return /^[\da-f]{64}$/.test(id) ? { fingerprint: id } : { name: id }
    default:
      return { caller: id }
  }
}

interface OpenClients {
  readonly config: Config
  readonly store: ClientStore
}

interface IssuingClients extends OpenClients {
  readonly clients: readonly RegisteredClient[]
  readonly issue: (tenant: string, options: CredentialOptions) => Promise<IssuedCredential>
}

async function withStore<T>(options: KeysOptions, use: (open: OpenClients) => Promise<T>): Promise<T> {
  const config = readKeysConfig(options, 'a client')
  const { store } = await openStore(config, { create: false })
  try {
    return await use({ config, store })
  } finally {
    await store.close()
  }
}

/** Lends the store with the keys that seal secrets, made where there are none yet: clients may be added before the first start. */
async function withClients<T>(options: KeysOptions, use: (open: IssuingClients) => Promise<T>): Promise<T> {
  const config = readKeysConfig(options, 'a client')
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
          const common = { tenant, realm, issuer: jwt?.issuer, secrets, randomBytes }
          const issued = await issueCredential({ ...common, ...issueOptions(given) })
          return { ...issued, credential: { ...issued.credential, ...endOf(given) } }
        },
      })
    } finally {
      await rootKey.close()
    }
  } finally {
    await store.close()
  }
}

/** Stores a client, unless it stands against another. */
async function put(store: ClientStore, clients: readonly RegisteredClient[], changed: RegisteredClient): Promise<void> {
  const others = clients.filter(({ client }) => client.name !== changed.client.name)
  createClientDirectory([...others, changed])
  await store.putClient(changed)
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

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

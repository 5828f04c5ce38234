import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalRootKey } from '../src/adapters/root-keys/local.ts'
import { memoryStore } from '../src/adapters/store/memory/store.ts'
import { migratePostgresStore, openPostgresStore } from '../src/adapters/store/postgres/store.ts'
import { openSqliteStore } from '../src/adapters/store/sqlite/store.ts'
import { toKid } from '../src/formats/cenc.ts'
import { StoredContentKeys } from '../src/keys/content/content-keys.ts'
import { DataKeyRing } from '../src/keys/crypto/data-keys.ts'
import { seal } from '../src/keys/crypto/seal.ts'
import { resealAll, rotateDataKeys } from '../src/keys/maintenance/rotate-data-keys.ts'
import { startPostgres } from '../test/adapters/store/postgres/server.ts'
import { ask } from './torture/load.ts'
import { startServer } from './torture/server.ts'

// What several nodes on PostgreSQL cost, how fast keys are sealed anew, and what contents take in memory.
//   node scripts/measure-nodes.ts

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-measure-'))
const postgres = await startPostgres()
const rows: [what: string, value: string][] = []
try {
  const url = await postgres.newUrl()
  const rootKeyFile = join(scratch, 'root.key')
  const { rootKey } = await openLocalRootKey({ file: rootKeyFile, create: true })
  await migratePostgresStore({ url })
  await measureNodes(url.reveal(), rootKeyFile)
  const options = { rootKey, rootKeyName: 'root key', randomBytes }
  await measureRewrap('SQLite', { ...options, store: openSqliteStore({ file: join(scratch, 'keys.db') }) }, 50_000)
  const store = await openPostgresStore({ url: await postgres.newUrl(), migrate: true })
  await measureRewrap('PostgreSQL', { ...options, store }, 20_000)
  await measureMemory(options, 1_000_000)
} finally {
  await postgres.remove()
  rmSync(scratch, { recursive: true })
}
process.stdout.write('| what | measured |\n|---|---|\n')
for (const [what, value] of rows) process.stdout.write(`| ${what} | ${value} |\n`)

/** Repeats of known contents on one node and on two, and first requests on two. */
async function measureNodes(url: string, rootKeyFile: string): Promise<void> {
  const counter = await countingProxy(postgres.port)
  const environment = {
    KEYSPRING_STORE: url.replace(`:${postgres.port}/`, `:${counter.port}/`),
    KEYSPRING_ROOT_KEY_FILE: rootKeyFile,
  }
  const nodes = [await startServer(environment), await startServer(environment)]
  try {
    const contents = Array.from({ length: 20 }, (_, n) => `c${n}`)
    const repeat = async (urls: readonly string[], ms: number): Promise<number> => {
      let asked = 0
      const until = performance.now() + ms
      const worker = async (n: number): Promise<void> => {
        for (let i = n; performance.now() < until; i++) {
          await ask(urls[i % urls.length] ?? '', contents[Math.floor(i / urls.length) % contents.length] ?? '')
          asked++
        }
      }
      await Promise.all([0, 1, 2, 3].map(worker))
      return asked
    }
    const urls = nodes.map((node) => node.url)
    await repeat(urls, 8_000)
    const cpuOf = (): number => nodes.reduce((sum, { pid }) => sum + cpuMs(pid), 0)
    const measure = async (some: readonly string[]): Promise<number> => {
      const before = cpuOf()
      const asked = await repeat(some, 1_500)
      return (cpuOf() - before) / asked
    }
    // In turns, and the middle of them: the machine does other things too.
    const pairs: [one: number, two: number][] = []
    for (let n = 0; n < 7; n++) pairs.push([await measure(urls.slice(n % 2, (n % 2) + 1)), await measure(urls)])
    const one = median(pairs.map(([cost]) => cost))
    const two = median(pairs.map(([, cost]) => cost))
    rows.push(['CPU-ms of a repeat, one node', one.toFixed(3)])
    rows.push(['CPU-ms of a repeat, two nodes', `${two.toFixed(3)}, ${(two / one).toFixed(2)} × of one`])
    // Once more each, then within the 5 s in which nothing is asked again. The ledger writes each second, and is counted.
    for (const some of urls) for (const content of contents) await ask(some, content)
    await new Promise((resolve) => setTimeout(resolve, 5_100))
    for (const some of urls) for (const content of contents) await ask(some, content)
    const reads = counter.contentReads()
    if (reads === 0) throw new Error('the proxy counts nothing')
    const asked = await repeat(urls, 2_000)
    rows.push(['Reads of a content for each repeat within 5 s', `${counter.contentReads() - reads} for ${asked}`])
    const startedAt = performance.now()
    let first = 0
    const firsts = async (): Promise<void> => {
      while (performance.now() < startedAt + 4_000)
        if ((await ask(urls[first % 2] ?? '', `f${first++}`)).status !== 200) throw new Error('refused')
    }
    await Promise.all(Array.from({ length: 16 }, firsts))
    rows.push(['First requests, two nodes and PostgreSQL on one machine', `${Math.round(first / 4)}/s`])
  } finally {
    for (const node of nodes) await node.kill()
    await counter.close()
  }
}

async function measureRewrap(name: string, options: Parameters<typeof resealAll>[0], contents: number): Promise<void> {
  const { store } = options
  const dataKeys = new DataKeyRing(options)
  for (let at = 0; at < contents; at += 500) {
    await Promise.all(
      Array.from({ length: 500 }, async (_, n) => {
        const ref = { tenant: 'default', contentId: `c${at + n}` }
        const dataKey = await dataKeys.current('default')
        return store.putSecretIfAbsent(
          ref,
          seal(dataKey, { kind: 'content-secret', ref }, randomBytes(32), randomBytes),
          [],
          { at: 0, expiresAt: undefined },
        )
      }),
    )
  }
  await rotateDataKeys(options)
  const startedAt = performance.now()
  const { resealed } = await resealAll(options)
  rows.push([
    `Sealed anew by \`keyring rewrap\`, ${name}`,
    `${Math.round(resealed / ((performance.now() - startedAt) / 1_000))}/s`,
  ])
  await store.close()
}

/** What a node takes that keeps so many contents in memory; by default it keeps fewer. */
async function measureMemory(options: Omit<Parameters<typeof resealAll>[0], 'store'>, contents: number): Promise<void> {
  const dataKeys = new DataKeyRing({ ...options, store: memoryStore() })
  const dataKey = await dataKeys.current('default')
  const life = { createdAt: 0, expiresAt: undefined, hold: undefined, epoch: 0 }
  const nothing = { life, overrides: [], overridesComplete: true, kidOverrides: [], tombstone: undefined }
  const store = {
    ...memoryStore(),
    // As a database would, which has them all.
    findContent: async (ref: { readonly tenant: string; readonly contentId: string }) => {
      return { ...nothing, sealedSecret: seal(dataKey, { kind: 'content-secret', ref }, randomBytes(32), randomBytes) }
    },
  }
  const keys = new StoredContentKeys({
    store,
    dataKeys,
    policy: 'derived',
    now: () => 0,
    randomBytes,
    maxEntries: contents,
    time: () => 0,
  })
  const contentKeyClass = 'drm'
  const kid = toKid('00000000-0000-4000-8000-000000000001')
  if (kid === undefined) throw new Error('no kid')
  const before = process.memoryUsage().rss
  for (let n = 0; n < contents; n++) {
    await (await keys.open({ tenant: 'default', contentId: `content-${n}` }, [kid])).issue([{ contentKeyClass, kid }])
  }
  const grown = process.memoryUsage().rss - before
  rows.push([`${contents.toLocaleString('en')} contents in memory`, `${Math.round(grown / 1_048_576)} MB`])
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** Passes everything on, and counts how often contents are read. */
async function countingProxy(target: number) {
  let reads = 0
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
    client.on('data', (chunk) => {
      reads += chunk.toString('latin1').split('keyspring-find-content').length - 1
      upstream.write(chunk)
    })
    upstream.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    contentReads: () => reads,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { memoryStore } from '../src/adapters/store/memory/store.ts'
import { DRM_SYSTEMS } from '../src/formats/drm/facts.ts'
import { readXml } from '../src/formats/xml/reader.ts'
import { RequestHandler } from '../src/http/handler.ts'
import { ProxyTrust } from '../src/http/listener/proxy-trust.ts'
import type { IncomingRequest } from '../src/http/request.ts'
import { routes } from '../src/http/routes/routes.ts'
import { StoredContentKeys } from '../src/keys/content/content-keys.ts'
import { openKeys } from '../src/keys/crypto/data-keys.ts'
import type { RootKey } from '../src/keys/ports/root-key.ts'
import { SpekeAnswerer } from '../src/protocols/speke/answer.ts'
import { DEFAULT_POLICY, DEFAULT_PROFILE } from '../src/protocols/speke/profile.ts'
import { PlayerUrls } from '../src/protocols/speke/urls.ts'
import { requestOf } from './bench/documents.ts'
import { fuzzedCallers } from './fuzz/credentials.ts'
import { grow } from './fuzz/grammar.ts'
import { mutate, random } from './fuzz/mutate.ts'

/**
 * Posts requests to the whole key provider, authentication included, without a port: requests grown by the grammar of CPIX,
 * and real ones mutated. None may crash it, make it answer 5xx, or be answered 200 with a document that cannot be read. The
 * same seed makes the same documents.
 */
const { values: flags } = parseArgs({
  options: { inputs: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
})
const inputs = Number(flags.inputs)
const next = random(Number(flags.seed))

const EXAMPLES = 'docs/examples'
const seeds: readonly (readonly [version: string | undefined, xml: string])[] = [
  ...readdirSync(EXAMPLES)
    .filter((name) => name.endsWith('.xml'))
    .map((name) => readFileSync(join(EXAMPLES, name), 'utf8'))
    .map((xml) => [versionOf(xml), xml] as const),
  ['2.0', requestOf(2, 3, 'fuzz')],
  ['2.0', requestOf(8, 3, 'fuzz')],
]

function versionOf(xml: string): string | undefined {
  return /version="2\.3"/.test(xml) ? '2.0' : /version="2\.4"/.test(xml) ? '2.1' : undefined
}

const rootKey: RootKey = { wrap: async (key) => key, unwrap: async (wrapped) => wrapped, close: async () => undefined }
const store = memoryStore()
const { dataKeys } = await openKeys({
  store,
  openRootKey: async () => ({ rootKey, created: true }),
  rootKeyName: 'fuzz',
  randomBytes,
})
const { callers, headersFor } = await fuzzedCallers()
const handler = new RequestHandler({
  routes: routes({
    speke: new SpekeAnswerer({
      contentKeys: new StoredContentKeys({
        store,
        dataKeys,
        policy: 'derived',
        now: () => performance.now(),
        randomBytes,
        onStale: raise,
        time: () => 0,
      }),
      findDrmSystem: (systemId, major) => {
        const system = DRM_SYSTEMS.get(systemId)
        return system?.spekeMajors.includes(major) ? system : undefined
      },
      profileFor: () => DEFAULT_PROFILE,
      policy: DEFAULT_POLICY,
      xmlLimits: {},
      urls: new PlayerUrls('https://keys.example.com'),
      record: () => undefined,
      warn: () => undefined,
      now: () => Date.now(),
      randomBytes,
    }),
    identify: callers.identify,
    userAgent: 'keyspring/fuzz',
    basePaths: [],
    isReady: async () => true,
    metrics: undefined,
  }),
  checks: [],
  proxies: new ProxyTrust([]),
  maxBodyBytes: 1024 * 1024,
  observe: (_call, _route, _reply, error) => {
    lastError = error
  },
  now: () => performance.now(),
})

let lastError: unknown
const statuses = new Map<number, number>()
const times = new Float64Array(inputs)
let slowest: { ms: number; at: number; call?: IncomingRequest } = { ms: 0, at: -1 }

process.on('unhandledRejection', raise)
for (let i = 0; i < inputs; i++) {
  const { bytes, versionHeader } = nextRequest()
  const rawPath = '/speke/v2.0/copyProtection'
  const call: IncomingRequest = {
    method: 'POST',
    rawPath,
    headers: {
      ...headersFor(next, rawPath, bytes),
      ...(versionHeader !== undefined && { 'x-speke-version': versionHeader }),
    },
    readBody: async () => bytes,
    peer: '127.0.0.1',
    secure: true,
    requestId: String(i),
  }
  const startedAt = performance.now()
  const { status, body } = await handler.handle(call)
  const ms = performance.now() - startedAt
  times[i] = ms
  if (ms > slowest.ms) slowest = { ms, at: i, call }
  statuses.set(status, (statuses.get(status) ?? 0) + 1)
  if (status >= 500)
    fail(`input ${i} (seed ${flags.seed}) was answered ${status}: ${inspectError(lastError)}\n${bytes}`)
  if (status === 200) readXml(Buffer.from(body), { bytes: 1 << 26, elements: 1 << 20, textLength: 1 << 24 })
  if (i % 5000 === 0) process.stderr.write(`\r${i} of ${inputs}`)
}
process.stderr.write('\r\x1b[K')

// What is slow is slow again; what the collector or another program took is not.
const again: number[] = []
for (let i = 0; i < 5 && slowest.call !== undefined; i++) {
  const startedAt = performance.now()
  await handler.handle(slowest.call)
  again.push(performance.now() - startedAt)
}

times.sort()
const at = (share: number): string => (times[Math.min(inputs - 1, Math.floor(inputs * share))] ?? 0).toFixed(2)
console.log(`${inputs} inputs, seed ${flags.seed}: 0 crashes, 0 answers of 5xx`)
console.log(
  [...statuses]
    .toSorted(([a], [b]) => a - b)
    .map(([status, count]) => `${status}: ${count}`)
    .join(', '),
)
console.log(
  `milliseconds: median ${at(0.5)}, 99 % ${at(0.99)}, 99.99 % ${at(0.9999)}, slowest ${slowest.ms.toFixed(2)} (input ${slowest.at}, again ${Math.min(...again).toFixed(2)})`,
)

/** Grown as often as mutated; what was grown is mutated too, now and then. */
function nextRequest(): { readonly bytes: Buffer; readonly versionHeader: string | undefined } {
  if (next() < 0.5) {
    const { xml, version } = grow(next)
    return next() < 0.2 ? mutate(next, Buffer.from(xml), version) : { bytes: Buffer.from(xml), versionHeader: version }
  }
  const [version, xml] = seeds[Math.floor(next() * seeds.length)] ?? fail('no seeds')
  return mutate(next, Buffer.from(xml), version)
}

function raise(error: unknown): never {
  throw error
}

function fail(problem: string): never {
  console.error(problem)
  process.exit(1)
}

function inspectError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

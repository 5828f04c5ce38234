import type { Counter, Histogram } from 'prom-client'
import type { RenderMetrics } from '../http/metrics.ts'
import type { RouteName } from '../http/route.ts'
import type { SealCount } from '../keys/store.ts'

/** The numbers of the server. Labels are of closed sets: never a contentId, a kid or a tenant's own text. */
export interface Metrics {
  request(route: RouteName | 'none', version: SpekeVersionLabel, status: number, durationMs: number): void
  refusal(code: string): void
  issued(keys: number, first: boolean): void
  /** A request whose path names another SPEKE version than its header. */
  pathVersionMismatch(): void
  /** Bytes that never became a request. */
  unreadable(status: number): void
  /** Records of the ledger that were lost. */
  ledgerLost(records: number): void
  /** A data key used although the root key could not confirm it. */
  staleDataKey(): void
  /** Sealed values by data key, as they were last counted. */
  sealedRows(counts: readonly SealCount[]): void
  readonly render: RenderMetrics
}

export type SpekeVersionLabel = '1.0' | '2.0' | '2.1' | 'other' | 'none'

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** Metrics in a registry of their own, with those of the process. */
export async function createMetrics(version: string): Promise<Metrics> {
  const { default: prom } = await import('prom-client')
  const registry = new prom.Registry()
  prom.collectDefaultMetrics({ register: registry, prefix: 'keyspring_' })
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new prom.Counter({ name: `keyspring_${name}`, help, labelNames, registers: [registry] })

  new prom.Gauge({
    name: 'keyspring_build_info',
    help: 'The version that runs',
    labelNames: ['version'],
    registers: [registry],
  })
    .labels(version)
    .set(1)
  const requests = counter('requests_total', 'Requests, by what they were answered', [
    'route',
    'speke_version',
    'status',
  ])
  const refusals = counter('refusals_total', 'Requests refused or failed, by error code', ['code'])
  const keys = counter('issued_keys_total', 'Content keys in answers', ['first'])
  const mismatches = counter('path_version_mismatches_total', 'Requests whose path names another SPEKE version', [])
  const unreadable = counter('unreadable_requests_total', 'Connections closed for bytes that are no request', [
    'status',
  ])
  const lost = counter('ledger_lost_records_total', 'Records of what was issued that were lost', [])
  const staleDataKeys = counter('stale_data_key_uses_total', 'Data keys used while the root key was away', [])
  const sealed = new prom.Gauge({
    name: 'keyspring_sealed_rows',
    help: 'Sealed values in the store, by generation of their data key and whether it is the newest of its tenant',
    labelNames: ['generation', 'newest'],
    registers: [registry],
  })
  const durations = new prom.Histogram({
    name: 'keyspring_request_duration_seconds',
    help: 'From the request read to the reply made',
    labelNames: ['route'],
    buckets: SECONDS,
    registers: [registry],
  })

  const requestChild = bound((key) => {
    const [route = '', speke_version = '', status = ''] = key.split(' ')
    return requests.labels({ route, speke_version, status })
  })
  const durationChild = bound((route): Histogram.Internal<'route'> => durations.labels({ route }))
  const refusalChild = bound((code) => refusals.labels({ code }))
  const firstKeys = keys.labels({ first: 'true' })
  const laterKeys = keys.labels({ first: 'false' })

  return {
    request(route, spekeVersion, status, durationMs) {
      requestChild(`${route} ${spekeVersion} ${status}`).inc()
      durationChild(route).observe(durationMs / 1_000)
    },
    refusal: (code) => refusalChild(code).inc(),
    issued: (count, first) => (first ? firstKeys : laterKeys).inc(count),
    pathVersionMismatch: () => mismatches.inc(),
    unreadable: (status) => unreadable.labels({ status: String(status) }).inc(),
    ledgerLost: (records) => lost.inc(records),
    staleDataKey: () => staleDataKeys.inc(),
    sealedRows(counts) {
      sealed.reset()
      for (const { tenant, generation, rows } of counts) {
        const newest = !counts.some((other) => other.tenant === tenant && other.generation > generation)
        sealed.labels({ generation: String(generation), newest: String(newest) }).inc(rows)
      }
    },
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  }
}

/** The child of a metric for a key, found once: the library hashes labels at each call. */
function bound<T>(make: (key: string) => T): (key: string) => T {
  const children = new Map<string, T>()
  return (key) => {
    const known = children.get(key)
    if (known !== undefined) return known
    const child = make(key)
    children.set(key, child)
    return child
  }
}

import type { RouteName } from '../../http/route.ts'
import type { RenderMetrics } from '../../http/routes/metrics.ts'
import type { SealCount } from '../../keys/ports/maintenance-store.ts'
import type { AuditAction, AuditEntry } from '../../operations/ports/audit.ts'
import type { EventType } from '../../operations/ports/events.ts'
import type { MetricSink } from './metric-table.ts'
import { prometheusSink } from './prometheus-sink.ts'

/** The metrics of the server. Labels have a fixed set of values: never a contentId, a kid or the name of a tenant. */
export interface Metrics {
  request(route: RouteName | 'none', version: SpekeVersionLabel, status: number, durationMs: number): void
  /** Bytes of the body of a request that has one. */
  requestBytes(route: RouteName | 'none', bytes: number): void
  refusal(code: string): void
  /** An unknown caller. `method` is `none` if the request has no credential. */
  authFailure(method: string, reason: string): void
  /** A known client without the permission. */
  forbidden(reason: string): void
  rateLimited(sender: 'client' | 'player'): void
  issued(keys: number, first: boolean): void
  /** Keys of an answer by DRM system; `other` for systems by template. */
  drmSignaling(system: string, keys: number): void
  /** Kids that were issued in both classes. */
  kidClassConflicts(kids: number): void
  playerRequest(kind: 'key' | 'license', outcome: string): void
  /** A request whose path names another SPEKE version than its header. */
  pathVersionMismatch(): void
  /** Bytes that are no HTTP request. */
  unreadable(status: number): void
  /** When the first certificate of `tls.cert` or `tls.clientCa` expires, in seconds since 1970. */
  tlsCertificateExpiry(certificate: 'server' | 'client-ca', seconds: number): void
  /** Calls `isReady` at each read of the metrics. */
  watchReady(isReady: () => Promise<boolean>): void
  /** Calls `count` at each read of the metrics. */
  watchQueue(queue: WatchedQueue, count: () => number): void

  contentLookup(): void
  /** A content answered from memory while the store was unreachable. */
  staleContent(): void
  dataKeyLookup(): void
  /** A data key used although the root key could not confirm it. */
  staleDataKey(): void
  /** Sealed values by data key, from the last count. */
  sealedRows(counts: readonly SealCount[]): void
  storeOperation(op: string, backend: string, durationMs: number, errorCode: string | undefined): void
  storeWriterRestart(): void
  rootKeyOperation(op: string, provider: string, durationMs: number, errorCode: string | undefined): void

  /** Records of the ledger that were lost. */
  ledgerLost(records: number): void
  /** Records of the ledger that were deleted after their retention. */
  ledgerPruned(records: number): void
  /** Contents that a sweep changed or kept. */
  contentsSwept(outcome: SweepOutcome, contents: number): void
  sweepDone(durationMs: number): void
  /** A sweep that ended with an error of the store or the audit log. */
  sweepFailed(): void
  rotationMissed(): void
  auditWritten(action: AuditAction, outcome: AuditEntry['outcome']): void
  auditFailed(): void
  auditLost(records: number): void
  event(type: EventType, outcome: EventOutcome): void
  /** Log lines that the output did not take. */
  logLost(lines: number): void
  readonly render: RenderMetrics
}

export type SpekeVersionLabel = '1.0' | '2.0' | '2.1' | 'other' | 'none'
/** `expired`: an event was emitted. `adopted`: the current rules gave it another expiry. `kept`: the rules keep it alive. */
export type SweepOutcome = 'expired' | 'destroyed' | 'adopted' | 'kept'
/** `retried`: an attempt failed and is repeated. `dead-lettered`: not delivered, and kept in a file. `lost`: not delivered and not kept. */
export type EventOutcome = 'delivered' | 'retried' | 'dead-lettered' | 'lost'
export type WatchedQueue = 'requestsInFlight' | 'ledgerQueue' | 'auditQueue' | 'eventQueue'

/** Metrics for Prometheus, with those of the process. */
export async function createMetrics(version: string): Promise<Metrics> {
  const sink = await prometheusSink()
  // The metric exists with 0 before the first error: an alert sees the step to 1.
  sink.record('refusals', 0, 'ERR_SEAL_BROKEN')
  return { ...metricsOver(sink, version), render: sink.render }
}

/** The metrics that record to `sink`. */
export function metricsOver(sink: MetricSink, version: string): Omit<Metrics, 'render'> {
  sink.record('buildInfo', 1, version)
  return {
    request(route, version, status, durationMs) {
      sink.record('requests', 1, route, version, String(status))
      sink.record('requestDuration', durationMs / 1_000, route)
    },
    requestBytes: (route, bytes) => sink.record('requestBytes', bytes, route),
    refusal: (code) => sink.record('refusals', 1, code),
    authFailure: (method, reason) => sink.record('authFailures', 1, method, reason),
    forbidden: (reason) => sink.record('forbidden', 1, reason),
    rateLimited: (sender) => sink.record('rateLimited', 1, sender),
    issued(keys, first) {
      sink.record('issuedKeys', keys, String(first))
      sink.record('requestKeys', keys)
    },
    drmSignaling: (system, keys) => sink.record('drmSignaling', keys, system),
    kidClassConflicts: (kids) => sink.record('kidClassConflicts', kids),
    playerRequest: (kind, outcome) => sink.record('playerRequests', 1, kind, outcome),
    pathVersionMismatch: () => sink.record('pathVersionMismatches', 1),
    unreadable: (status) => sink.record('unreadable', 1, String(status)),
    tlsCertificateExpiry: (certificate, seconds) => sink.record('tlsCertificateExpiry', seconds, certificate),
    watchReady: (isReady) => sink.watch('ready', async () => ((await isReady()) ? 1 : 0)),
    watchQueue: (queue, count) => sink.watch(queue, count),

    contentLookup: () => sink.record('contentLookups', 1),
    staleContent: () => sink.record('staleContents', 1),
    dataKeyLookup: () => sink.record('dataKeyLookups', 1),
    staleDataKey: () => sink.record('staleDataKeys', 1),
    sealedRows(counts) {
      sink.reset('sealedRows')
      for (const { generation, isNewest, rows } of byGeneration(counts)) {
        sink.record('sealedRows', rows, String(generation), String(isNewest))
      }
    },
    storeOperation(op, backend, durationMs, errorCode) {
      sink.record('storeDuration', durationMs / 1_000, op, backend)
      if (errorCode !== undefined) sink.record('storeErrors', 1, op, backend, errorCode)
    },
    storeWriterRestart: () => sink.record('storeWriterRestarts', 1),
    rootKeyOperation(op, provider, durationMs, errorCode) {
      sink.record('rootKeyDuration', durationMs / 1_000, op, provider)
      if (errorCode !== undefined) sink.record('rootKeyErrors', 1, op, provider, errorCode)
    },

    ledgerLost: (records) => sink.record('ledgerLost', records),
    ledgerPruned: (records) => sink.record('ledgerPruned', records),
    contentsSwept: (outcome, contents) => sink.record('contentsSwept', contents, outcome),
    sweepDone: (durationMs) => sink.record('sweepDuration', durationMs / 1_000),
    sweepFailed: () => sink.record('sweepFailures', 1),
    rotationMissed: () => sink.record('rotationsMissed', 1),
    auditWritten: (action, outcome) => sink.record('auditRecords', 1, action, outcome),
    auditFailed: () => sink.record('auditFailures', 1),
    auditLost: (records) => sink.record('auditLost', records),
    event: (type, outcome) => sink.record('events', 1, type, outcome),
    logLost: (lines) => sink.record('logLost', lines),
  }
}

/** Sealed values of all tenants by generation, those under the newest data key of their tenant apart. */
function byGeneration(counts: readonly SealCount[]) {
  const newest = new Map<string, number>()
  for (const { tenant, generation } of counts) newest.set(tenant, Math.max(generation, newest.get(tenant) ?? 0))
  const sums = new Map<string, { readonly generation: number; readonly isNewest: boolean; rows: number }>()
  for (const { tenant, generation, rows } of counts) {
    const isNewest = newest.get(tenant) === generation
    const sum = sums.get(`${generation} ${isNewest}`) ?? { generation, isNewest, rows: 0 }
    sum.rows += rows
    sums.set(`${generation} ${isNewest}`, sum)
  }
  return [...sums.values()]
}

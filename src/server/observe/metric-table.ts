/** One metric: what it is called everywhere, on `/metrics` and wherever else the numbers of a server go. */
export interface MetricDefinition {
  /** With its unit. */
  readonly name: `keyspring_${string}`
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** Each takes its values from a closed set: never a contentId, a kid, a tenant or anything a caller wrote. */
  readonly labels: readonly string[]
  /** The upper bounds of a histogram. */
  readonly buckets?: readonly number[]
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
const LONG_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300]
const BYTES = [512, 1_024, 2_048, 4_096, 8_192, 16_384, 65_536, 262_144, 1_048_576]
const COUNTS = [1, 2, 4, 8, 16, 32, 64, 128, 256]

const counter = <const L extends readonly string[]>(name: `${string}_total`, help: string, labels: L) => ({
  name: `keyspring_${name}` as const,
  kind: 'counter' as const,
  help,
  labels,
})
const gauge = <const L extends readonly string[]>(name: string, help: string, labels: L) => ({
  name: `keyspring_${name}` as const,
  kind: 'gauge' as const,
  help,
  labels,
})
const histogram = <const L extends readonly string[]>(
  name: string,
  help: string,
  labels: L,
  buckets: readonly number[],
) => ({ name: `keyspring_${name}` as const, kind: 'histogram' as const, help, labels, buckets })

/** Every metric of the server's own. To add one, add a line here, its function in `metrics.ts` and its row in docs/metrics.md. */
export const METRICS = {
  buildInfo: gauge('build_info', 'The version that runs', ['version']),
  ready: gauge('ready', '1 when requests should be sent here, as /readyz says', []),
  requestsInFlight: gauge('requests_in_flight', 'Requests under way', []),
  tlsCertificateExpiry: gauge(
    'tls_certificate_expiry_timestamp_seconds',
    'When the first certificate of a file expires, in seconds since 1970',
    ['certificate'],
  ),

  requests: counter('requests_total', 'Requests, by what they were answered', ['route', 'speke_version', 'status']),
  requestDuration: histogram('request_duration_seconds', 'From the request read to the reply made', ['route'], SECONDS),
  requestBytes: histogram('request_bytes', 'Bytes of the bodies of requests', ['route'], BYTES),
  requestKeys: histogram('request_keys', 'Content keys of one answer', [], COUNTS),
  refusals: counter('refusals_total', 'Requests refused or failed, by error code', ['code']),
  unreadable: counter('unreadable_requests_total', 'Connections closed for bytes that are no request', ['status']),
  pathVersionMismatches: counter(
    'path_version_mismatches_total',
    'Requests whose path names another SPEKE version',
    [],
  ),
  authFailures: counter('auth_failures_total', 'Callers nobody knows, by the method they tried and why it failed', [
    'method',
    'reason',
  ]),
  forbidden: counter('forbidden_total', 'What known clients were refused: scope, content or recipient', ['reason']),
  rateLimited: counter('rate_limited_total', 'Requests refused because their sender asks too often', ['sender']),

  issuedKeys: counter('issued_keys_total', 'Content keys in answers', ['first']),
  drmSignaling: counter('drm_signaling_total', 'Keys signalled, by DRM system', ['system']),
  kidClassConflicts: counter(
    'kid_class_conflicts_total',
    'Kids issued with and without DRM systems: each has two keys',
    [],
  ),
  playerRequests: counter('player_requests_total', 'What players asked for, and what became of it', [
    'kind',
    'outcome',
  ]),

  contentLookups: counter('content_lookups_total', 'Contents opened, from memory or from the store', []),
  staleContents: counter('stale_content_uses_total', 'Contents answered from memory while the store was away', []),
  dataKeyLookups: counter('data_key_lookups_total', 'Data keys asked for; the root key opens those not in memory', []),
  staleDataKeys: counter('stale_data_key_uses_total', 'Data keys used while the root key was away', []),
  sealedRows: gauge(
    'sealed_rows',
    'Sealed values in the store, by generation of their data key and whether it is the newest of its tenant',
    ['generation', 'newest'],
  ),

  storeDuration: histogram('store_operation_duration_seconds', 'Operations of the store', ['op', 'backend'], SECONDS),
  storeErrors: counter('store_operation_errors_total', 'Operations of the store that failed', [
    'op',
    'backend',
    'code',
  ]),
  storeWriterRestarts: counter('store_writer_restarts_total', 'Starts of a writer in the place of one that died', []),
  rootKeyDuration: histogram(
    'root_key_operation_duration_seconds',
    'Calls of the root key: a local file, KMS or Vault',
    ['op', 'provider'],
    SECONDS,
  ),
  rootKeyErrors: counter('root_key_operation_errors_total', 'Calls of the root key that failed', [
    'op',
    'provider',
    'code',
  ]),

  ledgerQueue: gauge('ledger_queue_records', 'Records of what was issued that wait to be written', []),
  ledgerLost: counter('ledger_lost_records_total', 'Records of what was issued that were lost', []),
  ledgerPruned: counter('ledger_pruned_records_total', 'Records of what was issued that were forgotten in time', []),
  contentsSwept: counter('contents_swept_total', 'Contents that sweeps found expired, and what they did', ['outcome']),
  sweepDuration: histogram('sweep_duration_seconds', 'One run of the sweeper', [], LONG_SECONDS),
  sweepFailures: counter('sweep_failures_total', 'Runs of the sweeper that broke off', []),
  rotationsMissed: counter('rotations_missed_total', 'Key periods that were expected and not asked for', []),

  auditRecords: counter('audit_records_total', 'Records of the audit log that were written', ['action', 'outcome']),
  auditQueue: gauge('audit_queue_records', 'Records of the audit log that wait to be written', []),
  auditFailures: counter('audit_write_errors_total', 'Writes of the audit log that failed', []),
  auditLost: counter('audit_lost_records_total', 'Records of the audit log that were lost', []),
  eventQueue: gauge('event_queue_events', 'Events that wait to be delivered', []),
  logLost: counter('log_lost_lines_total', 'Log lines that the output did not take', []),
  events: counter('events_total', 'Events, by what became of them', ['type', 'outcome']),
} satisfies Readonly<Record<string, MetricDefinition>>

/** The name of a metric in the table. */
export type MetricKey = keyof typeof METRICS

/** The metrics of one kind. */
export type MetricKeyOf<K extends MetricDefinition['kind']> = {
  [M in MetricKey]: (typeof METRICS)[M]['kind'] extends K ? M : never
}[MetricKey]

/** A value for each label of a metric, in the order of the table. */
export type LabelValues<M extends MetricKey> = OneEach<(typeof METRICS)[M]['labels']>
type OneEach<L extends readonly string[]> = { readonly [I in keyof L]: string }

/** Where numbers go: Prometheus, or the log of a function. */
export interface MetricSink {
  /** Adds to a counter, sets a gauge, observes a value of a histogram. */
  record<M extends MetricKey>(metric: M, value: number, ...labels: LabelValues<M>): void
  /** Forgets every value of a gauge. */
  reset(metric: MetricKeyOf<'gauge'>): void
  /** Reads a gauge when the numbers are looked at. The last reader counts. */
  watch(metric: WatchedMetric, read: () => number | Promise<number>): void
}

/** Gauges that are read when somebody looks. */
export type WatchedMetric = 'ready' | 'requestsInFlight' | 'ledgerQueue' | 'auditQueue' | 'eventQueue'

/** One metric, with the same name on `/metrics` and in the log of a function. */
export interface MetricDefinition {
  /** With its unit. */
  readonly name: `keyspring_${string}`
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** Each has a fixed set of values: never a contentId, a kid, a tenant or text of a caller. */
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
  buildInfo: gauge('build_info', 'The running version', ['version']),
  ready: gauge('ready', '1 if the node is ready for requests, as /readyz answers', []),
  requestsInFlight: gauge('requests_in_flight', 'Requests in flight', []),
  tlsCertificateExpiry: gauge(
    'tls_certificate_expiry_timestamp_seconds',
    'The earliest expiry of the certificates in a file, in seconds since 1970',
    ['certificate'],
  ),

  requests: counter('requests_total', 'Requests by status', ['route', 'speke_version', 'status']),
  requestDuration: histogram(
    'request_duration_seconds',
    'Time from the complete request to the complete reply',
    ['route'],
    SECONDS,
  ),
  requestBytes: histogram('request_bytes', 'Bytes of request bodies', ['route'], BYTES),
  requestKeys: histogram('request_keys', 'Content keys in one answer', [], COUNTS),
  refusals: counter('refusals_total', 'Rejected and failed requests by error code', ['code']),
  unreadable: counter('unreadable_requests_total', 'Connections closed because their bytes were not a request', [
    'status',
  ]),
  pathVersionMismatches: counter(
    'path_version_mismatches_total',
    'Requests whose path names another SPEKE version than the header',
    [],
  ),
  authFailures: counter('auth_failures_total', 'Callers without a valid credential, by method and reason', [
    'method',
    'reason',
  ]),
  forbidden: counter('forbidden_total', 'Requests of known clients without permission: scope, content or recipient', [
    'reason',
  ]),
  rateLimited: counter('rate_limited_total', 'Requests rejected by a rate limit', ['sender']),

  issuedKeys: counter('issued_keys_total', 'Content keys in answers', ['first']),
  drmSignaling: counter('drm_signaling_total', 'Signalled keys by DRM system', ['system']),
  kidClassConflicts: counter(
    'kid_class_conflicts_total',
    'Kids issued with and without DRM systems. Each has two keys',
    [],
  ),
  playerRequests: counter('player_requests_total', 'Requests of players by outcome', ['kind', 'outcome']),

  contentLookups: counter('content_lookups_total', 'Contents opened, from memory or from the store', []),
  staleContents: counter(
    'stale_content_uses_total',
    'Contents answered from memory while the store was unavailable',
    [],
  ),
  dataKeyLookups: counter('data_key_lookups_total', 'Lookups of data keys', []),
  staleDataKeys: counter('stale_data_key_uses_total', 'Data keys used while the root key was unavailable', []),
  sealedRows: gauge(
    'sealed_rows',
    'Sealed values in the store, by generation of their data key and whether it is the newest of its tenant',
    ['generation', 'newest'],
  ),

  storeDuration: histogram('store_operation_duration_seconds', 'Operations of the store', ['op', 'backend'], SECONDS),
  storeErrors: counter('store_operation_errors_total', 'Failed operations of the store', ['op', 'backend', 'code']),
  storeWriterRestarts: counter('store_writer_restarts_total', 'Writer threads started after one ended', []),
  rootKeyDuration: histogram(
    'root_key_operation_duration_seconds',
    'Operations of the root key: local file, KMS or Vault',
    ['op', 'provider'],
    SECONDS,
  ),
  rootKeyErrors: counter('root_key_operation_errors_total', 'Failed operations of the root key', [
    'op',
    'provider',
    'code',
  ]),

  ledgerQueue: gauge('ledger_queue_records', 'Ledger records that wait to be written', []),
  ledgerLost: counter('ledger_lost_records_total', 'Lost ledger records', []),
  ledgerPruned: counter('ledger_pruned_records_total', 'Ledger records removed after their retention', []),
  contentsSwept: counter('contents_swept_total', 'Expired contents that sweeps found, by outcome', ['outcome']),
  sweepDuration: histogram('sweep_duration_seconds', 'Duration of one sweep', [], LONG_SECONDS),
  sweepFailures: counter('sweep_failures_total', 'Failed sweeps', []),
  rotationsMissed: counter('rotations_missed_total', 'Expected key periods that no encryptor requested', []),

  auditRecords: counter('audit_records_total', 'Written records of the audit log', ['action', 'outcome']),
  auditQueue: gauge('audit_queue_records', 'Audit records that wait to be written', []),
  auditFailures: counter('audit_write_errors_total', 'Failed writes of the audit log', []),
  auditLost: counter('audit_lost_records_total', 'Lost audit records', []),
  eventQueue: gauge('event_queue_events', 'Events that wait for delivery', []),
  logLost: counter('log_lost_lines_total', 'Log lines that the output did not take', []),
  events: counter('events_total', 'Events by outcome', ['type', 'outcome']),
} satisfies Readonly<Record<string, MetricDefinition>>

/** The name of a metric in the table. */
export type MetricKey = keyof typeof METRICS

/** The metrics of one kind. */
type MetricKeyOf<K extends MetricDefinition['kind']> = {
  [M in MetricKey]: (typeof METRICS)[M]['kind'] extends K ? M : never
}[MetricKey]

/** A value for each label of a metric, in the order of the table. */
export type LabelValues<M extends MetricKey> = OneEach<(typeof METRICS)[M]['labels']>
type OneEach<L extends readonly string[]> = { readonly [I in keyof L]: string }

/** The destination of metrics: Prometheus, or the log of a function. */
export interface MetricSink {
  /** Adds to a counter, sets a gauge, observes a value of a histogram. */
  record<M extends MetricKey>(metric: M, value: number, ...labels: LabelValues<M>): void
  /** Removes every value of a gauge. */
  reset(metric: MetricKeyOf<'gauge'>): void
  /** Calls `read` for the value of a gauge at each read of the metrics. A later call replaces it. */
  watch(metric: WatchedMetric, read: () => number | Promise<number>): void
}

/** Gauges whose value is read at each read of the metrics. */
export type WatchedMetric = 'ready' | 'requestsInFlight' | 'ledgerQueue' | 'auditQueue' | 'eventQueue'

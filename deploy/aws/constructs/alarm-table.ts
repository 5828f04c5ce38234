/** What an alarm looks at: a metric of AWS, or one of Keyspring's own. */
export type AlarmMetric =
  | {
      readonly namespace: 'AWS/ApiGateway' | 'AWS/Lambda' | 'AWS/DynamoDB'
      readonly name: string
      /** What the alarm is about: the resource is filled in by the template. */
      readonly of: 'spekeApi' | 'playerApi' | 'issuer' | 'player' | 'watcher' | 'sweeper' | 'table'
    }
  | { readonly keyspring: `keyspring_${string}`; readonly where?: string }

/** One alarm. */
export interface AlarmRow {
  readonly id: string
  /** What is wrong, and what to do first. */
  readonly description: string
  readonly metric: AlarmMetric
  readonly statistic: 'Sum' | 'Average' | 'p99'
  readonly above: number
  readonly periodSeconds: number
  readonly periods: number
}

const MINUTE = 60
const FIVE_MINUTES = 300
const HOUR = 3_600

/** Of every API in front of Keyspring, its functions or its nodes. */
export const API_ALARMS: readonly AlarmRow[] = [
  {
    id: 'EncryptorsFail',
    description:
      'More than 1 % of the requests of encryptors fail with 5XX. See the log of the API, then that of Keyspring.',
    metric: { namespace: 'AWS/ApiGateway', name: '5XXError', of: 'spekeApi' },
    statistic: 'Average',
    above: 0.01,
    periodSeconds: FIVE_MINUTES,
    periods: 1,
  },
  {
    id: 'EncryptorsRefused',
    description:
      'More than a quarter of the requests of encryptors are refused with 4XX: a role, a throttle, or a document.',
    metric: { namespace: 'AWS/ApiGateway', name: '4XXError', of: 'spekeApi' },
    statistic: 'Average',
    above: 0.25,
    periodSeconds: FIVE_MINUTES,
    periods: 3,
  },
  {
    id: 'EncryptorsWait',
    description: 'One of a hundred encryptors waits longer than a second for its keys.',
    metric: { namespace: 'AWS/ApiGateway', name: 'Latency', of: 'spekeApi' },
    statistic: 'p99',
    above: 1_000,
    periodSeconds: FIVE_MINUTES,
    periods: 3,
  },
]

/** Of functions, table and KMS. */
export const SERVERLESS_ALARMS: readonly AlarmRow[] = [
  ...API_ALARMS,
  {
    id: 'IssuerThrottled',
    description: 'Lambda refuses to start instances for encryptors: raise the concurrency of the account.',
    metric: { namespace: 'AWS/Lambda', name: 'Throttles', of: 'issuer' },
    statistic: 'Sum',
    above: 0,
    periodSeconds: MINUTE,
    periods: 1,
  },
  {
    id: 'IssuerCrashed',
    description:
      'The function for encryptors ended without an answer: out of time, out of memory, or wrong settings. See its log.',
    metric: { namespace: 'AWS/Lambda', name: 'Errors', of: 'issuer' },
    statistic: 'Sum',
    above: 0,
    periodSeconds: FIVE_MINUTES,
    periods: 1,
  },
  {
    id: 'TableReadsThrottled',
    description: 'DynamoDB throttles reads: new contents fail, known ones are answered from memory.',
    metric: { namespace: 'AWS/DynamoDB', name: 'ReadThrottleEvents', of: 'table' },
    statistic: 'Sum',
    above: 0,
    periodSeconds: MINUTE,
    periods: 2,
  },
  {
    id: 'TableWritesThrottled',
    description: 'DynamoDB throttles writes: the first requests of new contents fail.',
    metric: { namespace: 'AWS/DynamoDB', name: 'WriteThrottleEvents', of: 'table' },
    statistic: 'Sum',
    above: 0,
    periodSeconds: MINUTE,
    periods: 2,
  },
  {
    id: 'SealBroken',
    description:
      'A stored secret does not open: it was changed, or belongs to another row. Somebody wrote into the table.',
    metric: { keyspring: 'keyspring_refusals_total', where: "code = 'ERR_SEAL_BROKEN'" },
    statistic: 'Sum',
    above: 0,
    periodSeconds: MINUTE,
    periods: 1,
  },
  {
    id: 'RootKeyForeign',
    description: 'Data keys were wrapped by another KMS key than this one: table and key do not belong together.',
    metric: { keyspring: 'keyspring_refusals_total', where: "code = 'ERR_ROOT_KEY_FOREIGN'" },
    statistic: 'Sum',
    above: 0,
    periodSeconds: MINUTE,
    periods: 1,
  },
  {
    id: 'KmsFails',
    description:
      'KMS refuses or does not answer: see the state of the key and the role of the function. Data keys in memory go on.',
    metric: { keyspring: 'keyspring_root_key_operation_errors_total' },
    statistic: 'Sum',
    above: 0,
    periodSeconds: FIVE_MINUTES,
    periods: 1,
  },
  {
    id: 'StoreFails',
    description: 'The table does not answer or refuses: new contents get 503, never other keys.',
    metric: { keyspring: 'keyspring_store_operation_errors_total' },
    statistic: 'Sum',
    above: 5,
    periodSeconds: FIVE_MINUTES,
    periods: 1,
  },
]

/** Of what destroys contents that have expired. */
export const EXPIRY_ALARMS: readonly AlarmRow[] = [
  {
    id: 'SweeperFails',
    description:
      'The function that destroys what has expired fails: contents outlive their retention. Its log says why.',
    metric: { namespace: 'AWS/Lambda', name: 'Errors', of: 'sweeper' },
    statistic: 'Sum',
    above: 0,
    periodSeconds: HOUR,
    periods: 1,
  },
]

/** Of what watches for rotations that do not come. */
export const ROTATION_ALARMS: readonly AlarmRow[] = [
  {
    id: 'RotationMissed',
    description: 'A channel did not ask for its next key period in time: it goes on with an old key, or stands still.',
    metric: { keyspring: 'keyspring_rotations_missed_total' },
    statistic: 'Sum',
    above: 0,
    periodSeconds: FIVE_MINUTES,
    periods: 1,
  },
  {
    id: 'WatcherFails',
    description: 'The function that looks for missed rotations fails: none would be seen. Its log says why.',
    metric: { namespace: 'AWS/Lambda', name: 'Errors', of: 'watcher' },
    statistic: 'Sum',
    above: 0,
    periodSeconds: FIVE_MINUTES,
    periods: 3,
  },
]

/** Of what players reach. */
export const PLAYER_ALARMS: readonly AlarmRow[] = [
  {
    id: 'PlayersFail',
    description: 'More than 1 % of the requests of players fail with 5XX.',
    metric: { namespace: 'AWS/ApiGateway', name: '5XXError', of: 'playerApi' },
    statistic: 'Average',
    above: 0.01,
    periodSeconds: FIVE_MINUTES,
    periods: 1,
  },
  {
    id: 'PlayersThrottled',
    description: 'Lambda refuses to start instances for players: raise PlayerConcurrency.',
    metric: { namespace: 'AWS/Lambda', name: 'Throttles', of: 'player' },
    statistic: 'Sum',
    above: 0,
    periodSeconds: MINUTE,
    periods: 3,
  },
]

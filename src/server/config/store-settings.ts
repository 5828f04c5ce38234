import { fileName, line, list, oneOf, section, text, url, wholeNumber } from './fields.ts'

const isPostgresUrl = (value: string): boolean => /^postgres(ql)?:\/\/\S+$/.test(value) && URL.canParse(value)
const postgresUrl = text('postgres://user:password@host:port/database', isPostgresUrl)
/** Base64 of 32 bytes. */
const secret32 = text('32 bytes in base64', (value) => /^[A-Za-z0-9+/]{43}=$/.test(value))

/** Where keys are stored. */
export const STORE = text(
  'sqlite, memory, dynamodb or postgres://user:password@host:port/database',
  (value) => ['sqlite', 'memory', 'dynamodb'].includes(value) || isPostgresUrl(value),
).default('sqlite')

/** How a PostgreSQL store is used. */
export const POSTGRES = section({
  replicas: list(postgresUrl).default([]),
  connections: wholeNumber(1, 1_000).default(10),
  waiting: wholeNumber(1, 100_000).default(1_000),
  connectTimeoutMs: wholeNumber(100, 60_000).default(3_000),
  statementTimeoutMs: wholeNumber(100, 60_000).default(5_000),
}).prefault({})

/** How a table of DynamoDB is used. */
export const DYNAMODB = section({
  table: text('the name of a table', (value) => /^[\w.-]{3,255}$/.test(value)).optional(),
  region: line.optional(),
  endpoint: url.optional(),
  timeoutMs: wholeNumber(100, 60_000).default(3_000),
  eraseAfterDays: wholeNumber(1, 3_650).default(90),
}).prefault({})

const KINDS = ['local', 'aws-kms', 'vault'] as const

const TIMEOUT_MS = wholeNumber(100, 60_000).default(3_000)

/** What wraps the data keys. */
export const ROOT_KEY = section({
  kind: oneOf(KINDS).default('local'),
  previous: list(oneOf(KINDS)).default([]),
  file: fileName.optional(),
  passphrase: text(
    'a passphrase of 12 to 1024 characters',
    (value) => value.length >= 12 && value.length <= 1_024,
  ).optional(),
  cacheMinutes: wholeNumber(1, 1_440).default(15),
  maxStaleMinutes: wholeNumber(1, 43_200).default(1_440),
  awsKms: section({
    keyId: line.optional(),
    region: line.optional(),
    endpoint: url.optional(),
    timeoutMs: TIMEOUT_MS,
  }).prefault({}),
  vault: section({
    url: url.optional(),
    key: line.optional(),
    mount: text('a path', (value) => /^[\w./-]{1,256}$/.test(value)).default('transit'),
    token: line.optional(),
    timeoutMs: TIMEOUT_MS,
  }).prefault({}),
}).prefault({})

/** What content keys come from. */
export const CONTENT_KEYS = section({
  policy: oneOf(['derived', 'random', 'derived-root']).default('derived'),
  rootSecret: secret32.optional(),
}).prefault({})

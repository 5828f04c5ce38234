import { z } from 'zod'
import { toSystemId } from '../../formats/cenc.ts'
import { isProtectedUrl } from '../delivery/post.ts'

// Messages name what is expected and never the value: a value may be a secret in the wrong place.

/** Reports a problem with the setting at `path`. */
export type ReportProblem = (path: string, problem: string) => void

/** What the documentation and a reload need to know about a setting, beside its type and default. */
export interface SettingFacts {
  /** One table cell of docs/config.md, in Markdown. */
  readonly doc: string
  /** What only a restart changes: the value, or whether there is one. Undefined: a reload changes it. */
  readonly restart?: 'value' | 'presence' | undefined
}

/** A setting with its line of documentation. `restart` says that a reload keeps the old value (or its presence). */
export const setting = <T extends z.ZodType>(type: T, doc: string, restart?: SettingFacts['restart']): T =>
  type.meta({ doc, restart })

export const wholeNumber = (least: number, most: number) => {
  const error = `expected a whole number from ${least} to ${most}`
  return z.int({ error }).min(least, { error }).max(most, { error })
}
export const yesOrNo = z.boolean({ error: 'expected true or false' })
/** Text for which `fits` is true. */
export const text = (expected: string, fits: (value: string) => boolean) =>
  z.string({ error: `expected ${expected}` }).refine(fits, { error: `expected ${expected}` })
export const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `expected ${values.join(' or ')}` })
export const list = <T extends z.ZodType>(item: T) => z.array(item, { error: 'expected a list' })
/** Settings by their names, and no others. */
export const section = <T extends z.ZodRawShape>(shape: T) =>
  z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? undefined : 'expected a section of settings'),
  })
/** A section that may be left out: its settings then have their defaults. */
export const group = <T extends z.ZodRawShape>(shape: T) => section(shape).prefault({} as never)
/** Values by a name that the operator chooses. */
export const byName = <K extends z.ZodType<string, string>, T extends z.ZodType>(
  name: K,
  value: T,
  expected = 'a section of settings',
) => z.record(name, value, { error: `expected ${expected}` })

export const line = text(
  'one line of text',
  (value) => value.length > 0 && value.length <= 1_024 && !/[\p{Cc}]/u.test(value),
)
export const fileName = text('a path', (value) => value.length > 0 && !value.includes('\0'))
export const host = text('a host name or address', (value) => /^[\w.:%-]{1,255}$/.test(value))
export const ipAddress = text('an IP address', (value) => /^[\da-f.:]{2,45}$/i.test(value))
export const profileName = text('a name of letters, digits, dots and dashes', (value) => /^[\w.-]{1,64}$/.test(value))
/** The name of a client, a tenant or a retention class: logs, headers and URLs show it. */
export const name64 = text('a name of 1 to 64 letters, digits, dots, dashes or underscores', (value) =>
  /^[\w.-]{1,64}$/.test(value),
)
export const systemId = text('a DRM system id, a UUID', (value) => toSystemId(value) !== undefined)
export const sha256Hex = text('a SHA-256 in hex', (value) => /^(?:[\da-f]{2}:?){32}$/i.test(value))
export const moment = text('a time such as 2027-01-31T00:00:00Z', (value) => !Number.isNaN(Date.parse(value)))
export const headerName = text('the name of a header', (value) => /^[A-Za-z0-9-]{1,64}$/.test(value))
/** A cookie or a query parameter. */
export const tokenName = text('a name of letters, digits, dots, dashes and underscores', (value) =>
  /^[\w.-]{1,64}$/.test(value),
)
export const keySet = text(
  'the path of a JWKS file or its https URL',
  (value) => value.length > 0 && !value.includes('\0'),
)
/** A key of signed URLs in a file, with the ID that URLs name it by. */
export const keyFile = text('ID=FILE', (value) => /^[\w.-]{1,64}=[^\0]+$/.test(value))
export const gatewayCaller = text('an account number, or the ARN of a user or role', (value) =>
  /^(\d{12}|arn:[^\s]+)$/.test(value),
)
export const duration = text('a duration such as 7d, or forever', (value) => value.length <= 32)

/** Shorter secrets of HMAC-SHA-256 can be guessed. @see RFC 7518, 3.2 */
export const MIN_SECRET_BYTES = 32
export const playerSecret = text(
  `a secret of ${MIN_SECRET_BYTES} bytes or more, one line`,
  (value) => Buffer.byteLength(value) >= MIN_SECRET_BYTES && value.length <= 4_096 && !/[\r\n\0]/.test(value),
)

const isPostgresUrl = (value: string): boolean => /^postgres(ql)?:\/\/\S+$/.test(value) && URL.canParse(value)
export const postgresUrl = text('postgres://user:password@host:port/database', isPostgresUrl)
export const storeName = text(
  'sqlite, memory, dynamodb or postgres://user:password@host:port/database',
  (value) => ['sqlite', 'memory', 'dynamodb'].includes(value) || isPostgresUrl(value),
)

/** An http or https URL without a user name and a password: URLs are printed. */
export const url = text('an http or https URL', isUrl)
/** An https URL; http is allowed to a loopback address only. For services that get or give secrets. */
export const serviceUrl = text(
  'an https URL, or an http URL of a loopback address',
  (value) => isUrl(value) && isProtectedUrl(value),
)
export const origin = text(
  'an origin such as https://player.example.com, or *',
  (value) => value === '*' || (URL.canParse(value) && /^https?:/.test(value) && new URL(value).origin === value),
)
/** It appears in XML, in a quoted string of HLS and in a URL without escaping. */
export const urlQuery = text('characters of a query without & and quotes', (value) =>
  /^[\w.~!$()*+,;:@/?={}[\]-]{1,512}$/.test(value),
)

function isUrl(value: string): boolean {
  if (!/^https?:\/\/[^\s"'<>\\^`{|}]+$/i.test(value) || !URL.canParse(value)) return false
  const { username, password } = new URL(value)
  return username === '' && password === ''
}

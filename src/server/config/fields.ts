import { z } from 'zod'

// Messages say what is expected and never what was got: a value may be a secret that slipped into the wrong place.

export const wholeNumber = (least: number, most: number) => {
  const error = `expected a whole number from ${least} to ${most}`
  return z.int({ error }).min(least, { error }).max(most, { error })
}
export const yesOrNo = z.boolean({ error: 'expected true or false' })
/** Text that fits. */
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

export const line = text(
  'one line of text',
  (value) => value.length > 0 && value.length <= 1_024 && !/[\p{Cc}]/u.test(value),
)
export const fileName = text('a path', (value) => value.length > 0 && !value.includes('\0'))
export const host = text('a host name or address', (value) => /^[\w.:%-]{1,255}$/.test(value))
export const profileName = text('a name of letters, digits, dots and dashes', (value) => /^[\w.-]{1,64}$/.test(value))
/** Without a user name and a password: URLs are printed. */
export const url = text('an http or https URL', isUrl)

function isUrl(value: string): boolean {
  if (!/^https?:\/\/[^\s"'<>\\^`{|}]+$/i.test(value) || !URL.canParse(value)) return false
  const { username, password } = new URL(value)
  return username === '' && password === ''
}

/** Takes what is wrong with the setting at `path`. */
export type ReportProblem = (path: string, problem: string) => void

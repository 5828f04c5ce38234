import { resolve } from 'node:path'
import { z } from 'zod'
import { nearestName } from '../../core/nearest.ts'
import { fileName, keyFile, keySet, type SettingFacts } from './fields.ts'
import { SECTIONS, type SectionName } from './settings.ts'

export type Sections = { readonly [Name in SectionName]: z.infer<(typeof SECTIONS)[Name]> }

/** How the text of an environment variable or a flag becomes a value; `tree`: only the file can hold the setting. */
type SettingKind = 'text' | 'number' | 'boolean' | 'list' | 'tree'

/** One setting of the table in settings.ts. */
export interface Setting extends SettingFacts {
  /** Its place in the configuration: `limits.bodyBytes`. */
  readonly path: string
  readonly kind: SettingKind
  /** Undefined: not set. */
  readonly standard: unknown
}

/** Every setting, in the order of the table. */
export const ALL_SETTINGS: readonly Setting[] = Object.entries(SECTIONS).flatMap(([name, type]) =>
  settingsIn(name, type, type.parse(undefined)),
)
/** The settings that the environment can hold. */
export const SETTINGS: readonly Setting[] = ALL_SETTINGS.filter(({ kind }) => kind !== 'tree')

/** The name of a setting in the environment: `limits.bodyBytes` is KEYSPRING_LIMITS_BODY_BYTES. */
export function environmentName(path: string): string {
  return `KEYSPRING_${path
    .replaceAll('.', '_')
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .toUpperCase()}`
}

/** The value of `text`, or the text itself if it is none of that kind: the schema then reports what it expects. */
export function fromText(kind: SettingKind, text: string): unknown {
  if (kind === 'number') return /^\d{1,15}$/.test(text) ? Number(text) : text
  if (kind === 'boolean') return BOOLEANS.get(text) ?? text
  if (kind !== 'list') return text
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

const BOOLEANS = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
])

/** A problem of one section, by the path of the setting and without its value. */
interface SchemaProblem {
  readonly path: string
  readonly problem: string
}

/** The section, or its default with its problems. */
export function readSection<Name extends SectionName>(
  name: Name,
  raw: unknown,
): { readonly value: Sections[Name]; readonly problems: readonly SchemaProblem[] } {
  const schema: z.ZodType = SECTIONS[name]
  const result = schema.safeParse(raw)
  if (result.success) return { value: result.data as Sections[Name], problems: [] }
  return {
    value: schema.parse(undefined) as Sections[Name],
    problems: result.error.issues.flatMap((issue) => problemsOf(name, issue)),
  }
}

function problemsOf(name: string, issue: z.core.$ZodIssue): readonly SchemaProblem[] {
  const path = [name, ...issue.path.map(String)].join('.')
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownSetting(`${path}.${key}`))
  if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => ({ path, problem: `name: ${message}` }))
  return [{ path, problem: issue.message }]
}

/** The problem of a name that is no setting, with the setting that it resembles. */
export function unknownSetting(path: string): SchemaProblem {
  const depth = path.split('.').length
  const names = new Set(ALL_SETTINGS.map((one) => one.path.split('.').slice(0, depth).join('.')))
  const meant = nearestName(path, names)
  return { path, problem: `unknown setting${meant === undefined ? '' : `. Did you mean ${meant}?`}` }
}

/** The settings under `path`: that of the type itself, or those of its members. */
function settingsIn(path: string, type: z.ZodType, standard: unknown): readonly Setting[] {
  const inner = unwrapped(type)
  const facts = type.meta() as SettingFacts | undefined
  if (facts?.doc !== undefined) return [{ path, kind: kindOf(inner), standard, ...facts }]
  if (!(inner instanceof z.ZodObject)) throw new TypeError(`${path}: a setting without a line of documentation`)
  return Object.entries(inner.shape).flatMap(([name, member]) =>
    settingsIn(`${path}.${name}`, member as z.ZodType, Object(standard)[name]),
  )
}

/** The settings of a file with their file names as full paths, which start at `directory` where they are relative. */
export function resolveFileNames(tree: Readonly<Record<string, unknown>>, directory: string): Record<string, unknown> {
  const resolved: Record<string, unknown> = { data: SECTIONS.data.parse(undefined), ...tree }
  for (const [name, value] of Object.entries(resolved)) {
    const type = Object.hasOwn(SECTIONS, name) ? SECTIONS[name as SectionName] : undefined
    if (type !== undefined) resolved[name] = resolveIn(type, value, directory)
  }
  return resolved
}

function resolveIn(type: z.ZodType, value: unknown, directory: string): unknown {
  const inner = unwrapped(type)
  if (typeof value === 'string') {
    if (inner === fileName) return resolve(directory, value)
    if (inner === keySet) return /^https?:/i.test(value) ? value : resolve(directory, value)
    if (inner !== keyFile) return value
    const [, id = '', file] = /^([^=]*=)(.+)$/s.exec(value) ?? []
    return file === undefined ? value : id + resolve(directory, file)
  }
  if (Array.isArray(value) && inner instanceof z.ZodArray) {
    return value.map((item) => resolveIn(inner.element as z.ZodType, item, directory))
  }
  if (typeof value !== 'object' || value === null || !(inner instanceof z.ZodObject)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      const type: unknown = inner.shape[name]
      return [name, type instanceof z.ZodType ? resolveIn(type, member, directory) : member]
    }),
  )
}

/** The type inside its default and its `optional`. */
function unwrapped(type: z.ZodType): z.ZodType {
  if (type instanceof z.ZodDefault || type instanceof z.ZodPrefault || type instanceof z.ZodOptional) {
    return unwrapped(type.unwrap() as z.ZodType)
  }
  return type
}

function kindOf(type: z.ZodType): SettingKind {
  if (type instanceof z.ZodNumber) return 'number'
  if (type instanceof z.ZodBoolean) return 'boolean'
  if (type instanceof z.ZodArray) return type.element instanceof z.ZodObject ? 'tree' : 'list'
  return type instanceof z.ZodRecord || type instanceof z.ZodObject ? 'tree' : 'text'
}

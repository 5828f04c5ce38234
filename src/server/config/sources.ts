import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import { nearestName } from '../../core/nearest.ts'
import { systemCodeOf } from './files.ts'
import { environmentName, fromText, resolveFileNames, SETTINGS } from './setting-list.ts'

/** Where settings come from. A flag wins over the environment, the environment over the file, the file over the default. */
export interface ConfigSources {
  /** The YAML file of `--config`; without it KEYSPRING_CONFIG may name one. */
  readonly file?: string | undefined
  /** The content of a file, instead of a file. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly flags?: ConfigFlags
  /** Whether a server listens with this configuration, which requires more settings. Default true. */
  readonly serves?: boolean
  /** A function has no listener: its gateway ends TLS and has the public address. */
  readonly runsAs?: 'function'
}

/** The settings that `keyspring serve` takes as flags, as they were typed. */
export interface ConfigFlags {
  readonly host?: string | undefined
  readonly port?: string | undefined
  readonly data?: string | undefined
  readonly publicUrl?: string | undefined
  readonly allowAnonymous?: boolean | undefined
  readonly logRequests?: boolean | undefined
}

/** All settings as one tree, before the schema checks it. */
interface RawConfig {
  readonly tree: Readonly<Record<string, unknown>>
  /** The name of a setting in its source (`KEYSPRING_PORT`, `--port`), by its path. */
  readonly names: ReadonlyMap<string, string>
  /** The file that was read, if any. */
  readonly file: string | undefined
  readonly problems: readonly string[]
}

const FILE_VARIABLE = 'KEYSPRING_CONFIG'
/** The text of a configuration file, for a place without a disk. */
const TEXT_VARIABLE = 'KEYSPRING_CONFIG_YAML'

/** Gathers the settings of all sources. A problem names the setting, never its value. */
export function gatherSettings({ file: given, settings, environment, flags = {} }: ConfigSources): RawConfig {
  const problems: string[] = []
  const names = new Map<string, string>()
  const file = given ?? environment[FILE_VARIABLE]
  const text = readVariable(environment, TEXT_VARIABLE, problems)
  if (file !== undefined && text !== undefined)
    problems.push(`${TEXT_VARIABLE}: a file is named too: expected one of the two`)
  if (settings !== undefined && (file ?? text) !== undefined) {
    problems.push('settings: a file is given too: expected one of the two')
  }
  const written = file === undefined ? parseYaml(TEXT_VARIABLE, text, problems) : readYaml(file, problems)
  const tree = settings === undefined ? written : structuredClone<Record<string, unknown>>(settings)

  const known = new Set([FILE_VARIABLE, TEXT_VARIABLE, `${TEXT_VARIABLE}_FILE`])
  for (const { path, kind } of SETTINGS) {
    const name = environmentName(path)
    known.add(name).add(`${name}_FILE`)
    const text = readVariable(environment, name, problems)
    if (text === undefined) continue
    put(tree, path, fromText(kind, text))
    names.set(path, environment[name] === undefined ? `${name}_FILE` : name)
  }
  for (const name of Object.keys(environment)) {
    if (name.startsWith('KEYSPRING_') && !known.has(name)) problems.push(`${name}: ${whyUnknown(name, known)}`)
  }

  for (const [path, value] of Object.entries(flags)) {
    if (value === undefined) continue
    const kind = SETTINGS.find((setting) => setting.path === path)?.kind ?? 'text'
    put(tree, path, typeof value === 'string' ? fromText(kind, value) : value)
    names.set(path, `--${path.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`)
  }
  return { tree, names, file, problems }
}

/** References to AWS secrets are resolved before settings are gathered, by the commands that support them. */
function whyUnknown(name: string, known: ReadonlySet<string>): string {
  const setting = name.replace(/_(?:SECRET|PARAMETER)$/, '')
  if (setting !== name && known.has(setting)) {
    return `names a secret of AWS, which only keyspring serve and functions read: set ${setting} itself, or ${setting}_FILE`
  }
  const meant = nearestName(name, known)
  return `unknown setting${meant === undefined ? '' : `. Did you mean ${meant}?`}`
}

/** The variable, or the content of the file that its `_FILE` twin names, without the line end that editors add. */
function readVariable(environment: ConfigSources['environment'], name: string, problems: string[]): string | undefined {
  const twin = `${name}_FILE`
  const file = environment[twin]
  if (file === undefined) return environment[name]
  if (environment[name] !== undefined) {
    problems.push(`${twin}: ${name} is set too: expected one of the two`)
    return undefined
  }
  return readFile(twin, file, problems)?.replace(/\r?\n$/, '')
}

/** The settings of a file. The relative paths in it start at its directory. */
function readYaml(file: string, problems: string[]): Record<string, unknown> {
  const tree = parseYaml('config file', readFile(`config file ${file}`, file, problems), problems)
  return resolveFileNames(tree, dirname(resolve(file)))
}

function parseYaml(name: string, text: string | undefined, problems: string[]): Record<string, unknown> {
  if (text === undefined) return {}
  const lineCounter = new LineCounter()
  // The messages of the library quote the line, which may hold a secret.
  const document = parseDocument(text, { lineCounter, prettyErrors: false, stringKeys: true })
  for (const { code, pos } of document.errors) {
    const { line, col } = lineCounter.linePos(pos[0])
    problems.push(`${name}, line ${line}, column ${col}: not valid YAML (${code.toLowerCase().replaceAll('_', ' ')})`)
  }
  if (document.errors.length > 0) return {}
  const tree: unknown = document.toJS({ maxAliasCount: 100 })
  if (tree === null || tree === undefined) return {}
  if (isTree(tree)) return tree
  problems.push(`${name}: expected settings, each with its name`)
  return {}
}

function readFile(name: string, file: string, problems: string[]): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    problems.push(`${name}: cannot be read (${systemCodeOf(error)})`)
    return undefined
  }
}

/** Sets the value at `path`. Leaves a value that is no section in its place: the schema reports it. */
function put(tree: Record<string, unknown>, path: string, value: unknown): void {
  const steps = path.split('.')
  const last = steps.pop() ?? ''
  let place = tree
  for (const step of steps) {
    const next = place[step] ?? {}
    if (!isTree(next)) return
    place[step] = next
    place = next
  }
  place[last] = value
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

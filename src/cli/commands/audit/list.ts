import { resolve } from 'node:path'
import type { Command } from 'commander'
import { listAuditFiles } from '../../../adapters/audit-files/reader.ts'
import { KeyProviderError, wrongUsage } from '../../../core/errors.ts'
import { matchesPattern } from '../../../core/glob.ts'
import type { AuditFile } from '../../../operations/audit/sink.ts'
import type { Config } from '../../../server/config/config.ts'
import { auditDirectoryOf } from '../../../server/config/operations.ts'
import { printable } from '../../../toolkit/inspect/text.ts'
import { examples, readKid, readNumber } from '../../shared/options.ts'
import { addKeysOptions, type KeysOptions, readKeysConfig } from '../../shared/stored.ts'
import type { World } from '../../shared/world.ts'

/** Defines `keyspring audit list`. */
export function defineList(command: Command, world: World): void {
  addKeysOptions(
    command
      .description('print records of the audit log, without verifying them')
      .option('--directory <dir>', 'directory of the log (default: from the configuration)')
      .option('--node <node...>', 'only records of these nodes')
      .option('--since <time>', 'only records from this day or time (ISO 8601, UTC)')
      .option('--until <time>', 'only records before this day or time (ISO 8601, UTC)')
      .option('--action <action...>', 'only these actions, such as key.export; content.* for all of a kind')
      .option('--outcome <outcome...>', 'only these outcomes: begun, ok, refused, failed')
      .option('--tenant <tenant>', 'only records of this tenant')
      .option('--content-id <pattern>', 'only records of these contents; * matches any text')
      .option('--kid <kid>', 'only records of this kid')
      .option('--actor <id>', 'only records of this caller')
      .option('--request-id <id>', 'only records of this request')
      .option('--last <count>', 'only the last records that match, of each node'),
  )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples(
        'keyspring audit list --config keyspring.yaml --since 2026-11-01 --action key.export key.resolve',
        "keyspring audit list --content-id 'live-*' --outcome refused failed",
        'keyspring audit list --last 20 --json',
      ),
    )
    .action((options: ListOptions) => list(options, world))
}

interface ListOptions extends KeysOptions {
  readonly directory?: string
  readonly node?: readonly string[]
  readonly since?: string
  readonly until?: string
  readonly action?: readonly string[]
  readonly outcome?: readonly string[]
  readonly tenant?: string
  readonly contentId?: string
  readonly kid?: string
  readonly actor?: string
  readonly requestId?: string
  readonly last?: string
  readonly json?: boolean
}

/** The members of a record that `audit list` reads. Unknown members are printed with --json. */
interface ListedRecord {
  readonly at: string
  readonly node: string
  readonly action: string
  readonly outcome: string
  readonly tenant?: string
  readonly actor?: { readonly method: string; readonly id?: string; readonly address?: string }
  readonly requestId?: string
  readonly contentId?: string
  readonly kids?: readonly string[]
  readonly keys?: number
  readonly reason?: string
  readonly code?: string
}

const MAX_LAST = 100_000

/** Prints the records that match, node by node in the order of their times. Needs neither the store nor the root key. */
async function list(options: ListOptions, world: World): Promise<void> {
  const { stdout } = world
  const directory = directoryOf(options.directory, readKeysConfig(options, world))
  const matches = filterOf(options)
  const last = readNumber('--last', options.last, 1, MAX_LAST)
  let printed = 0
  const print = (record: ListedRecord): void => {
    if (options.json === true) stdout.write(`${printed === 0 ? '' : ','}\n${printable(JSON.stringify(record))}`)
    else stdout.line(describeRecord(record))
    printed += 1
  }
  if (options.json === true) stdout.write('{"records": [')
  for await (const [node, files] of filesByNode(listAuditFiles(directory))) {
    if (options.node?.includes(node) === false) continue
    const kept: ListedRecord[] = []
    for (const file of files) {
      // A file has the records of one day.
      if (file.day < (options.since ?? '').slice(0, 10) || file.day > (options.until ?? '9999').slice(0, 10)) continue
      for await (const { bytes } of file.lines()) {
        const record = readRecord(bytes)
        if (record === undefined || !matches(record)) continue
        if (last === undefined) print(record)
        else if (kept.push(record) > last) kept.shift()
        if (stdout.closed.aborted) return
      }
      await stdout.flushed()
    }
    kept.forEach(print)
  }
  if (options.json === true) stdout.write('\n]}\n')
}

/** The files of each node, oldest first. */
async function* filesByNode(files: AsyncIterable<AuditFile>): AsyncGenerator<readonly [string, readonly AuditFile[]]> {
  let own: AuditFile[] = []
  for await (const file of files) {
    const [first] = own
    if (first !== undefined && first.node !== file.node) {
      yield [first.node, own]
      own = []
    }
    own.push(file)
  }
  const [first] = own
  if (first !== undefined) yield [first.node, own]
}

function filterOf(options: ListOptions): (record: ListedRecord) => boolean {
  const since = readTime('--since', options.since)
  const until = readTime('--until', options.until)
  const kid = options.kid === undefined ? undefined : readKid('--kid', options.kid)
  return ({ at, action, outcome, tenant, contentId, kids, actor, requestId }) =>
    (since === undefined || Date.parse(at) >= since) &&
    (until === undefined || Date.parse(at) < until) &&
    (options.action === undefined || options.action.some((pattern) => matchesPattern(pattern, action))) &&
    (options.outcome === undefined || options.outcome.includes(outcome)) &&
    (options.tenant === undefined || tenant === options.tenant) &&
    (options.contentId === undefined || (contentId !== undefined && matchesPattern(options.contentId, contentId))) &&
    (kid === undefined || kids?.includes(kid) === true) &&
    (options.actor === undefined || actor?.id === options.actor) &&
    (options.requestId === undefined || requestId === options.requestId)
}

function readTime(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const [, day, time = 'T00:00:00', zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)(?:(T[\d:.]+)(Z|[+-]\d\d:\d\d)?)?$/.exec(text) ?? []
  const at = Date.parse(`${day}${time}${zone}`)
  if (Number.isNaN(at)) throw wrongUsage(`${option}: expected a day or time such as 2026-11-01 or 2026-11-01T12:00:00Z`)
  return at
}

/** A record, or undefined for a line that is not one: `audit verify` reports it. */
function readRecord(line: Uint8Array): ListedRecord | undefined {
  try {
    const record: unknown = JSON.parse(Buffer.from(line).toString('utf8'))
    return typeof Object(record).at === 'string' && typeof Object(record).action === 'string'
      ? (record as ListedRecord)
      : undefined
  } catch {
    return undefined
  }
}

function describeRecord(record: ListedRecord): string {
  const { at, node, action, outcome, tenant, actor, requestId, contentId, kids, keys, reason, code } = record
  const who =
    actor === undefined
      ? []
      : [`${actor.method}:${actor.id ?? '?'}`, ...(actor.address === undefined ? [] : [actor.address])]
  return [
    at,
    node,
    action,
    outcome,
    ...(tenant === undefined ? [] : [tenant]),
    ...who,
    ...(contentId === undefined ? [] : [contentId]),
    ...(kids !== undefined && kids.length === 1 ? kids : keys === undefined ? [] : [`${keys} keys`]),
    ...(code === undefined ? [] : [code]),
    ...(reason === undefined ? [] : [`reason: ${reason}`]),
    ...(requestId === undefined ? [] : [`request ${requestId}`]),
  ].join('  ')
}

/** The full path of the log: as given, else from the configuration. Throws ERR_CONFIG_INVALID if there is none. */
export function directoryOf(given: string | undefined, config: Config): string {
  const directory = given ?? auditDirectoryOf(config)
  if (directory !== undefined) return resolve(directory)
  throw new KeyProviderError(
    'ERR_CONFIG_INVALID',
    'audit.directory: is not set: name the directory of the log with --directory',
  )
}

import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { listAuditFiles } from '../../adapters/audit-files/reader.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { createAuditHeads } from '../../operations/audit/heads.ts'
import type { AuditFile } from '../../operations/audit/sink.ts'
import { verifyAudit } from '../../operations/audit/verify.ts'
import type { AuditFinding } from '../../operations/audit/verify-file.ts'
import type { AuditHead } from '../../operations/ports/store.ts'
import { auditDirectoryOf } from '../../server/config/operations.ts'
import { wrongUsage } from '../shared/errors.ts'
import { examples } from '../shared/options.ts'
import { addKeysOptions, type KeysOptions, readKeysConfig, withOpenedKeys } from '../shared/stored.ts'
import { printResult, type World } from '../shared/world.ts'

/** Defines `keyspring audit verify`. */
export function defineAudit(audit: Command, world: World): void {
  addKeysOptions(
    audit
      .command('verify')
      .description('find records that were edited, deleted, reordered or cut off')
      .option('--directory <dir>', 'directory of the log (default: from the configuration)')
      .option('--since <day>', 'check from this day on, YYYY-MM-DD: older files may have been moved away')
      .option('--node <node...>', 'nodes whose files are in the directory (default: all)'),
  )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples(
        'keyspring audit verify --config keyspring.yaml',
        'keyspring audit verify --directory archive --since 2026-11-01 --node keys-1 --json',
      ),
    )
    .action((options: VerifyOptions) => verify(options, world))
}

interface VerifyOptions extends KeysOptions {
  readonly directory?: string
  readonly since?: string
  readonly node?: readonly string[]
  readonly json?: boolean
}

/** Reads the whole audit log and prints what is wrong with it. Throws ERR_AUDIT_BROKEN if anything is. */
async function verify(options: VerifyOptions, world: World): Promise<void> {
  const { since, node: nodes, json } = options
  if (since !== undefined && !/^\d{4}-\d\d-\d\d$/.test(since)) throw wrongUsage('--since: expected a day, YYYY-MM-DD')
  const config = readKeysConfig(options, world)
  const directory = options.directory ?? auditDirectoryOf(config)
  if (directory === undefined) throw new KeyProviderError('ERR_CONFIG_INVALID', 'audit.directory: is not set')
  const report = await withOpenedKeys(config, async ({ store, dataKeys }) => {
    const heads = createAuditHeads({ store, dataKeys, randomBytes })
    const [listed, files] = [await heads.list(), () => listAuditFiles(resolve(directory))]
    if (nodes !== undefined) await rejectUnknownNodes(nodes, listed, files())
    return verifyAudit({ files: files(), listed, heads, since, nodes })
  })
  printResult(world, json, report, ({ findings, chains, records, problems, warnings }) => [
    ...findings.map(describe),
    ...(findings.length < problems + warnings ? ['… and more'] : []),
    `${chains} chains, ${records} records: ${problems} problems, ${warnings} warnings`,
  ])
  if (report.problems > 0) {
    const count = `${report.problems} ${report.problems === 1 ? 'problem' : 'problems'}`
    throw new KeyProviderError('ERR_AUDIT_BROKEN', `the audit log ${directory} is broken: ${count}`)
  }
}

/** Rejects a misspelled node: nothing of it would be verified, and nothing found wrong. */
async function rejectUnknownNodes(
  nodes: readonly string[],
  heads: readonly AuditHead[],
  files: AsyncIterable<AuditFile>,
): Promise<void> {
  const known = new Set(heads.map(({ chain }) => chain.slice(0, chain.lastIndexOf('/'))))
  for await (const { node } of files) known.add(node)
  const unknown = nodes.filter((node) => !known.has(node))
  if (unknown.length === 0) return
  const existing = known.size === 0 ? 'there are no logs at all' : `there are ${[...known].sort().join(', ')}`
  throw wrongUsage(`--node: there is no log of ${unknown.join(', ')}; ${existing}`)
}

function describe({ severity, fault, chain, file, line, message }: AuditFinding): string {
  const place = file === undefined ? chain : `${file}${line === undefined ? '' : `:${line}`}`
  return `${severity}  ${fault}  ${place}  ${message}`
}

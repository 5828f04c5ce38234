import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import { listAuditFiles } from '../../../adapters/audit-files/reader.ts'
import { KeyProviderError, wrongUsage } from '../../../core/errors.ts'
import { createAuditHeads } from '../../../operations/audit/heads.ts'
import type { AuditFile } from '../../../operations/audit/sink.ts'
import { verifyAudit } from '../../../operations/audit/verify.ts'
import type { AuditFinding } from '../../../operations/audit/verify-file.ts'
import type { AuditHead } from '../../../operations/ports/store.ts'
import type { Config } from '../../../server/config/config.ts'
import { examples } from '../../shared/options.ts'
import { addKeysOptions, type KeysOptions, readKeysConfig, withOpenedKeys } from '../../shared/stored.ts'
import { printResult, type World } from '../../shared/world.ts'
import { defineList, directoryOf } from './list.ts'

/** Defines `keyspring audit verify` and `keyspring audit list`. */
export function defineAudit(audit: Command, world: World): void {
  addKeysOptions(
    audit
      .command('verify')
      .description('find records that were edited, deleted, reordered or cut off')
      .option('--directory <dir>', 'directory of the log (default: from the configuration)')
      .option('--since <day>', 'check from this day on, YYYY-MM-DD: older files may have been moved away')
      .option(
        '--node <node...>',
        'check only these nodes (default: all nodes with files in the directory, and this one)',
      ),
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
  defineList(audit.command('list'), world)
}

interface VerifyOptions extends KeysOptions {
  readonly directory?: string
  readonly since?: string
  readonly node?: readonly string[]
  readonly json?: boolean
}

/** Reads the whole audit log and prints what is wrong with it. Throws ERR_AUDIT_BROKEN if anything is. */
async function verify(options: VerifyOptions, world: World): Promise<void> {
  const { since, json } = options
  if (since !== undefined && !/^\d{4}-\d\d-\d\d$/.test(since)) throw wrongUsage('--since: expected a day, YYYY-MM-DD')
  const config = readKeysConfig(options, world)
  const directory = directoryOf(options.directory, config)
  const { report, elsewhere } = await withOpenedKeys(config, async ({ store, dataKeys }) => {
    const heads = createAuditHeads({ store, dataKeys, randomBytes })
    const listed = await heads.list()
    const files = () => listAuditFiles(directory)
    const local = await localNodes(files(), config)
    if (options.node !== undefined) rejectUnknownNodes(options.node, listed, local)
    // Other nodes of the store keep their logs on their own machines.
    const nodes = options.node ?? [...local]
    return {
      report: await verifyAudit({ files: files(), listed, heads, since, nodes }),
      elsewhere: options.node === undefined ? nodesOf(listed, since).filter((node) => !local.has(node)) : [],
    }
  })
  printResult(world, json, { ...report, elsewhere }, ({ findings, chains, records, problems, warnings }) => [
    ...findings.map(describe),
    ...(findings.length < problems + warnings ? ['… and more'] : []),
    ...elsewhere.map(
      (node) => `note  elsewhere  ${node}  this directory has no files of this node: verify them on its machine`,
    ),
    `${chains} chains, ${records} records: ${problems} problems, ${warnings} warnings`,
  ])
  if (report.problems > 0) {
    const count = `${report.problems} ${report.problems === 1 ? 'problem' : 'problems'}`
    throw new KeyProviderError('ERR_AUDIT_BROKEN', `the audit log ${directory} is broken: ${count}`)
  }
}

/** The nodes that have files in the directory, and the node of this configuration, whose files must be there. */
async function localNodes(files: AsyncIterable<AuditFile>, { audit: { node } }: Config): Promise<ReadonlySet<string>> {
  const nodes = new Set([node, `${node}-cli`])
  for await (const file of files) nodes.add(file.node)
  return nodes
}

/** The nodes with a sealed chain, from a day on. */
function nodesOf(heads: readonly AuditHead[], since = ''): readonly string[] {
  const chains = heads.map(({ chain }) => {
    const at = chain.lastIndexOf('/')
    return { node: chain.slice(0, at), day: chain.slice(at + 1) }
  })
  return [...new Set(chains.filter(({ day }) => day >= since).map(({ node }) => node))].sort()
}

/** Rejects a misspelled node: nothing of it would be verified, and nothing found wrong. */
function rejectUnknownNodes(nodes: readonly string[], heads: readonly AuditHead[], local: ReadonlySet<string>): void {
  const known = new Set([...local, ...nodesOf(heads)])
  const unknown = nodes.filter((node) => !known.has(node))
  if (unknown.length === 0) return
  throw wrongUsage(`--node: there is no log of ${unknown.join(', ')}; there are ${[...known].sort().join(', ')}`)
}

function describe({ severity, fault, chain, file, line, message }: AuditFinding): string {
  const place = file === undefined ? chain : `${file}${line === undefined ? '' : `:${line}`}`
  return `${severity}  ${fault}  ${place}  ${message}`
}

import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { listAuditFiles } from '../../../adapters/audit-files/reader.ts'
import { KeyProviderError } from '../../../core/errors.ts'
import { createAuditHeads } from '../../../operations/audit/heads.ts'
import type { AuditFile } from '../../../operations/audit/sink.ts'
import { verifyAudit } from '../../../operations/audit/verify.ts'
import type { AuditFinding } from '../../../operations/audit/verify-file.ts'
import type { AuditHead } from '../../../operations/ports/store.ts'
import { auditDirectoryOf } from '../../../server/config/operations.ts'
import { type KeysOptions, readKeysConfig } from '../../shared/keys-options.ts'
import { withOpenedKeys } from '../../shared/opened-keys.ts'
import { printResult } from '../../shared/stored.ts'

interface VerifyOptions extends KeysOptions {
  readonly directory?: string
  readonly since?: string
  readonly node?: readonly string[]
  readonly json?: boolean
}

/** Reads the whole audit log and says whether it holds together. Throws ERR_AUDIT_BROKEN when it does not. */
export async function verify(options: VerifyOptions): Promise<void> {
  const { since, node: nodes, json } = options
  if (since !== undefined && !/^\d{4}-\d\d-\d\d$/.test(since)) {
    throw new KeyProviderError('ERR_USAGE_INVALID', '--since: expected a day, YYYY-MM-DD')
  }
  const config = readKeysConfig(options, 'an audit log')
  const directory = options.directory ?? auditDirectoryOf(config)
  if (directory === undefined) throw new KeyProviderError('ERR_CONFIG_INVALID', 'audit.directory: is not set')
  const report = await withOpenedKeys(config, async ({ store, dataKeys }) => {
    const heads = createAuditHeads({ store, dataKeys, randomBytes })
    const [listed, files] = [await heads.list(), () => listAuditFiles(resolve(directory))]
    if (nodes !== undefined) await refuseUnknown(nodes, listed, files())
    return verifyAudit({ files: files(), listed, heads, since, nodes })
  })
  printResult(json, report, ({ findings, chains, records, problems, warnings }) => [
    ...findings.map(describe),
    ...(findings.length < problems + warnings ? ['… and more'] : []),
    `${chains} chains, ${records} records: ${problems} problems, ${warnings} warnings`,
  ])
  if (report.problems > 0) {
    const count = `${report.problems} ${report.problems === 1 ? 'problem' : 'problems'}`
    throw new KeyProviderError('ERR_AUDIT_BROKEN', `the audit log ${directory} does not hold together: ${count}`)
  }
}

/** A name that no log has would verify nothing, and find nothing wrong. */
async function refuseUnknown(
  nodes: readonly string[],
  heads: readonly AuditHead[],
  files: AsyncIterable<AuditFile>,
): Promise<void> {
  const known = new Set(heads.map(({ chain }) => chain.slice(0, chain.lastIndexOf('/'))))
  for await (const { node } of files) known.add(node)
  const unknown = nodes.filter((node) => !known.has(node))
  if (unknown.length === 0) return
  const there = known.size === 0 ? 'there is none at all' : `there are ${[...known].sort().join(', ')}`
  throw new KeyProviderError('ERR_USAGE_INVALID', `--node: there is no log of ${unknown.join(', ')}; ${there}`)
}

function describe({ severity, fault, chain, file, line, message }: AuditFinding): string {
  const place = file === undefined ? chain : `${file}${line === undefined ? '' : `:${line}`}`
  return `${severity}  ${fault}  ${place}  ${message}`
}

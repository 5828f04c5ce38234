import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { KeyProviderError } from '../errors.ts'
import { openKeys } from '../keys/open-keys.ts'
import { createAuditHeads } from '../manage/audit-heads.ts'
import { type AuditFinding, type AuditReport, verifyAudit } from '../manage/audit-verify.ts'
import { openStore } from '../server/open-store.ts'
import { auditDirectoryOf } from '../server/operations-config.ts'
import { listAuditFiles } from '../store/audit-file-reader.ts'
import { type KeysOptions, readKeysConfig } from './keys-options.ts'
import { printResult } from './stored.ts'

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
  const { store, openRootKey, rootKeyName } = await openStore(config, { create: false })
  let report: AuditReport
  try {
    const { rootKey, dataKeys } = await openKeys({
      store,
      openRootKey: () => openRootKey(false),
      rootKeyName,
      randomBytes,
    })
    try {
      const heads = createAuditHeads({ store, dataKeys, randomBytes })
      const [listed, files] = [await heads.list(), listAuditFiles(resolve(directory))]
      report = await verifyAudit({ files, heads: listed, openHead: (head) => heads.open(head), since, nodes })
    } finally {
      await rootKey.close()
    }
  } finally {
    await store.close()
  }
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

function describe({ severity, fault, chain, file, line, message }: AuditFinding): string {
  const place = file === undefined ? chain : `${file}${line === undefined ? '' : `:${line}`}`
  return `${severity}  ${fault}  ${place}  ${message}`
}

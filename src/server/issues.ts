import type { Call } from '../http/call.ts'
import { clientAddress } from '../http/loopback.ts'
import type { Issued } from '../http/route.ts'
import type { LedgerEntry } from '../keys/ledger.ts'
import type { AuditLog } from '../manage/audit.ts'
import { auditIssues, type IssueAudit, type IssuedContent } from '../manage/audit-issues.ts'
import type { RotationWatcher } from '../manage/missed-rotations.ts'
import type { Config } from './config.ts'
import type { IssueEvents } from './issue-events.ts'

/** Told of the keys that encryptors are given. */
export interface Issues {
  /** Undefined: the answer may leave at once. Else when it resolves; it rejects with ERR_AUDIT_UNAVAILABLE, and nothing may be given out. */
  issued(call: Call, issued: Issued): Promise<void> | undefined
  replace(config: IssuesConfig): void
  /** Hands on what is still being counted; before the audit log is closed. */
  close(): void
}

export type IssuesConfig = Pick<Config, 'audit' | 'trustProxy'>

export interface IssuesOptions {
  readonly audit: AuditLog
  readonly watcher: Pick<RotationWatcher, 'issued'>
  readonly events: IssueEvents
}

/** Records, watches and tells of what is issued. What repeats itself costs a look at what is known of it. */
export function createIssues(config: IssuesConfig, { audit, watcher, events }: IssuesOptions): Issues {
  // An answer that is given again comes with the same object.
  const known = new WeakMap<readonly LedgerEntry[], IssuedContent>()
  let records: IssueAudit = auditIssues({ audit, mode: config.audit.issue })
  let addressOf = clientAddress(config.trustProxy)

  const note = (issued: Issued, entries: readonly LedgerEntry[]): IssuedContent => {
    const content = contentOf(issued, entries)
    known.set(entries, content)
    for (const entry of entries) watcher.issued(entry)
    events.issued(issued, entries)
    return content
  }

  return {
    issued(call, issued) {
      const { records: entries, method = '', client: id } = issued
      if (entries === undefined) return undefined
      const content = known.get(entries) ?? note(issued, entries)
      return records.issued(content, { actor: { method, id, address: addressOf(call) }, requestId: call.requestId })
    },
    replace(next) {
      records.close()
      records = auditIssues({ audit, mode: next.audit.issue })
      addressOf = clientAddress(next.trustProxy)
    },
    close: () => records.close(),
  }
}

function contentOf({ tenant, contentId, keys: count }: Issued, entries: readonly LedgerEntry[]): IssuedContent {
  const keys = entries.flatMap((entry) => entry.keys)
  const [contentKeyClass, ...others] = new Set(keys.map((key) => key.contentKeyClass))
  return {
    tenant,
    contentId,
    kids: [...new Set(keys.map(({ kid }) => kid))],
    systemIds: [...new Set(keys.flatMap(({ systemIds }) => systemIds))],
    keys: count,
    ...(contentKeyClass !== undefined && others.length === 0 && { contentKeyClass }),
  }
}

import { BoundedCache } from '../../core/bounded-cache.ts'
import type { Call } from '../../http/call.ts'
import type { Issued } from '../../http/route.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import { IssueAudit, type IssueSummary } from '../../operations/audit/issues.ts'
import type { AuditLog } from '../../operations/ports/audit.ts'
import type { RotationWatcher } from '../../operations/rotation/missed.ts'
import type { Config } from '../config/config.ts'
import type { IssueEvents } from './issue-events.ts'

/** Told of the keys that encryptors are given. */
export interface Issues {
  /** Undefined: the answer may leave at once. Else when it resolves; it rejects with ERR_AUDIT_UNAVAILABLE, and nothing may be given out. */
  issued(call: Call, issued: Issued): Promise<void> | undefined
  replace(config: IssuesConfig): void
  /** Hands on what is still being counted; before the audit log is closed. */
  close(): void
}

export type IssuesConfig = Pick<Config, 'audit'>

export interface IssuesOptions {
  readonly audit: AuditLog
  readonly watcher: Pick<RotationWatcher, 'issued'>
  readonly events: IssueEvents
  /** Whether the process goes on after an answer; what cannot wait is written before it. */
  readonly defers: boolean
}

const MAX_ALIKE_BYTES = 8 * 1024 * 1024

/** Records, watches and tells of what is issued. What repeats itself costs a look at what is known of it. */
export function createIssues(config: IssuesConfig, { audit, watcher, events, defers }: IssuesOptions): Issues {
  // An answer that is given again comes with the same object; one that is made anew may be of the same keys.
  const known = new WeakMap<readonly LedgerEntry[], IssueSummary>()
  const alike = new BoundedCache<IssueSummary>({
    maxBytes: MAX_ALIKE_BYTES,
    sizeOf: ({ kids = [], systemIds = [] }) => 400 + 60 * (kids.length + systemIds.length),
  })
  const auditOf = ({ audit: { issue } }: IssuesConfig): IssueAudit =>
    new IssueAudit({ audit, mode: issue === 'spool' && !defers ? 'require' : issue })
  let records = auditOf(config)

  const note = (issued: Issued, entries: readonly LedgerEntry[]): IssueSummary => {
    const made = contentOf(issued, entries)
    const { tenant, contentId, kids, systemIds } = made
    const id = JSON.stringify([tenant, contentId, kids, systemIds])
    const content = alike.get(id) ?? made
    alike.set(id, content)
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
      return records.issued(content, { actor: { method, id, address: call.address }, requestId: call.requestId })
    },
    replace(next) {
      records.close()
      records = auditOf(next)
    },
    close: () => records.close(),
  }
}

function contentOf({ tenant, contentId, keys: count }: Issued, entries: readonly LedgerEntry[]): IssueSummary {
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

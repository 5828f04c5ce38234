import { type Schedule, scheduleTimeout } from '../../core/late-writes.ts'
import type { Actor, AuditEntry, AuditLog } from '../ports/audit.ts'

/** What an answer gave out. Give the same object each time the same answer is given: that is the cheap way. */
export type IssueSummary = Pick<
  AuditEntry,
  'tenant' | 'contentId' | 'kids' | 'contentKeyClass' | 'systemIds' | 'recipients' | 'keys'
>

/** Who asked for it. */
export interface IssueRequest {
  readonly actor: Actor
  readonly requestId: string
}

/** Records what is issued to encryptors. */
export interface IssueAudit {
  /** Undefined: the answer may leave at once. Else when it resolves; it rejects with ERR_AUDIT_UNAVAILABLE, and nothing may be given out. */
  issued(content: IssueSummary, request: IssueRequest): Promise<void> | undefined
  /** Hands on what is still being counted; before the log itself is closed. */
  close(): void
}

/** `off`: nothing is recorded. `spool`: soon, without any delay. `require`: before the answer leaves. */
export type AuditLogMode = 'off' | 'spool' | 'require'

export interface IssueAuditOptions {
  readonly audit: AuditLog
  readonly mode: AuditLogMode
  /** How long the like are counted together. */
  readonly countMs?: number
  readonly schedule?: Schedule
}

interface Counted {
  readonly entry: Omit<AuditEntry, 'requests'>
  requests: number
}

/** So many are counted at a time; then they are handed on early. */
const MAX_COUNTED = 1_000

/** What records the issue of keys. Under `spool` the same answer to the same client within a moment is one record with a count. */
export function auditIssues({ audit, mode, countMs = 400, schedule = scheduleTimeout }: IssueAuditOptions): IssueAudit {
  let counted = new Map<IssueSummary, Map<string, Counted>>()
  let size = 0
  let cancel: (() => void) | undefined

  const handOn = (): void => {
    cancel?.()
    cancel = undefined
    const all = counted
    counted = new Map()
    size = 0
    for (const byActor of all.values()) {
      for (const { entry, requests } of byActor.values()) {
        audit.spool(requests === 1 ? entry : { ...entry, requests })
      }
    }
  }

  const count = (content: IssueSummary, request: IssueRequest): void => {
    const { method, id, address = '' } = request.actor
    const byActor = counted.get(content) ?? new Map<string, Counted>()
    const who = `${method}\n${id}\n${address}`
    const known = byActor.get(who)
    if (known !== undefined) {
      known.requests++
      return
    }
    byActor.set(who, { entry: entryOf(content, request), requests: 1 })
    counted.set(content, byActor)
    size++
    if (size >= MAX_COUNTED) handOn()
    else cancel ??= schedule(handOn, countMs)
  }

  const issued: Record<AuditLogMode, IssueAudit['issued']> = {
    off: () => undefined,
    spool(content, request) {
      count(content, request)
      return undefined
    },
    require: (content, request) => audit.write(entryOf(content, request)),
  }
  return { issued: issued[mode], close: handOn }
}

function entryOf(content: IssueSummary, { actor, requestId }: IssueRequest): AuditEntry {
  return { ...content, action: 'key.issue', outcome: 'ok', actor, requestId }
}

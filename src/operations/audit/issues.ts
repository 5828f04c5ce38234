import { type Schedule, scheduleTimeout } from '../../core/write-queue.ts'
import type { Actor, AuditEntry, AuditLog } from '../ports/audit.ts'

/** The keys of an answer. Pass the same object each time the same answer is given: that is faster. */
export type IssueSummary = Pick<
  AuditEntry,
  'tenant' | 'contentId' | 'kids' | 'contentKeyClass' | 'systemIds' | 'recipients' | 'keys'
>

/** Who received the keys. */
export interface IssueRequest {
  readonly actor: Actor
  readonly requestId: string
}

/** `off`: nothing is recorded. `spool`: recorded soon, without delay for the answer. `require`: recorded before the answer. */
export type AuditLogMode = 'off' | 'spool' | 'require'

interface IssueAuditOptions {
  readonly audit: AuditLog
  readonly mode: AuditLogMode
  /** How long identical answers to a client are counted together, in milliseconds. */
  readonly countMs?: number
  readonly schedule?: Schedule
}

interface Counted {
  readonly entry: Omit<AuditEntry, 'requests'>
  requests: number
}

/** Records that are counted at a time; beyond it, they are spooled early. */
const MAX_COUNTED = 1_000

/** Records keys issued to encryptors. In the mode `spool`, identical answers to a client within a moment are one record. */
export class IssueAudit {
  readonly #audit: AuditLog
  readonly #mode: AuditLogMode
  readonly #countMs: number
  readonly #schedule: Schedule
  #counted = new Map<IssueSummary, Map<string, Counted>>()
  #size = 0
  #cancel: (() => void) | undefined

  constructor({ audit, mode, countMs = 400, schedule = scheduleTimeout }: IssueAuditOptions) {
    this.#audit = audit
    this.#mode = mode
    this.#countMs = countMs
    this.#schedule = schedule
  }

  /**
   * Returns undefined if the answer may be sent at once. Otherwise the answer waits for the promise, which rejects with
   * ERR_AUDIT_UNAVAILABLE; then no key may be given out.
   */
  issued(content: IssueSummary, request: IssueRequest): Promise<void> | undefined {
    if (this.#mode === 'require') return this.#audit.write(entryOf(content, request))
    if (this.#mode === 'spool') this.#count(content, request)
    return undefined
  }

  /** Spools what is still being counted. Call it before the log is closed. */
  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
    const all = this.#counted
    this.#counted = new Map()
    this.#size = 0
    for (const byActor of all.values()) {
      for (const { entry, requests } of byActor.values()) {
        this.#audit.spool(requests === 1 ? entry : { ...entry, requests })
      }
    }
  }

  #count(content: IssueSummary, request: IssueRequest): void {
    const { method, id, address = '' } = request.actor
    const byActor = this.#counted.get(content) ?? new Map<string, Counted>()
    const name = `${method}\n${id}\n${address}`
    const known = byActor.get(name)
    if (known !== undefined) {
      known.requests++
      return
    }
    byActor.set(name, { entry: entryOf(content, request), requests: 1 })
    this.#counted.set(content, byActor)
    this.#size++
    if (this.#size >= MAX_COUNTED) this.close()
    else this.#cancel ??= this.#schedule(() => this.close(), this.#countMs)
  }
}

function entryOf(content: IssueSummary, { actor, requestId }: IssueRequest): AuditEntry {
  return { ...content, action: 'key.issue', outcome: 'ok', actor, requestId }
}

import { BoundedCache } from '../../core/bounded-cache.ts'
import type { Call } from '../../http/call.ts'
import type { Issued } from '../../http/route.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { LedgerStore } from '../../keys/ports/ledger-store.ts'
import { IssueAudit, type IssueSummary } from '../../operations/audit/issues.ts'
import { claimIdOf } from '../../operations/claim.ts'
import { keyIssued } from '../../operations/events/of.ts'
import type { AuditLog } from '../../operations/ports/audit.ts'
import type { Emit } from '../../operations/ports/events.ts'
import type { RotationWatcher } from '../../operations/rotation/missed.ts'
import type { Config } from '../config/config.ts'

type IssuedKeysConfig = Pick<Config, 'audit'>

interface IssuedKeysOptions {
  readonly audit: AuditLog
  readonly watcher: Pick<RotationWatcher, 'issued'>
  /** Undefined: no receiver wants the events. */
  readonly events: IssueEvents | undefined
  /** Whether the process continues after an answer. False: records are written before it. */
  readonly defers: boolean
}

const MAX_SUMMARY_BYTES = 8 * 1024 * 1024

/** Follows the keys that encryptors get: audit record, rotation watch, events. A repeated answer costs one look-up. */
export class IssueFollower {
  readonly #options: IssuedKeysOptions
  // A repeated answer comes with the same object; a new one may be about the same keys.
  readonly #known = new WeakMap<readonly LedgerEntry[], IssueSummary>()
  readonly #summaries = new BoundedCache<IssueSummary>({
    maxBytes: MAX_SUMMARY_BYTES,
    sizeOf: ({ kids = [], systemIds = [] }) => 400 + 60 * (kids.length + systemIds.length),
  })
  #audit: IssueAudit

  constructor(config: IssuedKeysConfig, options: IssuedKeysOptions) {
    this.#options = options
    this.#audit = this.#auditOf(config)
  }

  /**
   * Undefined if the answer may leave at once; else a promise that resolves when it may. The promise rejects with
   * ERR_AUDIT_UNAVAILABLE if the answer must not leave.
   */
  issued(call: Call, issued: Issued): Promise<void> | undefined {
    const { records: entries, method = '', client: id } = issued
    if (entries === undefined) return undefined
    const summary = this.#known.get(entries) ?? this.#follow(issued, entries)
    const actor = { method, id, address: call.address }
    return this.#audit.issued(summary, { actor, requestId: call.requestId })
  }

  replace(config: IssuedKeysConfig): void {
    this.#audit.close()
    this.#audit = this.#auditOf(config)
  }

  /** Writes the counts of repeated answers to the audit log. Call it before the log is closed. */
  close(): void {
    this.#audit.close()
  }

  #follow(issued: Issued, entries: readonly LedgerEntry[]): IssueSummary {
    const made = summaryOf(issued, entries)
    const { tenant, contentId, kids, systemIds } = made
    const id = JSON.stringify([tenant, contentId, kids, systemIds])
    const summary = this.#summaries.get(id) ?? made
    this.#summaries.set(id, summary)
    this.#known.set(entries, summary)
    for (const entry of entries) this.#options.watcher.issued(entry)
    this.#options.events?.issued(issued, entries)
    return summary
  }

  #auditOf({ audit: { issue } }: IssuedKeysConfig): IssueAudit {
    const { audit, defers } = this.#options
    return new IssueAudit({ audit, mode: issue === 'spool' && !defers ? 'require' : issue })
  }
}

function summaryOf({ tenant, contentId, keys: count }: Issued, entries: readonly LedgerEntry[]): IssueSummary {
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

interface IssueEventsOptions {
  readonly emit: Emit
  /** Knows the key periods for which other nodes, and earlier processes of this node, emitted an event. */
  readonly store: Pick<LedgerStore, 'findByContent'>
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onError: (error: unknown) => void
}

const KNOWN_BYTES = 16 * 1024 * 1024
const MAX_LOOKUPS = 64
const LEDGER_RECORDS = 100
/** The ledger is written at most this much later: an older record belongs to an earlier event. */
const LEDGER_DELAY_MS = 5_000

/**
 * Emits `key.issued` for the first keys of a content and for each new key period. A receiver may get one event twice, from two
 * nodes, with the same ID. It gets none for a key period that is requested again later.
 */
export class IssueEvents {
  readonly #options: IssueEventsOptions
  readonly #known = new BoundedCache<true>({ maxBytes: KNOWN_BYTES, sizeOf: () => 40 })
  #lookups = 0

  constructor(options: IssueEventsOptions) {
    this.#options = options
  }

  /** Returns at once and never throws. */
  issued({ first, client }: Issued, entries: readonly LedgerEntry[]): void {
    const { emit, now, onError } = this.#options
    const at = now()
    for (const entry of entries) {
      const { tenant, contentId, periodId, keys, spekeVersion } = entry
      const id = claimIdOf({ tenant, parts: ['key.issued', contentId, periodId] })
      if (this.#known.get(id) === true) continue
      this.#known.set(id, true)
      const kids = keys.map(({ kid }) => kid)
      const systemIds = [...new Set(keys.flatMap((key) => key.systemIds))]
      const event = { ...keyIssued({ tenant, contentId, at, kids, systemIds, client, spekeVersion }), id }
      if (first) emit(event)
      // A content without key periods has the same keys from its first request on.
      else if (periodId !== '' && this.#lookups < MAX_LOOKUPS) {
        this.#lookups++
        this.#isNew(entry, at)
          .then((isNew) => (isNew ? emit(event) : undefined), onError)
          .finally(() => this.#lookups--)
      }
    }
  }

  async #isNew({ tenant, contentId, periodId }: LedgerEntry, at: number): Promise<boolean> {
    const records = await this.#options.store.findByContent({ tenant, contentId }, LEDGER_RECORDS)
    return !records.some((record) => record.periodId === periodId && record.firstAt < at - LEDGER_DELAY_MS)
  }
}

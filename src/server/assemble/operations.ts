import { randomBytes } from 'node:crypto'
import { AuthenticationError } from '../../auth/failure.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { Observe } from '../../http/handler.ts'
import type { ContentKeys } from '../../keys/content/content-key.ts'
import type { RetentionClass } from '../../keys/content/lifetime.ts'
import { ASKED_TOO_LATE } from '../../keys/content/revival.ts'
import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { WatchedAuditLog } from '../../operations/audit/log.ts'
import type { AuditSink } from '../../operations/audit/sink.ts'
import { requestRefused, sealFailure } from '../../operations/events/of.ts'
import type { Sweeper } from '../../operations/lifetime/sweep.ts'
import type { Management } from '../../operations/management.ts'
import { checkRotations, type RotationCheck, resumeWatching } from '../../operations/rotation/check.ts'
import { createRotationWatcher } from '../../operations/rotation/missed.ts'
import { type MissedRotation, missedRotationEvent } from '../../operations/rotation/overdue.ts'
import type { Config } from '../config/config.ts'
import type { ContentRules } from '../config/content-rules.ts'
import { type Log, toLoggedError } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import { createIssueEvents, NO_ISSUE_EVENTS } from './issue-events.ts'
import { createIssues, type Issues } from './issues.ts'
import { openAuditOf, openEventsOf } from './open-operations.ts'
import type { Store } from './open-store.ts'
import { createSweeping } from './sweeping.ts'

/** What a server does with stored keys besides answering: it records, tells, sweeps and watches. */
export interface Operations {
  readonly management: Management
  readonly sweeper: Sweeper
  readonly issues: Issues
  /** Records and tells of a content that a late request destroyed, to give it new keys. */
  expired(ref: ContentRef, retention: RetentionClass): void
  /** Tells of refusals and of what does not open any more. */
  readonly observe: Observe
  /** Looks once for key periods that were not asked for: where the process keeps no time and watches nothing. */
  checkRotations(): Promise<RotationCheck>
  /** What is done regularly begins. */
  start(config: Config): void
  /** Follows a configuration that was read again. */
  replace(config: Config): void
  /** Writes what would be written later. */
  flush(): Promise<void>
  /** Ends what is done regularly, and writes what waits; before the store is closed. */
  close(): Promise<void>
}

export interface OperationsOptions {
  readonly config: Config
  readonly store: Store
  readonly dataKeys: DataKeys
  readonly contentKeys: ContentKeys
  readonly rules: ContentRules
  readonly log: Log
  readonly metrics: Metrics
  /** Where the audit log goes unless a directory is set. */
  readonly auditSink?: AuditSink | undefined
}

const WATCH_EVERY_MS = 5_000

/** Opens the audit log and the events of a configuration, and everything that writes to them. */
export async function openOperations(options: OperationsOptions): Promise<Operations> {
  const { config, store, dataKeys, contentKeys, rules, log, metrics } = options
  const now = () => Date.now()
  const records = {
    by: 'server',
    store,
    dataKeys,
    sink: options.auditSink,
    audit: {
      onWritten: metrics.auditWritten,
      onLoss(lost: number) {
        metrics.auditLost(lost)
        log.error({ lost }, 'records of the audit log were lost')
      },
      onError(error: unknown) {
        metrics.auditFailed()
        log.error({ error: toLoggedError(error) }, 'the audit log could not be written')
      },
    },
    events: {
      onOutcome: metrics.event,
      onError: (error: unknown) => log.warn({ error: toLoggedError(error) }, 'an event could not be delivered'),
    },
  } as const
  const audit = openAuditOf(config, records)
  if (options.auditSink === undefined) await startAudit(audit, config.audit.issue)
  const events = await openEventsOf(config, records)
  metrics.watchQueue('auditQueue', () => audit.queued())
  metrics.watchQueue('eventQueue', events.queued)
  const { emit } = events
  const { retention, rotation } = rules
  const management = { store, dataKeys, contentKeys, retention, rotation, audit, emit, now, randomBytes }

  const onError = (error: unknown): void =>
    log.warn({ error: toLoggedError(error) }, 'the ledger could not be asked which key periods are new')
  const watching = {
    store,
    now,
    rotation,
    graceMs: config.rotation.graceSeconds * 1_000,
    onMissed(missed: MissedRotation) {
      metrics.rotationMissed()
      const { tenant, contentId } = missed
      log.warn({ tenant, contentId }, 'a key period was not asked for in time')
      emit(missedRotationEvent(missed))
    },
  }
  const watcher = createRotationWatcher({ ...watching, onError })
  const tells =
    config.events.types.includes('key.issued') &&
    (config.events.webhook ?? config.events.eventBus ?? config.events.file)
  const issueEvents = tells ? createIssueEvents({ emit, store, now, onError }) : NO_ISSUE_EVENTS
  const issues = createIssues(config, { audit, watcher, events: issueEvents, defers: options.auditSink === undefined })
  const sweeping = createSweeping({ management, rules, log, metrics, random: Math.random })
  let ticking: NodeJS.Timeout | undefined
  let resuming: Promise<void> | undefined
  let isClosed = false

  return {
    management,
    sweeper: sweeping,
    issues,
    expired({ tenant, contentId }, { name }) {
      const actor = { method: 'server', id: 'late-request' }
      const reason = ASKED_TOO_LATE
      audit.spool({ action: 'content.expire', outcome: 'ok', tenant, contentId, actor, requestId: actor.id, reason })
      emit({ type: 'content.expired', tenant, contentId, at: now(), data: { class: name, destroyed: true } })
      metrics.contentsSwept('destroyed', 1)
    },
    observe(call, route, { status, issued }, error) {
      if (!(error instanceof KeyProviderError)) return
      const { code } = error
      const told = { at: now(), route: route?.name ?? 'none', requestId: call.requestId, ...issued }
      if (code === 'ERR_SEAL_BROKEN') emit(sealFailure(told))
      // Who asks without a credential is not worth an event each time: encryptors do so before they answer a challenge.
      else if (status < 500 && !isChallenge(error)) emit(requestRefused({ ...told, code, status, ...clientOf(error) }))
    },
    async checkRotations() {
      const check = await checkRotations({ ...watching, longestMs: rules.longestIntervalMs })
      if (check.isPartial)
        log.warn({ problem: `only ${check.contents} contents were looked at` }, 'more contents rotate than are watched')
      return check
    },
    start(current) {
      sweeping.startEvery(current.retention.sweepMinutes)
      ticking = setInterval(() => void watcher.tick(), WATCH_EVERY_MS)
      ticking.unref()
      const resumed = { store, longestMs: rules.longestIntervalMs, at: now(), isOver: () => isClosed }
      resuming = resumeWatching(watcher, resumed).catch(onError)
    },
    replace(next) {
      rules.replace(next)
      issues.replace(next)
      sweeping.reviewAll()
    },
    async flush() {
      issues.close()
      await events.flush()
    },
    async close() {
      isClosed = true
      clearInterval(ticking)
      await resuming
      await sweeping.close()
      issues.close()
      await events.close()
      await audit.close()
    },
  }
}

/** A log that cannot be written shows at the start: it ends a server whose answers need the log, and is told of by any other. */
async function startAudit(audit: WatchedAuditLog, issue: Config['audit']['issue']): Promise<void> {
  const started = audit.start()
  if (issue === 'require') await started
  // The log has told its `onError` already.
  else started.catch(() => undefined)
}

function isChallenge(error: KeyProviderError): boolean {
  return error instanceof AuthenticationError && error.reason === 'missing'
}

function clientOf(error: KeyProviderError): { readonly client?: string } {
  return 'client' in error && typeof error.client === 'string' ? { client: error.client } : {}
}

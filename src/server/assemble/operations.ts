import { randomBytes } from 'node:crypto'
import { AuthenticationError } from '../../auth/failure.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { Observe } from '../../http/handler.ts'
import type { ContentKeys } from '../../keys/content/content-key.ts'
import type { RetentionClass } from '../../keys/content/lifetime.ts'
import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { WatchedAuditLog } from '../../operations/audit/log.ts'
import type { AuditSink } from '../../operations/audit/sink.ts'
import { requestRefused, sealFailure } from '../../operations/events/of.ts'
import type { Management } from '../../operations/management.ts'
import { checkRotations, type RotationCheck, resumeWatching } from '../../operations/rotation/check.ts'
import { createRotationWatcher, type RotationWatcher } from '../../operations/rotation/missed.ts'
import { type MissedRotation, missedRotationEvent } from '../../operations/rotation/overdue.ts'
import type { Config } from '../config/config.ts'
import type { ContentRules } from '../config/content-rules.ts'
import type { EventDeliveries } from '../delivery/events.ts'
import { type Log, toLoggedError } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import { BackgroundSweeper } from './background-sweeper.ts'
import { IssueEvents, IssueFollower } from './issued-keys.ts'
import type { Store } from './open-store.ts'
import { openAuditOf, openEventsOf } from './records.ts'

interface OperationsOptions {
  readonly config: Config
  readonly store: Store
  readonly dataKeys: DataKeys
  readonly contentKeys: ContentKeys
  readonly rules: ContentRules
  readonly log: Log
  readonly metrics: Metrics
  /** The destination of the audit log if no directory is set. */
  readonly auditSink?: AuditSink | undefined
}

interface OpenedRecords {
  readonly audit: WatchedAuditLog
  readonly events: EventDeliveries
}

const WATCH_EVERY_MS = 5_000

/** The work of a server on stored keys besides answering: audit records, events, sweeps, and the watch for missed rotations. */
export class Operations {
  readonly management: Management
  readonly sweeper: BackgroundSweeper
  readonly issuedKeys: IssueFollower
  readonly #options: OperationsOptions
  readonly #audit: WatchedAuditLog
  readonly #events: EventDeliveries
  readonly #watcher: RotationWatcher
  readonly #watching
  #ticking: NodeJS.Timeout | undefined
  #resuming: Promise<void> | undefined
  #isClosed = false

  /** Opens the audit log and the event deliveries of a configuration. Rejects if `audit.issue` is `require` and the log fails. */
  static async open(options: OperationsOptions): Promise<Operations> {
    return new Operations(options, await openRecords(options))
  }

  private constructor(options: OperationsOptions, { audit, events }: OpenedRecords) {
    const { config, store, dataKeys, contentKeys, rules, log, metrics } = options
    const { retention, rotation } = rules
    const now = () => Date.now()
    const { emit } = events
    this.#options = options
    this.#audit = audit
    this.#events = events
    this.management = { store, dataKeys, contentKeys, retention, rotation, audit, emit, now, randomBytes }
    this.sweeper = new BackgroundSweeper({ management: this.management, rules, log, metrics, random: Math.random })
    this.#watching = {
      store,
      now,
      rotation,
      graceMs: config.rotation.graceSeconds * 1_000,
      onMissed: (missed: MissedRotation) => this.#missed(missed),
    }
    const onError = (error: unknown): void => this.#ledgerFailed(error)
    this.#watcher = createRotationWatcher({ ...this.#watching, onError })
    const { webhook, eventBus, file, types } = config.events
    const hasReceiver = types.includes('key.issued') && (webhook ?? eventBus ?? file) !== undefined
    this.issuedKeys = new IssueFollower(config, {
      audit,
      watcher: this.#watcher,
      events: hasReceiver ? new IssueEvents({ emit, store, now, onError }) : undefined,
      defers: options.auditSink === undefined,
    })
  }

  /** Starts sweeps and the watch for missed rotations. */
  start(config: Config): void {
    const { store, rules } = this.#options
    this.sweeper.startEvery(config.retention.sweepMinutes)
    this.#ticking = setInterval(() => void this.#watcher.tick(), WATCH_EVERY_MS)
    this.#ticking.unref()
    const isOver = () => this.#isClosed
    this.#resuming = resumeWatching(this.#watcher, {
      store,
      longestMs: rules.longestIntervalMs,
      at: Date.now(),
      isOver,
    }).catch((error: unknown) => this.#ledgerFailed(error))
  }

  /** Applies a reloaded configuration. */
  replace(config: Config): void {
    this.#options.rules.replace(config)
    this.issuedKeys.replace(config)
    this.sweeper.reviewAll()
  }

  /** Records and emits that a late request destroyed an expired content, before it gives the content new keys. */
  expired({ tenant, contentId }: ContentRef, { name }: RetentionClass, reason: string): void {
    const actor = { method: 'server', id: 'late-request' }
    this.#audit.spool({
      action: 'content.expire',
      outcome: 'ok',
      tenant,
      contentId,
      actor,
      requestId: actor.id,
      reason,
    })
    const data = { class: name, destroyed: true }
    this.#events.emit({ type: 'content.expired', tenant, contentId, at: Date.now(), data })
    this.#options.metrics.contentsSwept('destroyed', 1)
  }

  /** Emits events for rejected requests and for values that do not open any more. */
  readonly observe: Observe = (call, route, { status, issued }, error) => {
    if (!(error instanceof KeyProviderError)) return
    const { code } = error
    const about = { at: Date.now(), route: route?.name ?? 'none', requestId: call.requestId, ...issued }
    if (code === 'ERR_SEAL_BROKEN') this.#events.emit(sealFailure(about))
    // Encryptors first send a request without a credential, to get the challenge: that is no event.
    else if (status < 500 && !isChallenge(error)) {
      this.#events.emit(requestRefused({ ...about, code, status, ...clientOf(error) }))
    }
  }

  /** Looks once for key periods that nobody requested: for a process that has no timers. */
  async checkRotations(): Promise<RotationCheck> {
    const { rules, log } = this.#options
    const check = await checkRotations({ ...this.#watching, longestMs: rules.longestIntervalMs })
    if (check.isPartial) {
      log.warn({ problem: `only ${check.contents} contents were checked` }, 'more contents rotate than are watched')
    }
    return check
  }

  /** Writes pending records and delivers pending events. */
  async flush(): Promise<void> {
    this.issuedKeys.close()
    await this.#events.flush()
  }

  /** Stops timers and writes what is pending. Call it before the store is closed. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#ticking)
    await this.#resuming
    await this.sweeper.close()
    this.issuedKeys.close()
    await this.#events.close()
    await this.#audit.close()
  }

  #missed(missed: MissedRotation): void {
    const { metrics, log } = this.#options
    const { tenant, contentId } = missed
    metrics.rotationMissed()
    log.warn({ tenant, contentId }, 'a key period was not requested in time')
    this.#events.emit(missedRotationEvent(missed))
  }

  #ledgerFailed(error: unknown): void {
    this.#options.log.warn({ error: toLoggedError(error) }, 'the ledger could not be read for new key periods')
  }
}

async function openRecords(options: OperationsOptions): Promise<OpenedRecords> {
  const { config, store, dataKeys, log, metrics, auditSink: sink } = options
  const records = {
    by: 'server',
    store,
    dataKeys,
    sink,
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
  if (sink === undefined) {
    const started = audit.start()
    // A log that fails ends a server whose answers depend on it. Any other server reports it, through `onError`.
    if (config.audit.issue === 'require') await started
    else started.catch(() => undefined)
  }
  const events = await openEventsOf(config, records)
  metrics.watchQueue('auditQueue', () => audit.queued())
  metrics.watchQueue('eventQueue', () => events.queued())
  return { audit, events }
}

function isChallenge(error: KeyProviderError): boolean {
  return error instanceof AuthenticationError && error.reason === 'missing'
}

function clientOf(error: KeyProviderError): { readonly client?: string } {
  return 'client' in error && typeof error.client === 'string' ? { client: error.client } : {}
}

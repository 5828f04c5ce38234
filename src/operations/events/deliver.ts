import { type Schedule, scheduleTimeout } from '../../core/write-queue.ts'
import type { EventType } from '../ports/events.ts'

/** An event on its way, as it also survives a stop. */
export interface PendingEvent {
  readonly type: EventType
  /** The same at every attempt. */
  readonly id: string
  readonly json: string
  readonly attempts: number
}

/** What became of one attempt. */
export type Attempt =
  | { readonly kind: 'delivered' }
  /** Worth another attempt, not before `retryAfterMs`. `reason` is of our own words. */
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs?: number | undefined }
  /** The receiver will never take it. */
  | { readonly kind: 'refused'; readonly reason: string }

/** Delivers one event; never rejects. `signal` ends the attempt. */
export type AttemptDelivery = (event: PendingEvent, signal: AbortSignal) => Promise<Attempt>

export type DeliveryOutcome = 'delivered' | 'retried' | 'dead-lettered' | 'lost'

export interface DeliveryOptions {
  readonly attempt: AttemptDelivery
  /** Keeps what could not be delivered, for an operator to look at. */
  readonly deadLetter: (event: PendingEvent, reason: string) => Promise<void>
  /** Keeps what is not delivered yet until the next start. */
  readonly keep: (events: readonly PendingEvent[]) => Promise<void>
  readonly onOutcome?: (type: EventType, outcome: DeliveryOutcome) => void
  /** Told why an event was lost. */
  readonly onError?: (error: unknown) => void
  /** From 0 to 1. */
  readonly random: () => number
  readonly maxQueued?: number
  readonly maxAttempts?: number
  /** Attempts under way at a time. */
  readonly atOnce?: number
  readonly schedule?: Schedule
}

/** Delivers events in the background, in no certain order, each at least once or not at all. */
export interface Delivery {
  /** Takes an event; never throws. */
  take(event: PendingEvent): void
  /** How many are under way. */
  queued(): number
  /** Goes on with first attempts for `graceMs`, and keeps what is not delivered then. */
  close(graceMs: number): Promise<void>
}

const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 300_000
/** What a receiver may ask us to wait. */
const LONGEST_RETRY_AFTER_MS = 3_600_000

/** Attempts each event until it is delivered or `maxAttempts` were made, which by default takes about a quarter of an hour. */
export function createDelivery(options: DeliveryOptions): Delivery {
  const { attempt, random, maxQueued = 10_000, maxAttempts = 10, atOnce = 4, schedule = scheduleTimeout } = options
  const { onOutcome = () => {}, onError = () => {} } = options
  const ready: PendingEvent[] = []
  const sleeping = new Map<PendingEvent, () => void>()
  const running = new Map<PendingEvent, Promise<void>>()
  const leaving = new Set<Promise<void>>()
  const stop = new AbortController()
  /** Nothing is taken any more; then, nothing is attempted either. */
  let isClosing = false

  const queued = (): number => ready.length + sleeping.size + running.size

  const run = (): void => {
    while (!stop.signal.aborted && running.size < atOnce) {
      const event = ready.shift()
      if (event === undefined) return
      running.set(
        event,
        attempt(event, stop.signal).then((result) => {
          settle(event, result)
          run()
        }),
      )
    }
  }

  const settle = (event: PendingEvent, result: Attempt): void => {
    running.delete(event)
    if (result.kind === 'delivered') {
      onOutcome(event.type, 'delivered')
    } else if (stop.signal.aborted) {
      // Our stop cut it short: that was no attempt.
      sleeping.set(event, () => {})
    } else if (result.kind === 'refused' || event.attempts + 1 >= maxAttempts) {
      bury({ ...event, attempts: event.attempts + 1 }, result.reason)
    } else {
      onOutcome(event.type, 'retried')
      sleep({ ...event, attempts: event.attempts + 1 }, result.retryAfterMs ?? 0)
    }
  }

  const sleep = (event: PendingEvent, retryAfterMs: number): void => {
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (event.attempts - 1))
    // Between half of it and all of it, so that events that failed together do not all come back together.
    const wait = Math.max(longest * (0.5 + random() / 2), Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS))
    const wake = (): void => {
      sleeping.delete(event)
      ready.push(event)
      run()
    }
    sleeping.set(event, isClosing ? () => {} : schedule(wake, wait))
  }

  const bury = (event: PendingEvent, reason: string): void => {
    const buried = options.deadLetter(event, reason).then(
      () => onOutcome(event.type, 'dead-lettered'),
      (error: unknown) => lose([event], error),
    )
    leaving.add(buried)
    void buried.finally(() => leaving.delete(buried))
  }

  const lose = (events: readonly PendingEvent[], error: unknown): void => {
    onError(error)
    for (const { type } of events) onOutcome(type, 'lost')
  }

  return {
    take(event) {
      if (isClosing) return onOutcome(event.type, 'lost')
      if (queued() + leaving.size >= maxQueued) {
        // Beyond the dead letters that are being written, too, nothing is kept.
        if (leaving.size < maxQueued) return bury(event, 'too many events wait')
        return onOutcome(event.type, 'lost')
      }
      ready.push(event)
      run()
    },
    queued,
    async close(graceMs) {
      isClosing = true
      for (const cancel of sleeping.values()) cancel()
      const timer = setTimeout(() => stop.abort(), graceMs)
      while (running.size > 0) await Promise.all(running.values())
      clearTimeout(timer)
      await Promise.all(leaving)
      const left = [...sleeping.keys(), ...ready]
      await options.keep(left).catch((error: unknown) => lose(left, error))
    },
  }
}

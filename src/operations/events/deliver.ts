import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { type Schedule, scheduleTimeout } from '../../core/write-queue.ts'
import type { EventType } from '../ports/events.ts'

/** An event to deliver. It is kept over a restart. */
export interface PendingEvent {
  readonly type: EventType
  /** The same at every attempt. */
  readonly id: string
  readonly json: string
  readonly attempts: number
}

/** The result of one attempt. */
export type Attempt =
  | { readonly kind: 'delivered' }
  /** Another attempt can succeed, not before `retryAfterMs`. `reason` never quotes the receiver. */
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs?: number | undefined }
  /** The receiver rejects it permanently. */
  | { readonly kind: 'refused'; readonly reason: string }

/** Delivers one event. Never rejects. `signal` ends the attempt. */
export type AttemptDelivery = (event: PendingEvent, signal: AbortSignal) => Promise<Attempt>

export type DeliveryOutcome = 'delivered' | 'retried' | 'dead-lettered' | 'lost'

export interface DeliveryOptions {
  readonly attempt: AttemptDelivery
  /** Stores an undeliverable event for an operator. */
  readonly deadLetter: (event: PendingEvent, reason: string) => Promise<void>
  /** Stores undelivered events until the next start. */
  readonly keep: (events: readonly PendingEvent[]) => Promise<void>
  readonly onOutcome?: (type: EventType, outcome: DeliveryOutcome) => void
  /** Receives why an event was lost. */
  readonly onError?: (error: unknown) => void
  /** Returns a number from 0 to 1. */
  readonly random: () => number
  readonly maxQueued?: number
  readonly maxAttempts?: number
  /** Attempts under way at a time. */
  readonly atOnce?: number
  readonly schedule?: Schedule
}

/** Delivers events in the background, in no particular order. */
export interface Delivery {
  /** Queues an event. Never throws. */
  take(event: PendingEvent): void
  /** How many events are queued or under way. */
  queued(): number
  /** Continues first attempts for `graceMs`, then stores undelivered events. */
  close(graceMs: number): Promise<void>
}

const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 300_000
/** The longest wait that a receiver may request. */
const LONGEST_RETRY_AFTER_MS = 3_600_000

/** Attempts each event until it is delivered, at most `maxAttempts` times. The default takes about a quarter of an hour. */
export function createDelivery(options: DeliveryOptions): Delivery {
  const { attempt, random, maxQueued = 10_000, maxAttempts = 10, atOnce = 4, schedule = scheduleTimeout } = options
  const { onOutcome = () => {}, onError = () => {} } = options
  const ready: PendingEvent[] = []
  const sleeping = new Map<PendingEvent, () => void>()
  const running = new Map<PendingEvent, Promise<void>>()
  const leaving = new Set<Promise<void>>()
  const stop = new AbortController()
  /** Accepts no event. After `stop`, attempts none either. */
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
      // The stop of this process cut it short: that does not count as an attempt.
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
    // Random, so that events that failed together are not all retried together.
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
        // The dead letters under way are bounded too.
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

/** The headers that a receiver verifies. */
type WebhookHeaders = Readonly<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>>

const PREFIX = 'whsec_'
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** The minimum size of a secret, in bytes. @see Standard Webhooks, Signature scheme */
const MIN_SECRET = 24

/** The key of a secret: `whsec_` and base64, or plain text. Throws ERR_CONFIG_INVALID for a short or malformed secret. */
export function readWebhookSecret(secret: string): KeyObject {
  const encoded = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : undefined
  if (encoded !== undefined && !BASE64.test(encoded)) throw badSecret(`expected base64 after ${PREFIX}`)
  const bytes = encoded === undefined ? Buffer.from(secret) : Buffer.from(encoded, 'base64')
  if (bytes.length < MIN_SECRET) throw badSecret(`expected at least ${MIN_SECRET} bytes`)
  return createSecretKey(bytes)
}

/** The headers of one attempt: HMAC-SHA256 over `id.timestamp.body`. @see Standard Webhooks, Signature scheme */
export function signWebhook(key: KeyObject, id: string, atMs: number, body: string): WebhookHeaders {
  const timestamp = String(Math.floor(atMs / 1_000))
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}

function badSecret(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_CONFIG_INVALID', `events.webhook.secret: ${problem}`)
}

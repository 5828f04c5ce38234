import { type AccessKey, signSigV4 } from '../../auth/methods/sigv4-sign.ts'
import { Secret } from '../../core/secret.ts'
import type { Delivery, DeliveryOutcome, PendingEvent } from '../../operations/events/deliver.ts'
import type { EventType } from '../../operations/ports/events.ts'

interface EventBusOptions {
  /** The name or ARN of a bus of EventBridge. */
  readonly bus: string
  readonly region: string
  /** An endpoint other than the one of the region. */
  readonly endpoint?: string | undefined
  readonly accessKey: AccessKey
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onOutcome?: ((type: EventType, outcome: DeliveryOutcome) => void) | undefined
  /** Called with the reason that events were lost. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** The AWS credentials in the environment; undefined if there are none. */
export function accessKeyIn(environment: Readonly<Record<string, string | undefined>>): AccessKey | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = environment
  if (accessKeyId === undefined || secret === undefined) return undefined
  return { accessKeyId, secretAccessKey: new Secret(secret), ...(token && { sessionToken: new Secret(token) }) }
}

/** The most events of one PutEvents call. */
const BATCH = 10
const ATTEMPTS = 3
const TIMEOUT_MS = 1_500
const FLUSH_AFTER_MS = 1_000
const MAX_QUEUED = 10_000
const SOURCE = 'keyspring'

/**
 * Delivery to a bus of EventBridge, in batches: a second after the first event, or on `flush`. The source of an entry is
 * `keyspring`, its detail type is the type of the event, its detail is the CloudEvent.
 * @see https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
 */
export class EventBus implements Delivery {
  readonly #options: EventBusOptions
  #waiting: PendingEvent[] = []
  #sending = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: EventBusOptions) {
    this.#options = options
  }

  take(event: PendingEvent): void {
    if (this.#waiting.length >= MAX_QUEUED) {
      this.#lose([event], new Error('too many events wait for EventBridge'))
      return
    }
    this.#waiting.push(event)
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_AFTER_MS).unref()
  }

  queued(): number {
    return this.#waiting.length + this.#sending
  }

  /** Sends the waiting events to the bus. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const events = this.#waiting
    this.#waiting = []
    this.#sending += events.length
    for (let at = 0; at < events.length; at += BATCH) await this.#send(events.slice(at, at + BATCH))
    this.#sending -= events.length
  }

  close(): Promise<void> {
    return this.flush()
  }

  async #send(events: readonly PendingEvent[]): Promise<void> {
    let left = events
    let reason: unknown
    for (let attempt = 0; attempt < ATTEMPTS && left.length > 0; attempt++) {
      try {
        const accepted = await putEvents(this.#options, left)
        for (const [i, { type }] of left.entries()) {
          if (accepted[i] === true) this.#options.onOutcome?.(type, 'delivered')
        }
        left = left.filter((_, i) => accepted[i] !== true)
        reason = new Error(`EventBridge rejected ${left.length} events`)
      } catch (error) {
        reason = error
      }
    }
    if (left.length > 0) this.#lose(left, reason)
  }

  #lose(events: readonly PendingEvent[], reason: unknown): void {
    for (const { type } of events) this.#options.onOutcome?.(type, 'lost')
    this.#options.onError?.(reason)
  }
}

/** For each event, whether the bus accepted it. Rejects if the bus is unreachable or rejects the whole call. */
async function putEvents(options: EventBusOptions, events: readonly PendingEvent[]): Promise<readonly boolean[]> {
  const { bus, region, endpoint = `https://events.${region}.amazonaws.com`, accessKey, now } = options
  const Entries = events.map(({ type, json }) => ({
    EventBusName: bus,
    Source: SOURCE,
    DetailType: type,
    Detail: json,
  }))
  const body = JSON.stringify({ Entries })
  const headers = {
    host: new URL(endpoint).host,
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'AWSEvents.PutEvents',
  }
  const request = { method: 'POST', rawPath: '/', headers, body }
  const signed = signSigV4(request, accessKey, { region, service: 'events' }, now())
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { ...headers, ...signed },
    body,
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (!response.ok) throw new Error(`EventBridge answered ${response.status}`)
  const answer = (await response.json()) as { readonly Entries?: readonly { readonly ErrorCode?: string }[] }
  return events.map((_, i) => answer.Entries?.[i] !== undefined && answer.Entries[i]?.ErrorCode === undefined)
}

import { type AccessKey, signSigV4 } from '../../auth/methods/sigv4-sign.ts'
import { Secret } from '../../core/secret.ts'
import type { Delivery, DeliveryOutcome, PendingEvent } from '../../operations/events/deliver.ts'
import type { EventType } from '../../operations/ports/events.ts'

export interface EventBusOptions {
  /** The name or ARN of a bus of EventBridge. */
  readonly bus: string
  readonly region: string
  /** Another endpoint than the region's. */
  readonly endpoint?: string | undefined
  readonly accessKey: AccessKey
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onOutcome?: ((type: EventType, outcome: DeliveryOutcome) => void) | undefined
  /** Told why events were lost. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** Delivery in batches: what waits goes out together, a second later or when it is asked to. */
export interface EventBus extends Delivery {
  /** Puts what waits on the bus. Never rejects. */
  flush(): Promise<void>
}

/** What an environment of AWS says of its credentials; undefined where it holds none. */
export function accessKeyIn(environment: Readonly<Record<string, string | undefined>>): AccessKey | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = environment
  if (accessKeyId === undefined || secret === undefined) return undefined
  return { accessKeyId, secretAccessKey: new Secret(secret), ...(token && { sessionToken: new Secret(token) }) }
}

/** PutEvents takes no more at once. */
const BATCH = 10
const ATTEMPTS = 3
const TIMEOUT_MS = 1_500
const FLUSH_AFTER_MS = 1_000
const MAX_QUEUED = 10_000
const SOURCE = 'keyspring'

/**
 * Puts events on a bus of EventBridge: their source is `keyspring`, their detail type that of the event, their detail the CloudEvent.
 * @see https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
 */
export function openEventBus(options: EventBusOptions): EventBus {
  const { onOutcome = () => {}, onError = () => {} } = options
  let waiting: PendingEvent[] = []
  let sending = 0
  let timer: NodeJS.Timeout | undefined

  const lose = (events: readonly PendingEvent[], reason: unknown): void => {
    for (const { type } of events) onOutcome(type, 'lost')
    onError(reason)
  }
  const send = async (events: readonly PendingEvent[]): Promise<void> => {
    let left = events
    let reason: unknown
    for (let attempt = 0; attempt < ATTEMPTS && left.length > 0; attempt++) {
      try {
        const taken = await putEvents(options, left)
        for (const [i, { type }] of left.entries()) if (taken[i] === true) onOutcome(type, 'delivered')
        left = left.filter((_, i) => taken[i] !== true)
        reason = new Error(`EventBridge did not take ${left.length} events`)
      } catch (error) {
        reason = error
      }
    }
    if (left.length > 0) lose(left, reason)
  }
  const flush = async (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    const events = waiting
    waiting = []
    sending += events.length
    for (let at = 0; at < events.length; at += BATCH) await send(events.slice(at, at + BATCH))
    sending -= events.length
  }

  return {
    take(event) {
      if (waiting.length >= MAX_QUEUED) return lose([event], new Error('too many events wait for EventBridge'))
      waiting.push(event)
      timer ??= setTimeout(() => void flush(), FLUSH_AFTER_MS).unref()
    },
    queued: () => waiting.length + sending,
    flush,
    close: () => flush(),
  }
}

/** Which of the events the bus took. Rejects when it cannot be reached, or refuses them all. */
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

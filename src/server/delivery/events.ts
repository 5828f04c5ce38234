import { randomUUID } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { Secret } from '../../core/secret.ts'
import {
  type AttemptDelivery,
  createDelivery,
  type Delivery,
  type DeliveryOptions,
} from '../../operations/events/deliver.ts'
import { createEmit } from '../../operations/events/emit.ts'
import { readWebhookSecret } from '../../operations/events/sign.ts'
import type { Emit, EventType } from '../../operations/ports/events.ts'
import { accessKeyIn, type EventBus, openEventBus } from './event-bus.ts'
import { appendEvents, deadLetters, keepPending, readPending } from './event-files.ts'
import { postEvents, webhookUrlProblem } from './post-event.ts'

/** Who is told of what happens, and what became of it. */
export interface Events {
  readonly emit: Emit
  /** Delivers now what goes out in batches. Never rejects. */
  flush(): Promise<void>
  /** How many events wait. */
  queued(): number
  /** Ends deliveries under way within some seconds, and keeps what is left for the next start. */
  close(): Promise<void>
}

export interface OpenEventsOptions
  extends Pick<DeliveryOptions, 'onOutcome' | 'onError' | 'schedule' | 'maxAttempts' | 'maxQueued'> {
  readonly webhook: { readonly url: string; readonly secret: Secret<string>; readonly timeoutMs: number } | undefined
  /** A bus of EventBridge, by the credentials and the region of the environment. */
  readonly eventBus?: string | undefined
  readonly file: string | undefined
  readonly types: readonly EventType[]
  /** What could not be delivered; what is left at a stop lies beside it. Undefined: both are lost, and counted. */
  readonly deadLetterFile: string | undefined
  readonly node: string
  /** Of the package. */
  readonly version: string
  readonly graceMs?: number
}

/** Opens the deliveries of a configuration, and takes up what the last stop left. Throws ERR_CONFIG_INVALID. */
export async function openEvents(options: OpenEventsOptions): Promise<Events> {
  const { webhook, eventBus, file, types, node, graceMs = 2_000 } = options
  const deliveries: Delivery[] = []
  if (webhook !== undefined) deliveries.push(await open('webhook', postTo(webhook, options.version), options))
  if (file !== undefined) deliveries.push(await open('file', appendEvents(file), { ...options, atOnce: 1 }))
  const bus = eventBus === undefined ? undefined : openBus(eventBus, options)
  if (bus !== undefined) deliveries.push(bus)
  return {
    emit: createEmit({ deliveries, types, node, newId: () => randomUUID().replaceAll('-', '') }),
    flush: async () => bus?.flush(),
    queued: () => deliveries.reduce((sum, delivery) => sum + delivery.queued(), 0),
    async close() {
      await Promise.all(deliveries.map((delivery) => delivery.close(graceMs)))
    },
  }
}

function openBus(bus: string, { onOutcome, onError }: OpenEventsOptions): EventBus {
  const { AWS_REGION: region, AWS_ENDPOINT_URL_EVENTBRIDGE: endpoint } = process.env
  const accessKey = accessKeyIn(process.env)
  if (region === undefined || accessKey === undefined) {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      'events.eventBus: expected AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, as in a function of AWS Lambda',
    )
  }
  return openEventBus({ bus, region, endpoint, accessKey, now: () => Date.now(), onOutcome, onError })
}

function postTo(webhook: NonNullable<OpenEventsOptions['webhook']>, version: string): AttemptDelivery {
  const { url, secret, timeoutMs } = webhook
  const problem = webhookUrlProblem(url)
  if (problem !== undefined) throw new KeyProviderError('ERR_CONFIG_INVALID', `events.webhook.url: ${problem}`)
  return postEvents({ url, key: readWebhookSecret(secret.reveal()), timeoutMs, version })
}

async function open(
  receiver: 'webhook' | 'file',
  attempt: AttemptDelivery,
  options: OpenEventsOptions & Pick<DeliveryOptions, 'atOnce'>,
): Promise<Delivery> {
  const { deadLetterFile, node, onOutcome, onError = () => {}, schedule, maxAttempts, maxQueued, atOnce } = options
  const pendingFile = deadLetterFile && `${deadLetterFile}.${node}.${receiver}.pending`
  const delivery = createDelivery({
    attempt,
    ...(deadLetterFile === undefined || pendingFile === undefined
      ? { deadLetter: nowhere, keep: async (events) => (events.length === 0 ? undefined : nowhere()) }
      : { deadLetter: deadLetters(deadLetterFile, receiver), keep: (events) => keepPending(pendingFile, events) }),
    random: Math.random,
    onError,
    ...(onOutcome && { onOutcome }),
    ...(schedule && { schedule }),
    ...(maxAttempts !== undefined && { maxAttempts }),
    ...(maxQueued !== undefined && { maxQueued }),
    ...(atOnce !== undefined && { atOnce }),
  })
  try {
    const left = pendingFile === undefined ? [] : await readPending(pendingFile)
    for (const event of left) delivery.take(event)
  } catch (error) {
    // Old events must not keep a server from starting; the file is overwritten at the next stop.
    onError(error)
  }
  return delivery
}

async function nowhere(): Promise<void> {
  throw new Error('events.deadLetterFile is not set: what cannot be delivered is lost')
}

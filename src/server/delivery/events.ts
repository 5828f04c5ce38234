import { randomUUID } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { Secret } from '../../core/secret.ts'
import {
  type AttemptDelivery,
  createDelivery,
  type Delivery,
  type DeliveryOptions,
  readWebhookSecret,
} from '../../operations/events/deliver.ts'
import { createEmit } from '../../operations/events/emit.ts'
import type { Emit, EventType } from '../../operations/ports/events.ts'
import { accessKeyIn, EventBus } from './event-bus.ts'
import { appendEvents, deadLetters, keepPending, readPending } from './event-files.ts'
import { isProtectedUrl, postEvents, webhookUrlProblem } from './post.ts'

export interface EventDeliveriesOptions
  extends Pick<DeliveryOptions, 'onOutcome' | 'onError' | 'schedule' | 'maxAttempts' | 'maxQueued'> {
  readonly webhook: { readonly url: string; readonly secret: Secret<string>; readonly timeoutMs: number } | undefined
  /** A bus of EventBridge. Credentials and region come from the environment. */
  readonly eventBus?: string | undefined
  readonly file: string | undefined
  readonly types: readonly EventType[]
  /** Keeps events that no receiver accepted; events that are left at a stop go to a file beside it. Undefined: both are lost, and counted. */
  readonly deadLetterFile: string | undefined
  readonly node: string
  /** Of the package. */
  readonly version: string
  readonly graceMs?: number
}

/** The deliveries of events to every configured receiver. */
export class EventDeliveries {
  readonly emit: Emit
  readonly #deliveries: readonly Delivery[]
  readonly #bus: EventBus | undefined
  readonly #graceMs: number

  /** Opens the deliveries of a configuration and resumes those of the last stop. Throws ERR_CONFIG_INVALID. */
  static async open(options: EventDeliveriesOptions): Promise<EventDeliveries> {
    const { webhook, eventBus, file } = options
    const deliveries: Delivery[] = []
    if (webhook !== undefined) deliveries.push(await open('webhook', postTo(webhook, options.version), options))
    if (file !== undefined) deliveries.push(await open('file', appendEvents(file), { ...options, atOnce: 1 }))
    return new EventDeliveries(options, deliveries, eventBus === undefined ? undefined : openBus(eventBus, options))
  }

  private constructor(options: EventDeliveriesOptions, deliveries: readonly Delivery[], bus: EventBus | undefined) {
    const { types, node, graceMs = 2_000 } = options
    this.#deliveries = bus === undefined ? deliveries : [...deliveries, bus]
    this.#bus = bus
    this.#graceMs = graceMs
    const newId = () => randomUUID().replaceAll('-', '')
    this.emit = createEmit({ deliveries: this.#deliveries, types, node, newId })
  }

  /** Delivers the events that wait for their batch. Never rejects. */
  async flush(): Promise<void> {
    await this.#bus?.flush()
  }

  /** The number of events that wait. */
  queued(): number {
    return this.#deliveries.reduce((sum, delivery) => sum + delivery.queued(), 0)
  }

  /** Ends deliveries within some seconds and keeps the rest for the next start. */
  async close(): Promise<void> {
    await Promise.all(this.#deliveries.map((delivery) => delivery.close(this.#graceMs)))
  }
}

function openBus(bus: string, { onOutcome, onError }: EventDeliveriesOptions): EventBus {
  const { AWS_REGION: region, AWS_ENDPOINT_URL_EVENTBRIDGE: endpoint } = process.env
  const accessKey = accessKeyIn(process.env)
  if (endpoint !== undefined && !isProtectedUrl(endpoint)) {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      'AWS_ENDPOINT_URL_EVENTBRIDGE: expected an https URL, or an http URL of a loopback address',
    )
  }
  if (region === undefined || accessKey === undefined) {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      'events.eventBus: expected AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, as in a function of AWS Lambda',
    )
  }
  return new EventBus({ bus, region, endpoint, accessKey, now: () => Date.now(), onOutcome, onError })
}

function postTo(webhook: NonNullable<EventDeliveriesOptions['webhook']>, version: string): AttemptDelivery {
  const { url, secret, timeoutMs } = webhook
  const problem = webhookUrlProblem(url)
  if (problem !== undefined) throw new KeyProviderError('ERR_CONFIG_INVALID', `events.webhook.url: ${problem}`)
  return postEvents({ url, key: readWebhookSecret(secret.reveal()), timeoutMs, version })
}

async function open(
  receiver: 'webhook' | 'file',
  attempt: AttemptDelivery,
  options: EventDeliveriesOptions & Pick<DeliveryOptions, 'atOnce'>,
): Promise<Delivery> {
  const { deadLetterFile, node, onOutcome, onError = () => {}, schedule, maxAttempts, maxQueued, atOnce } = options
  const pendingFile = deadLetterFile && `${deadLetterFile}.${node}.${receiver}.pending`
  const delivery = createDelivery({
    attempt,
    ...(deadLetterFile === undefined || pendingFile === undefined
      ? { deadLetter: noFile, keep: async (events) => (events.length === 0 ? undefined : noFile()) }
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
    // Old events must not prevent a start. The next stop overwrites the file.
    onError(error)
  }
  return delivery
}

async function noFile(): Promise<void> {
  throw new Error('events.deadLetterFile is not set: events that cannot be delivered are lost')
}

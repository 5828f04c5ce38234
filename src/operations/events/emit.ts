import { createHash } from 'node:crypto'
import type { Emit, EventType, KeyspringEvent } from '../ports/events.ts'
import type { Delivery } from './deliver.ts'

interface EmitOptions {
  /** Every delivery gets every event. */
  readonly deliveries: readonly Pick<Delivery, 'take'>[]
  /** The types that are delivered. */
  readonly types: readonly EventType[]
  readonly node: string
  readonly newId: () => string
  readonly refusalsPerMinute?: number
}

/** Passes events of these types to the deliveries, and bounds floods. */
export function createEmit({ deliveries, types, node, newId, refusalsPerMinute }: EmitOptions): Emit {
  if (deliveries.length === 0) return () => {}
  return boundEvents({
    ...(refusalsPerMinute !== undefined && { perMinute: refusalsPerMinute }),
    emit(event) {
      if (!types.includes(event.type)) return
      const { id, json } = toCloudEvent(event, node, newId)
      for (const delivery of deliveries) delivery.take({ type: event.type, id, json, attempts: 0 })
    },
  })
}

/**
 * Passes a bounded number of refusals and failures of each code in a minute. Counts the rest; the next event that passes has
 * the count as `suppressed`.
 */
export function boundEvents({ emit, perMinute = 10 }: BoundOptions): Emit {
  const windows = new Map<string, Window>()
  const suppressed = new Map<string, number>()
  return (event) => {
    if (!BOUNDED.includes(event.type)) return emit(event)
    const kind = kindOf(event)
    const known = windows.get(kind)
    const window = known === undefined || event.at - known.start >= MINUTE_MS ? { start: event.at, passed: 0 } : known
    if (windows.size < MAX_KINDS || known !== undefined) windows.set(kind, window)
    const before = suppressed.get(kind) ?? 0
    if (window.passed >= perMinute) {
      suppressed.set(kind, before + 1)
      return
    }
    window.passed++
    suppressed.delete(kind)
    emit(before === 0 ? event : { ...event, data: { ...event.data, suppressed: before } })
  }
}

interface BoundOptions {
  readonly emit: Emit
  /** How many events of one kind pass in a minute. */
  readonly perMinute?: number
}

interface Window {
  readonly start: number
  passed: number
}

const MINUTE_MS = 60_000

/** Events that an anonymous caller can cause at will. */
const BOUNDED: readonly EventType[] = ['request.refused', 'seal.failure']

/** Error codes are a closed set, so this limit is not reached. */
const MAX_KINDS = 200

function kindOf({ type, data }: KeyspringEvent): string {
  return `${type} ${data.code ?? ''}`
}

/** A delivered event. */
interface CloudEvent {
  /** The same at every attempt: a receiver ignores an ID that it knows. */
  readonly id: string
  /** application/cloudevents+json. */
  readonly json: string
}

/** The prefix of every event type. */
const TYPE_PREFIX = 'io.keyspring.'
/** Characters that attributes of CloudEvents must not contain: control characters and noncharacters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the expression finds control characters
const NO_ATTRIBUTE = /[\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]/

/**
 * An event in the structured JSON of CloudEvents. `data` always has the contentId; `subject` has it if it is valid as an
 * attribute.
 * @see CloudEvents 1.0.2, 3; CloudEvents JSON format 1.0.2, 3
 */
export function toCloudEvent(event: KeyspringEvent, node: string, newId: () => string): CloudEvent {
  const { type, tenant, contentId, at, data } = event
  const id = `evt_${event.id === undefined ? newId() : digest(event.id)}`
  const json = JSON.stringify({
    specversion: '1.0',
    id,
    source: `keyspring/${node}`,
    type: TYPE_PREFIX + type,
    subject: attribute(contentId),
    time: new Date(at).toISOString(),
    tenant: attribute(tenant),
    datacontenttype: 'application/json',
    data: { ...bounded(data), contentId },
  })
  return { id, json }
}

const MAX_TEXT = 1024
const MAX_LIST = 100

/** Cuts long text of operators. */
function bounded(data: KeyspringEvent['data']): KeyspringEvent['data'] {
  const cut = (text: string): string => text.slice(0, MAX_TEXT)
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => {
      if (typeof value === 'string') return [name, cut(value)]
      return [name, typeof value === 'object' ? value.slice(0, MAX_LIST).map(cut) : value]
    }),
  )
}

function attribute(text: string | undefined): string | undefined {
  return text === undefined || text === '' || !text.isWellFormed() || NO_ATTRIBUTE.test(text) ? undefined : text
}

/** An ID that is valid in a header. */
function digest(id: string): string {
  return createHash('sha256').update(id).digest('base64url').slice(0, 24)
}

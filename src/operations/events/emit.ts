import type { Emit, EventType, KeyspringEvent } from '../ports/events.ts'
import { toCloudEvent } from './cloudevent.ts'
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

import type { Emit, EventType, KeyspringEvent } from '../ports/events.ts'
import { toCloudEvent } from './cloudevent.ts'
import type { Delivery } from './deliver.ts'

export interface EmitOptions {
  /** Where events go: every one to each. */
  readonly deliveries: readonly Pick<Delivery, 'take'>[]
  /** Which are delivered at all. */
  readonly types: readonly EventType[]
  readonly node: string
  readonly newId: () => string
  readonly refusalsPerMinute?: number
}

/** Hands events of some types on to be delivered, floods bounded. */
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
 * Lets so many refusals and failures of each code through in a minute. The rest are counted, and the next one that goes
 * through says how many as `suppressed`.
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

export interface BoundOptions {
  readonly emit: Emit
  /** Events of one kind that go through in a minute. */
  readonly perMinute?: number
}

interface Window {
  readonly start: number
  passed: number
}

const MINUTE_MS = 60_000

/** Events that somebody outside can cause at will. */
const BOUNDED: readonly EventType[] = ['request.refused', 'seal.failure']

/** Codes are a closed set: this is only reached by a mistake. */
const MAX_KINDS = 200

function kindOf({ type, data }: KeyspringEvent): string {
  return `${type} ${data.code ?? ''}`
}

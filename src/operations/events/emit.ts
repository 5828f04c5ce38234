import type { Emit, EventType } from '../ports/events.ts'
import { boundEvents } from './bound.ts'
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

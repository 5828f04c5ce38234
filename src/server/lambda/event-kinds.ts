import { KeyProviderError } from '../../core/errors.ts'
import { type EventKind, type Fields, fieldsOf } from './event-kind.ts'
import { httpApi } from './http-api.ts'
import { loadBalancer } from './load-balancer.ts'
import { restApi } from './rest-api.ts'
import { schedule } from './schedule.ts'

/** The kinds of events that are understood. */
export const EVENT_KINDS: readonly EventKind[] = [restApi, httpApi, loadBalancer, schedule]

/** The kind of an event. Throws ERR_USAGE_INVALID for one that is of none, or of two. */
export function kindOf(event: unknown): { readonly kind: EventKind; readonly fields: Fields } {
  const fields = fieldsOf(event)
  const [kind, second] = EVENT_KINDS.filter((one) => one.recognizes(fields))
  if (kind !== undefined && second === undefined) return { kind, fields }
  throw new KeyProviderError(
    'ERR_USAGE_INVALID',
    `the event is of no kind that is known: expected one of ${EVENT_KINDS.map(({ name }) => name).join(', ')}`,
  )
}

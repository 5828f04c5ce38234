import type { EventKind } from './event-kind.ts'

/** A schedule of EventBridge, which says that it is time. @see https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-scheduled-events.html */
export const schedule: EventKind = {
  name: 'EventBridge schedule',
  recognizes: (event) => event['detail-type'] === 'Scheduled Event',
  toRequest: () => undefined,
  toResult: ({ status }) => ({ statusCode: status }),
}

import { type EventKind, LAMBDA_RESULT_BYTES } from './event-kind.ts'

/** A schedule of EventBridge, which says that it is time. @see https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-scheduled-events.html */
export const schedule: EventKind = {
  name: 'EventBridge schedule',
  maxResultBytes: LAMBDA_RESULT_BYTES,
  recognizes: (event) => event['detail-type'] === 'Scheduled Event',
  toRequest: () => undefined,
  toResult: ({ status }) => ({ statusCode: status }),
}

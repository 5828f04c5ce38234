import { KeyProviderError } from '../../core/errors.ts'
import type { FunctionServer, ScheduledTask } from '../assemble/function.ts'
import { type EventKind, type Fields, fieldsOf, LAMBDA_RESULT_BYTES } from './event-kind.ts'

/** A schedule of EventBridge. @see https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-scheduled-events.html */
export const schedule: EventKind = {
  name: 'EventBridge schedule',
  maxResultBytes: LAMBDA_RESULT_BYTES,
  recognizes: (event) => event['detail-type'] === 'Scheduled Event',
  toRequest: () => undefined,
  toResult: ({ status }) => ({ statusCode: status }),
}

const TASKS: readonly ScheduledTask[] = ['rotations', 'expiry']

/**
 * Runs the tasks of a scheduled event: `tasks` of its `detail`, or all tasks if it names none. A failed task does not stop the
 * others. Rejects after them, so that Lambda counts the failure and retries.
 */
export async function runScheduled({ tasks }: Pick<FunctionServer, 'tasks'>, event: Fields): Promise<void> {
  const failures: unknown[] = []
  for (const task of tasksOf(event)) {
    try {
      await tasks[task]()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 1) throw new AggregateError(failures, failures.map(String).join('; '))
  if (failures.length > 0) throw failures[0]
}

function tasksOf(event: Fields): readonly ScheduledTask[] {
  const { tasks } = fieldsOf(event.detail)
  if (tasks === undefined) return TASKS
  const named: readonly unknown[] = Array.isArray(tasks) ? tasks : [tasks]
  if (named.length > 0 && named.every((one) => TASKS.some((task) => task === one))) {
    return TASKS.filter((task) => named.includes(task))
  }
  throw new KeyProviderError(
    'ERR_USAGE_INVALID',
    `detail.tasks of the scheduled event: expected a list of ${TASKS.join(', ')}, or nothing for all of them`,
  )
}

import { KeyProviderError } from '../../core/errors.ts'
import type { FunctionServer, ScheduledTask } from '../assemble/function.ts'
import { type Fields, fieldsOf } from './event-kind.ts'

const TASKS: readonly ScheduledTask[] = ['rotations', 'expiry']

/**
 * Does what a scheduled event asks for: `tasks` of its `detail`, all where it names none. One that fails keeps no other from being
 * done; then this rejects, so that Lambda counts it and asks again.
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

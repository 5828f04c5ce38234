import { Aws, type CfnCondition, type Stack } from 'aws-cdk-lib'
import { CfnRule } from 'aws-cdk-lib/aws-events'
import { CfnPermission } from 'aws-cdk-lib/aws-lambda'
import { under } from './conditions.ts'
import { type FunctionOptions, lambdaFunction } from './function.ts'

/** What Keyspring does when such an event names it. */
export type ScheduledTask = 'expiry' | 'rotations'

export interface ScheduledOptions extends FunctionOptions {
  /** The one thing that it does. */
  readonly task: ScheduledTask
  readonly every: string
}

/** A function that is called by the clock, if it is made: one of its own for each task, with the rights that this task needs. */
export function scheduled(stack: Stack, id: string, isMade: CfnCondition, options: ScheduledOptions) {
  const { task, every, ...made } = options
  const { fn, all } = lambdaFunction(stack, id, made)
  const rule = new CfnRule(stack, `${id}Schedule`, {
    description: `When this is done: ${options.description}`,
    scheduleExpression: every,
    state: 'ENABLED',
    targets: [{ id: id.toLowerCase(), arn: fn.attrArn, input: inputOf(task) }],
  })
  const permission = new CfnPermission(stack, `ScheduleCalls${id}`, {
    action: 'lambda:InvokeFunction',
    functionName: fn.attrArn,
    principal: 'events.amazonaws.com',
    sourceAccount: Aws.ACCOUNT_ID,
    sourceArn: rule.attrArn,
  })
  under(isMade, ...all, rule, permission)
  return fn
}

/** The event of a schedule, with what it is for. */
function inputOf(task: ScheduledTask): string {
  return JSON.stringify({ source: 'aws.events', 'detail-type': 'Scheduled Event', detail: { tasks: [task] } })
}

import { Aws, type CfnCondition, type Stack } from 'aws-cdk-lib'
import { CfnRule } from 'aws-cdk-lib/aws-events'
import { CfnPermission } from 'aws-cdk-lib/aws-lambda'
import { under } from './conditions.ts'
import { type FunctionOptions, lambdaFunction } from './function.ts'

/** It looks through the whole table, each time. */
const EVERY = 'rate(1 hour)'

/** What destroys contents whose time has passed, where any may: a function of its own, for it alone may look through the table. */
export function sweeper(stack: Stack, isMade: CfnCondition, options: Omit<FunctionOptions, 'description'>) {
  const { fn, all } = lambdaFunction(stack, 'Sweeper', {
    ...options,
    description: 'Keyspring: destroys contents that have expired',
  })
  const rule = new CfnRule(stack, 'SweeperSchedule', {
    description: 'When contents that have expired are destroyed',
    scheduleExpression: EVERY,
    state: 'ENABLED',
    targets: [{ id: 'sweeper', arn: fn.attrArn }],
  })
  const permission = new CfnPermission(stack, 'ScheduleCallsSweeper', {
    action: 'lambda:InvokeFunction',
    functionName: fn.attrArn,
    principal: 'events.amazonaws.com',
    sourceAccount: Aws.ACCOUNT_ID,
    sourceArn: rule.attrArn,
  })
  under(isMade, ...all, rule, permission)
  return fn
}

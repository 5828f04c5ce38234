import {
  Aws,
  CfnCondition,
  type CfnParameter,
  type CfnResource,
  Fn,
  type ICfnConditionExpression,
  type Stack,
} from 'aws-cdk-lib'

/** A condition that holds when a parameter has this value. */
export function whenEqual(stack: Stack, id: string, parameter: CfnParameter, value: string): CfnCondition {
  return new CfnCondition(stack, id, { expression: Fn.conditionEquals(textOf(parameter), value) })
}

/** A condition that holds when a parameter has any value. */
export function whenSet(stack: Stack, id: string, parameter: CfnParameter): CfnCondition {
  return new CfnCondition(stack, id, { expression: isSet(parameter) })
}

export function isSet(parameter: CfnParameter): ICfnConditionExpression {
  return Fn.conditionNot(Fn.conditionEquals(textOf(parameter), ''))
}

/** A value that is there only under a condition: without it the property is left out. */
export function only(condition: CfnCondition, value: unknown): string {
  return Fn.conditionIf(condition.logicalId, value, Aws.NO_VALUE).toString()
}

/** As `only`, for a property that is no text. */
export function onlyAny(condition: CfnCondition, value: unknown): never {
  return Fn.conditionIf(condition.logicalId, value, Aws.NO_VALUE) as never
}

/** Makes resources only under a condition. */
export function under(condition: CfnCondition, ...resources: readonly CfnResource[]): void {
  for (const resource of resources) resource.cfnOptions.condition = condition
}

/** A list without anything is a list of one empty text. */
function textOf(parameter: CfnParameter): string {
  return parameter.type === 'CommaDelimitedList' ? Fn.select(0, parameter.valueAsList) : parameter.valueAsString
}

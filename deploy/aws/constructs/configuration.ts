import { CfnCondition, type CfnParameter, Fn, type Stack } from 'aws-cdk-lib'
import { isSet, only, whenSet } from './conditions.ts'
import type { SERVERLESS_PARAMETERS } from './parameter-table.ts'
import { configurationStatement } from './statements.ts'

/** What the functions are told beyond single settings. What there is none of is left out. */
export interface Configuration {
  /** Where the operator's own file is. */
  readonly arn: string
  /** The right to read it. */
  readonly reads: string
  /** The text of a file that says which contents expire. */
  readonly text: string
  /** Whether anything may expire. */
  readonly mayExpire: CfnCondition
}

/**
 * A file of the operator's own, or one that says which contents expire: those that are named as live, and no other. A content
 * that no pattern fits is of the class `forever`.
 */
export function configuration(
  stack: Stack,
  asked: Readonly<Record<keyof typeof SERVERLESS_PARAMETERS, CfnParameter>>,
): Configuration {
  const { ConfigurationArn, LiveContentIds, LiveRetentionDays } = asked
  const hasOwn = whenSet(stack, 'HasConfiguration', ConfigurationArn)
  const hasLive = new CfnCondition(stack, 'LiveContentsExpire', {
    expression: Fn.conditionAnd(
      Fn.conditionNot(isSet(ConfigurationArn)),
      isSet(LiveContentIds),
      Fn.conditionNot(Fn.conditionEquals(LiveRetentionDays.valueAsString, '0')),
    ),
  })
  const own = ConfigurationArn.valueAsString
  // JSON, which is YAML. The patterns of the parameters let no quote through.
  const text = Fn.sub(
    '{"retention":{"classes":{"live":{"keep":"${LiveRetentionDays}d"}},"contents":[{"contentId":"${Patterns}","class":"live"}]}}',
    { Patterns: Fn.join('","class":"live"},{"contentId":"', LiveContentIds.valueAsList) },
  )
  return {
    arn: only(hasOwn, own),
    reads: only(hasOwn, configurationStatement(own)),
    text: only(hasLive, text),
    mayExpire: new CfnCondition(stack, 'ContentsMayExpire', { expression: Fn.conditionOr(hasOwn, hasLive) }),
  }
}

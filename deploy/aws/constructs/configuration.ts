import { CfnCondition, type CfnParameter, Fn, type Stack } from 'aws-cdk-lib'
import { CfnParameter as CfnStoredParameter } from 'aws-cdk-lib/aws-ssm'
import { isSet, only, under, whenSet } from './conditions.ts'
import type { SERVERLESS_PARAMETERS } from './parameter-table.ts'
import { configurationStatement } from './statements.ts'

/** Where the functions find what only a file can say, and the right to read it. Both are left out where there is nothing to say. */
export interface Configuration {
  readonly arn: string
  readonly reads: string
}

/**
 * A file of the operator's own, or one that says which contents expire: those that are named as live, and no other. A content
 * that no pattern fits is of the class `forever`.
 */
export function configuration(
  stack: Stack,
  {
    ConfigurationArn,
    LiveContentIds,
    LiveRetentionDays,
  }: Readonly<Record<keyof typeof SERVERLESS_PARAMETERS, CfnParameter>>,
): Configuration {
  const hasOwn = whenSet(stack, 'HasConfiguration', ConfigurationArn)
  const hasLive = new CfnCondition(stack, 'LiveContentsExpire', {
    expression: Fn.conditionAnd(
      Fn.conditionNot(isSet(ConfigurationArn)),
      isSet(LiveContentIds),
      Fn.conditionNot(Fn.conditionEquals(LiveRetentionDays.valueAsString, '0')),
    ),
  })
  const separator = '","class":"live"},{"contentId":"'
  const stored = new CfnStoredParameter(stack, 'Configuration', {
    type: 'String',
    description: Fn.sub('Keyspring ${AWS::StackName}: which contents expire. JSON, which is YAML'),
    value: Fn.sub(
      '{"retention":{"classes":{"live":{"keep":"${Days}d"}},"contents":[{"contentId":"${Patterns}","class":"live"}]}}',
      { Days: LiveRetentionDays.valueAsString, Patterns: Fn.join(separator, LiveContentIds.valueAsList) },
    ),
  })
  under(hasLive, stored)
  const storedArn = Fn.sub('arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${Name}', {
    Name: stored.ref,
  })
  const own = ConfigurationArn.valueAsString
  return {
    arn: Fn.conditionIf(hasOwn.logicalId, own, only(hasLive, storedArn)).toString(),
    reads: Fn.conditionIf(
      hasOwn.logicalId,
      configurationStatement(own),
      only(hasLive, configurationStatement(storedArn)),
    ).toString(),
  }
}

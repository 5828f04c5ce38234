import { type CfnCondition, CfnDeletionPolicy, Fn, type Stack } from 'aws-cdk-lib'
import { CfnAccount } from 'aws-cdk-lib/aws-apigateway'
import { under } from './conditions.ts'
import { role } from './roles.ts'

/**
 * The role with which every API of the account and region writes logs. It outlives the stack: other APIs may use it by then.
 * Returns a text that a stage has to hold, for it may only be made after the role is set.
 */
export function apiGatewayLogRole(stack: Stack, isMade: CfnCondition): string {
  const logRole = role(stack, 'RoleOfApiGatewayLogs', {
    description: 'Lets API Gateway write logs of the APIs of this account and region',
    principal: { Service: 'apigateway.amazonaws.com' },
    policies: [],
    managedPolicyArns: [
      Fn.sub('arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs'),
    ],
  })
  const account = new CfnAccount(stack, 'ApiGatewayAccount', { cloudWatchRoleArn: logRole.attrArn })
  for (const { cfnOptions } of [logRole, account]) {
    cfnOptions.deletionPolicy = CfnDeletionPolicy.RETAIN
    cfnOptions.updateReplacePolicy = CfnDeletionPolicy.RETAIN
  }
  under(isMade, logRole, account)
  const made = Fn.sub('Logs are written with the role of ${Account}', { Account: account.ref })
  return Fn.conditionIf(isMade.logicalId, made, 'Logs are written with the role of the account').toString()
}

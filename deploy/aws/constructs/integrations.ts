import { Aws, Fn, type Stack } from 'aws-cdk-lib'
import type { CfnMethod, CfnRestApi } from 'aws-cdk-lib/aws-apigateway'
import { type CfnFunction, CfnPermission } from 'aws-cdk-lib/aws-lambda'

/** A little more than the function may take: its own answer says more than the gateway's 504. */
const FUNCTION_TIMEOUT_MS = 12_000

/** The function answers, with its own status and headers. */
export function functionIntegration(fn: CfnFunction): CfnMethod.IntegrationProperty {
  return {
    type: 'AWS_PROXY',
    integrationHttpMethod: 'POST',
    timeoutInMillis: FUNCTION_TIMEOUT_MS,
    uri: Fn.sub(
      'arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Function}/invocations',
      { Function: fn.attrArn },
    ),
  }
}

/** Lets one stage of one API call the function, and nobody else. */
export function letCall(stack: Stack, id: string, fn: CfnFunction, api: CfnRestApi, stageName: string): CfnPermission {
  return new CfnPermission(stack, id, {
    action: 'lambda:InvokeFunction',
    functionName: fn.attrArn,
    principal: 'apigateway.amazonaws.com',
    sourceAccount: Aws.ACCOUNT_ID,
    sourceArn: Fn.sub(`arn:\${AWS::Partition}:execute-api:\${AWS::Region}:\${AWS::AccountId}:\${Api}/${stageName}/*`, {
      Api: api.ref,
    }),
  })
}

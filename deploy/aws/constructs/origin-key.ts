import { Fn, type Stack } from 'aws-cdk-lib'
import { CfnApiKey, type CfnRestApi, type CfnStage, CfnUsagePlan, CfnUsagePlanKey } from 'aws-cdk-lib/aws-apigateway'
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'

/** What CloudFront proves itself by to the API: a random key that AWS makes and no template, parameter or output holds. */
export function originKey(
  stack: Stack,
  api: CfnRestApi,
  stage: CfnStage,
  limit: { readonly rateLimit: number; readonly burstLimit: number },
) {
  const secret = new CfnSecret(stack, 'OriginKeySecret', {
    description: Fn.sub('Keyspring ${AWS::StackName}: by what CloudFront proves itself to the API for players'),
    generateSecretString: { passwordLength: 64, excludePunctuation: true },
  })
  const value = Fn.sub('{{resolve:secretsmanager:${Secret}:SecretString}}', { Secret: secret.ref })
  const key = new CfnApiKey(stack, 'OriginKey', { enabled: true, value, description: 'Of CloudFront' })
  const plan = new CfnUsagePlan(stack, 'OriginKeyPlan', {
    description: 'Requests that come by CloudFront',
    apiStages: [{ apiId: api.ref, stage: stage.ref }],
    throttle: { ...limit },
  })
  const member = new CfnUsagePlanKey(stack, 'OriginKeyPlanKey', {
    keyId: key.ref,
    keyType: 'API_KEY',
    usagePlanId: plan.ref,
  })
  return { value, all: [secret, key, plan, member] }
}

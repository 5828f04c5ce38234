import { CfnCondition, type CfnParameter, Fn, type Stack } from 'aws-cdk-lib'
import { CfnApiKey, type CfnRestApi, type CfnStage, CfnUsagePlan, CfnUsagePlanKey } from 'aws-cdk-lib/aws-apigateway'
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager'
import { under } from './conditions.ts'

export interface OriginKeyOptions {
  readonly api: CfnRestApi
  readonly stage: CfnStage
  readonly limit: { readonly rateLimit: number; readonly burstLimit: number }
  /** `a` or `b`: the other one is another key. */
  readonly letter: CfnParameter
  readonly isMade: CfnCondition
}

/**
 * What CloudFront proves itself by to the API: a random key that AWS makes and no template, parameter or output holds. Returns the
 * reference to it. Changing the letter makes a new one; the old one is taken back when CloudFront has the new one everywhere.
 */
export function originKey(stack: Stack, { api, stage, limit, letter, isMade }: OriginKeyOptions): string {
  const secretOf = (id: string) =>
    new CfnSecret(stack, `OriginKeySecret${id}`, {
      description: Fn.sub('Keyspring ${AWS::StackName}: by what CloudFront proves itself to the API for players'),
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
    })
  const isLetter = (value: string) => Fn.conditionAnd(isMade, Fn.conditionEquals(letter.valueAsString, value))
  const usesA = new CfnCondition(stack, 'UsesOriginKeyA', { expression: isLetter('a') })
  const usesB = new CfnCondition(stack, 'UsesOriginKeyB', { expression: isLetter('b') })
  const [a, b] = [secretOf('A'), secretOf('B')]
  under(usesA, a)
  under(usesB, b)
  const reference = (secret: CfnSecret) =>
    Fn.sub('{{resolve:secretsmanager:${Secret}:SecretString}}', { Secret: secret.ref })
  const value = Fn.conditionIf(usesA.logicalId, reference(a), reference(b)).toString()

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
  under(isMade, key, plan, member)
  return value
}

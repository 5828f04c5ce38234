import { type CfnParameter, CfnRule, Fn, type ICfnConditionExpression, type Stack } from 'aws-cdk-lib'
import { isSet } from './conditions.ts'
import type { SERVERLESS_PARAMETERS } from './parameter-table.ts'

/** Answers that do not go together, and what the console says of them before it makes anything. */
export function rules(stack: Stack, asked: Readonly<Record<keyof typeof SERVERLESS_PARAMETERS, CfnParameter>>): void {
  const access = asked.PlayerAccess.valueAsString
  const isAccess = (kind: string) => Fn.conditionEquals(access, kind)
  const table: readonly (readonly [
    id: string,
    when: ICfnConditionExpression,
    needs: ICfnConditionExpression,
    says: string,
  ])[] = [
    [
      'PlayersNeedADomain',
      Fn.conditionNot(isAccess('off')),
      Fn.conditionAnd(isSet(asked.PlayerDomainName), isSet(asked.PlayerCertificateArn)),
      'Players need PlayerDomainName and PlayerCertificateArn: else CloudFront takes TLS 1.0',
    ],
    [
      'SignedNeedsAPublicKey',
      isAccess('signed'),
      Fn.conditionOr(isSet(asked.PlayerPublicKey), isSet(asked.PlayerPublicKeyB)),
      'PlayerAccess signed needs PlayerPublicKey or PlayerPublicKeyB',
    ],
    [
      'TokensNeedAKey',
      isAccess('jwt'),
      Fn.conditionOr(isSet(asked.PlayerJwksUrl), isSet(asked.PlayerJwtSecretArn)),
      'PlayerAccess jwt needs PlayerJwksUrl or PlayerJwtSecretArn',
    ],
    [
      'OneConfiguration',
      isSet(asked.ConfigurationArn),
      Fn.conditionNot(isSet(asked.LiveContentIds)),
      'The configuration at ConfigurationArn says itself what expires: leave LiveContentIds empty',
    ],
    [
      'RootSecretLastsForEver',
      isSet(asked.RootSecretArn),
      Fn.conditionNot(isSet(asked.LiveContentIds)),
      'With RootSecretArn no content has a secret that could be destroyed: leave LiveContentIds empty',
    ],
    [
      'LiveContentsNeedDays',
      isSet(asked.LiveContentIds),
      Fn.conditionNot(Fn.conditionEquals(asked.LiveRetentionDays.valueAsString, '0')),
      'LiveContentIds needs LiveRetentionDays of 1 or more',
    ],
  ]
  for (const [id, ruleCondition, assert, assertDescription] of table) {
    new CfnRule(stack, id, { ruleCondition, assertions: [{ assert, assertDescription }] })
  }
}

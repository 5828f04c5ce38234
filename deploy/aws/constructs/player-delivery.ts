import { CfnCondition, type CfnParameter, Fn, type Stack } from 'aws-cdk-lib'
import { onlyAny, under, whenSet } from './conditions.ts'
import { distribution } from './distribution.ts'
import type { Environment } from './environment.ts'
import { type FunctionOptions, lambdaFunction } from './function.ts'
import { functionIntegration, letCall } from './integrations.ts'
import { originKey } from './origin-key.ts'
import type { OPERATION_PARAMETERS, SERVERLESS_PARAMETERS } from './parameter-table.ts'
import { playerKeys } from './player-keys.ts'
import { restApi } from './rest-api.ts'
import { PLAYER_ROUTES, PLAYER_STAGE } from './routes.ts'
import { PLAYER_RIGHTS, storeStatements } from './statements.ts'
import type { Storage } from './storage.ts'

export interface PlayerDeliveryOptions {
  readonly parameters: Readonly<
    Record<keyof typeof SERVERLESS_PARAMETERS | keyof typeof OPERATION_PARAMETERS, CfnParameter>
  >
  readonly storage: Storage
  readonly environment: Environment
  readonly common: Pick<FunctionOptions, 'code' | 'handler' | 'memoryMb' | 'timeoutSeconds' | 'logRetentionDays'>
  readonly readsSecrets: readonly string[]
  readonly isMade: CfnCondition
  readonly isSigned: CfnCondition
  readonly hasOrigins: CfnCondition
  readonly stageDescription: string
}

/**
 * How players get keys: CloudFront, an API that only CloudFront can call, a function that can only read.
 *
 * Not a function URL behind an origin access control: for POST the player itself would have to send the hash of its body, and
 * CloudFront's own signature takes the place of the player's Authorization header.
 */
export function playerDelivery(stack: Stack, options: PlayerDeliveryOptions) {
  const { parameters: asked, storage, isMade, isSigned, hasOrigins } = options
  const limits = {
    rateLimit: asked.PlayerRequestsPerSecond.valueAsNumber,
    burstLimit: asked.PlayerBurst.valueAsNumber,
  }
  const limitsConcurrency = new CfnCondition(stack, 'LimitsPlayerConcurrency', {
    expression: Fn.conditionNot(Fn.conditionEquals(asked.PlayerConcurrency.valueAsString, '0')),
  })
  const player = lambdaFunction(stack, 'Player', {
    ...options.common,
    description: 'Keyspring: answers players',
    environment: options.environment,
    statements: [...storeStatements(storage, PLAYER_RIGHTS), ...options.readsSecrets],
    reservedConcurrency: onlyAny(limitsConcurrency, asked.PlayerConcurrency.valueAsNumber),
  })
  const { api, stage, all } = restApi(stack, 'PlayerApi', {
    description: 'Keyspring: keys and licences, for CloudFront alone',
    stageName: PLAYER_STAGE,
    routes: PLAYER_ROUTES,
    integration: () => functionIntegration(player.fn),
    requestsPerSecond: limits.rateLimit,
    burst: limits.burstLimit,
    logRetentionDays: options.common.logRetentionDays,
    stageDescription: options.stageDescription,
  })
  const permission = letCall(stack, 'PlayerApiCallsPlayer', player.fn, api, PLAYER_STAGE)
  under(isMade, ...player.all, ...all, permission)
  const key = originKey(stack, { api, stage, limit: limits, letter: asked.PlayerOriginKey, isMade })
  const { group, keys } = playerKeys(stack, isSigned, asked.PlayerPublicKey, asked.PlayerPublicKeyB)
  const cdn = distribution(stack, {
    api,
    stageName: PLAYER_STAGE,
    originKey: key,
    domainName: asked.PlayerDomainName.valueAsString,
    certificateArn: asked.PlayerCertificateArn.valueAsString,
    keyGroupId: group.ref,
    origins: asked.PlayerOrigins,
    webAclArn: asked.PlayerWebAclArn.valueAsString,
    isMade,
    isSigned,
    hasOrigins,
    hasWebAcl: whenSet(stack, 'HasPlayerWebAcl', asked.PlayerWebAclArn),
  })
  return { player, cdn, keys, stageName: PLAYER_STAGE }
}

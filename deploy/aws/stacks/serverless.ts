import { type App, CfnCondition, Fn } from 'aws-cdk-lib'
import { EXPIRY_ALARMS, PLAYER_ALARMS, ROTATION_ALARMS, SERVERLESS_ALARMS } from '../constructs/alarm-table.ts'
import { alarmTopic, dangerRule } from '../constructs/alarm-topic.ts'
import { alarms } from '../constructs/alarms.ts'
import { apiGatewayLogRole } from '../constructs/api-logs.ts'
import { only, whenEqual, whenSet } from '../constructs/conditions.ts'
import { configuration } from '../constructs/configuration.ts'
import { dashboard } from '../constructs/dashboard.ts'
import { encryptorRoles } from '../constructs/encryptor-roles.ts'
import { issuerEnvironment, playerEnvironment } from '../constructs/environment.ts'
import { lambdaFunction } from '../constructs/function.ts'
import { serverlessGraphs } from '../constructs/graphs.ts'
import { functionIntegration, letCall } from '../constructs/integrations.ts'
import { output } from '../constructs/outputs.ts'
import { ENCRYPTOR_PARAMETERS, OPERATION_PARAMETERS, SERVERLESS_PARAMETERS } from '../constructs/parameter-table.ts'
import { parameters } from '../constructs/parameters.ts'
import { playerDelivery } from '../constructs/player-delivery.ts'
import { methodArn, restApi, stageUrl } from '../constructs/rest-api.ts'
import { encryptorOutputs } from '../constructs/role-outputs.ts'
import { SPEKE_ROUTES, SPEKE_STAGE } from '../constructs/routes.ts'
import { rules } from '../constructs/rules.ts'
import { scheduled } from '../constructs/scheduled.ts'
import {
  eventStatement,
  ISSUER_RIGHTS,
  SWEEPER_RIGHTS,
  secretStatement,
  storeStatements,
  WATCHER_RIGHTS,
} from '../constructs/statements.ts'
import { storage } from '../constructs/storage.ts'
import { encryptorWebAcl } from '../constructs/web-acl.ts'
import { PlainStack } from '../plain-stack.ts'

const TIMEOUT_SECONDS = 10
const SWEEP_TIMEOUT_SECONDS = 300
const WATCH_TIMEOUT_SECONDS = 120
/** It looks through the whole table, each time. */
const SWEEP_EVERY = 'rate(1 hour)'
const WATCH_EVERY = 'rate(5 minutes)'

/** Keyspring as functions: API Gateway and CloudFront in front, DynamoDB and KMS behind. */
export function serverlessStack(app: App, name: string): PlainStack {
  const stack = new PlainStack(app, name, 'Keyspring, a SPEKE and CPIX key provider, serverless')
  const asked = parameters(stack, { ...SERVERLESS_PARAMETERS, ...ENCRYPTOR_PARAMETERS, ...OPERATION_PARAMETERS })
  const text = (parameter: keyof typeof asked) => asked[parameter].valueAsString
  const count = (parameter: keyof typeof asked) => asked[parameter].valueAsNumber

  const makesTable = whenEqual(stack, 'MakesTable', asked.ExistingTableName, '')
  const makesKey = whenEqual(stack, 'MakesKey', asked.ExistingKeyArn, '')
  const players = new CfnCondition(stack, 'ServesPlayers', {
    expression: Fn.conditionNot(Fn.conditionEquals(text('PlayerAccess'), 'off')),
  })
  const usesJwt = whenEqual(stack, 'ChecksTokens', asked.PlayerAccess, 'jwt')
  const isSigned = whenEqual(stack, 'ChecksSignatures', asked.PlayerAccess, 'signed')
  const hasBus = whenSet(stack, 'HasEventBus', asked.EventBusName)
  const watches = whenEqual(stack, 'WatchesRotations', asked.WatchRotations, 'on')
  const conditions = {
    usesRootSecret: whenSet(stack, 'HasRootSecret', asked.RootSecretArn),
    usesJwt,
    usesJwks: whenSet(stack, 'HasKeySet', asked.PlayerJwksUrl),
    usesJwtSecret: whenSet(stack, 'HasTokenSecret', asked.PlayerJwtSecretArn),
    hasOrigins: whenSet(stack, 'HasPlayerOrigins', asked.PlayerOrigins),
    hasCookie: whenSet(stack, 'HasTokenCookie', asked.PlayerTokenCookie),
  }
  rules(stack, asked)

  const stored = storage(stack, {
    existingTableName: text('ExistingTableName'),
    existingKeyArn: text('ExistingKeyArn'),
    makesTable,
    makesKey,
  })
  const written = configuration(stack, asked)
  const settings = {
    parameters: asked,
    storage: stored,
    configuration: written,
    conditions: { ...conditions, players, hasBus },
  }
  const common = {
    code: { s3Bucket: text('CodeBucket'), s3Key: text('CodeKey') },
    handler: 'index.handler',
    memoryMb: count('FunctionMemory'),
    timeoutSeconds: TIMEOUT_SECONDS,
    logRetentionDays: count('LogRetentionDays'),
  }
  const readsRootSecret = only(conditions.usesRootSecret, secretStatement('RootSecret', text('RootSecretArn')))
  const putsEvents = only(hasBus, eventStatement(text('EventBusName')))
  const stageDescription = apiGatewayLogRole(stack, whenEqual(stack, 'MakesLogRole', asked.ApiGatewayLogRole, 'create'))

  const issuer = lambdaFunction(stack, 'Issuer', {
    ...common,
    description: 'Keyspring: answers encryptors',
    environment: issuerEnvironment(settings),
    statements: [...storeStatements(stored, ISSUER_RIGHTS), written.reads, readsRootSecret, putsEvents],
  })
  const sweeper = scheduled(stack, 'Sweeper', written.mayExpire, {
    ...common,
    description: 'Keyspring: destroys contents that have expired',
    task: 'expiry',
    every: SWEEP_EVERY,
    timeoutSeconds: SWEEP_TIMEOUT_SECONDS,
    environment: issuerEnvironment(settings),
    statements: [...storeStatements(stored, SWEEPER_RIGHTS), written.reads, readsRootSecret, putsEvents],
  })
  const watcher = scheduled(stack, 'Watcher', watches, {
    ...common,
    description: 'Keyspring: looks for rotations that did not come',
    task: 'rotations',
    every: WATCH_EVERY,
    timeoutSeconds: WATCH_TIMEOUT_SECONDS,
    environment: issuerEnvironment(settings),
    statements: [...storeStatements(stored, WATCHER_RIGHTS), written.reads, readsRootSecret, putsEvents],
  })
  const speke = restApi(stack, 'SpekeApi', {
    description: 'Keyspring: SPEKE, for encryptors that sign with IAM',
    stageName: SPEKE_STAGE,
    routes: SPEKE_ROUTES,
    integration: () => functionIntegration(issuer.fn),
    requestsPerSecond: count('EncryptorRequestsPerSecond'),
    burst: count('EncryptorBurst'),
    logRetentionDays: count('LogRetentionDays'),
    stageDescription,
  })
  letCall(stack, 'SpekeApiCallsIssuer', issuer.fn, speke.api, SPEKE_STAGE)
  encryptorWebAcl(stack, whenEqual(stack, 'HasWebAcl', asked.WebAcl, 'true'), speke.api, speke.stage)
  const roles = encryptorRoles(
    stack,
    asked,
    SPEKE_ROUTES.map((route) => methodArn(speke.api, SPEKE_STAGE, route)),
  )

  const delivery = playerDelivery(stack, {
    parameters: asked,
    storage: stored,
    environment: playerEnvironment(settings),
    common,
    readsSecrets: [
      written.reads,
      readsRootSecret,
      only(conditions.usesJwtSecret, secretStatement('TokenSecret', text('PlayerJwtSecretArn'))),
    ],
    isMade: players,
    isSigned,
    hasOrigins: conditions.hasOrigins,
    stageDescription,
  })

  const topic = alarmTopic(stack, asked.AlarmEmail)
  dangerRule(stack, topic.ref, stored.keyArn, stored.tableName)
  const dimensions = {
    spekeApi: { ApiName: Fn.sub('${AWS::StackName}-SpekeApi'), Stage: SPEKE_STAGE },
    playerApi: { ApiName: Fn.sub('${AWS::StackName}-PlayerApi'), Stage: delivery.stageName },
    issuer: { FunctionName: issuer.fn.ref },
    player: { FunctionName: delivery.player.fn.ref },
    watcher: { FunctionName: watcher.ref },
    sweeper: { FunctionName: sweeper.ref },
    table: { TableName: stored.tableName },
  }
  alarms(stack, SERVERLESS_ALARMS, { topicArn: topic.ref, dimensions })
  alarms(stack, EXPIRY_ALARMS, { topicArn: topic.ref, dimensions, isMade: written.mayExpire })
  alarms(stack, ROTATION_ALARMS, { topicArn: topic.ref, dimensions, isMade: watches })
  alarms(stack, PLAYER_ALARMS, { topicArn: topic.ref, dimensions, isMade: players })
  const playerName = Fn.conditionIf(players.logicalId, delivery.player.fn.ref, 'players-are-off').toString()
  dashboard(stack, serverlessGraphs({ ...dimensions, player: { FunctionName: playerName } }))

  output(
    stack,
    'SPEKEServerURL',
    `${stageUrl(speke.api, SPEKE_STAGE)}/copyProtection`,
    'The URL for encryptors: any version of SPEKE',
  )
  encryptorOutputs(stack, roles)
  output(stack, 'PlayerURL', Fn.sub('https://${PlayerDomainName}'), 'Where players ask for keys and licences', players)
  output(
    stack,
    'PlayerDomainTarget',
    delivery.cdn.attrDomainName,
    'What the DNS name for players is an alias of',
    players,
  )
  for (const [i, name] of ['PlayerKeyPairId', 'PlayerKeyPairIdB'].entries()) {
    const key = delivery.keys[i]
    if (key !== undefined) output(stack, name, key.id, 'The key pair id for signed cookies and URLs', key.isMade)
  }
  output(stack, 'TableName', stored.tableName, 'The table: back it up, and name it to the next stack')
  output(stack, 'KeyArn', stored.keyArn, 'The KMS key: without it the table is worth nothing')
  output(stack, 'AlarmTopicArn', topic.ref, 'Where alarms go')
  return stack
}

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { ISSUER_RIGHTS, PLAYER_RIGHTS, SWEEPER_RIGHTS } from '../constructs/statements.ts'
import { AGAIN, CODE, EVERYTHING, NODES, ROOT } from './answers.ts'
import { mayAssume, mayDo, policyLets } from './iam.ts'
import { ACCOUNT, deploy, ofType, REGION, resource } from './resolve.ts'
import { templateOf } from './templates.ts'

const plain = deploy(templateOf('keyspring-serverless'), CODE)
const full = deploy(templateOf('keyspring-serverless'), EVERYTHING)
const nodes = deploy(templateOf('keyspring-gateway'), NODES)

const here = (service: string, what: string) => `arn:aws:${service}:${REGION}:${ACCOUNT}:${what}`
const TABLE = here('dynamodb', 'table/Table')
const KEY = here('kms', 'key/Key')
const POST = here('execute-api', 'SpekeApi/EkeStage/POST/copyProtection')
const DATA_KEY = { 'kms:EncryptionContext:use': 'data-key', 'kms:EncryptionContext:tenant': 'default' }
const OF_THE_TABLE = {
  'kms:ViaService': `dynamodb.${REGION}.amazonaws.com`,
  'kms:EncryptionContext:aws:dynamodb:tableName': 'Table',
}
const OF_ANOTHER_TABLE = { ...OF_THE_TABLE, 'kms:EncryptionContext:aws:dynamodb:tableName': 'Customers' }

type Row = readonly [
  role: string,
  action: string,
  resource: string,
  allowed: boolean,
  context?: Readonly<Record<string, string>>,
]

const INVOKE = 'execute-api:Invoke'
const ENCRYPTORS = [
  'MediaPackageInvokeSPEKERole',
  'MediaConvertInvokeSPEKERole',
  'MediaConnectInvokeSPEKERole',
  'BitmovinInvokeSPEKERole',
]

const ROWS: readonly Row[] = [
  // Encryptors ask for keys, and that is all.
  ...ENCRYPTORS.flatMap((role): Row[] => [
    [role, INVOKE, POST, true],
    [role, INVOKE, here('execute-api', 'SpekeApi/EkeStage/POST/speke/v2.0/copyProtection'), true],
    [role, INVOKE, here('execute-api', 'SpekeApi/EkeStage/POST/speke/v2.1/copyProtection'), true],
    [role, INVOKE, here('execute-api', 'SpekeApi/EkeStage/GET/speke/v1.0/heartbeat'), true],
    [role, INVOKE, here('execute-api', 'SpekeApi/EkeStage/DELETE/copyProtection'), false],
    [role, INVOKE, here('execute-api', 'SpekeApi/other/POST/copyProtection'), false],
    [role, INVOKE, here('execute-api', 'PlayerApi/players/GET/keys/default/film/kid'), false],
    [role, INVOKE, here('execute-api', 'AnotherApi/EkeStage/POST/copyProtection'), false],
    [role, 'lambda:InvokeFunction', here('lambda', 'function:Issuer'), false],
    [role, 'dynamodb:GetItem', TABLE, false],
    [role, 'kms:Decrypt', KEY, false, DATA_KEY],
    [role, 's3:GetObject', 'arn:aws:s3:::anything/secret', false],
  ]),
  ['MediaPackageInvokeSPEKERole', 's3:GetObject', 'arn:aws:s3:::my-sources/film.mov', false],

  // MediaConvert has the buckets that are named, to read or to write, and no others.
  ['MediaConvertInvokeSPEKERole', 's3:GetObject', 'arn:aws:s3:::my-sources/film.mov', true],
  ['MediaConvertInvokeSPEKERole', 's3:GetObject', 'arn:aws:s3:::more-sources/film.mov', true],
  ['MediaConvertInvokeSPEKERole', 's3:ListBucket', 'arn:aws:s3:::my-sources', true],
  ['MediaConvertInvokeSPEKERole', 's3:PutObject', 'arn:aws:s3:::my-streams/film/1.ts', true],
  ['MediaConvertInvokeSPEKERole', 's3:PutObject', 'arn:aws:s3:::my-sources/film.mov', false],
  ['MediaConvertInvokeSPEKERole', 's3:GetObject', 'arn:aws:s3:::my-sources-of-others/film.mov', false],
  ['MediaConvertInvokeSPEKERole', 's3:DeleteObject', 'arn:aws:s3:::my-streams/film/1.ts', false],
  ['MediaConvertInvokeSPEKERole', 's3:PutBucketPolicy', 'arn:aws:s3:::my-streams', false],

  // The function for encryptors reads and writes items, and makes and opens data keys.
  ...['GetItem', 'BatchGetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem'].map(
    (name): Row => ['IssuerRole', `dynamodb:${name}`, TABLE, true],
  ),
  ...['DeleteTable', 'UpdateTable', 'UpdateTimeToLive', 'UpdateContinuousBackups', 'ExportTableToPointInTime'].map(
    (name): Row => ['IssuerRole', `dynamodb:${name}`, TABLE, false],
  ),
  ['IssuerRole', 'dynamodb:GetItem', here('dynamodb', 'table/Customers'), false],
  ['IssuerRole', 'kms:GenerateDataKey', KEY, true, DATA_KEY],
  ['IssuerRole', 'kms:Decrypt', KEY, true, DATA_KEY],
  ['IssuerRole', 'kms:Decrypt', KEY, false],
  ['IssuerRole', 'kms:Decrypt', KEY, false, { 'kms:EncryptionContext:use': 'something-else' }],
  ['IssuerRole', 'kms:Decrypt', here('kms', 'key/another'), false, DATA_KEY],
  ['IssuerRole', 'kms:Decrypt', KEY, true, OF_THE_TABLE],
  ['IssuerRole', 'kms:Decrypt', KEY, false, OF_ANOTHER_TABLE],
  ['IssuerRole', 'kms:ScheduleKeyDeletion', KEY, false, DATA_KEY],
  ['IssuerRole', 'kms:DisableKey', KEY, false, DATA_KEY],
  ['IssuerRole', 'secretsmanager:GetSecretValue', EVERYTHING.PlayerJwtSecretArn, false],
  ['IssuerRole', 'secretsmanager:CreateSecret', here('secretsmanager', 'secret:any'), false],
  ['IssuerRole', 'dynamodb:Scan', TABLE, false],
  ['IssuerRole', 'events:PutEvents', here('events', 'event-bus/media'), true, { 'events:source': 'keyspring' }],
  ['IssuerRole', 'events:PutEvents', here('events', 'event-bus/media'), false, { 'events:source': 'aws.s3' }],
  ['IssuerRole', 'events:PutEvents', here('events', 'event-bus/default'), false, { 'events:source': 'keyspring' }],
  ['IssuerRole', 'logs:PutLogEvents', here('logs', 'log-group:IssuerLog:log-stream:1'), true],
  ['IssuerRole', 'logs:PutLogEvents', here('logs', 'log-group:PlayerLog:log-stream:1'), false],
  ['IssuerRole', 'logs:DeleteLogGroup', here('logs', 'log-group:IssuerLog:*'), false],
  ['IssuerRole', 'xray:PutTraceSegments', '*', true],
  ['IssuerRole', 'iam:PassRole', `arn:aws:iam::${ACCOUNT}:role/IssuerRole`, false],

  // What sweeps looks through the table, and makes no data key.
  ['SweeperRole', 'dynamodb:Scan', TABLE, true],
  ['SweeperRole', 'dynamodb:DeleteItem', TABLE, true],
  ['SweeperRole', 'dynamodb:DeleteTable', TABLE, false],
  ['SweeperRole', 'kms:GenerateDataKey', KEY, false, DATA_KEY],
  ['SweeperRole', 'execute-api:Invoke', POST, false],

  // What watches reads the ledger, and neither looks through the table nor removes anything.
  ...['GetItem', 'Query', 'PutItem'].map((name): Row => ['WatcherRole', `dynamodb:${name}`, TABLE, true]),
  ...['Scan', 'UpdateItem', 'DeleteItem', 'BatchWriteItem', 'DeleteTable'].map(
    (name): Row => ['WatcherRole', `dynamodb:${name}`, TABLE, false],
  ),
  ['WatcherRole', 'kms:GenerateDataKey', KEY, false, DATA_KEY],
  ['WatcherRole', 'events:PutEvents', here('events', 'event-bus/media'), true, { 'events:source': 'keyspring' }],
  ['WatcherRole', 'execute-api:Invoke', POST, false],

  // The function for players reads.
  ...['GetItem', 'BatchGetItem', 'Query'].map((name): Row => ['PlayerRole', `dynamodb:${name}`, TABLE, true]),
  ...['PutItem', 'UpdateItem', 'DeleteItem', 'BatchWriteItem', 'Scan'].map(
    (name): Row => ['PlayerRole', `dynamodb:${name}`, TABLE, false],
  ),
  ['PlayerRole', 'kms:Decrypt', KEY, true, DATA_KEY],
  ['PlayerRole', 'kms:GenerateDataKey', KEY, false, DATA_KEY],
  ['PlayerRole', 'kms:Encrypt', KEY, false, DATA_KEY],
  ['PlayerRole', 'kms:Decrypt', KEY, true, OF_THE_TABLE],
  ['PlayerRole', 'secretsmanager:GetSecretValue', EVERYTHING.PlayerJwtSecretArn, true],
  ['PlayerRole', 'secretsmanager:GetSecretValue', here('secretsmanager', 'secret:OriginKeySecretA'), false],
  ['PlayerRole', 'events:PutEvents', here('events', 'event-bus/media'), false, { 'events:source': 'keyspring' }],
  ['PlayerRole', INVOKE, POST, false],
]

describe('who may do what', () => {
  for (const [role, action, target, allowed, context] of ROWS) {
    const asked = context === undefined ? '' : ` with ${Object.values(context).join(', ')}`
    test(`${role} ${allowed ? 'may' : 'may not'} ${action} on ${target}${asked}`, () => {
      assert.equal(mayDo(full, role, { action, resource: target, ...(context && { context }) }), allowed)
    })
  }

  test('without buckets MediaConvert has no storage at all', () => {
    for (const action of ['s3:GetObject', 's3:PutObject', 's3:ListBucket'])
      assert.equal(
        mayDo(plain, 'MediaConvertInvokeSPEKERole', { action, resource: 'arn:aws:s3:::my-sources/film.mov' }),
        false,
      )
  })

  test('without a bus, secrets and a configuration the function has no right to any', () => {
    const context = { 'events:source': 'keyspring' }
    assert.equal(
      mayDo(plain, 'IssuerRole', {
        action: 'events:PutEvents',
        resource: here('events', 'event-bus/default'),
        context,
      }),
      false,
    )
    assert.equal(
      mayDo(plain, 'IssuerRole', { action: 'secretsmanager:GetSecretValue', resource: ROOT.RootSecretArn }),
      false,
    )
    assert.equal(
      mayDo(plain, 'IssuerRole', { action: 'ssm:GetParameter', resource: here('ssm', 'parameter/any') }),
      false,
    )
  })

  test('a root secret is read by every function, and by no encryptor', () => {
    const root = deploy(templateOf('keyspring-serverless'), ROOT)
    const attempt = { action: 'secretsmanager:GetSecretValue', resource: ROOT.RootSecretArn }
    assert.equal(mayDo(root, 'IssuerRole', attempt), true)
    assert.equal(mayDo(root, 'MediaPackageInvokeSPEKERole', attempt), false)
  })

  test('a configuration of one’s own is read, and no other, and not written', () => {
    const ConfigurationArn = here('ssm', 'parameter/keyspring/production')
    const own = deploy(templateOf('keyspring-serverless'), { ...CODE, ConfigurationArn })
    assert.equal(mayDo(own, 'IssuerRole', { action: 'ssm:GetParameter', resource: ConfigurationArn }), true)
    assert.equal(mayDo(own, 'IssuerRole', { action: 'ssm:PutParameter', resource: ConfigurationArn }), false)
    assert.equal(
      mayDo(own, 'IssuerRole', { action: 'ssm:GetParameter', resource: here('ssm', 'parameter/other') }),
      false,
    )
  })

  test('the functions have the actions that the store and the root key call, and no other', () => {
    const commands = (file: string) =>
      new Set([...sourceOf(file).matchAll(/new sdk\.(\w+)Command/g)].map(([, name = '']) => name))
    const granted = SWEEPER_RIGHTS.table
    assert.deepEqual([...commands('adapters/store/dynamodb/table.ts')].sort(), [...granted].sort())
    for (const name of [...ISSUER_RIGHTS.dataKeys, ...PLAYER_RIGHTS.dataKeys])
      assert.ok(commands('adapters/root-keys/aws-kms.ts').has(name), name)
    assert.match(sourceOf('keys/crypto/data-keys.ts'), /use: 'data-key'/, 'what the condition on KMS names')
  })

  test('on a table and a key of an earlier stack the rights are the same', () => {
    const again = deploy(templateOf('keyspring-serverless'), AGAIN)
    const left = here('dynamodb', `table/${AGAIN.ExistingTableName}`)
    assert.equal(mayDo(again, 'IssuerRole', { action: 'dynamodb:PutItem', resource: left }), true)
    assert.equal(
      mayDo(again, 'IssuerRole', { action: 'kms:Decrypt', resource: AGAIN.ExistingKeyArn, context: DATA_KEY }),
      true,
    )
    assert.equal(mayDo(again, 'IssuerRole', { action: 'dynamodb:PutItem', resource: TABLE }), false)
  })

  test('in front of nodes encryptors have the same one right', () => {
    assert.equal(mayDo(nodes, 'MediaPackageInvokeSPEKERole', { action: INVOKE, resource: POST }), true)
    assert.equal(
      mayDo(nodes, 'MediaPackageInvokeSPEKERole', { action: 'execute-api:ManageConnections', resource: POST }),
      false,
    )
  })

  test('no policy has a wildcard action, and no wildcard resource but that of X-Ray', () => {
    for (const [id, { Policies = [] }] of [full, nodes].flatMap((one) => ofType(one, 'AWS::IAM::Role'))) {
      for (const { PolicyDocument } of Policies) {
        for (const { Sid, Action, Resource } of PolicyDocument.Statement) {
          assert.doesNotMatch([Action].flat().join(), /\*/, id)
          if ([Resource].flat().includes('*')) assert.equal(Sid, 'Traces', id)
        }
      }
    }
  })
})

describe('who may assume which role', () => {
  const rows: readonly (readonly [
    role: string,
    principal: string,
    context: Readonly<Record<string, string>>,
    may: boolean,
  ])[] = [
    ['MediaPackageInvokeSPEKERole', 'mediapackage.amazonaws.com', {}, true],
    ['MediaPackageInvokeSPEKERole', 'mediapackagev2.amazonaws.com', {}, true],
    ['MediaPackageInvokeSPEKERole', 'mediaconvert.amazonaws.com', {}, false],
    ['MediaConvertInvokeSPEKERole', 'mediaconvert.amazonaws.com', {}, true],
    ['MediaConvertInvokeSPEKERole', 'mediapackage.amazonaws.com', {}, false],
    ['MediaConvertInvokeSPEKERole', 'mediaconvert.eu-west-1.amazonaws.com', {}, false],
    ['MediaConnectInvokeSPEKERole', 'mediaconnect.amazonaws.com', {}, true],
    ['IssuerRole', 'lambda.amazonaws.com', {}, true],
    ['IssuerRole', 'mediapackagev2.amazonaws.com', {}, false],
  ]
  for (const [role, principal, context, may] of rows) {
    test(`${principal} ${may ? 'may' : 'may not'} assume ${role}`, () => {
      assert.equal(mayAssume(plain, role, principal, context), may)
    })
  }

  test('principals of the region are trusted where they are asked for', () => {
    const context = { 'aws:SourceAccount': ACCOUNT }
    for (const service of ['mediapackage', 'mediapackagev2'])
      assert.equal(mayAssume(full, 'MediaPackageInvokeSPEKERole', `${service}.eu-west-1.amazonaws.com`, context), true)
    assert.equal(mayAssume(full, 'MediaConvertInvokeSPEKERole', 'mediaconvert.eu-west-1.amazonaws.com', context), true)
  })

  test('the account is required only where it is asked for: off by default', () => {
    const service = 'mediapackagev2.amazonaws.com'
    assert.equal(mayAssume(full, 'MediaPackageInvokeSPEKERole', service, { 'aws:SourceAccount': ACCOUNT }), true)
    assert.equal(
      mayAssume(full, 'MediaPackageInvokeSPEKERole', service, { 'aws:SourceAccount': '999999999999' }),
      false,
    )
    assert.equal(mayAssume(full, 'MediaPackageInvokeSPEKERole', service), false)
    assert.equal(mayAssume(plain, 'MediaPackageInvokeSPEKERole', service), true)
  })

  test('Bitmovin has a role only with an external id, and needs to name it', () => {
    const user = 'arn:aws:iam::630681592166:user/bitmovinCustomerSpekeAccess'
    assert.equal(plain.resources.has('BitmovinInvokeSPEKERole'), false)
    assert.equal(mayAssume(full, 'BitmovinInvokeSPEKERole', user, { 'sts:ExternalId': 'a-text-of-our-own' }), true)
    assert.equal(mayAssume(full, 'BitmovinInvokeSPEKERole', user, { 'sts:ExternalId': 'another' }), false)
    assert.equal(mayAssume(full, 'BitmovinInvokeSPEKERole', user), false)
  })
})

describe('policies of resources', () => {
  test('each function is called by its own API or schedule alone', () => {
    const permissions = ofType(full, 'AWS::Lambda::Permission').map(([, one]) => [
      one.FunctionName,
      one.Principal,
      one.SourceAccount,
      one.SourceArn,
    ])
    const gateway = 'apigateway.amazonaws.com'
    assert.deepEqual(permissions.sort(), [
      [here('lambda', 'function:Issuer'), gateway, ACCOUNT, here('execute-api', 'SpekeApi/EkeStage/*')],
      [here('lambda', 'function:Player'), gateway, ACCOUNT, here('execute-api', 'PlayerApi/players/*')],
      [here('lambda', 'function:Sweeper'), 'events.amazonaws.com', ACCOUNT, here('events', 'rule/SweeperSchedule')],
      [here('lambda', 'function:Watcher'), 'events.amazonaws.com', ACCOUNT, here('events', 'rule/WatcherSchedule')],
    ])
  })

  test('the key is for whom IAM of the account lets; grants are for services alone', () => {
    const { Statement } = resource(plain, 'Key').properties.KeyPolicy
    const root = `arn:aws:iam::${ACCOUNT}:root`
    const grant = (forService: boolean) => ({
      action: 'kms:CreateGrant',
      resource: KEY,
      context: { 'kms:GrantIsForAWSResource': String(forService), 'aws:PrincipalIsAWSService': 'false' },
    })
    assert.equal(policyLets(Statement, root, { action: 'kms:Decrypt', resource: KEY }), true)
    assert.equal(
      policyLets(Statement, 'arn:aws:iam::999999999999:root', { action: 'kms:Decrypt', resource: KEY }),
      false,
    )
    assert.equal(policyLets(Statement, root, grant(true)), true)
    assert.equal(policyLets(Statement, root, grant(false)), false)
  })

  test('alarms are published by CloudWatch and EventBridge of this account alone', () => {
    const { Statement } = resource(plain, 'AlarmTopicPolicy').properties.PolicyDocument
    const publish = (account: string) => ({
      action: 'sns:Publish',
      resource: 'AlarmTopic',
      context: { 'aws:SourceAccount': account, 'aws:SecureTransport': 'true' },
    })
    for (const service of ['cloudwatch.amazonaws.com', 'events.amazonaws.com']) {
      assert.equal(policyLets(Statement, service, publish(ACCOUNT)), true)
      assert.equal(policyLets(Statement, service, publish('999999999999')), false)
    }
    assert.equal(policyLets(Statement, 'lambda.amazonaws.com', publish(ACCOUNT)), false)
  })
})

/** The text of a file of Keyspring itself. */
function sourceOf(file: string): string {
  return readFileSync(new URL(`../../../src/${file}`, import.meta.url), 'utf8')
}

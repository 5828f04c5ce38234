import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { METRICS } from '../../../src/server/observe/metric-table.ts'
import { CODE, EVERYTHING, JWT, NODES } from './answers.ts'
import { isErrorCode } from './error-codes.ts'
import { deploy, ofType, type Plain, resource } from './resolve.ts'
import { templateOf } from './templates.ts'

const plain = deploy(templateOf('keyspring-serverless'), CODE)
const full = deploy(templateOf('keyspring-serverless'), EVERYTHING)
const nodes = deploy(templateOf('keyspring-gateway'), NODES)
const alarmsOf = (deployed: typeof plain) =>
  ofType(deployed, 'AWS::CloudWatch::Alarm').map(([id]) => id.replace('Alarm', ''))

describe('logs', () => {
  test('every function and every stage has a log that ends, as long as is answered', () => {
    const short = deploy(templateOf('keyspring-serverless'), { ...JWT, LogRetentionDays: 30 })
    const logs = ofType(short, 'AWS::Logs::LogGroup')
    assert.deepEqual(logs.map(([id]) => id).sort(), [
      'IssuerLog',
      'PlayerApiAccessLog',
      'PlayerApiExecutionLog',
      'PlayerLog',
      'SpekeApiAccessLog',
      'SpekeApiExecutionLog',
      'WatcherLog',
    ])
    for (const [, { RetentionInDays }] of logs) assert.equal(String(RetentionInDays), '30')
    for (const [id, { LoggingConfig }] of ofType(short, 'AWS::Lambda::Function'))
      assert.equal(LoggingConfig.LogGroup, `${id}Log`)
  })

  test('the log that API Gateway would make by itself, and keep for ever, is made before the stage', () => {
    const { SpekeApiStage, PlayerApiStage } = templateOf('keyspring-serverless').Resources
    for (const [api, stageName, stage] of [
      ['SpekeApi', 'EkeStage', SpekeApiStage],
      ['PlayerApi', 'players', PlayerApiStage],
    ] as const) {
      const { LogGroupName } = resource(full, `${api}ExecutionLog`).properties
      assert.equal(LogGroupName, `API-Gateway-Execution-Logs_${api}/${stageName}`)
      assert.ok([Object(stage).DependsOn].flat().includes(`${api}ExecutionLog`), api)
    }
  })

  test('no stage writes bodies into a log, where keys are', () => {
    for (const [id, { MethodSettings }] of [full, nodes].flatMap((one) => ofType(one, 'AWS::ApiGateway::Stage'))) {
      assert.ok(MethodSettings.length > 0, id)
      for (const { DataTraceEnabled, LoggingLevel } of MethodSettings) {
        assert.equal(DataTraceEnabled, false, id)
        assert.equal(LoggingLevel, 'ERROR', id)
      }
    }
  })

  test('access logs say who asked what and how it went: no body, no query, no header that proves somebody', () => {
    const stages = [full, nodes].flatMap((one) => ofType(one, 'AWS::ApiGateway::Stage'))
    assert.equal(stages.length, 3)
    for (const [, { AccessLogSetting }] of stages) {
      assert.match(AccessLogSetting.DestinationArn, /log-group:\w+ApiAccessLog/)
      const fields: Record<string, string> = JSON.parse(AccessLogSetting.Format)
      assert.equal(fields.caller, '$context.identity.userArn')
      for (const field of Object.values(fields))
        assert.match(field, /^\$context\.(?!.*(body|query|header|apiKey|accessKey|authorizer))[\w.]+$/i)
    }
  })

  test('the role with which API Gateway writes logs is made before a stage, or not at all', () => {
    assert.match(resource(plain, 'SpekeApiStage').properties.Description, /ApiGatewayAccount/)
    const exists = deploy(templateOf('keyspring-serverless'), { ...CODE, ApiGatewayLogRole: 'exists' })
    assert.equal(ofType(exists, 'AWS::ApiGateway::Account').length, 0)
    const { DeletionPolicy } = templateOf('keyspring-serverless').Resources.ApiGatewayAccount ?? {}
    assert.equal(DeletionPolicy, 'Retain', 'other APIs of the account may use it by then')
  })
})

describe('alarms', () => {
  test('there is one for everything that stops keys', () => {
    assert.deepEqual(alarmsOf(full).sort(), [
      'EncryptorsFail',
      'EncryptorsRefused',
      'EncryptorsWait',
      'IssuerCrashed',
      'IssuerThrottled',
      'KmsFails',
      'PlayersFail',
      'PlayersThrottled',
      'RootKeyForeign',
      'RotationMissed',
      'SealBroken',
      'StoreFails',
      'SweeperFails',
      'TableReadsThrottled',
      'TableWritesThrottled',
      'WatcherFails',
    ])
    assert.deepEqual(alarmsOf(nodes).sort(), ['EncryptorsFail', 'EncryptorsRefused', 'EncryptorsWait'])
  })

  test('each tells the topic when it goes off and when it is over, and is silent while nothing happens', () => {
    for (const [id, alarm] of [full, nodes].flatMap((one) => ofType(one, 'AWS::CloudWatch::Alarm'))) {
      assert.deepEqual([alarm.AlarmActions, alarm.OKActions], [['AlarmTopic'], ['AlarmTopic']], id)
      assert.equal(alarm.TreatMissingData, 'notBreaching', id)
      assert.ok(alarm.AlarmDescription.length > 30, id)
    }
  })

  test('each looks at a resource of the stack, or at a metric of Keyspring by its name on /metrics', () => {
    const names = new Map(
      Object.values(METRICS).map(({ name, labels }) => [name as string, labels as readonly string[]]),
    )
    for (const [id, alarm] of ofType(full, 'AWS::CloudWatch::Alarm')) {
      if (alarm.Metrics === undefined) {
        assert.ok(alarm.Dimensions.length > 0 && alarm.Dimensions.every(({ Value }: Plain) => Value.length > 0), id)
        continue
      }
      const [, metric = '', where = ''] =
        /^SELECT SUM\((\w+)\) FROM "Keyspring" WHERE Service = 'keys'(?: AND (.*))?$/.exec(
          alarm.Metrics[0].Expression,
        ) ?? []
      assert.ok(names.has(metric), `${id}: ${metric}`)
      const [, label = '', value = ''] = /^(\w+) = '(\w+)'$/.exec(where) ?? []
      if (where !== '') assert.ok(names.get(metric)?.includes(label), `${id}: ${metric} has no label ${label}`)
      if (label === 'code') assert.ok(isErrorCode(value), `${id}: ${value}`)
    }
  })

  test('a mail address is told where one is given', () => {
    assert.equal(ofType(plain, 'AWS::SNS::Subscription').length, 0)
    assert.equal(resource(full, 'AlarmMail').properties.Endpoint, EVERYTHING.AlarmEmail)
  })

  test('somebody is told before keys are lost: the key is disabled or deleted, the table loses its protection', () => {
    const { EventPattern, Targets, State } = resource(plain, 'DangerToKeys').properties
    assert.equal(State, 'ENABLED')
    const [kms, table] = EventPattern.$or
    for (const name of ['DisableKey', 'ScheduleKeyDeletion']) assert.ok(kms.detail.eventName.includes(name))
    assert.deepEqual(kms.detail.resources.ARN, ['arn:aws:kms:eu-west-1:123456789012:key/Key'])
    for (const name of ['DeleteTable', 'UpdateTable']) assert.ok(table.detail.eventName.includes(name))
    assert.deepEqual(table.detail.requestParameters.tableName, ['Table'])
    assert.equal(Targets[0].Arn, 'AlarmTopic')
  })
})

describe('the dashboard', () => {
  const { widgets } = JSON.parse(resource(full, 'Dashboard').properties.DashboardBody)

  test('shows requests, failures, KMS, table and rotations of this stack', () => {
    assert.ok(widgets.length >= 9)
    const text = JSON.stringify(widgets)
    for (const part of ['SpekeApi', 'PlayerApi', 'Issuer', 'Player', 'Table', 'keyspring_rotations_missed_total'])
      assert.ok(text.includes(part), part)
  })

  test('names metrics of Keyspring as /metrics does', () => {
    const names = Object.values(METRICS).map(({ name }) => name as string)
    const shown = [...JSON.stringify(widgets).matchAll(/SUM\((\w+)\)/g)].map(([, name = '']) => name)
    assert.ok(shown.length >= 6)
    for (const name of shown) assert.ok(names.includes(name), name)
  })

  test('is there without players, too', () => {
    assert.doesNotThrow(() => JSON.parse(resource(plain, 'Dashboard').properties.DashboardBody))
  })
})

describe('functions', () => {
  test('run Node.js 24 on ARM, are traced, and never hold a secret in their environment', () => {
    for (const [id, fn] of ofType(full, 'AWS::Lambda::Function')) {
      assert.equal(fn.Runtime, 'nodejs24.x', id)
      assert.deepEqual(fn.Architectures, ['arm64'], id)
      assert.deepEqual(fn.TracingConfig, { Mode: 'Active' }, id)
      assert.equal(fn.LoggingConfig.LogFormat, 'Text', id)
      for (const [name, value] of Object.entries<string>(fn.Environment.Variables)) {
        assert.match(name, /^KEYSPRING_|^AWS_EMF_SERVICE_NAME$/)
        assert.doesNotMatch(name, /SECRET$|PASSPHRASE$|PASSWORD$|TOKEN$/, name)
        assert.doesNotMatch(value, /resolve:secretsmanager/)
      }
    }
  })

  test('take their code from a bucket of the operator', () => {
    for (const [, { Code }] of ofType(full, 'AWS::Lambda::Function'))
      assert.deepEqual(Code, { S3Bucket: CODE.CodeBucket, S3Key: CODE.CodeKey })
  })
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AGAIN, CODE, EVERYTHING, ROOT } from './answers.ts'
import { type Deployed, deploy, ofType, resource } from './resolve.ts'
import { templateOf } from './templates.ts'

const template = templateOf('keyspring-serverless')
const deployed = deploy(template, CODE)

describe('keys at rest', () => {
  test('the table is the one that the store knows: pk and sk are texts, ttl forgets, it is paid by use', () => {
    const { properties } = resource(deployed, 'Table')
    assert.deepEqual(properties.KeySchema, [
      { AttributeName: 'pk', KeyType: 'HASH' },
      { AttributeName: 'sk', KeyType: 'RANGE' },
    ])
    assert.deepEqual(properties.AttributeDefinitions, [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'S' },
    ])
    assert.deepEqual(properties.TimeToLiveSpecification, { AttributeName: 'ttl', Enabled: true })
    assert.equal(properties.BillingMode, 'PAY_PER_REQUEST')
  })

  test('the table goes back to any second, is protected from deletion, and sealed with the key of the customer', () => {
    const { properties } = resource(deployed, 'Table')
    assert.deepEqual(properties.PointInTimeRecoverySpecification, { PointInTimeRecoveryEnabled: true })
    assert.equal(properties.DeletionProtectionEnabled, true)
    assert.deepEqual(properties.SSESpecification, {
      SSEEnabled: true,
      SSEType: 'KMS',
      KMSMasterKeyId: 'arn:aws:kms:eu-west-1:123456789012:key/Key',
    })
  })

  test('the KMS key rotates and is deleted after 30 days at the soonest', () => {
    const { properties } = resource(deployed, 'Key')
    assert.equal(properties.EnableKeyRotation, true)
    assert.equal(properties.PendingWindowInDays, 30)
  })

  test('table and key outlive an update that would replace them, a rollback, and the stack', () => {
    for (const id of ['Table', 'Key']) {
      const { DeletionPolicy, UpdateReplacePolicy } = template.Resources[id] ?? {}
      assert.deepEqual([DeletionPolicy, UpdateReplacePolicy], ['Retain', 'Retain'])
    }
  })

  test('nothing that keys depend on has a name that a second stack would collide with', () => {
    assert.equal(resource(deployed, 'Table').properties.TableName, undefined)
  })

  test('the next stack takes the table and the key that the last one left', () => {
    const again = deploy(template, AGAIN)
    assert.equal(ofType(again, 'AWS::DynamoDB::Table').length + ofType(again, 'AWS::KMS::Key').length, 0)
    const { Variables } = resource(again, 'Issuer').properties.Environment
    assert.equal(Variables.KEYSPRING_DYNAMODB_TABLE, AGAIN.ExistingTableName)
    assert.equal(Variables.KEYSPRING_ROOT_KEY_AWS_KMS_KEY_ID, AGAIN.ExistingKeyArn)
    assert.equal(again.outputs.get('TableName'), AGAIN.ExistingTableName)
  })
})

describe('how long contents live', () => {
  test('nothing expires by itself: there is no retention, and nothing that sweeps, unless contents are named', () => {
    assert.equal(environmentOf(deployed, 'Issuer').KEYSPRING_CONFIG_YAML, undefined)
    assert.deepEqual(
      ofType(deployed, 'AWS::Events::Rule')
        .map(([id]) => id)
        .sort(),
      ['DangerToKeys', 'WatcherSchedule'],
    )
    assert.equal(deployed.resources.has('Sweeper'), false)
  })

  test('contents that are named as live expire, and no other: no class is the default of all', () => {
    const { retention } = JSON.parse(environmentOf(deploy(template, EVERYTHING), 'Issuer').KEYSPRING_CONFIG_YAML ?? '')
    assert.deepEqual(retention, {
      classes: { live: { keep: '14d' } },
      contents: [
        { contentId: 'live-*', class: 'live' },
        { contentId: 'event-1', class: 'live' },
      ],
    })
  })

  test('what expired is destroyed on a schedule, by a function for that alone', () => {
    const expiring = deploy(template, EVERYTHING)
    const { ScheduleExpression, State, Targets } = resource(expiring, 'SweeperSchedule').properties
    assert.deepEqual([ScheduleExpression, State], ['rate(1 hour)', 'ENABLED'])
    assert.equal(Targets[0].Arn, 'arn:aws:lambda:eu-west-1:123456789012:function:Sweeper')
    assert.deepEqual(JSON.parse(Targets[0].Input).detail, { tasks: ['expiry'] })
  })

  test('rotations that do not come are looked for whether anything expires or not, unless that is off', () => {
    const { ScheduleExpression, State, Targets } = resource(deployed, 'WatcherSchedule').properties
    assert.deepEqual([ScheduleExpression, State], ['rate(5 minutes)', 'ENABLED'])
    assert.equal(Targets[0].Arn, 'arn:aws:lambda:eu-west-1:123456789012:function:Watcher')
    assert.deepEqual(JSON.parse(Targets[0].Input).detail, { tasks: ['rotations'] })
    const off = deploy(template, { ...CODE, WatchRotations: 'off' })
    assert.deepEqual(
      [...off.resources.keys()].filter((id) => /Watcher|RotationMissed/.test(id)),
      [],
    )
    assert.equal(off.resources.has('AlarmStoreFails'), true)
  })

  test('a configuration of one’s own takes the place of what is asked, and is swept by, too', () => {
    const ConfigurationArn = 'arn:aws:ssm:eu-west-1:123456789012:parameter/keyspring/production'
    const own = deploy(template, { ...CODE, ConfigurationArn })
    for (const id of ['Issuer', 'Sweeper', 'Watcher']) {
      assert.equal(environmentOf(own, id).KEYSPRING_CONFIG, ConfigurationArn)
      assert.equal(environmentOf(own, id).KEYSPRING_CONFIG_YAML, undefined)
    }
  })

  test('a root secret, where one is given, makes the same keys in every region', () => {
    const variables = environmentOf(deploy(template, ROOT), 'Issuer')
    assert.equal(variables.KEYSPRING_CONTENT_KEYS_POLICY, 'derived-root')
    assert.equal(variables.KEYSPRING_CONTENT_KEYS_ROOT_SECRET_FILE, ROOT.RootSecretArn)
    assert.equal(resource(deployed, 'Issuer').properties.Environment.Variables.KEYSPRING_CONTENT_KEYS_POLICY, 'derived')
  })
})

function environmentOf(made: Deployed, id: string): Readonly<Record<string, string | undefined>> {
  return resource(made, id).properties.Environment.Variables
}

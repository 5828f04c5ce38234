import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AGAIN, CODE, EVERYTHING } from './answers.ts'
import { deploy, ofType, resource } from './resolve.ts'
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
  test('nothing expires by itself: there is no retention unless contents are named', () => {
    assert.equal(ofType(deployed, 'AWS::SSM::Parameter').length, 0)
    assert.equal(resource(deployed, 'Issuer').properties.Environment.Variables.KEYSPRING_CONFIG, undefined)
  })

  test('contents that are named as live expire, and no other: no class is the default of all', () => {
    const { retention } = JSON.parse(resource(deploy(template, EVERYTHING), 'Configuration').properties.Value)
    assert.deepEqual(retention, {
      classes: { live: { keep: '14d' } },
      contents: [
        { contentId: 'live-*', class: 'live' },
        { contentId: 'event-1', class: 'live' },
      ],
    })
  })

  test('a root secret, where one is given, makes the same keys in every region', () => {
    const { Variables } = resource(deploy(template, EVERYTHING), 'Issuer').properties.Environment
    assert.equal(Variables.KEYSPRING_CONTENT_KEYS_POLICY, 'derived-root')
    assert.equal(Variables.KEYSPRING_CONTENT_KEYS_ROOT_SECRET_FILE, EVERYTHING.RootSecretArn)
    assert.equal(resource(deployed, 'Issuer').properties.Environment.Variables.KEYSPRING_CONTENT_KEYS_POLICY, 'derived')
  })
})

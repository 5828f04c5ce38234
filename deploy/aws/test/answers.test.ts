import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AGAIN, CODE, EVERYTHING, JWT, NODES, ROOT, SIGNED } from './answers.ts'
import { brokenRules, deploy } from './resolve.ts'
import { templateOf } from './templates.ts'

const serverless = templateOf('keyspring-serverless')
const gateway = templateOf('keyspring-gateway')

describe('what the console is told', () => {
  const sets = { CODE, JWT, SIGNED, EVERYTHING, AGAIN, ROOT }
  for (const [name, answers] of Object.entries(sets)) {
    test(`nothing refers to what is not made, and no rule is broken: ${name}`, () => {
      assert.ok(deploy(serverless, answers).resources.size > 30)
      assert.deepEqual(brokenRules(serverless, answers), [])
    })
  }

  for (const ClientCertificates of ['a', 'ab', 'ba', 'b']) {
    test(`nothing refers to what is not made in front of nodes: ${ClientCertificates}`, () => {
      assert.ok(deploy(gateway, { ...NODES, ClientCertificates }).resources.size > 20)
    })
  }

  test('only where the code is has to be answered, or where the nodes are', () => {
    const unanswered = ({ Parameters = {} }: typeof serverless) =>
      Object.entries(Parameters).flatMap(([name, { Default }]) => (Default === undefined ? [name] : []))
    assert.deepEqual(unanswered(serverless), ['CodeBucket', 'CodeKey'])
    assert.deepEqual(unanswered(gateway), ['KeyspringUrl'])
  })

  const broken: readonly (readonly [rule: string, answers: Readonly<Record<string, string | number>>])[] = [
    ['PlayersNeedADomain', { ...JWT, PlayerDomainName: '' }],
    ['PlayersNeedADomain', { ...SIGNED, PlayerCertificateArn: '' }],
    ['SignedNeedsAPublicKey', { ...SIGNED, PlayerPublicKey: '' }],
    ['TokensNeedAKey', { ...JWT, PlayerJwksUrl: '' }],
    ['OneConfiguration', { ...EVERYTHING, ConfigurationArn: 'arn:aws:ssm:eu-west-1:123456789012:parameter/keyspring' }],
    ['RootSecretLastsForEver', { ...ROOT, LiveContentIds: 'live-*', LiveRetentionDays: 7 }],
    ['LiveContentsNeedDays', { ...CODE, LiveContentIds: 'live-*' }],
  ]
  for (const [rule, answers] of broken) {
    test(`answers that do not go together are refused before anything is made: ${rule}`, () => {
      assert.deepEqual(brokenRules(serverless, answers), [rule])
    })
  }

  const refused: readonly (readonly [parameter: string, value: string])[] = [
    ['MediaConvertInputBucketArns', '*'],
    ['MediaConvertInputBucketArns', 'arn:aws:s3:::*'],
    ['MediaConvertOutputBucketArns', 'arn:aws:s3:::my-streams/*'],
    ['PlayerOrigins', '*'],
    ['PlayerOrigins', 'https://*.example.com'],
    ['LiveContentIds', 'live"},{"contentId":"*'],
    ['PlayerCertificateArn', 'arn:aws:acm:eu-west-1:123456789012:certificate/1'],
    ['PlayerAccess', 'open'],
    ['ExistingKeyArn', 'arn:aws:kms:eu-west-1:123456789012:alias/keyspring'],
    ['BitmovinExternalId', 'short'],
    ['CodeKey', 'keyspring.js'],
    ['PlayerPublicKey', '-----BEGIN PUBLIC KEY-----'],
    ['PlayerPublicKeyB', 'MIIBIjANBgkqhkiG9w0B\nAQAB'],
  ]
  for (const [parameter, value] of refused) {
    test(`${parameter} does not take ${value}`, () => {
      assert.throws(() => deploy(serverless, { ...CODE, [parameter]: value }), /does not take/)
    })
  }

  test('every group and label of the console names a parameter, and each parameter has both', () => {
    for (const { Metadata, Parameters = {} } of [serverless, gateway]) {
      const { ParameterGroups, ParameterLabels } =
        Metadata?.['AWS::CloudFormation::Interface'] ?? assert.fail('no labels')
      const names = Object.keys(Parameters).sort()
      assert.deepEqual(ParameterGroups.flatMap(({ Parameters }) => Parameters).sort(), names)
      assert.deepEqual(Object.keys(ParameterLabels).sort(), names)
    }
  })
})

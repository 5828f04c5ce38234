import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { App } from 'aws-cdk-lib'
import { restApi } from '../constructs/rest-api.ts'
import { PlainStack, plainApp } from '../plain-stack.ts'
import { CODE, EVERYTHING } from './answers.ts'
import { deploy, ofType, type Plain, resource } from './resolve.ts'
import { scratch, templateOf } from './templates.ts'

const template = templateOf('keyspring-serverless')
const deployed = deploy(template, CODE)

describe('the API for encryptors', () => {
  test('is a regional REST API that takes no TLS below 1.2', () => {
    const { type, properties } = resource(deployed, 'SpekeApi')
    assert.equal(type, 'AWS::ApiGateway::RestApi')
    assert.deepEqual(properties.EndpointConfiguration, { Types: ['REGIONAL'] })
    assert.match(properties.SecurityPolicy, /^SecurityPolicy_TLS13_1_2/)
  })

  test('hands bytes through as they are: every media type is binary', () => {
    assert.deepEqual(resource(deployed, 'SpekeApi').properties.BinaryMediaTypes, ['*/*'])
  })

  test('has POST at the path of the reference server and at those of every version, GET for heartbeats, and nothing else', () => {
    assert.deepEqual(methodsOf('SpekeApi'), [
      'GET /heartbeat',
      'GET /speke/v1.0/heartbeat',
      'POST /copyProtection',
      'POST /speke/v1.0/copyProtection',
      'POST /speke/v2.0/copyProtection',
      'POST /speke/v2.1/copyProtection',
    ])
  })

  test('takes no request without a signature of IAM', () => {
    for (const method of ofApi('SpekeApi')) assert.equal(method.AuthorizationType, 'AWS_IAM')
  })

  test('passes headers and status both ways: the function answers by itself', () => {
    for (const { Integration } of ofApi('SpekeApi')) {
      assert.equal(Integration.Type, 'AWS_PROXY')
      assert.equal(Integration.IntegrationHttpMethod, 'POST')
      assert.match(Integration.Uri, /function:Issuer\/invocations$/)
      assert.equal(Integration.IntegrationResponses, undefined)
    }
  })

  test('waits longer than the function may take', () => {
    const seconds: number = resource(deployed, 'Issuer').properties.Timeout
    for (const { Integration } of ofApi('SpekeApi')) assert.ok(Integration.TimeoutInMillis > seconds * 1_000)
  })

  test('keeps the stage and the outputs of the reference server', () => {
    assert.equal(resource(deployed, 'SpekeApiStage').properties.StageName, 'EkeStage')
    assert.equal(
      deployed.outputs.get('SPEKEServerURL'),
      'https://SpekeApi.execute-api.eu-west-1.amazonaws.com/EkeStage/copyProtection',
    )
    for (const name of ['MediaPackageSPEKERoleArn', 'MediaConvertSPEKERoleArn']) assert.ok(deployed.outputs.has(name))
  })

  test('throttles by the answers', () => {
    const stage = resource(
      deploy(template, { ...CODE, EncryptorRequestsPerSecond: 50, EncryptorBurst: 70 }),
      'SpekeApiStage',
    )
    const [settings] = stage.properties.MethodSettings
    assert.equal(String(settings.ThrottlingRateLimit), '50')
    assert.equal(String(settings.ThrottlingBurstLimit), '70')
  })

  test('is deployed anew when a route changes, and only then', () => {
    const deploymentOf = (paths: readonly string[]) => {
      const app: App = plainApp(scratch())
      const stack = new PlainStack(app, 'test', 'test')
      restApi(stack, 'Api', {
        description: 'test',
        stageName: 'test',
        stageDescription: 'test',
        routes: paths.map((path) => ({ path, method: 'POST', authorization: 'AWS_IAM' })),
        integration: () => ({ type: 'MOCK' }),
        requestsPerSecond: 1,
        burst: 1,
        logRetentionDays: 1,
      })
      const { Resources } = app.synth().getStackArtifact(stack.artifactId).template
      return Object.entries<Plain>(Resources).find(([, { Type }]) => Type === 'AWS::ApiGateway::Deployment')?.[0]
    }
    assert.equal(deploymentOf(['/a']), deploymentOf(['/a']))
    assert.notEqual(deploymentOf(['/a']), deploymentOf(['/a', '/b']))
  })

  test('has a Web ACL on request, which refuses neither large documents nor addresses of clouds', () => {
    assert.equal(ofType(deployed, 'AWS::WAFv2::WebACL').length, 0)
    const guarded = deploy(template, EVERYTHING)
    const { Rules } = resource(guarded, 'EncryptorWebAcl').properties
    assert.doesNotMatch(JSON.stringify(Rules), /CommonRuleSet|AnonymousIp/)
    assert.match(
      resource(guarded, 'EncryptorWebAclAssociation').properties.ResourceArn,
      /restapis\/SpekeApi\/stages\/SpekeApiStage$/,
    )
  })
})

function ofApi(api: string): readonly Plain[] {
  return ofType(deployed, 'AWS::ApiGateway::Method').flatMap(([, one]) => (one.RestApiId === api ? [one] : []))
}

function methodsOf(api: string): readonly string[] {
  const parts = new Map(ofType(deployed, 'AWS::ApiGateway::Resource').map(([id, one]) => [id, one]))
  const pathOf = (id: string): string => {
    const part = parts.get(id)
    return part === undefined ? '' : `${pathOf(part.ParentId)}/${part.PathPart}`
  }
  return ofApi(api)
    .map(({ HttpMethod, ResourceId }) => `${HttpMethod} ${pathOf(ResourceId)}`)
    .sort()
}

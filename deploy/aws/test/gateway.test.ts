import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GATEWAY_IDENTITY_HEADERS } from '../../../src/auth/methods/gateway.ts'
import { NODES } from './answers.ts'
import { deploy, ofType, resource } from './resolve.ts'
import { templateOf } from './templates.ts'

const template = templateOf('keyspring-gateway')
const deployed = deploy(template, NODES)
const methods = ofType(deployed, 'AWS::ApiGateway::Method').map(([, method]) => method)

describe('API Gateway in front of nodes', () => {
  test('takes no request without a signature of IAM', () => {
    assert.equal(methods.length, 6)
    for (const { AuthorizationType } of methods) assert.equal(AuthorizationType, 'AWS_IAM')
  })

  test('hands requests to the same path of a node, headers and status both ways', () => {
    assert.deepEqual(
      methods.map(({ HttpMethod, Integration }) => `${Integration.Type} ${HttpMethod} ${Integration.Uri}`).sort(),
      [
        'HTTP_PROXY GET https://${stageVariables.host}/heartbeat',
        'HTTP_PROXY GET https://${stageVariables.host}/speke/v1.0/heartbeat',
        'HTTP_PROXY POST https://${stageVariables.host}/copyProtection',
        'HTTP_PROXY POST https://${stageVariables.host}/speke/v1.0/copyProtection',
        'HTTP_PROXY POST https://${stageVariables.host}/speke/v2.0/copyProtection',
        'HTTP_PROXY POST https://${stageVariables.host}/speke/v2.1/copyProtection',
      ],
    )
    for (const { HttpMethod, Integration } of methods) assert.equal(Integration.IntegrationHttpMethod, HttpMethod)
    assert.equal(resource(deployed, 'SpekeApiStage').properties.Variables.host, 'keyspring.example.com:8443')
  })

  test('says who called in the headers that the gateway mode reads, whatever the caller sent in them', () => {
    for (const { Integration } of methods) {
      const set = Object.fromEntries(
        Object.entries<string>(Integration.RequestParameters).map(([name, value]) => [
          name.replace('integration.request.header.', '').toLowerCase(),
          value,
        ]),
      )
      assert.equal(set[GATEWAY_IDENTITY_HEADERS.arn], 'context.identity.userArn')
      assert.equal(set[GATEWAY_IDENTITY_HEADERS.account], 'context.identity.accountId')
      assert.equal(set['x-keyspring-gateway-secret'], 'stageVariables.secret')
    }
  })

  const certificates: readonly (readonly [answer: string, made: readonly string[], used: string])[] = [
    ['a', ['CertificateA'], 'CertificateA'],
    ['ab', ['CertificateA', 'CertificateB'], 'CertificateA'],
    ['ba', ['CertificateA', 'CertificateB'], 'CertificateB'],
    ['b', ['CertificateB'], 'CertificateB'],
  ]
  for (const [ClientCertificates, made, used] of certificates) {
    test(`proves itself by a client certificate, which can be changed without a gap: ${ClientCertificates}`, () => {
      const changed = deploy(template, { ...NODES, ClientCertificates })
      assert.deepEqual(
        ofType(changed, 'AWS::ApiGateway::ClientCertificate').map(([id]) => id),
        made,
      )
      assert.equal(resource(changed, 'SpekeApiStage').properties.ClientCertificateId, used)
    })
  }

  test('proves itself by a secret, too, where one is named; the template never holds it', () => {
    const GatewaySecretArn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:gateway-AbCdEf'
    const { Variables } = resource(deploy(template, { ...NODES, GatewaySecretArn }), 'SpekeApiStage').properties
    assert.equal(Variables.secret, `{{resolve:secretsmanager:${GatewaySecretArn}:SecretString}}`)
    assert.equal(resource(deployed, 'SpekeApiStage').properties.Variables.secret, undefined)
  })

  test('has the outputs of the reference server', () => {
    for (const name of ['SPEKEServerURL', 'MediaPackageSPEKERoleArn', 'MediaConvertSPEKERoleArn'])
      assert.ok(deployed.outputs.has(name), name)
  })
})

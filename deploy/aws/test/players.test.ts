import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CODE, EVERYTHING, JWT, SIGNED } from './answers.ts'
import { deploy, ofType, type Plain, resource } from './resolve.ts'
import { templateOf } from './templates.ts'

const template = templateOf('keyspring-serverless')
const jwt = deploy(template, JWT)
const signed = deploy(template, SIGNED)

const config = (deployed: typeof jwt): Plain => resource(deployed, 'Distribution').properties.DistributionConfig
const behaviors = (deployed: typeof jwt): readonly Plain[] => [
  config(deployed).DefaultCacheBehavior,
  ...config(deployed).CacheBehaviors,
]

describe('players', () => {
  test('are off unless asked for: then there is no door for them at all', () => {
    const off = deploy(template, CODE)
    assert.equal(ofType(off, 'AWS::CloudFront::Distribution').length, 0)
    assert.deepEqual(
      ofType(off, 'AWS::ApiGateway::RestApi').map(([id]) => id),
      ['SpekeApi'],
    )
    assert.deepEqual(
      ofType(off, 'AWS::Lambda::Function').map(([id]) => id),
      ['Issuer', 'Watcher'],
    )
  })

  test('get nothing from a cache: every behaviour has caching disabled', () => {
    for (const { CachePolicyId } of behaviors(jwt)) assert.equal(CachePolicyId, '4135ea2d-6df8-44a3-9df3-4b5a84be39ad')
  })

  test('reach the API with their query, cookies and Authorization, but under its own name', () => {
    for (const { OriginRequestPolicyId } of behaviors(jwt))
      assert.equal(OriginRequestPolicyId, 'b689b0a8-53d0-40ab-baf2-68738e2966ac')
  })

  test('with signatures: CloudFront checks every path by a trusted key group, and the function lets them pass', () => {
    for (const { TrustedKeyGroups } of behaviors(signed)) assert.deepEqual(TrustedKeyGroups, ['PlayerKeyGroup'])
    assert.deepEqual(resource(signed, 'PlayerKeyGroup').properties.KeyGroupConfig.Items, ['PlayerKeyA'])
    assert.equal(resource(signed, 'Player').properties.Environment.Variables.KEYSPRING_PLAYBACK_ACCESS, 'open')
    assert.equal(signed.outputs.get('PlayerKeyPairId'), 'PlayerKeyA')
    const { EncodedKey } = resource(signed, 'PlayerKeyA').properties.PublicKeyConfig
    const lines = ['MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA', 'AQAB']
    assert.equal(EncodedKey, ['-----BEGIN PUBLIC KEY-----', ...lines, '-----END PUBLIC KEY-----', ''].join('\n'))
  })

  test('get a new signing key without a gap: it takes the other place, for CloudFront never changes one', () => {
    const items = (answers: typeof SIGNED & { readonly PlayerPublicKeyB?: string }) => {
      const changed = deploy(template, answers)
      const { Items } = resource(changed, 'PlayerKeyGroup').properties.KeyGroupConfig
      return [Items, changed.outputs.get('PlayerKeyPairId'), changed.outputs.get('PlayerKeyPairIdB')]
    }
    const PlayerPublicKeyB = 'MIIBIjANBgkqhkiG9w0B AQAC'
    assert.deepEqual(items(SIGNED), [['PlayerKeyA'], 'PlayerKeyA', undefined])
    assert.deepEqual(items({ ...SIGNED, PlayerPublicKeyB }), [['PlayerKeyA', 'PlayerKeyB'], 'PlayerKeyA', 'PlayerKeyB'])
    assert.deepEqual(items({ ...SIGNED, PlayerPublicKey: '', PlayerPublicKeyB }), [
      ['PlayerKeyB'],
      undefined,
      'PlayerKeyB',
    ])
  })

  test('are served by stacks of several regions: what CloudFront names for the whole account names the region', () => {
    const { PublicKeyConfig } = resource(signed, 'PlayerKeyA').properties
    const { KeyGroupConfig } = resource(signed, 'PlayerKeyGroup').properties
    const { ResponseHeadersPolicyConfig } = resource(signed, 'PlayerHeaders').properties
    for (const { Name } of [PublicKeyConfig, KeyGroupConfig, ResponseHeadersPolicyConfig])
      assert.match(Name, /^keys-eu-west-1-players/)
  })

  test('with tokens: the function checks them, and CloudFront asks for no signature', () => {
    for (const { TrustedKeyGroups } of behaviors(jwt)) assert.equal(TrustedKeyGroups, undefined)
    const { Variables } = resource(jwt, 'Player').properties.Environment
    assert.equal(Variables.KEYSPRING_PLAYBACK_ACCESS, 'jwt')
    assert.equal(Variables.KEYSPRING_PLAYBACK_JWT_JWKS, JWT.PlayerJwksUrl)
  })

  test('can POST for a licence with nothing but what a player sends: no signature of the body, no origin access control', () => {
    const license = behaviors(jwt).find(({ PathPattern }) => PathPattern === '/license/*')
    assert.ok(license?.AllowedMethods.includes('POST'))
    assert.equal(ofType(jwt, 'AWS::CloudFront::OriginAccessControl').length, 0)
    assert.equal(ofType(jwt, 'AWS::Lambda::Url').length, 0)
    const method = resource(jwt, 'PlayerApiLicenseClearkeyTenantContentPOST').properties
    assert.equal(method.AuthorizationType, 'NONE')
  })

  test('cannot go around CloudFront: every method of the API wants the key that CloudFront alone has', () => {
    const methods = ofType(jwt, 'AWS::ApiGateway::Method').filter(([, one]) => one.RestApiId === 'PlayerApi')
    assert.equal(methods.length, 4)
    for (const [, method] of methods) assert.equal(method.ApiKeyRequired, true)
    const secret = '{{resolve:secretsmanager:OriginKeySecretA:SecretString}}'
    assert.equal(resource(jwt, 'OriginKey').properties.Value, secret)
    const [origin] = config(jwt).Origins
    assert.deepEqual(origin.OriginCustomHeaders, [{ HeaderName: 'X-Api-Key', HeaderValue: secret }])
    assert.equal(resource(jwt, 'OriginKeySecretA').properties.GenerateSecretString.PasswordLength, 64)
  })

  test('come by another key when its letter changes: API and CloudFront have the same one', () => {
    const changed = deploy(template, { ...JWT, PlayerOriginKey: 'b' })
    const secret = '{{resolve:secretsmanager:OriginKeySecretB:SecretString}}'
    assert.equal(resource(changed, 'OriginKey').properties.Value, secret)
    assert.equal(config(changed).Origins[0].OriginCustomHeaders[0].HeaderValue, secret)
    assert.equal(changed.resources.has('OriginKeySecretA'), false)
  })

  test('are served over TLS 1.2 or better alone, from their own domain', () => {
    const { ViewerCertificate, Aliases, Origins } = config(jwt)
    assert.deepEqual(Aliases, ['keys.example.com'])
    assert.equal(ViewerCertificate.MinimumProtocolVersion, 'TLSv1.2_2021')
    assert.equal(ViewerCertificate.AcmCertificateArn, JWT.PlayerCertificateArn)
    for (const { ViewerProtocolPolicy } of behaviors(jwt)) assert.equal(ViewerProtocolPolicy, 'https-only')
    assert.equal(Origins[0].CustomOriginConfig.OriginProtocolPolicy, 'https-only')
    assert.deepEqual(Origins[0].CustomOriginConfig.OriginSSLProtocols, ['TLSv1.2'])
  })

  test('read keys in pages of the origins that are named: added after the cache, with credentials, never *', () => {
    const { CorsConfig } = resource(jwt, 'PlayerHeaders').properties.ResponseHeadersPolicyConfig
    assert.deepEqual(CorsConfig.AccessControlAllowOrigins.Items, [
      'https://player.example.com',
      'https://www.example.com',
    ])
    assert.equal(CorsConfig.AccessControlAllowCredentials, true)
    assert.equal(CorsConfig.OriginOverride, true)
    assert.ok(!JSON.stringify(CorsConfig).includes('*'))
    for (const { ResponseHeadersPolicyId } of behaviors(jwt)) assert.equal(ResponseHeadersPolicyId, 'PlayerHeaders')
    assert.equal(resource(jwt, 'Player').properties.Environment.Variables.KEYSPRING_PLAYBACK_ORIGINS, JWT.PlayerOrigins)
  })

  test('read keys in no other page where no origin is named', () => {
    const alone = deploy(template, { ...JWT, PlayerOrigins: '' })
    assert.equal(resource(alone, 'PlayerHeaders').properties.ResponseHeadersPolicyConfig.CorsConfig, undefined)
    assert.equal(resource(alone, 'Player').properties.Environment.Variables.KEYSPRING_PLAYBACK_ORIGINS, undefined)
  })

  test('find the key URLs of answers at their domain, both functions agreeing', () => {
    for (const id of ['Issuer', 'Player'])
      assert.equal(resource(jwt, id).properties.Environment.Variables.KEYSPRING_PUBLIC_URL, 'https://keys.example.com')
  })

  test('cannot take the instances that encryptors need, where a limit is set', () => {
    assert.equal(resource(jwt, 'Player').properties.ReservedConcurrentExecutions, undefined)
    assert.equal(
      String(resource(deploy(template, EVERYTHING), 'Player').properties.ReservedConcurrentExecutions),
      '200',
    )
  })

  test('meet a Web ACL at CloudFront, where one is named', () => {
    assert.equal(config(jwt).WebACLId, undefined)
    assert.equal(config(deploy(template, EVERYTHING)).WebACLId, EVERYTHING.PlayerWebAclArn)
  })
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { retentionRules } from '../../../src/operations/lifetime/retention.ts'
import { type Config, readConfig } from '../../../src/server/config/config.ts'
import { EMF_NAMESPACE } from '../../../src/server/observe/emf-sink.ts'
import { NAMESPACE } from '../constructs/alarms.ts'
import { AGAIN, CODE, EVERYTHING, JWT, ROOT, SIGNED } from './answers.ts'
import { ACCOUNT, deploy, ofType, STACK } from './resolve.ts'
import { templateOf } from './templates.ts'

const template = templateOf('keyspring-serverless')

/** What the services would give for what settings refer to. */
const REFERRED: Readonly<Record<string, string>> = {
  KEYSPRING_CONTENT_KEYS_ROOT_SECRET: Buffer.alloc(32, 7).toString('base64'),
  KEYSPRING_PLAYBACK_JWT_SECRET: 'thirty-two-or-more-letters-of-a-secret',
  KEYSPRING_CONFIG_YAML: 'clients: [{ name: studio, credentials: { gateway: [{ caller: "123456789012" }] } }]',
}

/** The configuration of every function, as Keyspring itself reads it. */
function configsOf(answers: Readonly<Record<string, string | number>>): ReadonlyMap<string, Config> {
  const functions = ofType(deploy(template, answers), 'AWS::Lambda::Function')
  return new Map(
    functions.map(([id, { Environment }]) => {
      const variables = Object.entries<string>(Environment.Variables).map(([name, value]) => {
        const setting = name === 'KEYSPRING_CONFIG' ? 'KEYSPRING_CONFIG_YAML' : name.replace(/_FILE$/, '')
        return setting === name ? [name, value] : [setting, REFERRED[setting] ?? assert.fail(`${name} refers to what?`)]
      })
      // The function proves itself to itself by a secret that it draws at start.
      const environment = { ...Object.fromEntries(variables), KEYSPRING_AUTH_GATEWAY_SECRET_SHA256: 'ab'.repeat(32) }
      return [id, readConfig({ environment, runsAs: 'function' })]
    }),
  )
}

describe('what the functions are told', () => {
  const own = { ...CODE, ConfigurationArn: 'arn:aws:ssm:eu-west-1:123456789012:parameter/keyspring' }
  for (const [name, answers] of Object.entries({ CODE, JWT, SIGNED, EVERYTHING, AGAIN, ROOT, own })) {
    test(`is a configuration without a problem: ${name}`, () => {
      for (const config of configsOf(answers).values()) {
        assert.equal(config.store, 'dynamodb')
        assert.equal(config.rootKey.kind, 'aws-kms')
      }
    })
  }

  test('nobody is served without a credential: callers are those whom IAM lets, of this account', () => {
    for (const config of configsOf(EVERYTHING).values()) {
      assert.equal(config.allowAnonymous, false)
      assert.deepEqual(
        config.clients.flatMap(({ credentials }) => credentials.gateway),
        [{ caller: ACCOUNT }],
      )
    }
  })

  test('contents that no pattern of live ones fits are kept for ever', () => {
    const { retention } = configsOf(EVERYTHING).get('Issuer') ?? assert.fail()
    const classOf = (contentId: string) => retentionRules(retention)({ tenant: 'default', contentId })
    assert.equal(classOf('live-sports').keepMs, 14 * 24 * 3_600_000)
    assert.equal(classOf('event-1').name, 'live')
    for (const contentId of ['film-1', 'event-2', 'my-live-film']) assert.equal(classOf(contentId).keepMs, undefined)
  })

  test('without anything named nothing is ever destroyed', () => {
    const { retention } = configsOf(CODE).get('Issuer') ?? assert.fail()
    assert.equal(retentionRules(retention)({ tenant: 'default', contentId: 'live-1' }).keepMs, undefined)
  })

  test('players with tokens are checked, with signatures CloudFront has done it', () => {
    assert.equal(configsOf(JWT).get('Player')?.playback.access.kind, 'jwt')
    assert.equal(configsOf(SIGNED).get('Player')?.playback.access.kind, 'open')
  })

  test('viewers behind one address of CloudFront share no limit', () => {
    assert.equal(configsOf(JWT).get('Player')?.playback.rateLimit.perSecond, 0)
  })

  test('metrics have the namespace and the service that the alarms look for', () => {
    assert.equal(NAMESPACE, EMF_NAMESPACE)
    for (const [, { Environment }] of ofType(deploy(template, EVERYTHING), 'AWS::Lambda::Function'))
      assert.equal(Environment.Variables.AWS_EMF_SERVICE_NAME, STACK)
  })
})

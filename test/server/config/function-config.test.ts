import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startFunction } from '../../../src/server/assemble/function.ts'
import { readConfig } from '../../../src/server/config/config.ts'

const ENVIRONMENT = {
  KEYSPRING_STORE: 'dynamodb',
  KEYSPRING_DYNAMODB_TABLE: 'keys',
  KEYSPRING_ROOT_KEY_KIND: 'aws-kms',
  KEYSPRING_ROOT_KEY_AWS_KMS_KEY_ID: 'alias/keyspring',
  KEYSPRING_PLAYBACK_ACCESS: 'open',
}
const HASH = 'ab'.repeat(32)
const problemsOf = (environment: Record<string, string>, runsAs?: 'function'): readonly string[] => {
  try {
    readConfig({ environment, ...(runsAs && { runsAs }) })
    return []
  } catch (error) {
    return (error as Error).message.split('\n')
  }
}

describe('the configuration of a function', () => {
  test('requires no address, no certificate and no public URL of its own', () => {
    const { loopback, publicUrl } = readConfig({ environment: ENVIRONMENT, runsAs: 'function' })
    assert.deepEqual([loopback, publicUrl], [false, undefined])
  })

  test('has no store and no root key that end with the instance', () => {
    for (const store of ['sqlite', 'memory']) {
      const [problem] = problemsOf({ ...ENVIRONMENT, KEYSPRING_STORE: store }, 'function')
      assert.match(problem ?? '', /^KEYSPRING_STORE: expected dynamodb or a postgres/)
    }
    const local = { ...ENVIRONMENT, KEYSPRING_ROOT_KEY_KIND: 'local' }
    assert.match(problemsOf(local, 'function')[0] ?? '', /^KEYSPRING_ROOT_KEY_KIND: expected aws-kms or vault/)
    assert.deepEqual(problemsOf({ ...ENVIRONMENT, KEYSPRING_STORE: 'postgres://a:b@db/keys' }, 'function'), [])
  })

  test('says how players prove themselves, or that they need not', () => {
    const { KEYSPRING_PLAYBACK_ACCESS: _unsaid, ...environment } = ENVIRONMENT
    assert.match(problemsOf(environment, 'function')[0] ?? '', /^playback.access: is not set/)
  })

  test('is refused at the start, with every problem, by name and never by value', async () => {
    const environment = { ...ENVIRONMENT, KEYSPRING_STORE: 'memory', KEYSPRING_LOG_LEVEL: 'hunter2' }
    const starting = startFunction({ environment, version: '9.9.9', write: () => assert.fail('nothing is to be said') })
    await assert.rejects(starting, (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ERR_CONFIG_INVALID')
      assert.match(
        error.message,
        /KEYSPRING_LOG_LEVEL: .*\n.*KEYSPRING_STORE: |KEYSPRING_STORE: .*\n.*KEYSPRING_LOG_LEVEL: /s,
      )
      assert.doesNotMatch(error.message, /hunter2/)
      return true
    })
  })
})

describe('a store in DynamoDB', () => {
  test('requires its table', () => {
    const [problem] = problemsOf({ KEYSPRING_STORE: 'dynamodb' })
    assert.equal(problem, 'dynamodb.table: is not set: store dynamodb requires it')
  })

  test('does not erase what a request could still revive', () => {
    const retention =
      'store: dynamodb\ndynamodb: { table: keys }\nretention: { classes: { vod: { keep: 30d, grace: 120d } } }\n'
    const yaml = { KEYSPRING_CONFIG_YAML: retention }
    assert.deepEqual(problemsOf(yaml), [
      'dynamodb.eraseAfterDays: retention.classes.vod.grace is not shorter: DynamoDB would erase contents during their grace period',
    ])
    assert.deepEqual(problemsOf({ ...yaml, KEYSPRING_DYNAMODB_ERASE_AFTER_DAYS: '121' }), [])
  })
})

describe('callers that a gateway names', () => {
  test('are one client that may ask for keys', () => {
    const environment = {
      ...ENVIRONMENT,
      KEYSPRING_AUTH_GATEWAY_CALLERS: '111122223333, arn:aws:iam::444455556666:role/Encoder',
      KEYSPRING_AUTH_GATEWAY_SECRET_SHA256: HASH,
    }
    const [client, ...others] = readConfig({ environment, runsAs: 'function' }).clients
    assert.deepEqual(others, [])
    assert.deepEqual([client?.name, client?.tenant, client?.scopes], ['gateway', 'default', ['keys:issue']])
    assert.deepEqual(
      client?.credentials.gateway.map(({ caller }) => caller),
      ['111122223333', 'arn:aws:iam::444455556666:role/Encoder'],
    )
  })

  test('need a gateway that proves itself, and TLS in front of a node', () => {
    const callers = { KEYSPRING_AUTH_GATEWAY_CALLERS: '111122223333' }
    assert.match(problemsOf(callers)[0] ?? '', /^KEYSPRING_AUTH_GATEWAY_CALLERS: no gateway is configured/)
    const proven = { ...callers, KEYSPRING_AUTH_GATEWAY_SECRET_SHA256: HASH }
    assert.match(problemsOf(proven)[0] ?? '', /KEYSPRING_AUTH_GATEWAY_SECRET_SHA256: neither tls nor trustProxy is set/)
    assert.match(problemsOf({ KEYSPRING_AUTH_GATEWAY_CALLERS: 'somebody' })[0] ?? '', /expected an account number/)
  })
})

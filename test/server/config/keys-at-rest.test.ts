import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { readConfig } from '../../../src/server/config/config.ts'

const URL = 'postgres://keys:hunter2@db.example:5432/keys?sslmode=verify-full'
const read = (environment: Readonly<Record<string, string>>) => readConfig({ environment })

function problemsOf(environment: Readonly<Record<string, string>>): readonly string[] {
  try {
    read(environment)
  } catch (error) {
    assert.ok(error instanceof KeyProviderError && error.code === 'ERR_CONFIG_INVALID')
    return error.message.split('\n')
  }
  return []
}

test('a postgres URL is the store, and is printed nowhere', () => {
  const config = read({
    KEYSPRING_STORE: URL,
    KEYSPRING_POSTGRES_REPLICAS: `${URL},${URL}`,
    KEYSPRING_ROOT_KEY_PASSPHRASE: 'hunter2hunter2',
    KEYSPRING_ROOT_KEY_VAULT_TOKEN: 'hunter2',
    KEYSPRING_CONTENT_KEYS_ROOT_SECRET: Buffer.alloc(32, 'hunter2').toString('base64'),
  })
  assert.equal(config.store, 'postgres')
  assert.equal(config.postgres.url?.reveal(), URL)
  assert.equal(config.postgres.replicas.length, 2)
  for (const printed of [inspect(config, { depth: 9 }), JSON.stringify(config)]) {
    assert.doesNotMatch(printed, /hunter2|aHVudGVyMm/)
  }
})

test('a store that is none is refused without its text', () => {
  for (const KEYSPRING_STORE of ['mysql://u:hunter2@db', 'postgres://', 'postgres://a b', 'hunter2']) {
    assert.deepEqual(problemsOf({ KEYSPRING_STORE }), [
      'KEYSPRING_STORE: expected sqlite, memory, dynamodb or postgres://user:password@host:port/database',
    ])
  }
})

test('reports every setting that a kind of root key lacks', () => {
  assert.deepEqual(problemsOf({ KEYSPRING_ROOT_KEY_KIND: 'vault', KEYSPRING_ROOT_KEY_PREVIOUS: 'local,aws-kms' }), [
    'rootKey.vault.url: is not set: rootKey.kind vault requires it',
    'rootKey.vault.key: is not set: rootKey.kind vault requires it',
    'rootKey.vault.token: is not set: rootKey.kind vault requires it',
    'rootKey.awsKms.keyId: is not set: rootKey.kind aws-kms requires it',
  ])
})

test('derived-root requires its root secret', () => {
  assert.deepEqual(problemsOf({ KEYSPRING_CONTENT_KEYS_POLICY: 'derived-root' }), [
    'contentKeys.rootSecret: is not set: contentKeys.policy derived-root requires it',
  ])
  const problems = problemsOf({ KEYSPRING_CONTENT_KEYS_ROOT_SECRET: 'hunter2' })
  assert.deepEqual(problems, ['KEYSPRING_CONTENT_KEYS_ROOT_SECRET: expected 32 bytes in base64'])
})

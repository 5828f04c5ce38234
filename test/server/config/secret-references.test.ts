import assert from 'node:assert/strict'
import { after, beforeEach, describe, test } from 'node:test'
import { readConfig } from '../../../src/server/config/config.ts'
import { resolveSecretReferences } from '../../../src/server/config/secret-references.ts'
import { startFakeSecrets } from '../../adapters/root-keys/fake-secrets.ts'

const SECRET = 'a-secret-that-is-longer-than-32-bytes'
const ARN = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:jwt-AbCdEf'
const PARAMETER_ARN = 'arn:aws:ssm:eu-west-1:111122223333:parameter/keyspring/config'
const YAML = 'store: memory\nlogLevel: warn\n'

const fake = await startFakeSecrets(
  { 'player-jwt': SECRET, [ARN]: `${SECRET}\n`, empty: '' },
  { '/keyspring/token': 'hvs.token', [PARAMETER_ARN]: YAML },
)
after(() => fake.close())
Object.assign(process.env, {
  AWS_ENDPOINT_URL_SECRETS_MANAGER: fake.url,
  AWS_ENDPOINT_URL_SSM: fake.url,
  AWS_REGION: 'eu-west-1',
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
})
describe('a setting that names a secret', () => {
  beforeEach(() => {
    fake.asked.length = 0
  })

  test('of Secrets Manager has its value, fetched once', async () => {
    const resolved = await resolveSecretReferences({ KEYSPRING_PLAYBACK_JWT_SECRET_SECRET: 'player-jwt', OTHER: 'x' })
    assert.deepEqual(resolved, { KEYSPRING_PLAYBACK_JWT_SECRET: SECRET, OTHER: 'x' })
    assert.deepEqual(fake.asked, ['player-jwt'])
  })

  test('of the Parameter Store has its value, decrypted', async () => {
    const resolved = await resolveSecretReferences({ KEYSPRING_ROOT_KEY_VAULT_TOKEN_PARAMETER: '/keyspring/token' })
    assert.deepEqual(resolved, { KEYSPRING_ROOT_KEY_VAULT_TOKEN: 'hvs.token' })
  })

  test('by its ARN in the place of a file has its value, without the line end that editors put there', async () => {
    const resolved = await resolveSecretReferences({ KEYSPRING_PLAYBACK_JWT_SECRET_FILE: ARN })
    assert.deepEqual(resolved, { KEYSPRING_PLAYBACK_JWT_SECRET: SECRET })
  })

  test('may name a whole configuration', async () => {
    for (const variable of ['KEYSPRING_CONFIG', 'KEYSPRING_CONFIG_YAML_PARAMETER']) {
      const environment = await resolveSecretReferences({ [variable]: PARAMETER_ARN })
      const { store, logLevel } = readConfig({ environment })
      assert.deepEqual([store, logLevel], ['memory', 'warn'])
    }
  })

  test('leaves files, and settings whose name ends as a reference does, alone', async () => {
    const environment = {
      KEYSPRING_CONTENT_KEYS_ROOT_SECRET: 'a value',
      KEYSPRING_STORE_FILE: '/run/secrets/store',
      KEYSPRING_ROOT_KEY_FILE: '/run/root.key',
      KEYSPRING_CONFIG: 'keyspring.yaml',
    }
    assert.deepEqual(await resolveSecretReferences(environment), environment)
    assert.deepEqual(fake.asked, [])
  })

  test('differs from an unknown setting where references are not resolved', () => {
    const environment = { KEYSPRING_STORE_SECRET: 'keys', KEYSPRING_NOTHING_SECRET: 'keys' }
    assert.throws(() => readConfig({ environment }), {
      code: 'ERR_CONFIG_INVALID',
      message:
        'KEYSPRING_STORE_SECRET: names a secret of AWS, which only keyspring serve and functions read: ' +
        'set KEYSPRING_STORE itself, or KEYSPRING_STORE_FILE\nKEYSPRING_NOTHING_SECRET: unknown setting',
    })
  })

  test('is reported by its name, with every other problem, and never by a value', async () => {
    const environment = {
      KEYSPRING_PLAYBACK_JWT_SECRET_SECRET: 'nowhere',
      KEYSPRING_STORE_PARAMETER: '/nowhere',
      KEYSPRING_PLAYBACK_SIGNED_URL_SECRET_SECRET: 'empty',
      KEYSPRING_ROOT_KEY_VAULT_TOKEN_SECRET: 'player-jwt',
      KEYSPRING_ROOT_KEY_VAULT_TOKEN: 'hunter2',
    }
    await assert.rejects(resolveSecretReferences(environment), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ERR_CONFIG_INVALID')
      assert.deepEqual(error.message.split('\n'), [
        'KEYSPRING_PLAYBACK_JWT_SECRET_SECRET: cannot be read (ResourceNotFoundException)',
        'KEYSPRING_PLAYBACK_SIGNED_URL_SECRET_SECRET: the secret is empty',
        'KEYSPRING_ROOT_KEY_VAULT_TOKEN_SECRET: KEYSPRING_ROOT_KEY_VAULT_TOKEN is set too: expected one of the two',
        'KEYSPRING_STORE_PARAMETER: cannot be read (ParameterNotFound)',
      ])
      return true
    })
  })
})

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { openAwsKms } from '../../../src/adapters/root-keys/aws-kms.ts'
import { rootKeyChain } from '../../../src/adapters/root-keys/wrapping.ts'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { DataKeyRing } from '../../../src/keys/crypto/data-keys.ts'
import { fakeRootKey } from '../../keys/fixtures.ts'
import { startFakeKms } from './fake-kms.ts'
import { rootKeyContract } from './root-key-contract.ts'

// The SDK looks for credentials here; the fake takes any.
Object.assign(process.env, {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_EC2_METADATA_DISABLED: 'true',
})

const kms = await startFakeKms()
after(() => kms.close())

let keys = 0
const open = (keyId = `key-${keys++}`, endpoint = kms.url) => openAwsKms({ keyId, region: 'eu-west-1', endpoint })
const CONTEXT = { use: 'data-key', tenant: 'default', generation: '1' }

rootKeyContract('aws-kms', () => open())

describe('a root key in AWS KMS', () => {
  test('creates data keys in KMS and opens them again', async () => {
    const rootKey = await open()
    const made = (await rootKey.generate?.(CONTEXT)) ?? assert.fail()
    assert.equal(made.dataKey.length, 32)
    assert.deepEqual(await rootKey.unwrap(made.wrapped, CONTEXT), made.dataKey)
    assert.match(rootKey.describe?.(made.wrapped) ?? '', /^aws-kms arn:aws:kms:eu-west-1:111122223333:key\/key-\d+$/)
  })

  test('re-encrypts a data key of another KMS key without the data key leaving KMS', async () => {
    const [old, next] = [await open(), await open()]
    const wrapped = await old.wrap(new Uint8Array(32).fill(7), CONTEXT)
    kms.calls.length = 0
    const again = (await next.rewrap?.(wrapped, CONTEXT)) ?? assert.fail()
    assert.deepEqual(kms.calls, ['ReEncrypt'])
    assert.deepEqual(new Uint8Array((await next.unwrap(again, CONTEXT)) ?? []), new Uint8Array(32).fill(7))
    const broken = { code: 'ERR_SEAL_BROKEN' }
    await assert.rejects(Promise.resolve(next.rewrap?.(wrapped, { ...CONTEXT, tenant: 'other' })), broken)
  })

  test('is unavailable when KMS fails or does not answer, and the error says what to check', async () => {
    const rootKey = await open()
    const wrapped = await rootKey.wrap(new Uint8Array(32), CONTEXT)
    const unavailable = {
      code: 'ERR_ROOT_KEY_UNAVAILABLE',
      message: /aws-kms key-\d+ cannot be used: .*check the network/,
    }
    kms.failWith(500)
    await assert.rejects(rootKey.unwrap(wrapped, CONTEXT), unavailable)
    await assert.rejects(rootKey.wrap(new Uint8Array(32), CONTEXT), unavailable)
    kms.failWith(undefined)
    assert.ok(await rootKey.unwrap(wrapped, CONTEXT))
    const nobody = await open('key-0', 'http://127.0.0.1:1')
    await assert.rejects(nobody.unwrap(wrapped, CONTEXT), unavailable)
  })

  test('asks KMS once per tenant, not once per content', async () => {
    const rootKey = await open()
    const store = memoryStore()
    const dataKeys = new DataKeyRing({ store, rootKey, rootKeyName: 'kms', randomBytes })
    kms.calls.length = 0
    for (let n = 0; n < 50; n++) await dataKeys.current('a')
    assert.deepEqual(kms.calls, ['GenerateDataKey', 'Decrypt'])
  })

  test('opens what previous root keys wrapped, and wraps with the current one only', async () => {
    const [old, next] = [fakeRootKey(9), await open()]
    const chain = rootKeyChain(next, [old])
    const before = await old.wrap(randomBytes(32), CONTEXT)
    // The fake's wrapping begins with 1, as that of a local root key does.
    assert.ok(await chain.unwrap(before, CONTEXT))
    assert.equal(chain.isNewest?.(before), false)
    const wrapped = await chain.wrap(new Uint8Array(32), CONTEXT)
    assert.equal(chain.isNewest?.(wrapped), true)
    assert.ok(await next.unwrap(wrapped, CONTEXT))
  })
})

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { inspect } from 'node:util'
import { openVault } from '../../../src/adapters/root-keys/vault.ts'
import type { KeyProviderError } from '../../../src/core/errors.ts'
import { Secret } from '../../../src/core/secret.ts'
import { startFakeVault } from './fake-kms.ts'
import { rootKeyContract } from './root-key-contract.ts'

const TOKEN = 'hvs.CAESIJ-test-token'
const vault = await startFakeVault(TOKEN)
after(() => vault.close())

let keys = 0
const open = (part: Partial<Parameters<typeof openVault>[0]> = {}) =>
  openVault({ url: vault.url, key: `key-${keys++}`, token: new Secret(TOKEN), ...part })
const CONTEXT = { use: 'data-key', tenant: 'default', generation: '1' }

rootKeyContract('vault', async () => open())

describe('a root key in Vault', () => {
  test('names the key and the version that wrapped', async () => {
    const rootKey = open({ key: 'keyspring' })
    assert.equal(rootKey.describe?.(await rootKey.wrap(new Uint8Array(32), CONTEXT)), 'vault transit/keyspring v1')
    assert.equal(rootKey.describe?.(Uint8Array.of(1, 2)), undefined)
  })

  test('is unavailable when Vault is sealed, rejects the token or does not answer, and the error does not hold the token', async () => {
    const rootKey = open()
    const wrapped = await rootKey.wrap(new Uint8Array(32), CONTEXT)
    const unavailable = (error: KeyProviderError): boolean => {
      assert.equal(error.code, 'ERR_ROOT_KEY_UNAVAILABLE')
      assert.ok(!inspect(error, { depth: 9 }).includes(TOKEN))
      return true
    }
    vault.failWith(503)
    await assert.rejects(rootKey.unwrap(wrapped, CONTEXT), unavailable)
    vault.failWith(undefined)
    assert.ok(await rootKey.unwrap(wrapped, CONTEXT))
    await assert.rejects(open({ token: new Secret('other') }).wrap(new Uint8Array(32), CONTEXT), unavailable)
    await assert.rejects(open({ url: 'http://127.0.0.1:1' }).wrap(new Uint8Array(32), CONTEXT), unavailable)
  })
})

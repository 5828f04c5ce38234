import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { createCredentialSecrets, resealClients } from '../../../src/auth/clients/credential-secrets.ts'
import { DataKeyRing } from '../../../src/keys/crypto/data-keys.ts'
import { removeOldDataKeys, rotateDataKeys } from '../../../src/keys/maintenance/rotate-data-keys.ts'
import { fakeRootKey } from '../../keys/fixtures.ts'

test('credentials are sealed with the newest data key, open as before, and need the old one no more', async () => {
  const store = memoryStore()
  const options = { store, rootKey: fakeRootKey(1), rootKeyName: 'test', randomBytes }
  const before = createCredentialSecrets({ dataKeys: new DataKeyRing(options), randomBytes })
  const secret = randomBytes(40)
  const sigv4 = { method: 'sigv4', id: 'KS00' } as const
  await store.putClient({
    client: { name: 'packager', tenant: 'studio', scopes: ['keys:issue'] },
    credentials: [
      { ...sigv4, sealed: await before.seal('studio', sigv4, secret) },
      { method: 'certificate', id: 'DNS:encoder.example' },
    ],
  })
  await rotateDataKeys(options)
  assert.equal(await removeOldDataKeys(options), 0)
  const dataKeys = new DataKeyRing(options)
  assert.equal(await resealClients({ store, dataKeys, randomBytes }), 1)
  assert.equal(await resealClients({ store, dataKeys, randomBytes }), 0)
  assert.equal(await removeOldDataKeys(options), 1)
  const [client] = await store.listClients()
  const [resealed, certificate] = client?.credentials ?? []
  assert.ok(resealed?.method === 'sigv4')
  const after = createCredentialSecrets({ dataKeys: new DataKeyRing(options), randomBytes })
  assert.deepEqual(await after.open('studio', resealed), secret)
  assert.equal(certificate?.id, 'DNS:encoder.example')
})

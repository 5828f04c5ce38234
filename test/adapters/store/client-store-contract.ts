import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import type { ClientStore, RegisteredClient } from '../../../src/auth/clients/client.ts'
import type { Credential } from '../../../src/auth/credentials/credential.ts'
import { seal } from '../../../src/keys/crypto/seal.ts'
import type { ContentStore } from '../../../src/keys/ports/content-store.ts'
import type { StoreMaintenance } from '../../../src/keys/ports/maintenance-store.ts'

type Store = ClientStore & ContentStore & StoreMaintenance

const sealedBy = (generation: number, id: string): Uint8Array =>
  seal(
    { generation, key: createSecretKey(randomBytes(32)) },
    { kind: 'client-credential', tenant: 'studio', method: 'sigv4', id },
    randomBytes(40),
    randomBytes,
  )

const CREDENTIALS: readonly Credential[] = [
  { method: 'token', id: '0123456789abcdef', sha256: new Uint8Array(randomBytes(32)), notAfter: 1_800_000_000_000 },
  { method: 'basic', id: 'encoder', passwordHash: '$scrypt$ln=14,r=8,p=5$AAAA$AAAA' },
  { method: 'digest', id: 'encoder', realm: 'keyspring', sealed: sealedBy(1, 'encoder') },
  { method: 'sigv4', id: 'KS00', sealed: sealedBy(1, 'KS00'), notBefore: 1 },
  { method: 'jwt', id: 'urn:ënçoder', issuer: 'https://issuer.example' },
  { method: 'certificate', id: 'DNS:encoder.example' },
  { method: 'gateway', id: 'arn:aws:iam::123456789012:role/Speke' },
  { method: 'signer', id: 'widevine_test', kind: 'aes', sealed: sealedBy(1, 'widevine_test') },
]

const registered = (name: string, credentials: readonly Credential[] = CREDENTIALS): RegisteredClient => ({
  client: {
    name,
    tenant: 'studio',
    scopes: ['keys:issue', 'keys:read'],
    contentIds: ['live-*', "it's"],
    recipientFingerprints: ['ab'.repeat(32)],
    signalingProfile: 'mediapackage-v2',
  },
  credentials,
})

/** What every ClientStore does. */
export function clientStoreContract(name: string, open: () => Promise<Store>): void {
  describe(`clients in the ${name} store`, () => {
    const inStore = async (use: (store: Store) => Promise<void>): Promise<void> => {
      const store = await open()
      try {
        for (const generation of [1, 2]) {
          await store.putDataKeyIfAbsent({ tenant: 'studio', generation, wrapped: Uint8Array.of(generation) })
        }
        await use(store)
      } finally {
        await store.close()
      }
    }

    test('has no clients at first', () => inStore(async (store) => assert.deepEqual(await store.listClients(), [])))

    test('returns a client as it was stored, with credentials of every method', () =>
      inStore(async (store) => {
        await store.putClient(registered('encoder'))
        assert.deepEqual(await store.listClients(), [registered('encoder')])
      }))

    test('returns bytes whatever their type when stored', () =>
      inStore(async (store) => {
        const sha256 = randomBytes(32)
        await store.putClient(registered('encoder', [{ method: 'token', id: '0123456789abcdef', sha256 }]))
        const [{ credentials: [credential] = [] } = assert.fail('no client')] = await store.listClients()
        assert.ok(credential?.method === 'token' && Buffer.compare(credential.sha256, sha256) === 0)
      }))

    test('clients are listed by name', () =>
      inStore(async (store) => {
        for (const one of ['b', 'a', 'c']) await store.putClient(registered(one, []))
        assert.deepEqual(
          (await store.listClients()).map(({ client }) => client.name),
          ['a', 'b', 'c'],
        )
      }))

    test('storing a client again replaces it with all its credentials', () =>
      inStore(async (store) => {
        await store.putClient(registered('encoder'))
        await store.putClient(registered('encoder', CREDENTIALS.slice(0, 1)))
        assert.deepEqual(await store.listClients(), [registered('encoder', CREDENTIALS.slice(0, 1))])
      }))

    test('removing a client says whether there was one', () =>
      inStore(async (store) => {
        await store.putClient(registered('encoder'))
        assert.equal(await store.removeClient('encoder'), true)
        assert.equal(await store.removeClient('encoder'), false)
        assert.deepEqual(await store.listClients(), [])
      }))

    test('a data key stays while a credential needs it', () =>
      inStore(async (store) => {
        await store.putClient(registered('encoder'))
        const counts = await store.countSeals()
        assert.deepEqual(
          counts.map(({ generation, rows }) => [generation, rows]),
          [
            [1, 1],
            [2, 0],
          ],
        )
        assert.equal(await store.removeDataKey('studio', 1), false)
        await store.putClient(registered('encoder', [{ method: 'sigv4', id: 'KS00', sealed: sealedBy(2, 'KS00') }]))
        assert.equal(await store.removeDataKey('studio', 1), true)
        assert.equal(await store.removeDataKey('studio', 2), false)
      }))
  })
}

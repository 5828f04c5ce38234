import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { rootKeyId } from '../../../src/adapters/root-keys/file.ts'
import { rootKeyOf } from '../../../src/adapters/root-keys/wrap.ts'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { DRM_SYSTEMS } from '../../../src/formats/drm/facts.ts'
import type { LedgerEntry } from '../../../src/keys/ledger/ledger.ts'
import { reportCertificates } from '../../../src/server/observe/certificate-expiry.ts'
import { countSignaling } from '../../../src/server/observe/count-signaling.ts'
import { measuredDataKeys, measuredRootKey } from '../../../src/server/observe/measured-root-key.ts'
import { measuredStore } from '../../../src/server/observe/measured-store.ts'
import { certificateOf, rsaKeys } from '../../formats/cpix/certificates.ts'
import { kidOf, REF } from '../../keys/fixtures.ts'
import { keptMetrics } from '../fakes.ts'

/** What was told without the durations, which are numbers that nobody knows before. */
const withoutTimes = (told: readonly unknown[][]) =>
  told.map((values) => values.filter((value) => typeof value !== 'number'))

test('operations of a store are told with their backend, and what they return stays', async () => {
  const { metrics, told } = keptMetrics()
  const store = measuredStore(memoryStore(), 'memory', metrics)
  assert.equal(await store.findContent(REF, []), undefined)
  assert.deepEqual(await store.sampleDataKeys(), [])
  await store.close()
  assert.deepEqual(withoutTimes(told), [
    ['storeOperation', 'findContent', 'memory', undefined],
    ['storeOperation', 'sampleDataKeys', 'memory', undefined],
  ])
  assert.ok(told.every(([, , , ms]) => typeof ms === 'number' && ms >= 0))
})

test('a failure is told by its code, an unforeseen one by that word, and both are thrown as they are', async () => {
  const { metrics, told } = keptMetrics()
  const away = new KeyProviderError('ERR_STORE_UNAVAILABLE', 'hunter2')
  const odd = new Error('hunter2')
  const store = measuredStore(
    {
      findContent: () => Promise.reject(away),
      record: () => {
        throw odd
      },
    },
    'sqlite',
    metrics,
  )
  await assert.rejects(store.findContent(), (error) => error === away)
  assert.throws(
    () => store.record(),
    (error) => error === odd,
  )
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(withoutTimes(told).sort(), [
    ['storeOperation', 'findContent', 'sqlite', 'ERR_STORE_UNAVAILABLE'],
    ['storeOperation', 'record', 'sqlite', 'UNFORESEEN'],
  ])
  assert.doesNotMatch(JSON.stringify(told), /hunter2/)
})

test('a root key is told of with its provider, and lacks what it lacked', async () => {
  const { metrics, told } = keptMetrics()
  const key = randomBytes(32)
  const rootKey = measuredRootKey(rootKeyOf([{ id: rootKeyId(key), key }]), 'local', metrics)
  const dataKey = randomBytes(32)
  const wrapped = await rootKey.wrap(Uint8Array.from(dataKey), { use: 'data-key' })
  assert.deepEqual(Buffer.from((await rootKey.unwrap(wrapped, { use: 'data-key' })) ?? []), dataKey)
  assert.equal(rootKey.generate, undefined)
  assert.ok(rootKey.isNewest?.(wrapped))
  assert.deepEqual(withoutTimes(told), [
    ['rootKeyOperation', 'wrap', 'local', undefined],
    ['rootKeyOperation', 'unwrap', 'local', undefined],
  ])
})

test('a request for a data key is counted', async () => {
  const { metrics, told } = keptMetrics()
  const key = createSecretKey(randomBytes(32))
  const dataKeys = measuredDataKeys({ current: async () => ({ generation: 1, key }), find: async () => key }, metrics)
  assert.equal((await dataKeys.current('studio')).key, key)
  assert.equal(await dataKeys.find('studio', 1), key)
  assert.deepEqual(told, [['dataKeyLookup'], ['dataKeyLookup']])
})

test('signalled keys are counted by system; the systems of a configuration are `other`', () => {
  const { metrics, told } = keptMetrics()
  const [widevine] = DRM_SYSTEMS.keys()
  const own = '00000000-0000-4000-8000-000000000000' as typeof widevine
  const keyIn = (number: number, systemIds: readonly (typeof widevine)[]) => ({
    kid: kidOf(number),
    contentKeyClass: 'drm',
    commonEncryptionScheme: 'cenc',
    intendedTrackTypes: [],
    systemIds,
  })
  const entries = [{ keys: [keyIn(1, [widevine, own]), keyIn(2, [widevine])] }] as unknown as readonly LedgerEntry[]
  const count = countSignaling(metrics)
  count(entries)
  count(entries)
  const once = [
    ['drmSignaling', 'Widevine', 2],
    ['drmSignaling', 'other', 1],
  ]
  assert.deepEqual(told, [...once, ...once])
})

test('the certificate of a file that expires first is told', () => {
  const { metrics, told } = keptMetrics()
  const { publicKey } = rsaKeys(2048)
  const pem = (notAfter: Date): string => {
    const base64 = certificateOf({ publicKey, validTo: notAfter.getTime() }).toString('base64')
    return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
  }
  const [soon, late] = [new Date('2031-01-01T00:00:00Z'), new Date('2041-01-01T00:00:00Z')]
  reportCertificates({ cert: Buffer.from(pem(late) + pem(soon)), key: Buffer.alloc(0), clientCa: undefined }, metrics)
  reportCertificates({ cert: Buffer.from(pem(late)), key: Buffer.alloc(0), clientCa: Buffer.from(pem(soon)) }, metrics)
  reportCertificates(undefined, metrics)
  assert.deepEqual(told, [
    ['tlsCertificateExpiry', 'server', soon.getTime() / 1_000],
    ['tlsCertificateExpiry', 'server', late.getTime() / 1_000],
    ['tlsCertificateExpiry', 'client-ca', soon.getTime() / 1_000],
  ])
})

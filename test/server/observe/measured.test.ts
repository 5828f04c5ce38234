import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { rootKeyId } from '../../../src/adapters/root-keys/file.ts'
import { rootKeyOf } from '../../../src/adapters/root-keys/wrapping.ts'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { DRM_SYSTEMS } from '../../../src/formats/drm/facts.ts'
import type { LedgerEntry } from '../../../src/keys/ledger/ledger.ts'
import {
  measuredDataKeys,
  measuredRootKey,
  measuredStore,
  SignalingCounter,
} from '../../../src/server/observe/measured.ts'
import { kidOf, REF } from '../../keys/fixtures.ts'
import { keptMetrics } from '../fakes.ts'

/** The reports without their durations. */
const withoutTimes = (told: readonly unknown[][]) =>
  told.map((values) => values.filter((value) => typeof value !== 'number'))

test('reports the operations of a store with their backend, and returns their results', async () => {
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

test('reports a failure by its code, any other error as UNFORESEEN, and throws both unchanged', async () => {
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

test('reports the operations of a root key with its provider, and adds no operation', async () => {
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

test('counts each lookup of a data key', async () => {
  const { metrics, told } = keptMetrics()
  const key = createSecretKey(randomBytes(32))
  const dataKeys = measuredDataKeys({ current: async () => ({ generation: 1, key }), find: async () => key }, metrics)
  assert.equal((await dataKeys.current('studio')).key, key)
  assert.equal(await dataKeys.find('studio', 1), key)
  assert.deepEqual(told, [['dataKeyLookup'], ['dataKeyLookup']])
})

test('counts signalled keys by system, and systems by template as `other`', () => {
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
  const counter = new SignalingCounter(metrics)
  counter.count(entries)
  counter.count(entries)
  const once = [
    ['drmSignaling', 'Widevine', 2],
    ['drmSignaling', 'other', 1],
  ]
  assert.deepEqual(told, [...once, ...once])
})

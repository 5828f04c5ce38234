import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { systemIdOf } from '../../../src/formats/cenc.ts'
import {
  addKidOverride,
  addOverride,
  listKidOverrides,
  listOverrides,
  removeKidOverride,
  removeOverride,
} from '../../../src/keys/content/overrides.ts'
import type { ContentStore } from '../../../src/keys/ports/content-store.ts'
import { hex, issue, keyringOf, kidOf, REF, wantedOf } from '../fixtures.ts'

const WIDEVINE = systemIdOf('edef8ba9-79d6-4ace-a3c8-27dcd51d21ed')
const KEY = new Uint8Array(16).fill(0xc1)
const IV = new Uint8Array(16).fill(0xc2)
const NEW = { ref: REF, contentKeyClass: 'drm', kid: kidOf(1), key: KEY, iv: IV } as const
const RULE = { intendedTrackType: 'HD', periodIndex: undefined, kid: kidOf(5) }
const FORCE = { force: true, reason: 'wrong key imported' }
const exists = { code: 'ERR_OVERRIDE_EXISTS' }
const invalid = { code: 'ERR_OVERRIDE_INVALID' }
const gone = { code: 'ERR_CONTENT_GONE' }

const optionsOf = () => ({ ...keyringOf(), randomBytes })

describe('an override', () => {
  test('is added, listed without its key, and issued', async () => {
    const options = optionsOf()
    await addOverride(options, { ...NEW, pssh: { [WIDEVINE]: Uint8Array.of(1) } })
    const listed = await listOverrides(options, REF)
    assert.deepEqual(listed, [{ contentKeyClass: 'drm', kid: kidOf(1), psshSystemIds: [WIDEVINE] }])
    assert.deepEqual((await issue(options.keys, [wantedOf(1)])).keys, [`${hex(KEY)} ${hex(IV)}`])
  })

  test('leaves the bytes that were given as they are', async () => {
    const key = new Uint8Array(KEY)
    await addOverride(optionsOf(), { ...NEW, key })
    assert.deepEqual(key, KEY)
  })

  const wrong = {
    'a short key': { key: KEY.slice(1) },
    'a long key': { key: new Uint8Array(17) },
    'a short IV': { iv: IV.slice(1) },
    'an IV that is the key': { iv: KEY },
    'force without a reason': { force: true },
    'force with an empty reason': { force: true, reason: ' ' },
  }
  for (const [name, part] of Object.entries(wrong)) {
    test(`with ${name} is refused, and no byte of the key is told`, async () => {
      const options = optionsOf()
      await assert.rejects(addOverride(options, { ...NEW, ...part }), (error: Error & { code?: string }) => {
        assert.equal(error.code, invalid.code)
        assert.doesNotMatch(error.message, /c1c1|wcHB/)
        return true
      })
      assert.deepEqual(await listOverrides(options, REF), [])
    })
  }

  test('is refused where one stands, unless forced', async () => {
    const options = optionsOf()
    await addOverride(options, NEW)
    await assert.rejects(addOverride(options, { ...NEW, key: IV, iv: KEY }), exists)
    await addOverride(options, { ...NEW, contentKeyClass: 'clear' })
    await addOverride(options, { ...NEW, key: IV, iv: KEY, ...FORCE })
    assert.deepEqual((await issue(options.keys, [wantedOf(1)])).keys, [`${hex(IV)} ${hex(KEY)}`])
  })

  test('is refused for a content that has keys already, unless forced', async () => {
    const options = optionsOf()
    await issue(options.keys, [wantedOf(2)])
    await assert.rejects(addOverride(options, NEW), exists)
    await addOverride(options, { ...NEW, ...FORCE })
    assert.equal((await listOverrides(options, REF)).length, 1)
  })

  test('added at the moment of the first request is refused or issued, never both', async () => {
    for (let round = 0; round < 20; round++) {
      const options = optionsOf()
      const [added, issued] = await Promise.allSettled([addOverride(options, NEW), issue(options.keys, [wantedOf(1)])])
      assert.equal(issued.status, 'fulfilled')
      if (added.status === 'rejected') assert.equal(added.reason.code, exists.code)
      options.clock.at += 5_000
      const later = await issue(options.keys, [wantedOf(1)])
      if (added.status === 'rejected') assert.notEqual(later.keys[0], `${hex(KEY)} ${hex(IV)}`)
    }
  })

  test('is never stored where the first request came between the look and the write', async () => {
    const memory = memoryStore()
    const reader = keyringOf({ store: memory })
    const { dataKeys } = reader
    const issued: string[] = []
    const firstRequest = async () => {
      issued.push(...(await issue(keyringOf({ store: memory, dataKeys }).keys, [wantedOf(1)])).keys)
    }
    const written: string[] = []
    const store: ContentStore = {
      ...memory,
      async putOverridesIfAbsent(...values) {
        await firstRequest()
        const standing = await memory.putOverridesIfAbsent(...values)
        written.push(...(await memory.listOverrides(REF)).map(({ kid }) => kid))
        return standing
      },
    }
    const late = addOverride({ ...reader, store, randomBytes }, NEW)
    await assert.rejects(late, { ...exists, message: /an encryptor requested the content during this change/ })
    await firstRequest()
    assert.deepEqual(written, [])
    assert.equal(new Set(issued).size, 1)
    assert.equal(issued.length, 2)
  })

  test('stands where the first request came right after the write', async () => {
    const memory = memoryStore()
    const reader = keyringOf({ store: memory })
    const store: ContentStore = {
      ...memory,
      async putOverridesIfAbsent(...values) {
        await memory.putOverridesIfAbsent(...values)
        await issue(reader.keys, [wantedOf(1), wantedOf(2)])
        return memory.putOverridesIfAbsent(...values)
      },
    }
    await addOverride({ ...reader, store, randomBytes }, NEW)
    assert.notEqual((await memory.findContent(REF, []))?.sealedSecret, undefined)
    assert.deepEqual((await issue(reader.keys, [wantedOf(1)])).keys, [`${hex(KEY)} ${hex(IV)}`])
  })

  test('is removed by force alone', async () => {
    const options = optionsOf()
    assert.equal(await removeOverride(options, { ...NEW, ...FORCE }), false)
    await addOverride(options, NEW)
    await assert.rejects(removeOverride(options, NEW), exists)
    assert.equal(await removeOverride(options, { ...NEW, ...FORCE }), true)
    assert.deepEqual(await listOverrides(options, REF), [])
  })

  test('of a destroyed content is refused even by force', async () => {
    const options = optionsOf()
    await options.store.putTombstone(REF, { at: 1, reason: 'withdrawn', cause: 'deleted' })
    await assert.rejects(addOverride(options, NEW), gone)
    await assert.rejects(addOverride(options, { ...NEW, ...FORCE }), gone)
    await assert.rejects(addKidOverride(options, { ref: REF, rule: RULE, ...FORCE }), gone)
  })
})

describe('a rule for kids', () => {
  test('is added, listed, and removed by force alone', async () => {
    const options = optionsOf()
    await addKidOverride(options, { ref: REF, rule: RULE })
    assert.deepEqual(await listKidOverrides(options, REF), [RULE])
    await assert.rejects(removeKidOverride(options, { ref: REF, rule: RULE }), exists)
    assert.equal(await removeKidOverride(options, { ref: REF, rule: RULE, ...FORCE }), true)
    assert.equal(await removeKidOverride(options, { ref: REF, rule: RULE, ...FORCE }), false)
    assert.deepEqual(await listKidOverrides(options, REF), [])
  })

  test('is refused where one stands or keys were issued, unless forced', async () => {
    const options = optionsOf()
    await addKidOverride(options, { ref: REF, rule: RULE })
    await assert.rejects(addKidOverride(options, { ref: REF, rule: { ...RULE, kid: kidOf(6) } }), exists)
    await issue(options.keys, [wantedOf(1)])
    const other = { ...RULE, intendedTrackType: 'SD' }
    await assert.rejects(addKidOverride(options, { ref: REF, rule: other }), exists)
    await addKidOverride(options, { ref: REF, rule: other, ...FORCE })
    assert.equal((await listKidOverrides(options, REF)).length, 2)
  })
})

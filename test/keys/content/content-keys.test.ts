import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { systemIdOf } from '../../../src/formats/cenc.ts'
import { StoredContentKeys } from '../../../src/keys/content/content-keys.ts'
import { addKidOverride, addOverride } from '../../../src/keys/content/overrides.ts'
import { hex, issue, keyringOf, kidOf, REF, wantedOf } from '../fixtures.ts'

const WIDEVINE = systemIdOf('edef8ba9-79d6-4ace-a3c8-27dcd51d21ed')
const away = { code: 'ERR_STORE_UNAVAILABLE' }
const BOTH = [wantedOf(1), wantedOf(2)]

for (const policy of ['derived', 'random'] as const) {
  describe(`under the policy ${policy}`, () => {
    test('the same request gives the same keys, from memory, after revalidation and in another process', async () => {
      const { keys, clock, store, dataKeys } = keyringOf({ policy })
      const { keys: first } = await issue(keys, BOTH)
      assert.deepEqual((await issue(keys, BOTH)).keys, first)
      clock.at += 60_000
      assert.deepEqual((await issue(keys, BOTH)).keys, first)
      assert.deepEqual((await issue(keys, [...BOTH].reverse())).keys, [...first].reverse())
      const other = new StoredContentKeys({ store, dataKeys, policy, now: () => 0, randomBytes, time: () => 0 })
      assert.deepEqual((await issue(other, BOTH)).keys, first)
    })

    test('32 first requests at once give one key, and one of them is the first', async () => {
      const { keys } = keyringOf({ policy })
      const issued = await Promise.all(Array.from({ length: 32 }, () => issue(keys, BOTH)))
      for (const one of issued) assert.deepEqual(one.keys, issued[0]?.keys)
      assert.equal(issued.filter(({ first }) => first).length, 1)
    })

    test('32 first requests at once are one write', async () => {
      const memory = memoryStore()
      let writes = 0
      const counted = <V extends unknown[], R>(put: (...values: V) => R) => {
        return (...values: V): R => {
          writes++
          return put(...values)
        }
      }
      const { keys } = keyringOf({
        policy,
        store: {
          ...memory,
          putSecretIfAbsent: counted(memory.putSecretIfAbsent),
          putOverridesIfAbsent: counted(memory.putOverridesIfAbsent),
        },
      })
      await Promise.all(Array.from({ length: 32 }, () => issue(keys, BOTH)))
      assert.equal(writes, 1)
    })

    test('first requests of two processes agree', async () => {
      const { keys, store, dataKeys } = keyringOf({ policy })
      const other = new StoredContentKeys({ store, dataKeys, policy, now: () => 0, randomBytes, time: () => 0 })
      const [one, two] = await Promise.all([issue(keys, BOTH), issue(other, [...BOTH].reverse())])
      assert.deepEqual(one.keys, [...two.keys].reverse())
    })

    test('a first request while the store is away is an error, and creates nothing', async () => {
      const { keys, setAway } = keyringOf({ policy })
      const content = await keys.open(REF, [kidOf(1)])
      setAway(true)
      await assert.rejects(keys.open(REF, [kidOf(1)]), away)
      await assert.rejects(content.issue([wantedOf(1)]), away)
      setAway(false)
      assert.equal((await issue(keys, [wantedOf(1)])).first, true)
    })

    test('a kid has a key of its own in each class', async () => {
      const { keys } = keyringOf({ policy })
      const [drm, clear] = (await issue(keys, [wantedOf(1, 'drm'), wantedOf(1, 'clear')])).keys
      assert.notEqual(drm, clear)
    })

    test('no IV is a key', async () => {
      const { keys } = keyringOf({ policy })
      for (const pair of (await issue(keys, BOTH)).keys) assert.equal(new Set(pair.split(' ')).size, 2)
    })

    test('a destroyed content gets no keys', async () => {
      const { keys, store, clock } = keyringOf({ policy })
      await issue(keys, BOTH)
      await store.putTombstone(REF, { at: 5, reason: 'withdrawn', cause: 'deleted' })
      clock.at += 5_000
      await assert.rejects(issue(keys, BOTH), { code: 'ERR_CONTENT_GONE' })
      const content = await keys.open({ ...REF, contentId: 'other' }, [])
      await store.putTombstone({ ...REF, contentId: 'other' }, { at: 5, reason: 'withdrawn', cause: 'deleted' })
      await assert.rejects(content.issue(BOTH), { code: 'ERR_CONTENT_GONE' })
    })

    test('a stored override wins, with its IV or with one derived for it', async () => {
      const { keys, store, dataKeys } = keyringOf({ policy })
      const options = { store, dataKeys, randomBytes, now: () => 0 }
      const [key, iv] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)]
      await addOverride(options, { ref: REF, contentKeyClass: 'drm', kid: kidOf(1), key, iv })
      await addOverride(options, { ref: REF, contentKeyClass: 'drm', kid: kidOf(2), key })
      const issued = await issue(keys, BOTH)
      assert.equal(issued.keys[0], `${hex(key)} ${hex(iv)}`)
      const [imported, derivedIv] = issued.keys[1]?.split(' ') ?? []
      assert.equal(imported, hex(key))
      assert.notEqual(derivedIv, imported)
      assert.deepEqual((await issue(keys, BOTH)).keys, issued.keys)
      assert.notEqual((await issue(keys, [wantedOf(1, 'clear')])).keys[0]?.split(' ')[0], imported)
    })

    test('a content with more overrides than are read at once answers each of them', async () => {
      const { keys, store, dataKeys } = keyringOf({ policy })
      for (let number = 0; number < 100; number++) {
        const [key, iv] = [new Uint8Array(16).fill(number), new Uint8Array(16).fill(200)]
        const added = { ref: REF, contentKeyClass: 'drm', kid: kidOf(number), key, iv } as const
        await addOverride({ store, dataKeys, randomBytes, now: () => 0 }, added)
      }
      for (const number of [0, 50, 99]) {
        const content = await keys.open(REF, [])
        const { keys: issued } = await content.issue([wantedOf(number), wantedOf(99 - number)])
        assert.deepEqual(
          issued.map(({ contentKey }) => contentKey[0]),
          [number, 99 - number],
        )
      }
      const mixed = await issue(keys, [wantedOf(3), wantedOf(777)])
      assert.equal(mixed.keys[0]?.slice(0, 2), '03')
      assert.deepEqual((await issue(keys, [wantedOf(777), wantedOf(3)])).keys, [...mixed.keys].reverse())
    })
  })
}

describe('while the store is away', () => {
  test('a new kid of a known content gets its key, without a call, and loudly once it should have been confirmed', async () => {
    const { keys, setAway, calls, clock, stale } = keyringOf()
    const { keys: first } = await issue(keys, BOTH)
    setAway(true)
    const before = calls()
    await issue(keys, [wantedOf(3)])
    assert.equal(calls(), before)
    assert.deepEqual(stale, [])
    clock.at += 3_600_000
    await issue(keys, [wantedOf(4)])
    assert.deepEqual((await issue(keys, BOTH)).keys, first)
    assert.deepEqual(
      stale.map(({ code }) => code),
      [away.code],
    )
    setAway(false)
    clock.at += 5_000
    assert.deepEqual((await issue(keys, BOTH)).keys, first)
  })

  test('a content not in memory is an error', async () => {
    const { keys, setAway, store, dataKeys } = keyringOf()
    await issue(keys, BOTH)
    const other = new StoredContentKeys({
      store,
      dataKeys,
      policy: 'derived',
      now: () => 0,
      randomBytes,
      time: () => 0,
    })
    setAway(true)
    await assert.rejects(issue(other, BOTH), away)
  })

  test('a content known in part is an error for a kid whose override is not known', async () => {
    const { keys, setAway, clock } = keyringOf({ policy: 'random' })
    for (let number = 0; number < 80; number++) await issue(keys, [wantedOf(number)])
    clock.at += 5_000
    const known = await issue(keys, [wantedOf(1)])
    setAway(true)
    assert.deepEqual((await issue(keys, [wantedOf(1)])).keys, known.keys)
    await assert.rejects(issue(keys, [wantedOf(20)]), away)
  })
})

test('a store that lost a secret is not given another: the keys stay, loudly', async () => {
  const memory = memoryStore()
  let isLost = false
  const store = {
    ...memory,
    findContent: async (...asked: Parameters<typeof memory.findContent>) => {
      return isLost ? undefined : memory.findContent(...asked)
    },
  }
  const { keys, stale, clock } = keyringOf({ store })
  const { keys: first } = await issue(keys, BOTH)
  isLost = true
  clock.at += 5_000
  assert.deepEqual(await issue(keys, BOTH), { first: false, keys: first })
  assert.match(stale[0]?.message ?? '', /lost the keys/)
})

test('an override and a rule reach a content in memory within five seconds', async () => {
  const { keys, store, dataKeys, clock } = keyringOf()
  const [derived] = (await issue(keys, [wantedOf(1)])).keys
  const [key, iv] = [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)]
  const forced = { ref: REF, force: true, reason: 'the key was in use elsewhere' }
  await addOverride(
    { store, dataKeys, randomBytes, now: () => 0 },
    { ...forced, contentKeyClass: 'drm', kid: kidOf(1), key, iv },
  )
  const rule = { intendedTrackType: 'HD', periodIndex: undefined, kid: kidOf(9) }
  await addKidOverride({ store }, { ...forced, rule })
  clock.at += 4_999
  assert.deepEqual((await issue(keys, [wantedOf(1)])).keys, [derived])
  clock.at += 1
  assert.deepEqual((await issue(keys, [wantedOf(1)])).keys, [`${hex(key)} ${hex(iv)}`])
  assert.deepEqual((await keys.open(REF, [])).kidOverrides, [rule])
})

test('signalingRevision follows rules and ready-made pssh boxes and nothing else', async () => {
  const { keys, store, dataKeys, clock } = keyringOf()
  const options = { store, dataKeys, randomBytes, now: () => 0 }
  const revision = async (): Promise<string> => {
    clock.at += 5_000
    return (await keys.open(REF, [kidOf(1)])).signalingRevision
  }
  const override = { ref: REF, contentKeyClass: 'drm', kid: kidOf(1), key: new Uint8Array(16) } as const
  assert.equal(await revision(), '')
  await addOverride(options, override)
  assert.equal(await revision(), '')
  const seen = new Set([''])
  const changes = [
    () => addOverride(options, { ...override, pssh: { [WIDEVINE]: Uint8Array.of(1) }, force: true, reason: 'test' }),
    () => addOverride(options, { ...override, pssh: { [WIDEVINE]: Uint8Array.of(2) }, force: true, reason: 'test' }),
    () =>
      addKidOverride(options, { ref: REF, rule: { intendedTrackType: 'HD', periodIndex: undefined, kid: kidOf(1) } }),
    () => addKidOverride(options, { ref: REF, rule: { intendedTrackType: undefined, periodIndex: 1, kid: kidOf(1) } }),
  ]
  for (const change of changes) {
    await change()
    const changed = await revision()
    assert.ok(!seen.has(changed))
    assert.equal(await revision(), changed)
    seen.add(changed)
  }
  const content = await keys.open(REF, [kidOf(1)])
  assert.deepEqual(content.pssh(wantedOf(1)), { [WIDEVINE]: Uint8Array.of(2) })
  assert.equal(content.pssh(wantedOf(1, 'clear')), undefined)
})

test('the ready-made pssh box of a kid that a rule gives is known, however many overrides there are', async () => {
  const { keys, store, dataKeys } = keyringOf()
  const key = new Uint8Array(16)
  for (let number = 0; number < 100; number++) {
    const pssh = { [WIDEVINE]: Uint8Array.of(number) }
    const added = { ref: REF, contentKeyClass: 'drm', kid: kidOf(number), key, pssh } as const
    await addOverride({ store, dataKeys, randomBytes, now: () => 0 }, added)
  }
  const rule = { intendedTrackType: undefined, periodIndex: undefined, kid: kidOf(42) }
  await addKidOverride({ store }, { ref: REF, rule })
  const content = await keys.open(REF, [kidOf(777)])
  assert.deepEqual(content.pssh(wantedOf(42)), { [WIDEVINE]: Uint8Array.of(42) })
})

test('swapped rows do not open', async () => {
  const { keys, store, dataKeys } = keyringOf()
  const other = { ...REF, contentId: 'other' }
  await issue(keys, BOTH)
  await issue(keys, BOTH, other)
  const swapped = { ...store, findContent: (_ref: unknown, kids: never) => store.findContent(other, kids) }
  const reader = new StoredContentKeys({
    store: { ...store, ...swapped },
    dataKeys,
    policy: 'derived',
    now: () => 0,
    randomBytes,
    time: () => 0,
  })
  await assert.rejects(issue(reader, BOTH), { code: 'ERR_SEAL_BROKEN' })
})

test('under random, a content that has a secret keeps the keys it derived', async () => {
  const { keys, store, dataKeys } = keyringOf()
  const derived = await issue(keys, BOTH)
  const later = new StoredContentKeys({ store, dataKeys, policy: 'random', now: () => 0, randomBytes, time: () => 0 })
  assert.deepEqual((await issue(later, BOTH)).keys, derived.keys)
})

test('more contents than fit in memory are answered all the same', async () => {
  const { keys } = keyringOf({ maxEntries: 8 })
  const refs = Array.from({ length: 50 }, (_, number) => ({ tenant: 'default', contentId: `c${number}` }))
  const first = await Promise.all(refs.map((ref) => issue(keys, BOTH, ref)))
  const again = await Promise.all(refs.map((ref) => issue(keys, BOTH, ref)))
  assert.deepEqual(
    again.map((one) => one.keys),
    first.map((one) => one.keys),
  )
})

test('tenants with contents of the same name have keys of their own', async () => {
  const { keys } = keyringOf()
  const [a, b] = await Promise.all([
    issue(keys, BOTH, { tenant: 'a', contentId: 'bc' }),
    issue(keys, BOTH, { tenant: 'ab', contentId: 'c' }),
  ])
  assert.notDeepEqual(a.keys, b.keys)
})

test('reports each opening of a content', async () => {
  let opened = 0
  const { keys } = keyringOf({ onOpen: () => opened++ })
  await keys.open(REF, [])
  await keys.open(REF, [])
  assert.equal(opened, 2)
})

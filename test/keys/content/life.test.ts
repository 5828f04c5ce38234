import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import type { ContentKeysOptions } from '../../../src/keys/content/content-keys.ts'
import { StoredContentKeys } from '../../../src/keys/content/content-keys.ts'
import { FOREVER, type RetentionClass } from '../../../src/keys/content/lifetime.ts'
import { addKidOverride, addOverride } from '../../../src/keys/content/overrides.ts'
import type { ContentRef } from '../../../src/keys/ports/content-ref.ts'
import type { ContentLife } from '../../../src/keys/ports/content-store.ts'
import { BIRTH, flakyStore, hex, issue, keyringOf, kidOf, REF, wantedOf } from '../fixtures.ts'

const DAY = 86_400_000
const LIVE: RetentionClass = { name: 'live', keepMs: 8 * DAY, graceMs: DAY, afterwards: 'gone', held: false }
const RENEWED: RetentionClass = { ...LIVE, afterwards: 'regenerate' }
const BOTH = [wantedOf(1), wantedOf(2)]
const GONE = { code: 'ERR_CONTENT_GONE' }
const EXPIRED = { code: 'ERR_CONTENT_EXPIRED' }
const AWAY = { code: 'ERR_STORE_UNAVAILABLE' }

/** Content keys over a store in memory, and what they would write late. */
function livingOf(given: Partial<ContentKeysOptions> & { readonly class?: RetentionClass } = {}) {
  const store = memoryStore()
  const { class: retention = LIVE, ...options } = given
  const kept = { class: retention }
  const renewed: (ContentRef & Pick<ContentLife, 'expiresAt'>)[] = []
  const renewals = {
    renew: (ref: ContentRef, expiresAt: number | undefined) => void renewed.push({ ...ref, expiresAt }),
  }
  const keyring = keyringOf({ store, retention: () => kept.class, renewals, ...options })
  const { clock, dataKeys } = keyring
  const another = (over: Partial<ContentKeysOptions> = {}) =>
    new StoredContentKeys({
      store,
      dataKeys,
      policy: 'derived',
      now: () => clock.at,
      time: () => clock.at,
      retention: () => kept.class,
      renewals,
      randomBytes,
      ...options,
      ...over,
    })
  const find = async (keys = keyring.keys) => {
    const found = (await keys.open(REF, [kidOf(1)])).find(wantedOf(1))
    return found && hex(found.contentKey)
  }
  return { ...keyring, store, kept, renewed, another, find, start: clock.at }
}

const keyOf = (issued: { readonly keys: readonly string[] }): string => issued.keys[0]?.split(' ')[0] ?? ''

for (const policy of ['derived', 'random'] as const) {
  describe(`a content that expires, under the policy ${policy}`, () => {
    test('is refused to players first, then revived by an encryptor with the keys it had', async () => {
      const { keys, clock, store, find, start } = livingOf({ policy })
      const before = await issue(keys, BOTH)
      clock.at = start + 8 * DAY - 20_000
      assert.equal(await find(), keyOf(before))
      clock.at = start + 8 * DAY
      await assert.rejects(find(), {
        ...EXPIRED,
        message: `content "movie" of tenant "default" expired on ${new Date(start + 8 * DAY).toISOString()}. No encryptor has requested its keys since. Request them again.`,
      })
      const open = await keys.open(REF, [kidOf(1)])
      assert.throws(() => open.findWithIv(wantedOf(1)), EXPIRED)

      clock.at = start + 8 * DAY + DAY - 1
      assert.deepEqual(await issue(keys, BOTH), { ...before, first: false })
      assert.equal((await store.findContent(REF, []))?.life.expiresAt, clock.at + 8 * DAY)
      assert.equal(await find(), keyOf(before))
    })

    test('is gone when its grace has passed, although nothing destroyed it yet', async () => {
      const { keys, clock, store, find, start, another } = livingOf({ policy })
      await issue(keys, BOTH)
      clock.at = start + 9 * DAY
      for (const node of [keys, another()]) {
        await assert.rejects(issue(node, BOTH), {
          ...GONE,
          message: new RegExp(`was destroyed on ${new Date(clock.at).toISOString()}. It never gets keys again`),
        })
        await assert.rejects(find(node), GONE)
      }
      assert.equal((await store.findContent(REF, []))?.life.expiresAt, start + 8 * DAY)
    })

    test('and is destroyed gets other keys where its class says so, the same on every node', async () => {
      const { keys, clock, store, find, start, another } = livingOf({ policy, class: RENEWED })
      const before = await issue(keys, BOTH)
      clock.at = start + 9 * DAY
      await store.destroyExpired([{ ...REF, expiresAt: start + 8 * DAY }], clock.at, 'swept')
      clock.at += 5_000
      await assert.rejects(find(), EXPIRED)
      const nodes = [keys, another(), another()]
      const issued = await Promise.all(Array.from({ length: 12 }, (_, i) => issue(nodes[i % 3] ?? keys, BOTH)))
      for (const one of issued) assert.deepEqual(one.keys, issued[0]?.keys)
      assert.equal(issued.filter(({ first }) => first).length, 1)
      assert.notEqual(keyOf(issued[0] ?? before), keyOf(before))
      const standing = await store.findContent(REF, [])
      assert.deepEqual(standing?.life, {
        createdAt: clock.at,
        expiresAt: clock.at + 8 * DAY,
        hold: undefined,
        epoch: 1,
      })
      assert.deepEqual((await issue(another(), BOTH)).keys, issued[0]?.keys)
      assert.equal(await find(another()), keyOf(issued[0] ?? before))
    })

    test('gets other keys once its grace has passed even before it was swept, and its old ones are destroyed', async () => {
      const { keys, clock, store, start, another } = livingOf({ policy, class: RENEWED })
      const before = await issue(keys, BOTH)
      clock.at = start + 9 * DAY
      const nodes = [keys, another()]
      const issued = await Promise.all(Array.from({ length: 8 }, (_, i) => issue(nodes[i % 2] ?? keys, BOTH)))
      for (const one of issued) assert.deepEqual(one.keys, issued[0]?.keys)
      assert.notDeepEqual(issued[0]?.keys, before.keys)
      const { life, tombstone } = (await store.findContent(REF, [])) ?? assert.fail()
      assert.deepEqual([life.epoch, tombstone], [1, undefined])
    })

    test('never gets keys again once an operator deleted it, whatever its class says', async () => {
      const { keys, clock, store, find } = livingOf({ policy, class: RENEWED })
      await issue(keys, BOTH)
      await store.putTombstone(REF, { at: 5, reason: 'withdrawn', cause: 'deleted' })
      clock.at += 5_000
      await assert.rejects(issue(keys, BOTH), GONE)
      await assert.rejects(find(), GONE)
      assert.equal((await store.findContent(REF, []))?.sealedSecret, undefined)
    })

    test('a revival and a destruction that meet leave one answer', async () => {
      for (let round = 0; round < 8; round++) {
        const { keys, clock, store, start } = livingOf({ policy, class: { ...LIVE, graceMs: 0.5 } })
        const before = await issue(keys, BOTH)
        clock.at = start + 8 * DAY
        const [issued, destroyed] = await Promise.allSettled([
          issue(keys, BOTH),
          Promise.resolve().then(async () => {
            for (let wait = 0; wait < round; wait++) await undefined
            return store.destroyExpired([{ ...REF, expiresAt: start + 8 * DAY }], clock.at, 'swept')
          }),
        ])
        const standing = await store.findContent(REF, [])
        if (issued.status === 'fulfilled') {
          assert.deepEqual(issued.value.keys, before.keys)
          assert.deepEqual([destroyed.status === 'fulfilled' && destroyed.value], [[]])
          assert.equal(standing?.tombstone, undefined)
        } else {
          assert.equal(issued.reason.code, GONE.code)
          assert.equal(standing?.tombstone?.cause, 'expired')
        }
      }
    })
  })
}

describe('the renewal of a content', () => {
  test('is due when an eighth of its time has passed, and waits', async () => {
    const { keys, clock, renewed, start, store } = livingOf()
    await issue(keys, BOTH)
    clock.at = start + DAY
    await issue(keys, BOTH)
    assert.deepEqual(renewed, [])
    clock.at = start + DAY + 1
    await issue(keys, BOTH)
    await issue(keys, BOTH)
    assert.deepEqual(renewed, [{ ...REF, expiresAt: start + DAY + 1 + 8 * DAY }])
    assert.equal((await store.findContent(REF, []))?.life.expiresAt, start + 8 * DAY)
  })

  test('comes of kids that are derived too, never of a player', async () => {
    const { keys, clock, renewed, start, find } = livingOf()
    await issue(keys, BOTH)
    clock.at = start + 4 * DAY
    await find()
    assert.deepEqual(renewed, [])
    await (await keys.open(REF, [])).deriveKids('keyspring/widevine-kid/v1', [['HD']])
    assert.equal(renewed.length, 1)
    clock.at = start + 8 * DAY
    const { kids, first } = await (await keys.open(REF, [])).deriveKids('keyspring/widevine-kid/v1', [['HD']])
    assert.deepEqual([kids.length, first], [1, false])
    assert.equal(typeof (await find()), 'string')
  })

  test('follows the rules: a class that has no limit any more lifts it, one that has one sets it', async () => {
    const { keys, clock, kept, renewed, start, find } = livingOf()
    await issue(keys, BOTH)
    kept.class = FOREVER
    clock.at = start + 100 * DAY
    assert.equal(typeof (await find()), 'string')
    await issue(keys, BOTH)
    assert.deepEqual(renewed, [{ ...REF, expiresAt: undefined }])

    const forEver = livingOf({ class: FOREVER })
    await issue(forEver.keys, BOTH)
    forEver.kept.class = LIVE
    forEver.clock.at += 5_000
    await issue(forEver.keys, BOTH)
    assert.deepEqual(forEver.renewed, [{ ...REF, expiresAt: forEver.clock.at + 8 * DAY }])
    forEver.kept.class = { ...LIVE, keepMs: DAY }
    await forEver.store.putExpiry(forEver.renewed)
    forEver.clock.at += 5_000
    await issue(forEver.keys, BOTH)
    assert.equal(forEver.renewed.at(-1)?.expiresAt, forEver.clock.at + DAY)
  })

  test('is durable before the answer where the time is up, and needs no store before', async () => {
    const { keys, clock, setAway, start } = keyringOfAway()
    const before = await issue(keys, BOTH)
    setAway(true)
    clock.at = start + 7 * DAY
    assert.deepEqual((await issue(keys, BOTH)).keys, before.keys)
    clock.at = start + 8 * DAY - 10_000
    await assert.rejects(issue(keys, BOTH), AWAY)
    clock.at = start + 8 * DAY + 1
    await assert.rejects(issue(keys, BOTH), AWAY)
    setAway(false)
    assert.deepEqual((await issue(keys, BOTH)).keys, before.keys)
  })

  test('is written by itself where nobody takes renewals', async () => {
    const store = memoryStore()
    const { keys, clock } = keyringOf({ store, retention: () => ({ ...LIVE, keepMs: DAY }) })
    await issue(keys, BOTH)
    clock.at += DAY / 2
    await issue(keys, BOTH)
    for (const end = Date.now() + 10_000; Date.now() < end; ) {
      if ((await store.findContent(REF, []))?.life.expiresAt === clock.at + DAY) break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    assert.equal((await store.findContent(REF, []))?.life.expiresAt, clock.at + DAY)
  })
})

describe('a held content', () => {
  test('does not expire, whatever is stored', async () => {
    const { keys, clock, store, find, start, another } = livingOf()
    const before = await issue(keys, BOTH)
    await store.putHold(REF, 'court')
    clock.at = start + 50 * DAY
    assert.equal(await find(), keyOf(before))
    assert.deepEqual((await issue(another(), BOTH)).keys, before.keys)
    await store.putHold(REF, undefined)
    clock.at += 5_000
    await assert.rejects(find(), GONE)
  })

  test('is one whose class is a hold too, and can be overridden', async () => {
    const { keys, clock, store, dataKeys, kept, find } = livingOf()
    await issue(keys, BOTH)
    kept.class = { ...LIVE, held: true }
    clock.at += 50 * DAY
    assert.equal(typeof (await find()), 'string')
    await store.putHold(REF, 'court')
    const options = { store, dataKeys, randomBytes, now: () => clock.at, retention: () => kept.class }
    const key = new Uint8Array(16).fill(7)
    await addOverride(options, { ref: REF, ...wantedOf(1), key, force: true, reason: 'test' })
    clock.at += 5_000
    assert.equal(await find(), hex(key))
  })
})

describe('a node that knows an earlier state', () => {
  test('does not answer with destroyed keys once its content has expired', async () => {
    const { keys, clock, start, another } = livingOf({ class: RENEWED, revalidateMs: 100 * DAY })
    const slow = another()
    const before = await issue(slow, BOTH)
    await issue(keys, BOTH)
    clock.at = start + 9 * DAY
    const next = await issue(keys, BOTH)
    assert.notDeepEqual(next.keys, before.keys)
    assert.deepEqual((await issue(slow, BOTH)).keys, next.keys)
  })

  test('asks the store before it refuses what another node revived', async () => {
    const { clock, start, another } = livingOf({ revalidateMs: 100 * DAY })
    const [slow, quick] = [another(), another()]
    const before = await issue(slow, BOTH)
    await issue(quick, BOTH)
    clock.at = start + 8 * DAY + 1
    await issue(quick, BOTH)
    clock.at = start + 9 * DAY
    assert.deepEqual((await issue(slow, BOTH)).keys, before.keys)
  })

  test('takes a new secret for a new one, not for a lost one', async () => {
    const { keys, clock, start, stale, another } = livingOf({ class: RENEWED })
    await issue(keys, BOTH)
    clock.at = start + 9 * DAY
    const next = await issue(another(), BOTH)
    clock.at += 5_000
    assert.deepEqual((await issue(keys, BOTH)).keys, next.keys)
    assert.deepEqual(stale, [])
  })

  test('keeps its newer one when the store tells of an earlier epoch, aloud', async () => {
    const memory = memoryStore()
    let behind: Awaited<ReturnType<typeof memory.findContent>>
    const store = {
      ...memory,
      findContent: async (...values: Parameters<typeof memory.findContent>) => behind ?? memory.findContent(...values),
    }
    const { keys, clock, stale } = keyringOf({ store, retention: () => RENEWED, renewals: { renew: () => {} } })
    await issue(keys, BOTH)
    const old = await memory.findContent(REF, [])
    clock.at += 9 * DAY
    const next = await issue(keys, BOTH)
    behind = old
    clock.at += 5_000
    assert.deepEqual((await issue(keys, BOTH)).keys, next.keys)
    assert.match(stale[0]?.message ?? '', /earlier state of content "movie"/)
  })

  test('gives no new key to an expired content that the store has lost', async () => {
    const { keys, clock } = keyringOfLost()
    await issue(keys, BOTH)
    clock.at += 8 * DAY
    await assert.rejects(issue(keys, BOTH), { ...AWAY, message: /has lost the keys of content "movie"/ })
  })

  test('keeps a content that others may have issued from memory while the store was away', async () => {
    for (const kept of [LIVE, RENEWED]) {
      const world = livingOf({ class: kept })
      const { clock, store } = world
      const flaky = flakyStore(store)
      const node = world.another({ store: flaky.store })
      const before = await issue(node, BOTH)
      flaky.setAway(true)
      clock.at += 7 * DAY
      assert.deepEqual((await issue(node, BOTH)).keys, before.keys)
      clock.at += 2 * DAY
      await assert.rejects(issue(node, BOTH), AWAY)
      flaky.setAway(false)
      assert.deepEqual((await issue(node, BOTH)).keys, before.keys)
      assert.equal((await store.findContent(REF, []))?.life.expiresAt, clock.at + 8 * DAY)
      clock.at += 9 * DAY
      const isGone = kept === LIVE
      if (isGone) await assert.rejects(issue(node, BOTH), GONE)
      else assert.notDeepEqual((await issue(node, BOTH)).keys, before.keys)
    }
  })

  test('keeps a content that is over because the clock was set', async () => {
    const clock = { at: 1_000_000, ahead: 0 }
    const kept = { keys: keyringOf().keys }
    for (const retention of [LIVE, RENEWED]) {
      const time = () => clock.at + clock.ahead
      clock.ahead = 0
      kept.keys = keyringOf({ now: () => clock.at, time, retention: () => retention }).keys
      const before = await issue(kept.keys, BOTH)
      clock.at += 60_000
      clock.ahead = 365 * DAY
      assert.deepEqual((await issue(kept.keys, BOTH)).keys, before.keys)
      clock.at += 9 * DAY
      if (retention === LIVE) await assert.rejects(issue(kept.keys, BOTH), GONE)
      else assert.notDeepEqual((await issue(kept.keys, BOTH)).keys, before.keys)
    }
  })

  test('gives no new key in the stead of a stored one that the store has lost, expired or not', async () => {
    const memory = memoryStore()
    let store = memory
    const proxy = new Proxy(memory, { get: (_, name) => Reflect.get(store, name) })
    const node = { policy: 'random', store: proxy, renewals: { renew: () => {} }, retention: () => LIVE } as const
    const { keys, clock, stale } = keyringOf(node)
    const before = await issue(keys, BOTH)
    store = { ...memoryStore(), findDataKeys: memory.findDataKeys }
    clock.at += 5_000
    assert.deepEqual((await issue(keys, BOTH)).keys, before.keys)
    assert.match(stale[0]?.message ?? '', /has lost the keys of content "movie"/)
    clock.at += 8 * DAY
    await assert.rejects(issue(keys, BOTH), { ...AWAY, message: /has lost the keys of content "movie"/ })
  })

  test('gives no key of a deleted content when the store has lost its tombstone, or never had it', async () => {
    const memory = memoryStore()
    const old = memoryStore()
    let store = memory
    const proxy = new Proxy(memory, { get: (_, name) => Reflect.get(store, name) })
    const { keys, clock, stale } = keyringOf({ store: proxy })
    await issue(keys, BOTH)
    const stored = await memory.findContent(REF, [])
    await old.putSecretIfAbsent(REF, stored?.sealedSecret ?? assert.fail(), [], BIRTH)
    await memory.putTombstone(REF, { at: 1, reason: 'gone', cause: 'deleted' })
    clock.at += 5_000
    await assert.rejects(issue(keys, BOTH), { code: 'ERR_CONTENT_GONE' })
    for (const other of [memoryStore(), old]) {
      store = { ...other, findDataKeys: memory.findDataKeys }
      clock.at += 5_000
      await assert.rejects(issue(keys, BOTH), { code: 'ERR_CONTENT_GONE' })
    }
    assert.equal(stale.length, 2)
  })

  test('does not mix what was signalled before with keys from after', async () => {
    const { keys, clock, start, store } = livingOf({ class: RENEWED, revalidateMs: 100 * DAY })
    await addKidOverride(
      { store },
      { ref: REF, rule: { intendedTrackType: 'HD', periodIndex: undefined, kid: kidOf(9) } },
    )
    await issue(keys, BOTH)
    clock.at = start + 9 * DAY
    await assert.rejects(issue(keys, BOTH), { ...AWAY, message: /Retry the request/ })
    assert.equal((await issue(keys, BOTH)).keys.length, 2)
  })
})

test('a request looks at the clock once, however many keys it wants, and not at all where contents live for ever', async () => {
  for (const [retention, expected] of [
    [LIVE, 1],
    [FOREVER, 0],
  ] as const) {
    let looks = 0
    const { keys } = keyringOf({
      retention: () => retention,
      time: () => {
        looks++
        return 1_000_000
      },
    })
    const many = Array.from({ length: 20 }, (_, number) => wantedOf(number))
    await issue(keys, many)
    looks = 0
    await issue(keys, many)
    assert.equal(looks, expected)
    looks = 0
    const open = await keys.open(
      REF,
      many.map(({ kid }) => kid),
    )
    for (const wanted of many) assert.ok(open.find(wanted))
    assert.equal(looks, expected)
  }
})

test('an override without an IV is found with the one of the secret, or with none', async () => {
  const { keys, store, dataKeys } = livingOf()
  const options = { store, dataKeys, randomBytes, now: () => 0 }
  const key = new Uint8Array(16).fill(7)
  await addOverride(options, { ref: REF, ...wantedOf(1), key })
  const found = (await keys.open(REF, [kidOf(1)])).findWithIv(wantedOf(1))
  assert.deepEqual([found?.contentKey, found?.explicitIv, found?.source], [Buffer.from(key), undefined, 'override'])
  const issued = await issue(keys, BOTH)
  const open = await keys.open(REF, [kidOf(1), kidOf(2), kidOf(3)])
  const both = [1, 2].map((number) => open.findWithIv(wantedOf(number)) ?? assert.fail())
  assert.deepEqual(
    both.map(({ contentKey, explicitIv }) => `${hex(contentKey)} ${hex(explicitIv ?? assert.fail())}`),
    issued.keys,
  )
  assert.deepEqual(
    both.map(({ source }) => source),
    ['override', 'derived'],
  )
})

/** Content keys over a store that can be away. */
function keyringOfAway() {
  const keyring = keyringOf({ retention: () => LIVE, renewals: { renew: () => {} } })
  return { ...keyring, start: keyring.clock.at }
}

/** Content keys over a store that forgets contents, but not data keys. */
function keyringOfLost() {
  const memory = memoryStore()
  const empty = memoryStore()
  return keyringOf({
    retention: () => LIVE,
    renewals: { renew: () => {} },
    revalidateMs: 100 * DAY,
    store: { ...memory, putExpiry: empty.putExpiry, putOverridesIfAbsent: empty.putOverridesIfAbsent },
  })
}

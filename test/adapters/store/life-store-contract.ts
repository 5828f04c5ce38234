import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe } from 'node:test'
import { StoredContentKeys } from '../../../src/keys/content/content-keys.ts'
import type { RetentionOf } from '../../../src/keys/content/lifetime.ts'
import type { ContentRef } from '../../../src/keys/ports/content-ref.ts'
import type { ContentStore, LifeStore, StoredOverride } from '../../../src/keys/ports/content-store.ts'
import { issue, keyringOf, kidOf, REF, wantedOf } from '../../keys/fixtures.ts'
import { openedWith } from './opened.ts'

const BIRTH = { at: 1_000, expiresAt: 5_000 }
const RULE = { intendedTrackType: 'HD', periodIndex: undefined, kid: kidOf(1) }
const refOf = (number: number): ContentRef => ({ tenant: 'a', contentId: `c${number}` })
const bytes = (byte: number): Uint8Array => new Uint8Array(8).fill(byte)
const override = (number: number): StoredOverride => {
  return { contentKeyClass: 'drm', kid: kidOf(number), sealed: bytes(number), pssh: {} }
}

/** What every adapter of `LifeStore` must do, and `ContentStore` with the life of contents. */
export function lifeStoreContract(name: string, open: () => Promise<ContentStore & LifeStore>): void {
  const opened = openedWith(open)
  const lifeOf = async (store: ContentStore, ref = REF) => (await store.findContent(ref, []))?.life
  const tombstoneOf = async (store: ContentStore, ref = REF) => (await store.findContent(ref, []))?.tombstone
  /** Contents that expire at 1, 2, 3 … */
  const expiring = async (store: ContentStore, count: number) => {
    const expired = Array.from({ length: count }, (_, number) => ({ ...refOf(number), expiresAt: number + 1 }))
    for (const { expiresAt, ...ref } of expired) await store.putSecretIfAbsent(ref, bytes(1), [], { at: 0, expiresAt })
    return expired
  }

  describe(`life store: ${name}`, () => {
    opened('a content is born with its first key, and once', async (store) => {
      const life = { createdAt: 1_000, expiresAt: 5_000, hold: undefined, epoch: 0 }
      assert.deepEqual((await store.putSecretIfAbsent(REF, bytes(1), [], BIRTH)).life, life)
      const later = { at: 2_000, expiresAt: 9_000 }
      assert.deepEqual((await store.putSecretIfAbsent(REF, bytes(2), [], later)).life, life)
      assert.deepEqual((await store.putOverridesIfAbsent(REF, [override(1)], later)).life, life)
      await store.replaceOverride(REF, override(2), later)
      assert.deepEqual(await lifeOf(store), life)
    })

    opened('an override is a first key too', async (store) => {
      assert.deepEqual((await store.putOverridesIfAbsent(refOf(1), [override(1)], BIRTH)).life.expiresAt, 5_000)
      await store.replaceOverride(refOf(2), override(1), BIRTH)
      assert.equal((await lifeOf(store, refOf(2)))?.createdAt, 1_000)
      await store.putKidOverride(refOf(3), RULE)
      assert.equal((await lifeOf(store, refOf(3)))?.createdAt, undefined)
      await store.putOverridesIfAbsent(refOf(3), [override(1)], BIRTH)
      assert.equal((await lifeOf(store, refOf(3)))?.createdAt, 1_000)
    })

    opened('putting no overrides stores nothing and tells what stands', async (store) => {
      const nothing = await store.putOverridesIfAbsent(REF, [], BIRTH)
      assert.deepEqual([nothing.sealedSecret, nothing.tombstone, nothing.overrides], [undefined, undefined, []])
      assert.equal(await store.findContent(REF, []), undefined)
      const standing = await store.putSecretIfAbsent(REF, bytes(1), [], BIRTH)
      assert.deepEqual(await store.putOverridesIfAbsent(REF, [], { at: 7, expiresAt: 7 }), standing)
    })

    opened('an expiry is set and lifted, but not where nothing lives', async (store) => {
      await store.putSecretIfAbsent(REF, bytes(1), [], BIRTH)
      await store.putTombstone(refOf(1), { at: 1, reason: 'gone', cause: 'deleted' })
      await store.putExpiry([
        { ...REF, expiresAt: 7_000 },
        { ...refOf(1), expiresAt: 7_000 },
        { ...refOf(2), expiresAt: 7_000 },
      ])
      assert.equal((await lifeOf(store))?.expiresAt, 7_000)
      assert.equal((await lifeOf(store, refOf(1)))?.expiresAt, undefined)
      assert.equal(await store.findContent(refOf(2), []), undefined)
      await store.putExpiry([{ ...REF, expiresAt: undefined }])
      assert.equal((await lifeOf(store))?.expiresAt, undefined)
      await store.putExpiry([])
    })

    opened('expiries set in any order by several at once all stand', async (store) => {
      const contents = await expiring(store, 20)
      const renewed = contents.map(({ expiresAt, ...ref }) => ({ ...ref, expiresAt: 10_000 }))
      await Promise.all([1, 2, 3, 4].map((turn) => store.putExpiry(turn % 2 === 0 ? renewed : renewed.toReversed())))
      for (const { expiresAt, ...ref } of renewed) assert.equal((await lifeOf(store, ref))?.expiresAt, expiresAt)
    })

    opened('what expired is listed page by page, the longest expired first', async (store) => {
      const contents = await expiring(store, 5)
      await store.putSecretIfAbsent(refOf(7), bytes(1), [], { at: 0, expiresAt: 3 })
      await store.putSecretIfAbsent(refOf(8), bytes(1), [], { at: 0, expiresAt: undefined })
      await store.putHold(refOf(1), 'court')
      const first = await store.listExpired(4, undefined, 2)
      assert.deepEqual(first, [contents[0], first[1]])
      assert.equal(first[1]?.expiresAt, 3)
      const second = await store.listExpired(4, first[1], 2)
      assert.deepEqual([...first, ...second].map(({ contentId }) => contentId).sort(), ['c0', 'c2', 'c7'])
      assert.deepEqual(await store.listExpired(4, second.at(-1), 2), [])
      assert.deepEqual(await store.listExpired(9, { ...refOf(99), expiresAt: 3 }, 9), contents.slice(3))
    })

    opened('what expired is destroyed with everything it had', async (store) => {
      await store.putSecretIfAbsent(REF, bytes(1), [], BIRTH)
      await store.putOverridesIfAbsent(REF, [override(1)], BIRTH)
      await store.putKidOverride(REF, RULE)
      const expired = [{ ...REF, expiresAt: 5_000 }]
      assert.deepEqual(await store.destroyExpired(expired, 6_000, 'over'), [REF])
      assert.deepEqual(await store.findContent(REF, [kidOf(1)]), {
        life: { createdAt: 1_000, expiresAt: undefined, hold: undefined, epoch: 0 },
        sealedSecret: undefined,
        overrides: [],
        overridesComplete: true,
        kidOverrides: [],
        tombstone: { at: 6_000, reason: 'over', cause: 'expired' },
      })
      assert.deepEqual(await store.listOverrides(REF), [])
      assert.deepEqual(await store.destroyExpired(expired, 7_000, 'again'), [])
      assert.deepEqual(await store.listExpired(9_000, undefined, 9), [])
      assert.equal((await store.putSecretIfAbsent(REF, bytes(2), [], BIRTH)).sealedSecret, undefined)
      await assert.rejects(store.replaceOverride(REF, override(1), BIRTH), { code: 'ERR_CONTENT_GONE' })
      await assert.rejects(store.putKidOverride(REF, RULE), { code: 'ERR_CONTENT_GONE' })
    })

    opened('what was renewed, held or never stored is not destroyed', async (store) => {
      const [renewed, held, over, absent] = await expiring(store, 4)
      assert.ok(renewed && held && over && absent)
      await store.putExpiry([{ ...renewed, expiresAt: 100 }])
      await store.putHold(held, 'court')
      const given = [renewed, held, over, { ...refOf(50), expiresAt: 1 }, { ...absent, expiresAt: 1 }]
      assert.deepEqual(await store.destroyExpired(given, 9, 'over'), [refOf(2)])
      assert.deepEqual((await store.findContent(refOf(0), []))?.sealedSecret, bytes(1))
      assert.deepEqual((await store.findContent(refOf(1), []))?.sealedSecret, bytes(1))
    })

    opened('a held content cannot be destroyed until the hold is lifted', async (store) => {
      const deleted = { at: 1, reason: 'operator', cause: 'deleted' } as const
      assert.equal(await store.putHold(REF, 'court'), false)
      await store.putSecretIfAbsent(REF, bytes(1), [], BIRTH)
      assert.equal(await store.putHold(REF, 'court \u0000 \\ é'), true)
      assert.equal((await lifeOf(store))?.hold, 'court \u0000 \\ é')
      await assert.rejects(store.putTombstone(REF, deleted), { code: 'ERR_CONTENT_HELD', message: /"movie".*court/s })
      assert.deepEqual((await store.findContent(REF, []))?.sealedSecret, bytes(1))
      assert.equal(await store.putHold(REF, undefined), true)
      await store.putTombstone(REF, deleted)
      assert.equal(await store.putHold(REF, 'late'), false)
      assert.equal((await lifeOf(store))?.hold, undefined)
    })

    opened('a hold and a destruction that meet: one of them comes first', async (store) => {
      const contents = await expiring(store, 12)
      const outcomes = await Promise.all(
        contents.map(async (one) => {
          const [held, destroyed] = await Promise.all([
            store.putHold(one, 'court'),
            store.destroyExpired([one], 20, 'over'),
          ])
          return { held, destroyed: destroyed.length, content: await store.findContent(one, []) }
        }),
      )
      for (const { held, destroyed, content } of outcomes) {
        assert.equal(destroyed, held ? 0 : 1)
        assert.equal(content?.sealedSecret !== undefined, held)
        assert.equal(content?.life.hold, held ? 'court' : undefined)
      }
    })

    opened('a renewal and a destruction that meet leave a whole content or a tombstone', async (store) => {
      const contents = await expiring(store, 12)
      await Promise.all(
        contents.flatMap((one) => [
          store.putExpiry([{ ...one, expiresAt: 1_000 }]),
          store.destroyExpired([one], 20, 'over'),
        ]),
      )
      for (const ref of contents) {
        const { sealedSecret, tombstone, life } = (await store.findContent(ref, [])) ?? assert.fail()
        assert.equal(sealedSecret === undefined, tombstone !== undefined)
        assert.equal(life.expiresAt, tombstone === undefined ? 1_000 : undefined)
      }
    })

    opened('sweepers that meet destroy each content once', async (store) => {
      const contents = await expiring(store, 20)
      const swept = await Promise.all(
        [1, 2, 3, 4].map((at) => store.destroyExpired(at % 2 === 0 ? contents : contents.toReversed(), at, 'over')),
      )
      assert.deepEqual(
        swept
          .flat()
          .map(({ contentId }) => contentId)
          .sort(),
        contents.map(({ contentId }) => contentId).sort(),
      )
      for (const ref of contents) assert.equal((await tombstoneOf(store, ref))?.cause, 'expired')
    })

    opened('overrides put while their content is destroyed leave nothing behind', async (store) => {
      const contents = await expiring(store, 12)
      await Promise.all(
        contents.flatMap((one, number) => [
          store.putOverridesIfAbsent(one, [override(number)], BIRTH),
          number % 2 === 0
            ? store.destroyExpired([one], 20, 'over')
            : store.putTombstone(one, { at: 20, reason: 'operator', cause: 'deleted' }),
        ]),
      )
      for (const ref of contents) {
        assert.deepEqual(await store.listOverrides(ref), [])
        assert.equal((await tombstoneOf(store, ref))?.at, 20)
      }
    })

    opened('an expired content gets one next secret, whoever gives it', async (store) => {
      await store.putSecretIfAbsent(REF, bytes(1), [], BIRTH)
      await store.destroyExpired([{ ...REF, expiresAt: 5_000 }], 6_000, 'over')
      const next = { at: 7_000, expiresAt: 12_000 }
      const [first, ...rest] = await Promise.all(
        Array.from({ length: 16 }, (_, byte) => store.putNextSecret(REF, bytes(byte + 10), 1, [], next)),
      )
      assert.ok(first?.sealedSecret)
      assert.deepEqual(first.life, { createdAt: 7_000, expiresAt: 12_000, hold: undefined, epoch: 1 })
      assert.equal(first.tombstone, undefined)
      for (const other of rest) assert.deepEqual(other, first)
      assert.deepEqual(await store.findContent(REF, []), first)
      assert.deepEqual(await store.putNextSecret(REF, bytes(9), 2, [], next), first)

      await store.destroyExpired([{ ...REF, expiresAt: 12_000 }], 13_000, 'over')
      assert.equal((await store.putNextSecret(REF, bytes(9), 1, [], next)).tombstone?.at, 13_000)
      assert.equal((await store.putNextSecret(REF, bytes(9), 2, [], next)).life.epoch, 2)
    })

    opened(
      'a content that was deleted never gets a next secret, nor one that expired and was deleted then',
      async (store) => {
        const deleted = { at: 9_000, reason: 'operator', cause: 'deleted' } as const
        await store.putSecretIfAbsent(REF, bytes(1), [], BIRTH)
        await store.destroyExpired([{ ...REF, expiresAt: 5_000 }], 6_000, 'over')
        await store.putTombstone(REF, { at: 7_000, reason: 'again', cause: 'expired' })
        assert.deepEqual(await tombstoneOf(store), { at: 6_000, reason: 'over', cause: 'expired' })
        await store.putTombstone(REF, deleted)
        await store.putTombstone(REF, { at: 9_999, reason: 'late', cause: 'expired' })
        const standing = await store.putNextSecret(REF, bytes(2), 1, [], BIRTH)
        assert.deepEqual([standing.sealedSecret, standing.tombstone], [undefined, deleted])
        assert.equal((await store.putNextSecret(refOf(1), bytes(2), 1, [], BIRTH)).sealedSecret, undefined)
        assert.equal(await store.findContent(refOf(1), []), undefined)
      },
    )

    opened('a deletion and a next secret that meet end in the deletion', async (store) => {
      const contents = await expiring(store, 12)
      await store.destroyExpired(contents, 20, 'over')
      await Promise.all(
        contents.flatMap((one) => [
          store.putNextSecret(one, bytes(2), 1, [], BIRTH),
          store.putTombstone(one, { at: 30, reason: 'operator', cause: 'deleted' }),
        ]),
      )
      for (const ref of contents) {
        const content = await store.findContent(ref, [])
        assert.deepEqual([content?.sealedSecret, content?.tombstone?.cause], [undefined, 'deleted'])
      }
    })

    for (const policy of ['derived', 'random'] as const) {
      opened(`nodes that ask at once for a content that is over agree on its next keys (${policy})`, async (store) => {
        const retention: RetentionOf = () => {
          return { name: 'live', keepMs: 1_000, graceMs: 10, afterwards: 'regenerate', held: false }
        }
        const one = keyringOf({ store, policy, retention })
        const { clock, dataKeys } = one
        const node = () =>
          new StoredContentKeys({
            store,
            dataKeys,
            policy,
            retention,
            now: () => clock.at,
            time: () => clock.at,
            randomBytes,
          })
        const nodes = [one.keys, node(), node(), node()]
        const before = await issue(one.keys, [wantedOf(1), wantedOf(2)])
        for (let epoch = 1; epoch <= 3; epoch++) {
          clock.at += 1_010
          const issued = await Promise.all(
            Array.from({ length: 16 }, (_, i) => issue(nodes[i % 4] ?? one.keys, [wantedOf(1), wantedOf(2)])),
          )
          for (const other of issued) assert.deepEqual(other.keys, issued[0]?.keys)
          assert.notDeepEqual(issued[0]?.keys, before.keys)
          assert.equal((await lifeOf(store))?.epoch, epoch)
        }
      })
    }

    opened('the contents without a limit are listed in pages', async (store) => {
      for (let number = 0; number < 7; number++) {
        await store.putSecretIfAbsent(refOf(number), bytes(1), [], { at: 0, expiresAt: undefined })
      }
      await store.putExpiry([{ ...refOf(1), expiresAt: 5 }])
      await store.putHold(refOf(2), 'court')
      await store.putTombstone(refOf(3), { at: 1, reason: 'gone', cause: 'deleted' })
      const found: ContentRef[] = []
      for (let after: ContentRef | undefined; ; after = found.at(-1)) {
        const page = await store.listUnlimited(after, 3)
        found.push(...page)
        if (page.length < 3) break
      }
      assert.deepEqual(found.map(({ contentId }) => contentId).sort(), ['c0', 'c4', 'c5', 'c6'])
    })
  })
}

import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { seal } from '../../../src/keys/crypto/seal.ts'
import type { ContentRef } from '../../../src/keys/ports/content-ref.ts'
import type { ContentStore } from '../../../src/keys/ports/content-store.ts'
import type { StoreMaintenance } from '../../../src/keys/ports/maintenance-store.ts'
import { AUDIT_TENANT, type AuditHeadStore } from '../../../src/operations/ports/store.ts'
import { BIRTH, kidOf } from '../../keys/fixtures.ts'

type Store = ContentStore & StoreMaintenance & AuditHeadStore

const refOf = (number: number, tenant = 'a'): ContentRef => ({ tenant, contentId: `c${number}` })

/** What every adapter of `StoreMaintenance` must do. Each adapter's test file calls this, then adds its own. */
export function maintenanceContract(name: string, open: () => Promise<Store>): void {
  const opened = (title: string, body: (store: Store) => Promise<void>) =>
    test(title, async () => {
      const store = await open()
      try {
        await body(store)
      } finally {
        await store.close()
      }
    })

  describe(`store maintenance: ${name}`, () => {
    opened('lists every content once, in pages, whatever is stored of it', async (store) => {
      const odd = ['a\u0000b', '\\0', "'", 'É', '🎬'].map((contentId) => ({ tenant: 'b', contentId }))
      const refs = [...Array.from({ length: 7 }, (_, number) => refOf(number)), ...odd]
      for (const ref of refs) await store.putSecretIfAbsent(ref, Uint8Array.of(1), [], BIRTH)
      const overridden = refOf(10)
      await store.putOverridesIfAbsent(
        overridden,
        [
          { contentKeyClass: 'drm', kid: kidOf(1), sealed: Uint8Array.of(1), pssh: {} },
          { contentKeyClass: 'drm', kid: kidOf(2), sealed: Uint8Array.of(1), pssh: {} },
        ],
        BIRTH,
      )
      const ruled = refOf(11)
      await store.putKidOverride(ruled, { intendedTrackType: undefined, periodIndex: undefined, kid: kidOf(1) })
      await store.putTombstone(refOf(12), { at: 1, reason: 'gone', cause: 'deleted' })
      const found: ContentRef[] = []
      for (let after: ContentRef | undefined; ; after = found.at(-1)) {
        const page = await store.listContents(after, 3)
        found.push(...page)
        if (page.length < 3) break
      }
      const named = (all: readonly ContentRef[]) => all.map((ref) => JSON.stringify([ref.tenant, ref.contentId])).sort()
      assert.deepEqual(named(found), named([...refs, overridden, ruled, refOf(12)]))
    })

    opened('the life of a content is copied as it is', async (store) => {
      const life = { createdAt: 5, expiresAt: 50, hold: 'court \\ \u0000', epoch: 3 }
      await store.putLife(refOf(1), life)
      assert.equal(await store.findContent(refOf(1), []), undefined)
      await store.putSecretIfAbsent(refOf(1), Uint8Array.of(1), [], BIRTH)
      await store.putLife(refOf(1), life)
      assert.deepEqual((await store.findContent(refOf(1), []))?.life, life)
      const other = { createdAt: undefined, expiresAt: undefined, hold: undefined, epoch: 0 }
      await store.putLife(refOf(1), other)
      assert.deepEqual((await store.findContent(refOf(1), []))?.life, other)
    })

    opened('a data key is wrapped anew only over the wrapping that stands', async (store) => {
      const one = { tenant: 'a', generation: 1, wrapped: Uint8Array.of(1) }
      await store.putDataKeyIfAbsent(one)
      await store.putDataKeyIfAbsent({ ...one, tenant: 'b' })
      assert.equal(await store.rewrapDataKey({ ...one, wrapped: Uint8Array.of(9) }, Uint8Array.of(8)), false)
      assert.equal(await store.rewrapDataKey({ ...one, wrapped: Uint8Array.of(9) }, one.wrapped), true)
      assert.deepEqual(await store.listDataKeys(), [
        { ...one, wrapped: Uint8Array.of(9) },
        { ...one, tenant: 'b' },
      ])
    })

    opened('values are sealed anew only over what stands, and counted by data key', async (store) => {
      for (const generation of [1, 2]) {
        await store.putDataKeyIfAbsent({ tenant: 'a', generation, wrapped: Uint8Array.of(generation) })
      }
      const [old, fresh] = [sealed(1), sealed(2)]
      const override = { contentKeyClass: 'drm', kid: kidOf(1) } as const
      await store.putSecretIfAbsent(refOf(1), old, [], BIRTH)
      await store.putSecretIfAbsent(refOf(2), old, [], BIRTH)
      await store.putOverridesIfAbsent(refOf(1), [{ ...override, sealed: old, pssh: {} }], BIRTH)
      const counts = (first: number, second: number) => [
        { tenant: 'a', generation: 1, rows: first },
        { tenant: 'a', generation: 2, rows: second },
      ]
      assert.deepEqual(await store.countSeals(), counts(3, 0))
      const resealed = await store.reseal([
        { ...refOf(2), override: undefined, before: fresh, after: fresh },
        { ...refOf(1), override, before: old, after: fresh },
        { ...refOf(1), override: undefined, before: old, after: fresh },
        { ...refOf(3), override: undefined, before: old, after: fresh },
      ])
      assert.equal(resealed, 2)
      assert.deepEqual(await store.countSeals(), counts(1, 2))
      const content = await store.findContent(refOf(1), [kidOf(1)])
      assert.deepEqual([content?.sealedSecret, content?.overrides[0]?.sealed], [fresh, fresh])
      assert.deepEqual((await store.findContent(refOf(2), []))?.sealedSecret, old)
    })

    opened('a data key goes only when nothing needs it, and then nothing can be sealed with it', async (store) => {
      for (const generation of [1, 2]) {
        await store.putDataKeyIfAbsent({ tenant: 'a', generation, wrapped: Uint8Array.of(generation) })
      }
      await store.putSecretIfAbsent(refOf(1), sealed(1), [], BIRTH)
      assert.equal(await store.removeDataKey('a', 1), false)
      const before = (await store.findContent(refOf(1), []))?.sealedSecret ?? assert.fail()
      await store.reseal([{ ...refOf(1), override: undefined, before, after: sealed(2) }])
      assert.equal(await store.removeDataKey('a', 1), true)
      assert.equal(await store.removeDataKey('a', 1), false)
      assert.deepEqual(
        (await store.listDataKeys()).map(({ generation }) => generation),
        [2],
      )
      const refused = { code: 'ERR_DATA_KEY_REMOVED' }
      const override = { contentKeyClass: 'drm', kid: kidOf(1), sealed: sealed(1), pssh: {} } as const
      await assert.rejects(store.putSecretIfAbsent(refOf(2), sealed(1), [], BIRTH), refused)
      await assert.rejects(store.putOverridesIfAbsent(refOf(2), [override], BIRTH), refused)
      await assert.rejects(store.replaceOverride(refOf(2), override, BIRTH), refused)
      assert.equal(await store.findContent(refOf(2), []), undefined)
    })

    opened('a data key that the head of an audit chain needs stays until the head is sealed anew', async (store) => {
      for (const generation of [1, 2]) {
        await store.putDataKeyIfAbsent({ tenant: AUDIT_TENANT, generation, wrapped: Uint8Array.of(generation) })
      }
      const rows = async () => (await store.countSeals()).map((one) => one.rows)
      await store.putAuditHead({ chain: 'n1/2026-11-21', seq: 1, sealed: sealed(1) })
      assert.deepEqual(await rows(), [1, 0])
      assert.equal(await store.removeDataKey(AUDIT_TENANT, 1), false)
      await store.putAuditHead({ chain: 'n1/2026-11-21', seq: 1, sealed: sealed(2) })
      assert.deepEqual(await rows(), [0, 1])
      assert.equal(await store.removeDataKey(AUDIT_TENANT, 1), true)
      const late = store.putAuditHead({ chain: 'n1/2026-11-21', seq: 2, sealed: sealed(1) })
      await assert.rejects(late, { code: 'ERR_DATA_KEY_REMOVED' })
    })

    opened('values sealed while their data key is removed either keep it or are refused', async (store) => {
      for (const generation of [1, 2]) {
        await store.putDataKeyIfAbsent({ tenant: 'a', generation, wrapped: Uint8Array.of(generation) })
      }
      const puts = Array.from({ length: 12 }, (_, number) =>
        store.putSecretIfAbsent(refOf(number), sealed(1), [], BIRTH),
      )
      const [removed, ...settled] = await Promise.allSettled([store.removeDataKey('a', 1), ...puts])
      const isRemoved = removed.status === 'fulfilled' && removed.value
      const stored = settled.filter(({ status }) => status === 'fulfilled').length
      assert.equal(isRemoved ? stored : 12, isRemoved ? 0 : stored)
    })
  })
}

function sealed(generation: number): Uint8Array {
  const key = createSecretKey(randomBytes(32))
  return seal({ generation, key }, { kind: 'content-secret', ref: refOf(1) }, randomBytes(32), randomBytes)
}

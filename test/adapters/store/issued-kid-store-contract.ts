import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { ContentStore, LifeStore } from '../../../src/keys/ports/content-store.ts'
import type { LedgerRecord, LedgerStore } from '../../../src/keys/ports/ledger-store.ts'
import { BIRTH, kidOf, REF, wantedOf } from '../../keys/fixtures.ts'
import { openedWith } from './opened.ts'

type Store = ContentStore & LedgerStore & LifeStore

const OTHER = { ...REF, contentId: 'series' }
const SECRET = new Uint8Array(32)

/** What every adapter of `IssuedKidStore` must do. */
export function issuedKidStoreContract(name: string, open: () => Promise<Store>): void {
  const opened = openedWith(async () => {
    const store = await open()
    await store.putSecretIfAbsent(REF, SECRET, [], BIRTH)
    return store
  })

  describe(`issued kid store: ${name}`, () => {
    opened('finds the kids that the ledger recorded, and no others', async (store) => {
      await store.record([recordOf([1, 2])])
      const { issued } = await store.findIssued(REF, [kidOf(2), kidOf(3), kidOf(1)])
      assert.deepEqual(issued, [wantedOf(1), wantedOf(2)].map(toIssued))
      assert.deepEqual((await store.findIssued(REF, [kidOf(3)])).issued, [])
      assert.deepEqual((await store.findIssued(REF, [])).issued, [])
      assert.deepEqual((await store.findIssued(OTHER, [kidOf(1)])).issued, [])
      assert.deepEqual((await store.findIssued({ ...REF, tenant: 'other' }, [kidOf(1)])).issued, [])
    })

    opened('finds a kid in each class it was issued in', async (store) => {
      await store.record([recordOf([1]), { ...recordOf([1], 'clear'), periodId: 'p2' }])
      const { issued } = await store.findIssued(REF, [kidOf(1)])
      assert.deepEqual(issued, [wantedOf(1, 'clear'), wantedOf(1, 'drm')].map(toIssued))
    })

    opened('keeps a kid after the ledger has pruned its period', async (store) => {
      await store.record([recordOf([1])])
      assert.equal(await store.prune(1_000_000, 100), 1)
      assert.deepEqual(await store.findByContent(REF, 10), [])
      assert.equal((await store.findIssued(REF, [kidOf(1)])).issued.length, 1)
    })

    for (const [how, destroy] of [
      ['deleted', (store: Store) => store.putTombstone(REF, { at: 1, reason: 'test', cause: 'deleted' })],
      [
        'destroyed after its grace period',
        async (store: Store) => {
          const expiry = { ...REF, expiresAt: Date.now() + 1_000 }
          await store.putExpiry([expiry])
          assert.equal((await store.destroyExpired([expiry], Date.now() + 2_000, 'test')).length, 1)
        },
      ],
    ] as const) {
      opened(`forgets the kids of a content that is ${how}, and records no new ones`, async (store) => {
        await store.record([recordOf([1])])
        await destroy(store)
        assert.deepEqual((await store.findIssued(REF, [kidOf(1)])).issued, [])
        await store.record([{ ...recordOf([1, 2]), periodId: 'p2' }])
        await store.putIssued(REF, [toIssued(wantedOf(3))])
        assert.deepEqual((await store.findIssued(REF, [1, 2, 3].map(kidOf))).issued, [])
      })
    }

    opened('does not find the kids of an earlier secret of a regenerated content', async (store) => {
      await store.record([recordOf([1])])
      await store.putTombstone(REF, { at: 1, reason: 'test', cause: 'expired' })
      await store.putNextSecret(REF, SECRET, 1, [], BIRTH)
      assert.deepEqual((await store.findIssued(REF, [kidOf(1)])).issued, [])
      await store.record([{ ...recordOf([2]), periodId: 'p2' }])
      assert.deepEqual((await store.findIssued(REF, [1, 2].map(kidOf))).issued, [toIssued(wantedOf(2))])
    })

    opened('records nothing for a content that is not stored', async (store) => {
      await store.record([{ ...recordOf([1]), contentId: 'series' }])
      await store.putSecretIfAbsent(OTHER, SECRET, [], BIRTH)
      assert.deepEqual((await store.findIssued(OTHER, [kidOf(1)])).issued, [])
    })

    opened('lists all kids of a content in pages, and adds them to a copy', async (store) => {
      const numbers = Array.from({ length: 25 }, (_, i) => i + 1)
      await store.putSecretIfAbsent(OTHER, SECRET, [], BIRTH)
      await store.record([recordOf(numbers), { ...recordOf([3], 'clear'), periodId: 'p2' }])
      const all = []
      for (let page = await store.listIssued(REF, undefined, 10); page.length > 0; ) {
        all.push(...page)
        page = await store.listIssued(REF, page.at(-1), 10)
      }
      assert.equal(all.length, 26)
      assert.deepEqual(all.slice(2, 4), [wantedOf(3, 'clear'), wantedOf(3, 'drm')].map(toIssued))
      await store.putIssued(OTHER, all)
      assert.deepEqual(await store.listIssued(OTHER, undefined, 100), all)
    })

    opened('moves the time since which its record is complete forwards only', async (store) => {
      const at = Date.now() + 10 * 86_400_000
      await store.putCompleteSince(at)
      await store.putCompleteSince(at - 1)
      assert.equal((await store.findIssued(REF, [])).completeSince, at)
    })

    opened('answers for a whole licence request at once', async (store) => {
      const numbers = Array.from({ length: 128 }, (_, i) => i + 1)
      await store.record([recordOf(numbers.slice(0, 60))])
      assert.equal((await store.findIssued(REF, numbers.map(kidOf))).issued.length, 60)
    })
  })
}

const toIssued = ({ kid, contentKeyClass }: ReturnType<typeof wantedOf>) => ({ kid, contentKeyClass })

function recordOf(numbers: readonly number[], contentKeyClass: 'clear' | 'drm' = 'drm'): LedgerRecord {
  return {
    ...REF,
    periodId: '',
    periodIndex: undefined,
    periodStart: undefined,
    periodEnd: undefined,
    keys: numbers.map((number) => ({
      ...wantedOf(number, contentKeyClass),
      commonEncryptionScheme: 'cenc',
      intendedTrackTypes: [],
      systemIds: [],
    })),
    client: 'encoder',
    spekeVersion: '2.0',
    firstAt: 1,
    lastAt: 2,
    requests: 1,
    keepUntil: 3,
  }
}

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Kid, systemIdOf, toKid } from '../../../src/formats/cenc.ts'
import type { LedgerKey, LedgerRecord, LedgerStore } from '../../../src/keys/ports/ledger-store.ts'

const WIDEVINE = systemIdOf('edef8ba9-79d6-4ace-a3c8-27dcd51d21ed')
const PLAYREADY = systemIdOf('9a04f079-9840-4286-ab92-e65be0885f95')

/** What every adapter of `LedgerStore` must do. Each adapter's test file calls this, then adds its own. */
export function ledgerStoreContract(name: string, open: () => Promise<LedgerStore>): void {
  const opened = (title: string, body: (store: LedgerStore) => Promise<void>) =>
    test(title, async () => {
      const store = await open()
      try {
        await body(store)
      } finally {
        await store.close()
      }
    })

  describe(`ledger store: ${name}`, () => {
    opened('a record is found by its content and by each of its kids', async (store) => {
      const record = recordOf({ keys: [key(1), key(2)], periodIndex: 4, periodStart: 'PT0S', periodEnd: 'PT60S' })
      assert.deepEqual(await store.record([record]), [])
      assert.deepEqual(await store.findByContent(record, 10), [record])
      assert.deepEqual(await store.findByKid('default', kid(1)), [record])
      assert.deepEqual(await store.findByKid('default', kid(2)), [record])
      assert.deepEqual(await store.findByKid('default', kid(3)), [])
      assert.deepEqual(await store.findByKid('other', kid(1)), [])
    })

    opened('a kid that stays the same through all periods is found in those that began last', async (store) => {
      const clear: LedgerKey = { ...key(1), contentKeyClass: 'clear' }
      const periods = Array.from({ length: 150 }, (_, at) =>
        recordOf({ periodId: `p${at}`, firstAt: at, lastAt: at, keys: [at === 0 ? clear : key(1)] }),
      )
      await store.record(periods)
      await store.record([recordOf({ contentId: 'movie', firstAt: 0, lastAt: 0, keys: [key(1)] })])
      const placesOf = async (query?: Parameters<LedgerStore['findByKid']>[2]) =>
        (await store.findByKid('default', kid(1), query)).map(
          (one) => `${one.contentId} ${one.periodId} ${one.firstAt}`,
        )
      const newest = Array.from({ length: 100 }, (_, i) => `live p${149 - i} ${149 - i}`)
      assert.deepEqual((await placesOf()).slice(0, 100), newest)
      assert.deepEqual((await placesOf()).slice(100).sort(), ['live p0 0', 'movie  0'])
      assert.deepEqual((await placesOf({ periods: 1 })).sort(), ['live p0 0', 'live p149 149', 'movie  0'])
      assert.deepEqual(await placesOf({ contentId: 'live', periods: 2 }), [
        'live p149 149',
        'live p148 148',
        'live p0 0',
      ])
      assert.deepEqual(await placesOf({ contentId: 'movie' }), ['movie  0'])
      assert.deepEqual(await placesOf({ contentId: 'mo' }), [])
    })

    opened('records of one period are one', async (store) => {
      await store.record([recordOf({ firstAt: 5, lastAt: 6, requests: 2, keys: [key(1)], client: 'a' })])
      await store.record([
        recordOf({
          firstAt: 7,
          lastAt: 8,
          requests: 1,
          keys: [{ ...key(1), systemIds: [PLAYREADY] }, key(2)],
          client: 'b',
        }),
        recordOf({ firstAt: 1, lastAt: 2, requests: 1, keys: [key(3)], client: 'late' }),
      ])
      const [record, ...others] = await store.findByContent({ tenant: 'default', contentId: 'live' }, 10)
      assert.deepEqual(others, [])
      assert.equal(record?.firstAt, 1)
      assert.equal(record?.lastAt, 8)
      assert.equal(record?.requests, 4)
      assert.equal(record?.client, 'b')
      assert.deepEqual(new Set(record?.keys.map((one) => one.kid)), new Set([kid(1), kid(2), kid(3)]))
      assert.deepEqual(record?.keys.find((one) => one.kid === kid(1))?.systemIds, [WIDEVINE, PLAYREADY])
    })

    opened('a content lists its newest periods first, no more than asked', async (store) => {
      await store.record([1, 2, 3, 4].map((at) => recordOf({ periodId: `p${at}`, firstAt: at, lastAt: at })))
      await store.record([recordOf({ contentId: 'other', periodId: 'p9', firstAt: 9, lastAt: 9 })])
      const periods = await store.findByContent({ tenant: 'default', contentId: 'live' }, 2)
      assert.deepEqual(
        periods.map(({ periodId }) => periodId),
        ['p4', 'p3'],
      )
    })

    opened('a kid seen in both classes of a content is told once', async (store) => {
      const clear: LedgerKey = { ...key(1), contentKeyClass: 'clear' }
      assert.deepEqual(await store.record([recordOf({ keys: [key(1)] })]), [])
      assert.deepEqual(await store.record([recordOf({ contentId: 'other', keys: [clear] })]), [])
      const told = [{ tenant: 'default', contentId: 'live', kid: kid(1) }]
      assert.deepEqual(await store.record([recordOf({ periodId: 'next', keys: [clear] })]), told)
      assert.deepEqual(await store.record([recordOf({ periodId: 'next', keys: [clear] })]), [])
    })

    opened('a kid in both classes of one record is told', async (store) => {
      const keys: LedgerKey[] = [key(1), { ...key(1), contentKeyClass: 'clear' }]
      assert.deepEqual(await store.record([recordOf({ keys })]), [
        { tenant: 'default', contentId: 'live', kid: kid(1) },
      ])
      assert.equal((await store.findByKid('default', kid(1))).length, 1)
    })

    opened('periods that need not be kept any more are forgotten, no more than asked', async (store) => {
      await store.record(
        [1, 2, 3, 4].map((at) => recordOf({ periodId: `p${at}`, lastAt: 9 - at, keepUntil: at, keys: [key(at)] })),
      )
      await store.record([recordOf({ contentId: 'archive', keepUntil: undefined })])
      assert.equal(await store.prune(4, 2), 2)
      assert.equal(await store.prune(4, 2), 1)
      assert.equal(await store.prune(4, 2), 0)
      const periods = await store.findByContent({ tenant: 'default', contentId: 'live' }, 10)
      assert.deepEqual(
        periods.map(({ periodId }) => periodId),
        ['p4'],
      )
      assert.deepEqual(await store.findByKid('default', kid(1)), [])
      assert.equal((await store.findByKid('default', kid(4))).length, 1)
      const forEver = await store.findByContent({ tenant: 'default', contentId: 'archive' }, 10)
      assert.deepEqual(forEver, [recordOf({ contentId: 'archive', keepUntil: undefined })])
    })

    opened('a period is kept as long as its latest request says, for ever too', async (store) => {
      const at = (lastAt: number, keepUntil: number | undefined) => store.record([recordOf({ lastAt, keepUntil })])
      const keptUntil = async () =>
        (await store.findByContent({ tenant: 'default', contentId: 'live' }, 1))[0]?.keepUntil
      await at(5, 50)
      await at(6, 20)
      await at(4, 90)
      assert.equal(await keptUntil(), 20)
      await at(7, undefined)
      assert.equal(await keptUntil(), undefined)
      assert.equal(await store.prune(1_000, 10), 0)
      await at(8, 30)
      assert.equal(await store.prune(30, 10), 0)
      assert.equal(await store.prune(31, 10), 1)
    })

    opened('no records are no work', async (store) => assert.deepEqual(await store.record([]), []))
  })
}

/** A record of the period '' of the content 'live', with `part` changed. */
export function recordOf(part: Partial<LedgerRecord>): LedgerRecord {
  return {
    tenant: 'default',
    contentId: 'live',
    periodId: '',
    periodIndex: undefined,
    periodStart: undefined,
    periodEnd: undefined,
    keys: [],
    client: 'packager',
    spekeVersion: '2.0',
    firstAt: 1,
    lastAt: 1,
    requests: 1,
    keepUntil: 1_000,
    ...part,
  }
}

function key(number: number): LedgerKey {
  return {
    kid: kid(number),
    contentKeyClass: 'drm',
    commonEncryptionScheme: 'cenc',
    intendedTrackTypes: ['HD'],
    systemIds: [WIDEVINE],
  }
}

function kid(number: number): Kid {
  return toKid(`00000000-0000-0000-0000-${String(number).padStart(12, '0')}`) ?? assert.fail()
}

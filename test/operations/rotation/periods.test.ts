import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LedgerRecord } from '../../../src/keys/ports/ledger-store.ts'
import { type ContentPeriods, contentPeriods, type PeriodsQuery } from '../../../src/operations/rotation/periods.ts'
import { kidOf } from '../../keys/fixtures.ts'
import { ledgerKey, ledgerRecord, type ManagingOptions, managing, OPERATOR, START } from '../managing.ts'

const MINUTE = 60_000

/** Period `i` of a channel that rotates every minute: a key for video and one for audio. */
function rotated(i: number, changes: Partial<LedgerRecord> = {}): LedgerRecord {
  const at = START + i * MINUTE
  return ledgerRecord({
    periodId: `p${i}`,
    periodIndex: i,
    keys: [ledgerKey(kidOf(2 * i)), ledgerKey(kidOf(2 * i + 1), { intendedTrackTypes: ['AUDIO'] })],
    firstAt: at,
    lastAt: at,
    ...changes,
  })
}

async function periodsOf(
  records: readonly LedgerRecord[],
  { at = START, query = {}, ...options }: { at?: number; query?: Partial<PeriodsQuery> } & ManagingOptions = {},
): Promise<ContentPeriods> {
  const { management, store, clock } = managing(options)
  await store.record(records)
  clock.at = at
  return contentPeriods(management, OPERATOR, { contentId: 'channel', ...query })
}

const iso = (at: number): string => new Date(at).toISOString()
const shape = ({ periods }: ContentPeriods) => periods.map(({ state, index, start, end }) => [state, index, start, end])

describe('the periods of a channel', () => {
  const records = [0, 1, 2, 3].map((i) => rotated(i))
  const at = START + 3.5 * MINUTE

  test('are those that were asked for and those to come, the earliest first', async () => {
    const listed = await periodsOf(records, { at, query: { expected: 2 } })
    assert.deepEqual(listed.rotation, { basis: 'observed', intervalSeconds: 60, confidence: 'high', stopped: false })
    assert.equal(listed.more, false)
    const minute = (i: number): string => iso(START + i * MINUTE)
    assert.deepEqual(shape(listed), [
      ['issued', 0, minute(0), minute(1)],
      ['issued', 1, minute(1), minute(2)],
      ['issued', 2, minute(2), minute(3)],
      ['current', 3, minute(3), minute(4)],
      ['expected', 4, minute(4), minute(5)],
      ['expected', 5, minute(5), minute(6)],
    ])
  })

  test('say which kid is for which tracks; those to come have none, the encryptor makes them', async () => {
    const { periods } = await periodsOf(records, { at, query: { expected: 1 } })
    const keys = periods.map(({ keys }) => keys.map(({ kid, intendedTrackTypes }) => [kid, intendedTrackTypes]))
    assert.deepEqual(keys[3], [
      [kidOf(6), ['VIDEO']],
      [kidOf(7), ['AUDIO']],
    ])
    assert.deepEqual(keys[4], [])
    assert.deepEqual(
      periods.slice(3).map(({ times, firstAt }) => [times, firstAt]),
      [
        ['observed', iso(START + 3 * MINUTE)],
        ['computed', undefined],
      ],
    )
  })

  test('are those of a span of time when asked for that', async () => {
    const query = { expected: 3, from: START + 2 * MINUTE, to: START + 5 * MINUTE }
    assert.deepEqual(
      (await periodsOf(records, { at, query })).periods.map(({ index }) => index),
      [2, 3, 4],
    )
  })

  test('are no more expected after three intervals without a request', async () => {
    const listed = await periodsOf(records, { at: START + 7 * MINUTE, query: { expected: 3 } })
    assert.equal(listed.rotation?.stopped, true)
    assert.deepEqual(
      listed.periods.map(({ state }) => state),
      ['issued', 'issued', 'issued', 'issued'],
    )
  })

  test('have the times of the document where it has them', async () => {
    const timed = [0, 1, 2].map((i) =>
      rotated(i, {
        periodStart: iso(START + (10 + i) * MINUTE),
        periodEnd: iso(START + (11 + i) * MINUTE),
      }),
    )
    const listed = await periodsOf(timed, { at: START + 11.5 * MINUTE, query: { expected: 1 } })
    assert.equal(listed.rotation?.basis, 'document')
    const minute = (i: number): string => iso(START + i * MINUTE)
    assert.deepEqual(shape(listed), [
      ['issued', 0, minute(10), minute(11)],
      ['current', 1, minute(11), minute(12)],
      ['issued', 2, minute(12), minute(13)],
      ['expected', 3, minute(13), minute(14)],
    ])
    assert.equal(listed.periods[0]?.times, 'document')
  })

  test('come as often as is configured', async () => {
    const listed = await periodsOf([rotated(0)], { query: { expected: 2 }, rotation: () => 10_000 })
    assert.equal(listed.rotation?.basis, 'configured')
    assert.deepEqual(shape(listed).slice(1), [
      ['expected', 1, iso(START + 10_000), iso(START + 20_000)],
      ['expected', 2, iso(START + 20_000), iso(START + 30_000)],
    ])
  })

  test('after MAX_UINT32 are counted from 0', async () => {
    const last = 2 ** 32 - 1
    const wrapping = [0, 1, 2].map((i) => rotated(i, { periodIndex: last - 2 + i }))
    const { periods } = await periodsOf(wrapping, { at: START + 2.5 * MINUTE, query: { expected: 2 } })
    assert.deepEqual(
      periods.map(({ index }) => index),
      [last - 2, last - 1, last, 0, 1],
    )
  })
})

describe('the period of a recording', () => {
  test('is one, without times to come, when its document has none', async () => {
    const listed = await periodsOf([ledgerRecord()], { at: START + 365 * 86_400_000, query: { expected: 5 } })
    assert.equal(listed.rotation, undefined)
    assert.deepEqual(shape(listed), [['current', undefined, iso(START), undefined]])
    assert.equal(listed.periods[0]?.periodId, undefined)
  })

  test('has its offsets as they are written, and no time of this world', async () => {
    const parts = [0, 1].map((i) => rotated(i, { periodStart: `PT${i}H`, periodEnd: `PT${i + 1}H`, firstAt: START }))
    const listed = await periodsOf(parts, { query: { expected: 5 } })
    assert.equal(listed.rotation, undefined)
    assert.deepEqual(
      listed.periods.map(({ state, start, startOffset, endOffset, times }) => [
        state,
        start,
        startOffset,
        endOffset,
        times,
      ]),
      [
        ['issued', undefined, 'PT0H', 'PT1H', 'document'],
        ['issued', undefined, 'PT1H', 'PT2H', 'document'],
      ],
    )
  })
})

describe('a schedule', () => {
  test('is of the operator’s tenant alone', async () => {
    const { management, store } = managing()
    await store.record([rotated(0)])
    const other = contentPeriods(management, { tenant: 'other' }, { contentId: 'channel' })
    await assert.rejects(other, { code: 'ERR_CONTENT_NOT_FOUND' })
  })

  test('is empty for a content that was never asked for', async () => {
    const { management, store } = managing()
    await store.putKidOverride(
      { tenant: 'default', contentId: 'channel' },
      { intendedTrackType: undefined, periodIndex: undefined, kid: kidOf(1) },
    )
    const { periods, rotation } = await contentPeriods(management, OPERATOR, { contentId: 'channel' })
    assert.deepEqual([periods, rotation], [[], undefined])
  })

  for (const expected of [-1, 101, 1.5]) {
    test(`of ${expected} periods to come is rejected`, async () => {
      await assert.rejects(periodsOf([rotated(0)], { query: { expected } }), { code: 'ERR_API_REQUEST_INVALID' })
    })
  }
})

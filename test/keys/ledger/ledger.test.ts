import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { Ledger, type LedgerConflict, type LedgerEntry, type LedgerOptions } from '../../../src/keys/ledger/ledger.ts'
import type { LedgerKey, LedgerStore } from '../../../src/keys/ports/ledger-store.ts'
import { kidOf } from '../fixtures.ts'

const entryOf = (part: Partial<LedgerEntry> = {}): LedgerEntry => ({
  tenant: 'default',
  contentId: 'live',
  periodId: 'p1',
  periodIndex: undefined,
  periodStart: undefined,
  periodEnd: undefined,
  keys: [keyOf(1)],
  client: 'packager',
  spekeVersion: '2.0',
  ...part,
})
const keyOf = (number: number, contentKeyClass: LedgerKey['contentKeyClass'] = 'drm'): LedgerKey => ({
  kid: kidOf(number),
  contentKeyClass,
  commonEncryptionScheme: 'cenc',
  intendedTrackTypes: [],
  systemIds: [],
})
const LIVE = { tenant: 'default', contentId: 'live' }

/** A ledger whose clock and timer are turned by hand. */
function ledgerOf(options: Partial<LedgerOptions> = {}) {
  const memory = memoryStore()
  const seen = { away: false, batches: [] as number[], lost: 0, errors: 0, conflicts: [] as LedgerConflict[] }
  const clock = { at: 1_000 }
  const tasks: (() => void)[] = []
  const store: LedgerStore = {
    ...memory,
    async record(records) {
      if (seen.away) throw new KeyProviderError('ERR_STORE_UNAVAILABLE', 'the store is away')
      seen.batches.push(records.length)
      return memory.record(records)
    },
  }
  const ledger = new Ledger({
    store,
    now: () => clock.at,
    onLoss: (requests) => {
      seen.lost += requests
    },
    onError: () => {
      seen.errors++
    },
    onConflict: (conflicts) => {
      seen.conflicts.push(...conflicts)
    },
    schedule: (task) => {
      tasks.push(task)
      return () => {
        tasks.splice(tasks.indexOf(task), 1)
      }
    },
    ...options,
  })
  return { ledger, store, seen, clock, tasks, periods: () => memory.findByContent(LIVE, 100) }
}

describe('the ledger', () => {
  test('counts the requests of a period as one record', async () => {
    const { ledger, clock, seen, periods } = ledgerOf()
    const entry = entryOf()
    for (let request = 0; request < 5; request++) {
      ledger.record(entry)
      clock.at++
    }
    await ledger.flush()
    assert.deepEqual(await periods(), [
      { ...entry, firstAt: 1_000, lastAt: 1_004, requests: 5, keepUntil: 604_801_004 },
    ])
    assert.deepEqual(seen.batches, [1])
  })

  test('merges what other objects say of the same period', async () => {
    const { ledger, periods } = ledgerOf()
    const [one, two] = [entryOf({ keys: [keyOf(1)] }), entryOf({ keys: [keyOf(2)], client: 'other' })]
    for (const entry of [one, two, one, two, one]) ledger.record(entry)
    await ledger.flush()
    const [period] = await periods()
    assert.equal(period?.requests, 5)
    assert.equal(period?.client, 'other')
    assert.deepEqual(
      period?.keys.map(({ kid }) => kid),
      [kidOf(1), kidOf(2)],
    )
  })

  test('writes by itself when its time has come, and is at rest when nothing waits', async () => {
    const { ledger, tasks, periods } = ledgerOf()
    assert.equal(tasks.length, 0)
    ledger.record(entryOf())
    ledger.record(entryOf({ periodId: 'p2' }))
    assert.equal(tasks.length, 1)
    tasks.shift()?.()
    await ledger.flush()
    assert.equal((await periods()).length, 2)
    assert.equal(tasks.length, 0)
  })

  test('writes what came while it was writing', async () => {
    const { ledger, tasks, periods } = ledgerOf()
    ledger.record(entryOf())
    const flushed = ledger.flush()
    ledger.record(entryOf({ periodId: 'p2' }))
    tasks.shift()?.()
    await flushed
    assert.equal(tasks.length, 1)
    tasks.shift()?.()
    await ledger.flush()
    assert.equal((await periods()).length, 2)
  })

  test('writes in batches', async () => {
    const { ledger, seen } = ledgerOf()
    for (let period = 0; period < 450; period++) ledger.record(entryOf({ periodId: `p${period}` }))
    await ledger.flush()
    assert.deepEqual(seen.batches, [200, 200, 50])
  })

  test('keeps what could not be written and merges what comes meanwhile', async () => {
    const { ledger, seen, tasks, periods } = ledgerOf()
    seen.away = true
    for (let flush = 0; flush < 3; flush++) {
      ledger.record(entryOf())
      await ledger.flush()
    }
    assert.equal(seen.errors, 3)
    assert.equal(tasks.length, 1)
    seen.away = false
    await ledger.flush()
    assert.deepEqual(seen.batches, [1])
    assert.equal((await periods())[0]?.requests, 3)
    assert.equal(seen.lost, 0)
  })

  test('holds no more than it may, and counts what is lost', async () => {
    const { ledger, seen, periods } = ledgerOf({ maxRecords: 3 })
    for (let period = 0; period < 5; period++) ledger.record(entryOf({ periodId: `p${period}` }))
    ledger.record(entryOf({ periodId: 'p0' }))
    assert.equal(seen.lost, 2)
    seen.away = true
    await ledger.flush()
    ledger.record(entryOf({ periodId: 'p9' }))
    assert.equal(seen.lost, 3)
    seen.away = false
    await ledger.flush()
    assert.equal((await periods()).length, 3)
  })

  test('tells of a kid issued in both classes', async () => {
    const { ledger, seen } = ledgerOf()
    ledger.record(entryOf())
    ledger.record(entryOf({ periodId: 'p2', keys: [keyOf(1, 'clear')] }))
    await ledger.flush()
    assert.deepEqual(seen.conflicts, [{ ...LIVE, kid: kidOf(1) }])
  })

  test('writes what is left when it is closed, and counts what it cannot write or is told later', async () => {
    const open = ledgerOf()
    open.ledger.record(entryOf())
    await open.ledger.close()
    assert.equal((await open.periods()).length, 1)
    open.ledger.record(entryOf())
    assert.equal(open.seen.lost, 1)
    assert.equal(open.tasks.length, 0)

    const away = ledgerOf()
    away.seen.away = true
    for (let request = 0; request < 4; request++) away.ledger.record(entryOf())
    await away.ledger.close()
    assert.equal(away.seen.lost, 4)
  })
})

test('a period is pruned when its own retention has passed', async () => {
  const day = 86_400_000
  const keepMs = ({ contentId }: { readonly contentId: string }) => (contentId === 'live' ? 7 * day : undefined)
  const { ledger, store, clock, periods } = ledgerOf({ keepMs })
  for (let period = 0; period < 10; period++) {
    clock.at = period * day
    ledger.record(entryOf({ periodId: `p${period}` }))
  }
  ledger.record(entryOf({ contentId: 'archive' }))
  await ledger.flush()
  assert.equal(await store.prune(10 * day, 100), 3)
  assert.equal((await periods()).length, 7)
  assert.equal(await store.prune(100 * day, 100), 7)
  assert.equal((await store.findByContent({ tenant: 'default', contentId: 'archive' }, 2)).length, 1)
})

test('a period is kept for seven days after its last request where nothing else is said', async () => {
  const { ledger, clock, periods } = ledgerOf()
  ledger.record(entryOf())
  clock.at = 5_000
  ledger.record(entryOf())
  await ledger.flush()
  assert.deepEqual(
    (await periods()).map(({ keepUntil }) => keepUntil),
    [5_000 + 7 * 86_400_000],
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { Ledger, type LedgerEntry } from '../../../src/keys/ledger/ledger.ts'

const entryOf = (periodId: string): LedgerEntry => ({
  tenant: 'default',
  contentId: 'live',
  periodId,
  periodIndex: undefined,
  periodStart: undefined,
  periodEnd: undefined,
  keys: [],
  client: 'packager',
  spekeVersion: '2.0',
})

test('what waits to be written is counted, also while the store is away', async () => {
  let isAway = true
  const memory = memoryStore()
  const ledger = new Ledger({
    store: {
      ...memory,
      record: (records) =>
        isAway ? Promise.reject(new KeyProviderError('ERR_STORE_UNAVAILABLE', 'away')) : memory.record(records),
    },
    now: () => 0,
    schedule: () => () => {},
  })
  assert.equal(ledger.waiting, 0)
  for (const id of ['1', '2', '2']) ledger.record(entryOf(id))
  assert.equal(ledger.waiting, 2)
  await ledger.flush()
  ledger.record(entryOf('3'))
  assert.equal(ledger.waiting, 3)
  isAway = false
  await ledger.flush()
  assert.equal(ledger.waiting, 0)
  await ledger.close()
})

import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { IdempotencyStore, IdempotentWrite } from '../../../src/operations/ports/store.ts'
import { openedWith } from './opened.ts'

const WRITE: IdempotentWrite = {
  tenant: 'default',
  client: 'packager',
  key: 'k\u0000 \\ é',
  requestHash: 'ab',
  at: 1_000,
  reply: undefined,
}
const REPLY = { status: 201, body: '{"é":"🎬"}' }

/** What every adapter of `IdempotencyStore` must do. */
export function idempotencyContract(
  name: string,
  open: () => Promise<IdempotencyStore & { close(): Promise<void> }>,
): void {
  const opened = openedWith(open)

  describe(`idempotency store: ${name}`, () => {
    opened('a write stands from its beginning, with its answer when that came', async (store) => {
      assert.equal(await store.beginWrite(WRITE, 0), undefined)
      assert.deepEqual(await store.beginWrite({ ...WRITE, at: 1_001, requestHash: 'cd' }, 0), WRITE)
      await store.endWrite({ ...WRITE, reply: REPLY })
      assert.deepEqual(await store.beginWrite({ ...WRITE, at: 1_002 }, 0), { ...WRITE, reply: REPLY })
    })

    opened('keys of other clients and tenants are other writes', async (store) => {
      await store.beginWrite(WRITE, 0)
      for (const other of [{ tenant: 'b' }, { client: 'b' }, { key: 'b' }]) {
        assert.equal(await store.beginWrite({ ...WRITE, ...other }, 0), undefined)
      }
    })

    opened('of those who begin the same write at once one does it', async (store) => {
      const began = await Promise.all(
        Array.from({ length: 16 }, (_, at) => store.beginWrite({ ...WRITE, at: 1_000 + at }, 0)),
      )
      assert.equal(began.filter((standing) => standing === undefined).length, 1)
      const at = 1_000 + began.indexOf(undefined)
      for (const standing of began) assert.ok(standing === undefined || standing.at === at)
    })

    opened('a write that is too old gives way, to one of those who begin it again', async (store) => {
      await store.beginWrite(WRITE, 0)
      await store.endWrite({ ...WRITE, reply: REPLY })
      assert.deepEqual(await store.beginWrite({ ...WRITE, at: 5_000 }, 1_000), { ...WRITE, reply: REPLY })
      const began = await Promise.all(
        Array.from({ length: 8 }, (_, n) => store.beginWrite({ ...WRITE, at: 5_000 + n }, 1_001)),
      )
      assert.equal(began.filter((standing) => standing === undefined).length, 1)
      // The answer of a write that gave way comes too late.
      await store.endWrite({ ...WRITE, reply: { status: 500, body: '' } })
      assert.equal((await store.beginWrite({ ...WRITE, at: 6_000 }, 0))?.reply, undefined)
    })

    opened('a write that failed can be begun again', async (store) => {
      await store.beginWrite(WRITE, 0)
      await store.forgetWrite(WRITE)
      assert.equal(await store.beginWrite({ ...WRITE, at: 2_000 }, 0), undefined)
      await store.forgetWrite({ ...WRITE, key: 'never' })
    })

    opened('old writes are forgotten, no more than asked', async (store) => {
      for (const at of [1, 2, 3, 4]) await store.beginWrite({ ...WRITE, key: `k${at}`, at }, 0)
      assert.equal(await store.pruneWrites(4, 2), 2)
      assert.equal(await store.pruneWrites(4, 2), 1)
      assert.equal(await store.pruneWrites(4, 2), 0)
      assert.equal((await store.beginWrite({ ...WRITE, key: 'k4', at: 9 }, 0))?.at, 4)
    })
  })
}

import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { AuditHeadStore } from '../../../src/operations/ports/store.ts'
import { openedWith } from './opened.ts'

const headOf = (chain: string, seq: number) => ({ chain, seq, sealed: Uint8Array.of(seq % 256, 7) })

/** What every adapter of `AuditHeadStore` must do. */
export function auditHeadContract(
  name: string,
  open: () => Promise<AuditHeadStore & { close(): Promise<void> }>,
): void {
  const opened = openedWith(open)

  describe(`audit head store: ${name}`, () => {
    opened('the head of each chain is the latest', async (store) => {
      assert.deepEqual(await store.listAuditHeads(), [])
      await store.putAuditHead(headOf('n2/2026-11-21', 1))
      await store.putAuditHead(headOf('n1/2026-11-21', 3))
      await store.putAuditHead(headOf('n1/2026-11-21', 12))
      assert.deepEqual(await store.listAuditHeads(), [headOf('n1/2026-11-21', 12), headOf('n2/2026-11-21', 1)])
    })

    opened('a head that comes late changes nothing, but the same record may be sealed anew', async (store) => {
      await store.putAuditHead(headOf('n1', 9))
      await store.putAuditHead(headOf('n1', 8))
      assert.deepEqual(await store.listAuditHeads(), [headOf('n1', 9)])
      const anew = { ...headOf('n1', 9), sealed: Uint8Array.of(1) }
      await store.putAuditHead(anew)
      assert.deepEqual(await store.listAuditHeads(), [anew])
    })

    opened('heads put at the same moment leave the latest, in whatever order', async (store) => {
      const seqs = [5, 16, 2, 11, 9, 1, 14, 3]
      await Promise.all(seqs.map((seq) => store.putAuditHead(headOf('n1', seq))))
      assert.deepEqual(await store.listAuditHeads(), [headOf('n1', 16)])
    })
  })
}

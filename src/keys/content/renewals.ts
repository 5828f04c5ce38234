import { lateWrites, type Schedule } from '../../core/late-writes.ts'
import type { ContentLife, ContentRef, SecretStore } from '../ports/store.ts'

/** The expiries of contents that were asked for, written late: no answer waits for them. */
export interface Renewals {
  /** Sets soon when a content expires. Never throws. */
  renew(ref: ContentRef, expiresAt: number | undefined): void
  /** Writes what waits. A failure goes to `onError`; what it leaves is kept for the next time. */
  flush(): Promise<void>
  /** Writes what is left. What cannot be written is lost, and counted. */
  close(): Promise<void>
}

export interface RenewalsOptions {
  readonly store: Pick<SecretStore, 'putExpiry'>
  /** How long a renewal waits at most before it is written. */
  readonly flushMs?: number
  /** How many contents may wait. */
  readonly maxWaiting?: number
  /** Told how many renewals were lost. Such a content is renewed when it is asked for again. */
  readonly onLoss?: (renewals: number) => void
  readonly onError?: (error: unknown) => void
  readonly schedule?: Schedule
}

type Renewal = Parameters<SecretStore['putExpiry']>[0][number]

/** Renewals are written in batches of this size, so that other writes come between. */
const BATCH = 200

export function createRenewals(options: RenewalsOptions): Renewals {
  const { store, flushMs = 1_000, maxWaiting = 100_000 } = options
  const { onLoss = () => {}, onError = () => {} } = options
  const waiting = new Map<string, Renewal>()

  /** Takes what waits at this moment, batch by batch; what came for the same content meanwhile is written the next time. */
  const write = async (): Promise<void> => {
    const taken = [...waiting]
    try {
      for (let at = 0; at < taken.length; at += BATCH) {
        const batch = taken.slice(at, at + BATCH)
        await store.putExpiry(batch.map(([, renewal]) => renewal))
        for (const [id, renewal] of batch) if (waiting.get(id) === renewal) waiting.delete(id)
      }
    } catch (error) {
      onError(error)
    }
  }
  const late = lateWrites({ flushMs, write, isEmpty: () => waiting.size === 0, schedule: options.schedule })

  return {
    renew({ tenant, contentId }: ContentRef, expiresAt: ContentLife['expiresAt']) {
      const id = JSON.stringify([tenant, contentId])
      if (late.isClosed() || (waiting.size >= maxWaiting && !waiting.has(id))) return onLoss(1)
      waiting.set(id, { tenant, contentId, expiresAt })
      late.soon()
    },
    flush: late.flush,
    async close() {
      await late.close()
      if (waiting.size > 0) onLoss(waiting.size)
      waiting.clear()
    },
  }
}

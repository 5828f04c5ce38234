import { type Schedule, WriteQueue } from '../../core/write-queue.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore } from '../ports/content-store.ts'

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
  readonly store: Pick<ContentStore, 'putExpiry'>
  /** How long a renewal waits at most before it is written. */
  readonly flushMs?: number
  /** How many contents may wait. */
  readonly maxWaiting?: number
  /** Told how many renewals were lost. Such a content is renewed when it is asked for again. */
  readonly onLoss?: (renewals: number) => void
  readonly onError?: (error: unknown) => void
  readonly schedule?: Schedule
}

type Renewal = Parameters<ContentStore['putExpiry']>[0][number]

/** Renewals are written in batches of this size, so that other writes come between. */
const BATCH = 200

export function createRenewals(options: RenewalsOptions): Renewals {
  const { store, flushMs = 1_000, maxWaiting = 100_000 } = options
  const { onLoss = () => {}, onError = () => {} } = options
  const queue = new WriteQueue<Renewal>({
    write: (renewals) => store.putExpiry(renewals),
    delayMs: flushMs,
    maxItems: maxWaiting,
    maxBatch: BATCH,
    nameOf: ({ tenant, contentId }) => JSON.stringify([tenant, contentId]),
    onFailure(error, waiting) {
      onError(error)
      return waiting
    },
    onLoss: ({ length }) => onLoss(length),
    schedule: options.schedule,
  })

  return {
    renew: ({ tenant, contentId }, expiresAt) => void queue.add({ tenant, contentId, expiresAt }),
    flush: () => queue.flush(),
    close: () => queue.close(),
  }
}

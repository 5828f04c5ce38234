import { type Schedule, WriteQueue } from '../../core/write-queue.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore } from '../ports/content-store.ts'

export interface RenewalsOptions {
  readonly store: Pick<ContentStore, 'putExpiry'>
  /** How long a renewal waits at most before it is written, in milliseconds. */
  readonly flushMs?: number
  /** How many contents may wait. */
  readonly maxWaiting?: number
  /** Receives the number of lost renewals. The next request for such a content renews it. */
  readonly onLoss?: (renewals: number) => void
  readonly onError?: (error: unknown) => void
  readonly schedule?: Schedule
}

type Renewal = Parameters<ContentStore['putExpiry']>[0][number]

/** How many renewals one write holds, so that other writes can run in between. */
const BATCH = 200

/** Writes the new expiry of requested contents later: no answer waits for it. */
export class Renewals {
  readonly #queue: WriteQueue<Renewal>

  constructor(options: RenewalsOptions) {
    const { store, flushMs = 1_000, maxWaiting = 100_000, onLoss = () => {}, onError = () => {} } = options
    this.#queue = new WriteQueue<Renewal>({
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
  }

  /** Sets when a content expires, within a second. Never throws. */
  renew({ tenant, contentId }: ContentRef, expiresAt: number | undefined): void {
    this.#queue.add({ tenant, contentId, expiresAt })
  }

  /** Writes what waits. If the write fails, the renewals wait for the next one. */
  flush(): Promise<void> {
    return this.#queue.flush()
  }

  /** Writes what is left, and reports what cannot be written. */
  close(): Promise<void> {
    return this.#queue.close()
  }
}

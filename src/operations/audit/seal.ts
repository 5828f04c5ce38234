import type { Schedule } from '../../core/late-writes.ts'
import type { AuditHeads, OpenHead } from './heads.ts'

/** Keeps the heads of a log's chains, some time after they change. */
export interface SealHeads {
  /** Takes the head of a chain; a later one replaces it. */
  later(head: OpenHead): void
  /** Keeps what waits. */
  close(): Promise<void>
}

export interface SealHeadsOptions {
  /** Undefined: heads are kept nowhere. */
  readonly heads: AuditHeads | undefined
  readonly everyMs: number
  readonly schedule: Schedule
  readonly onError: (error: unknown) => void
}

/** Seals and stores heads, each chain's newest at most once in `everyMs`. What fails is tried again. */
export function sealHeads({ heads, everyMs, schedule, onError }: SealHeadsOptions): SealHeads {
  const waiting = new Map<string, OpenHead>()
  let cancel: (() => void) | undefined
  let running: Promise<void> | undefined
  let isClosed = false

  const put = async (): Promise<void> => {
    for (const head of [...waiting.values()]) {
      try {
        await heads?.put(head)
        if (waiting.get(head.chain) === head) waiting.delete(head.chain)
      } catch (error) {
        onError(error)
      }
    }
  }

  const run = (): Promise<void> => {
    running ??= put().finally(() => {
      running = undefined
      if (waiting.size > 0) runLater()
    })
    return running
  }

  const runLater = (): void => {
    if (isClosed || running !== undefined) return
    cancel ??= schedule(() => {
      cancel = undefined
      void run()
    }, everyMs)
  }

  return {
    later(head) {
      if (heads === undefined) return
      waiting.set(head.chain, head)
      runLater()
    },
    async close() {
      isClosed = true
      cancel?.()
      await running
      await run()
    },
  }
}

/** Runs `task` once after `ms`; the result cancels it. */
export type Schedule = (task: () => void, ms: number) => () => void

export interface LateWritesOptions {
  /** How long something waits at most before it is written. */
  readonly flushMs: number
  /** Writes what waits at this moment, and keeps what it could not. Never rejects. */
  readonly write: () => Promise<void>
  readonly isEmpty: () => boolean
  readonly schedule?: Schedule | undefined
}

/** What is written a little later, many at a time, and never twice at once. */
export interface LateWrites {
  /** Something waits. */
  soon(): void
  flush(): Promise<void>
  /** Takes nothing more and writes what is left, once. */
  close(): Promise<void>
  isClosed(): boolean
}

export function lateWrites({ flushMs, write, isEmpty, schedule = scheduleTimeout }: LateWritesOptions): LateWrites {
  let cancel: (() => void) | undefined
  let flushing: Promise<void> | undefined
  let isClosed = false

  const soon = (): void => {
    if (isClosed) return
    cancel ??= schedule(() => {
      cancel = undefined
      void flush()
    }, flushMs)
  }

  const flush = (): Promise<void> => {
    if (flushing !== undefined) return flushing
    cancel?.()
    cancel = undefined
    flushing = write().finally(() => {
      flushing = undefined
      if (!isEmpty()) soon()
    })
    return flushing
  }

  return {
    soon,
    flush,
    async close() {
      isClosed = true
      await flushing
      await flush()
    },
    isClosed: () => isClosed,
  }
}

/** By a timer that does not keep the process alive. */
export const scheduleTimeout: Schedule = (task, ms) => {
  const timer = setTimeout(task, ms)
  timer.unref()
  return () => clearTimeout(timer)
}

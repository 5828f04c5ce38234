import type { ContentStore } from '../../keys/ports/content-store.ts'

export interface ReadinessOptions {
  readonly store: Pick<ContentStore, 'sampleDataKeys' | 'checkWrites'>
  /** Milliseconds, of a clock that does not go back. */
  readonly now: () => number
}

/** A probe writes to the disk and whoever reaches the server can ask for one: so long an answer is given again. */
const SHARED_MS = 1_000

/** Whether content keys can be read and made: the store is read, and written where it can be tried. Rejects with what is wrong. */
export function readiness({ store, now }: ReadinessOptions): () => Promise<boolean> {
  let last: { readonly at: number; readonly answer: Promise<boolean> } | undefined
  const ask = async (): Promise<boolean> => {
    await Promise.all([store.sampleDataKeys(), store.checkWrites?.()])
    return true
  }
  return () => {
    if (last === undefined || now() - last.at >= SHARED_MS) last = { at: now(), answer: ask() }
    return last.answer
  }
}

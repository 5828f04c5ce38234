import { createHash } from 'node:crypto'

/** What was seen: keys that came as they had to, and everything that did not. */
export interface Tally {
  /** Counts something that went as it had to. */
  ok(what: string): void
  /** Notes something that did not; the first of each kind are told of. */
  wrong(what: string, detail: string): void
  /** The key of a name must be the one it was before; a key is kept as its hash. */
  sameKey(name: string, key: string): void
  forget(name: string): void
  readonly counts: ReadonlyMap<string, number>
  readonly wrongs: ReadonlyMap<string, { count: number; readonly first: string }>
}

export function createTally(): Tally {
  const counts = new Map<string, number>()
  const wrongs = new Map<string, { count: number; readonly first: string }>()
  const keys = new Map<string, string>()
  const ok = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1)
  const wrong = (what: string, detail: string): void => {
    const known = wrongs.get(what) ?? { count: 0, first: detail }
    known.count++
    wrongs.set(what, known)
  }
  return {
    ok,
    wrong,
    sameKey(name, key) {
      const hash = createHash('sha256').update(key).digest('base64')
      const known = keys.get(name)
      if (known === undefined) keys.set(name, hash)
      if (known === undefined || known === hash) ok('keys as they had to be')
      else wrong('another key than before', name)
    },
    forget: (name) => void keys.delete(name),
    counts,
    wrongs,
  }
}

import type { RootKey } from '../../keys/ports/root-key.ts'

/** Wraps with `current`; opens also what the `previous` root keys wrapped, until everything was wrapped anew. */
export function rootKeyChain(current: RootKey, previous: readonly RootKey[]): RootKey {
  const all = [current, ...previous]
  return {
    ...current,
    async unwrap(wrapped, context) {
      for (const one of all) {
        const dataKey = await one.unwrap(wrapped, context)
        if (dataKey !== undefined) return dataKey
      }
      return undefined
    },
    describe: (wrapped) => firstOf(all, (one) => one.describe?.(wrapped)),
    isNewest: (wrapped) => current.describe?.(wrapped) !== undefined && current.isNewest?.(wrapped) !== false,
    async close() {
      for (const one of all) await one.close()
    },
  }
}

function firstOf<T>(all: readonly RootKey[], find: (one: RootKey) => T | undefined): T | undefined {
  for (const one of all) {
    const found = find(one)
    if (found !== undefined) return found
  }
  return undefined
}

import { setImmediate } from 'node:timers/promises'

const GROUP = 32

/**
 * Returns the results of `work`, in order. Runs other tasks between groups of items: a store in this process answers at once,
 * so a list of ten thousand would otherwise block the event loop.
 */
export async function inGroups<T, U>(
  items: readonly T[],
  work: (item: T) => U | Promise<U>,
  group = GROUP,
): Promise<readonly U[]> {
  const done: U[] = []
  for (let at = 0; at < items.length; at += group) {
    if (at > 0) await setImmediate()
    done.push(...(await Promise.all(items.slice(at, at + group).map(work))))
  }
  return done
}

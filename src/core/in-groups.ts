import { setImmediate } from 'node:timers/promises'

const GROUP = 32

/**
 * The results of `work`, in order. A store in this process answers before anybody else gets their turn, so others are let in
 * between groups: nobody waits for a list of ten thousand.
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

import { setTimeout as sleep } from 'node:timers/promises'

const DEADLINE_MS = 60_000

/**
 * Waits until `isSo` is true. Rejects after a minute with `what` was awaited: long enough for a machine that is busy with
 * other work, and short enough that a hung test says why.
 */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  { deadlineMs = DEADLINE_MS, everyMs = 50 }: { readonly deadlineMs?: number; readonly everyMs?: number } = {},
): Promise<void> {
  const deadline = performance.now() + deadlineMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited ${deadlineMs} ms in vain until ${what}`)
    await sleep(everyMs)
  }
}

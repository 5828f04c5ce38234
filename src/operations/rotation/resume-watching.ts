import { type RecentOptions, recentPages } from './check.ts'
import type { RotationWatcher } from './missed.ts'

/** When to begin, milliseconds since 1970, and whether to end early. */
export interface Resuming extends RecentOptions {
  readonly at: number
  readonly isOver?: () => boolean
}

/** Lets a watcher hear what the nodes were asked for lately, before it was there to hear it: after a restart nothing is forgotten. */
export async function resumeWatching(watcher: Pick<RotationWatcher, 'issued'>, options: Resuming): Promise<void> {
  const { at, isOver = () => false } = options
  for await (const page of recentPages(options, at)) {
    if (isOver()) return
    for (const period of page) watcher.issued(period)
  }
}

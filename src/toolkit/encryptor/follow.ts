import { KeyProviderError } from '../../core/errors.ts'
import type { Answer } from './answer/read.ts'

/** The result of one key period of a live encoder that rotates its keys. */
export type RotationEvent =
  | { readonly period: number; readonly outcome: 'rotated'; readonly milliseconds: number; readonly answer: Answer }
  | { readonly period: number; readonly outcome: 'unchanged'; readonly milliseconds: number; readonly answer: Answer }
  | { readonly period: number; readonly outcome: 'failed'; readonly error: KeyProviderError }

interface FollowOptions {
  /** Asks for the keys of one period. */
  readonly ask: (period: number) => Promise<{ readonly answer: Answer; readonly milliseconds: number }>
  readonly firstPeriod: number
  /** Number of periods; Infinity to run until stopped. */
  readonly periods: number
  readonly intervalMs: number
  /** A monotonic clock in milliseconds. */
  readonly ticks: () => number
  /** Resolves early on a stop. */
  readonly sleep: (ms: number) => Promise<void>
  readonly isStopped: () => boolean
  readonly onEvent: (event: RotationEvent) => void
}

/**
 * Asks for consecutive key periods like a live encoder: the first at once, the next at each interval. If a request fails, the
 * encoder keeps the last keys, as MediaPackage does.
 */
export async function follow(options: FollowOptions): Promise<readonly RotationEvent[]> {
  const { ask, firstPeriod, periods, intervalMs, ticks, sleep, isStopped, onEvent } = options
  const events: RotationEvent[] = []
  const start = ticks()
  let last: Answer | undefined
  for (let i = 0; i < periods && !isStopped(); i++) {
    const wait = start + i * intervalMs - ticks()
    if (wait > 0) await sleep(wait)
    if (isStopped()) break
    const event = await onePeriod(ask, firstPeriod + i, last)
    if (event.outcome !== 'failed') last = event.answer
    events.push(event)
    onEvent(event)
  }
  return events
}

async function onePeriod(ask: FollowOptions['ask'], period: number, last: Answer | undefined): Promise<RotationEvent> {
  try {
    const { answer, milliseconds } = await ask(period)
    const outcome = last !== undefined && sharesKey(answer, last) ? 'unchanged' : 'rotated'
    return { period, outcome, milliseconds, answer }
  } catch (error) {
    if (!(error instanceof KeyProviderError)) throw error
    return { period, outcome: 'failed', error }
  }
}

/** Whether a period has a key of the previous period, so that rotation has no effect. */
function sharesKey(answer: Answer, last: Answer): boolean {
  const before = last.keys.flatMap(({ contentKey }) => contentKey?.reveal() ?? [])
  return answer.keys.some(({ contentKey }) =>
    before.some((key) => contentKey !== undefined && Buffer.compare(key, contentKey.reveal()) === 0),
  )
}

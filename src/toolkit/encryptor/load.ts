import type { ProviderReply } from './send.ts'

/** A limited load on a key provider. */
export interface LoadOptions {
  readonly send: () => Promise<ProviderReply>
  readonly requestsPerSecond: number
  readonly durationMs: number
  /** A monotonic clock in milliseconds. */
  readonly ticks: () => number
  readonly sleep: (ms: number) => Promise<void>
}

interface LoadReport {
  readonly sent: number
  /** Requests not sent because too many were waiting: the key provider is too slow. */
  readonly skipped: number
  /** Number of answers by status. */
  readonly statuses: ReadonlyMap<number, number>
  /** Number of requests without an answer, by reason. */
  readonly failures: ReadonlyMap<string, number>
  readonly seconds: number
  /** Latency in milliseconds of the answers with status 200, by percentile. Empty if there were none. */
  readonly latency: ReadonlyMap<string, number>
}

/** Upper limits that protect against typing errors. */
export const MAX_REQUESTS_PER_SECOND = 2000
export const MAX_LOAD_SECONDS = 600
const MAX_WAITING = 256

const PERCENTILES: readonly (readonly [name: string, share: number])[] = [
  ['p50', 0.5],
  ['p90', 0.9],
  ['p99', 0.99],
  ['max', 1],
]

/** Sends requests at a constant rate, independent of the answers, and counts the answers. */
export async function runLoad({ send, requestsPerSecond, durationMs, ticks, sleep }: LoadOptions): Promise<LoadReport> {
  const statuses = new Map<number, number>()
  const failures = new Map<string, number>()
  const times: number[] = []
  const waiting = new Set<Promise<void>>()
  let sent = 0
  let skipped = 0
  const one = async (): Promise<void> => {
    try {
      const { status, milliseconds } = await send()
      count(statuses, status)
      if (status === 200) times.push(milliseconds)
    } catch (error) {
      count(failures, error instanceof Error ? error.message : 'unknown')
    }
  }
  const start = ticks()
  const total = Math.max(1, Math.round((requestsPerSecond * durationMs) / 1000))
  for (let i = 0; i < total; i++) {
    const wait = start + (i * 1000) / requestsPerSecond - ticks()
    // Timers have a resolution of 1 ms: send a request that is due earlier at once.
    if (wait >= 1) await sleep(wait)
    if (waiting.size >= MAX_WAITING) {
      skipped += 1
      continue
    }
    sent += 1
    const running = one().finally(() => waiting.delete(running))
    waiting.add(running)
  }
  await Promise.all(waiting)
  return { sent, skipped, statuses, failures, seconds: (ticks() - start) / 1000, latency: percentiles(times) }
}

/** Returns the report as text for people. */
export function printLoad({ sent, skipped, statuses, failures, seconds, latency }: LoadReport): string {
  const lines = [`${sent} requests in ${seconds.toFixed(1)} s, ${(sent / seconds).toFixed(0)} a second`]
  for (const [status, times] of statuses) lines.push(`  ${times} × ${status}`)
  for (const [failure, times] of failures) lines.push(`  ${times} × no answer: ${failure}`)
  if (skipped > 0) lines.push(`  ${skipped} not sent: ${MAX_WAITING} were waiting for an answer`)
  const times = [...latency].map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`)
  if (times.length > 0) lines.push(`latency of answers with keys: ${times.join(', ')}`)
  return `${lines.join('\n')}\n`
}

function percentiles(times: readonly number[]): ReadonlyMap<string, number> {
  const sorted = times.toSorted((a, b) => a - b)
  return new Map(
    PERCENTILES.flatMap(([name, share]) => {
      const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

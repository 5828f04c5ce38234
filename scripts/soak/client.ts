import type { Tally } from './tally.ts'

export interface Reply {
  readonly status: number
  readonly body: Buffer
}

/** Asks as encryptors and players do: again and again while nobody answers, for a bounded time. */
export type Ask = (method: string, path: string, body?: string, headers?: Record<string, string>) => Promise<Reply>

/** Longer than any restart takes. */
const GIVE_UP_MS = 30_000

/** `bearer` opens the management API. */
export function asker(url: string, tally: Tally, bearer: string): Ask {
  return async (method, path, body, headers = {}) => {
    const giveUpAt = performance.now() + GIVE_UP_MS
    for (let attempt = 0; ; attempt++) {
      try {
        const response = await fetch(`${url}${path}`, {
          method,
          headers: path.startsWith('/api/') ? { ...headers, authorization: `Bearer ${bearer}` } : headers,
          ...(body !== undefined && { body }),
          signal: AbortSignal.timeout(10_000),
        })
        const reply = { status: response.status, body: Buffer.from(await response.arrayBuffer()) }
        if (reply.status !== 503) return reply
      } catch (error) {
        // The server is between two lives.
        if (performance.now() > giveUpAt) throw error
      }
      tally.ok('asked again')
      await new Promise((resolve) => setTimeout(resolve, 50 + 20 * attempt))
    }
  }
}

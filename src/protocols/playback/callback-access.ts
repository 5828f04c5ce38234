import { createHash } from 'node:crypto'
import { BoundedCache } from '../../core/bounded-cache.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { withTimeLimit } from '../../core/time-limit.ts'
import { type Kid, toKid } from '../../formats/cenc.ts'
import type { AccessControl, AccessRequest, Decision } from './access.ts'

/** Posts JSON to the authorization service. It follows no redirect, and gives up when `signal` says so. */
export type PostDecision = (
  json: string,
  signal: AbortSignal,
) => Promise<{ readonly status: number; readonly body: string }>

interface CallbackAccessOptions {
  readonly post: PostDecision
  /** How long a player is kept waiting. */
  readonly timeoutMs?: number
  /** A decision is used no longer than this, whatever the service says. */
  readonly maxTtlSeconds?: number
}

interface Remembered {
  readonly decision: Decision
  readonly until: number
}

const MAX_ANSWER = 64 * 1024
/** Questions that may be under way: a slow service must not collect players without end. */
const MAX_ASKING = 256
const MAX_REMEMBERED_BYTES = 8 * 1024 * 1024

function bytesOfDecision({ decision }: Remembered): number {
  return 200 + ('kids' in decision && decision.kids !== 'all' ? 100 * decision.kids.length : 0)
}

/**
 * Asks an authorization service: `{tenant, contentId, kids, token, ip, userAgent}` → `{allow, ttl, kids?}`. A decision is used
 * again for `ttl` seconds for the very same question. Anything but such an answer is a failure, and no key leaves.
 */
export function callbackAccess(options: CallbackAccessOptions): AccessControl {
  const { post, timeoutMs = 2_000, maxTtlSeconds = 300 } = options
  const remembered = new BoundedCache<Remembered>({ maxBytes: MAX_REMEMBERED_BYTES, sizeOf: bytesOfDecision })
  const asking = new Map<string, Promise<Decision>>()

  const ask = async (question: string, id: string, now: number): Promise<Decision> => {
    const { decision, ttl } = readAnswer(await askWithin(timeoutMs, (signal) => post(question, signal)))
    const until = now + Math.min(ttl, maxTtlSeconds) * 1_000
    if (until > now) remembered.set(id, { decision, until })
    return decision
  }

  return {
    allow(request, beforeAsking) {
      const question = questionOf(request)
      // Hashed, so that no token stays in memory.
      const id = createHash('sha256').update(question).digest('base64')
      const known = remembered.get(id)
      if (known !== undefined && request.now < known.until) return known.decision
      const running = asking.get(id)
      if (running !== undefined) return running
      beforeAsking?.()
      if (asking.size >= MAX_ASKING) {
        throw new KeyProviderError(
          'ERR_OVERLOADED',
          `the authorization service decides about ${MAX_ASKING} requests: try again`,
        )
      }
      const answer = ask(question, id, request.now).finally(() => asking.delete(id))
      asking.set(id, answer)
      return answer
    },
  }
}

function questionOf({ tenant, contentId, kids, token, ip, userAgent }: AccessRequest): string {
  return JSON.stringify({ tenant, contentId, kids, token: token ?? null, ip, userAgent })
}

/** The service's decision and for how many seconds it holds. */
function readAnswer({ status, body }: { readonly status: number; readonly body: string }) {
  if (status !== 200) throw unavailable(`expected the status 200, got ${status}`)
  if (body.length > MAX_ANSWER) throw unavailable(`expected at most ${MAX_ANSWER} characters`)
  let answer: unknown
  try {
    answer = JSON.parse(body)
  } catch (cause) {
    throw unavailable('expected JSON', cause)
  }
  const { allow, ttl = 0, kids } = (typeof answer === 'object' && answer !== null ? answer : {}) as Answer
  if (typeof allow !== 'boolean') throw unavailable('expected {"allow": true} or {"allow": false}')
  if (typeof ttl !== 'number' || !(ttl >= 0)) throw unavailable('ttl: expected a number of seconds')
  const decision: Decision = allow ? { allow, kids: readKids(kids) } : { allow, reason: 'denied' }
  return { decision, ttl }
}

interface Answer {
  readonly allow?: unknown
  readonly ttl?: unknown
  readonly kids?: unknown
}

function readKids(kids: unknown): 'all' | readonly Kid[] {
  if (kids === undefined || kids === null) return 'all'
  if (!Array.isArray(kids)) throw unavailable('kids: expected a list of UUIDs')
  return kids.map((kid: unknown) => {
    const read = typeof kid === 'string' ? toKid(kid) : undefined
    if (read === undefined) throw unavailable('kids: expected a list of UUIDs')
    return read
  })
}

/** Throws ERR_ACCESS_UNAVAILABLE if the service fails or does not answer in time. */
async function askWithin<T>(ms: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  try {
    return await withTimeLimit(ms, ask)
  } catch (cause) {
    throw unavailable('it cannot be reached', cause)
  }
}

function unavailable(problem: string, cause?: unknown): KeyProviderError {
  return new KeyProviderError(
    'ERR_ACCESS_UNAVAILABLE',
    `the authorization service of playback.access gives no decision: ${problem}; no key leaves without one`,
    { cause },
  )
}

import type { KeyObject } from 'node:crypto'
import { isLoopbackAddress } from '../../http/listener/private-listener.ts'
import { type Attempt, type AttemptDelivery, signWebhook } from '../../operations/events/deliver.ts'
import type { PostDecision } from '../../protocols/playback/callback-access.ts'

interface WebhookOptions {
  readonly url: string
  readonly key: KeyObject
  readonly timeoutMs: number
  /** For the user agent. */
  readonly version: string
}

const GONE = 410

/** Whether traffic to a URL is protected: https, or http to a loopback address. */
export function isProtectedUrl(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackAddress(host))
}

/** The variables that send the AWS SDK to an endpoint without TLS on another machine. */
export function unprotectedAwsEndpoints(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  return Object.entries(environment).flatMap(([name, url = '']) =>
    name.startsWith('AWS_ENDPOINT_URL') && URL.canParse(url) && !isProtectedUrl(url) ? [name] : [],
  )
}

/** The problem of the URL of a webhook, or undefined. Events name contents and clients, so they leave this machine only over TLS. */
export function webhookUrlProblem(url: string): string | undefined {
  if (!URL.canParse(url)) return 'expected a URL'
  const { username, password } = new URL(url)
  if (username !== '' || password !== '') return 'expected a URL without a user and password: events are signed'
  return isProtectedUrl(url) ? undefined : 'expected an https URL, or an http URL of a loopback address'
}

/** Posts signed events to the receiver at `url`. A redirect is a failure: the event would go to a place that is not configured. */
export function postEvents({ url, key, timeoutMs, version }: WebhookOptions): AttemptDelivery {
  return async ({ id, json }, stop) => {
    const signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)])
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          ...signWebhook(key, id, Date.now(), json),
          'content-type': 'application/cloudevents+json; charset=utf-8',
          'user-agent': `keyspring/${version}`,
        },
        body: json,
        redirect: 'manual',
        signal,
      })
      // Only the status matters.
      await response.body?.cancel()
      return toAttempt(response)
    } catch (error) {
      return { kind: 'failed', reason: isTimeout(error) ? `no answer within ${timeoutMs} ms` : 'cannot be reached' }
    }
  }
}

function toAttempt({ ok, status, headers }: Response): Attempt {
  if (ok) return { kind: 'delivered' }
  const reason = `answered ${status}`
  if (status === GONE) return { kind: 'refused', reason }
  return { kind: 'failed', reason, retryAfterMs: readRetryAfter(headers.get('retry-after')) }
}

/** Seconds or a date. @see RFC 9110, 10.2.3 */
function readRetryAfter(value: string | null): number | undefined {
  if (value === null) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError'
}

/** The most bytes that are read of an answer. */
const MAX_ANSWER = 64 * 1024

/** Posts to the authorization service at `url`. A redirect is a failure: the token would go to a place that is not configured. */
export function postDecision(url: string): PostDecision {
  return async (json, signal) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: json,
      redirect: 'error',
      signal,
    })
    return { status: response.status, body: await readCapped(response) }
  }
}

async function readCapped({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > MAX_ANSWER) throw new Error(`the answer is longer than ${MAX_ANSWER} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'

/** The headers that a receiver verifies. */
type WebhookHeaders = Readonly<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>>

const PREFIX = 'whsec_'
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** The minimum size of a secret, in bytes. @see Standard Webhooks, Signature scheme */
const MIN_SECRET = 24

/** The key of a secret: `whsec_` and base64, or plain text. Throws ERR_CONFIG_INVALID for a short or malformed secret. */
export function readWebhookSecret(secret: string): KeyObject {
  const encoded = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : undefined
  if (encoded !== undefined && !BASE64.test(encoded)) throw badSecret(`expected base64 after ${PREFIX}`)
  const bytes = encoded === undefined ? Buffer.from(secret) : Buffer.from(encoded, 'base64')
  if (bytes.length < MIN_SECRET) throw badSecret(`expected at least ${MIN_SECRET} bytes`)
  return createSecretKey(bytes)
}

/** The headers of one attempt: HMAC-SHA256 over `id.timestamp.body`. @see Standard Webhooks, Signature scheme */
export function signWebhook(key: KeyObject, id: string, atMs: number, body: string): WebhookHeaders {
  const timestamp = String(Math.floor(atMs / 1_000))
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}

function badSecret(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_CONFIG_INVALID', `events.webhook.secret: ${problem}`)
}

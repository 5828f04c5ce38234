import { createHmac, timingSafeEqual } from 'node:crypto'

/** The event of a request, or undefined when it is not from Keyspring or older than five minutes. */
export function verifyEvent(secret, headers, body, now = Date.now()) {
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret)
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures = '' } = headers
  const expected = Buffer.from(createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64'))
  const given = signatures.split(' ').map((one) => Buffer.from(one.replace(/^v1,/, '')))
  const isOurs = given.some((one) => one.length === expected.length && timingSafeEqual(one, expected))
  return isOurs && Math.abs(now / 1000 - Number(timestamp)) < 300 ? JSON.parse(body) : undefined
}

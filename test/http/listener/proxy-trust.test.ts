import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProxyTrust } from '../../../src/http/listener/proxy-trust.ts'
import { callOf } from '../calls.ts'

const proxies = new ProxyTrust(['10.0.0.1', '10.0.0.2'])
const addressOf = (peer: string, forwardedFor?: string): string =>
  proxies.clientAddress(callOf('GET', '/', { peer, headers: { 'x-forwarded-for': forwardedFor } }))

test('believes X-Forwarded-For from a trusted proxy, up to the last hop that is not a proxy itself', () => {
  assert.equal(addressOf('10.0.0.1', '203.0.113.9, 192.0.2.7, 10.0.0.2'), '192.0.2.7')
  assert.equal(addressOf('::ffff:10.0.0.1', '::ffff:192.0.2.7'), '192.0.2.7')
  assert.equal(addressOf('10.0.0.1'), '10.0.0.1')
})

test('ignores X-Forwarded-For from any other peer', () => {
  assert.equal(addressOf('192.0.2.8', '203.0.113.9'), '192.0.2.8')
  assert.equal(new ProxyTrust([]).isTrusted('10.0.0.1'), false)
})

test('a request is secure if TLS ends here, or at a trusted proxy that does not report clear text', () => {
  const secure = (peer: string, headers: Record<string, string>, here = false): boolean =>
    proxies.isSecure(callOf('GET', '/', { peer, headers, secure: here }))
  assert.equal(secure('192.0.2.8', {}, true), true)
  assert.equal(secure('192.0.2.8', { 'x-forwarded-proto': 'https' }), false)
  assert.equal(secure('10.0.0.1', {}), true)
  assert.equal(secure('10.0.0.1', { 'x-forwarded-proto': 'http' }), false)
  assert.equal(secure('10.0.0.1', { forwarded: 'for=192.0.2.7;proto=http' }), false)
  assert.equal(secure('10.0.0.1', { forwarded: 'for=192.0.2.7;proto=https' }), true)
})

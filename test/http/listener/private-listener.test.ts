import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLocalCall, isLoopbackAddress, requireLocalCall } from '../../../src/http/listener/private-listener.ts'
import { callOf } from '../calls.ts'

const refused = { code: 'ERR_REQUEST_FORWARDED' }

for (const host of [
  'localhost',
  'LOCALHOST:8080',
  'localhost:80',
  '127.0.0.1',
  '127.0.0.1:65535',
  '127.255.255.254',
  '[::1]',
  '[::1]:8080',
]) {
  test(`Host ${host} is served`, () => {
    requireLocalCall(callOf('POST', '/', { headers: { host } }))
  })
}

for (const host of [
  '',
  'evil.example',
  'localhost.evil.example',
  'evil.example:8080',
  '127.0.0.1.evil.example',
  '127.0.0.256',
  '127.1',
  '128.0.0.1',
  '0.0.0.0',
  '[::2]',
  '[::ffff:192.0.2.1]',
  '::1',
  'localhost:',
  'localhost:x',
  'localhost:8080:1',
  'user@localhost',
  'localhost,evil',
]) {
  test(`Host ${JSON.stringify(host)} is rejected`, () => {
    assert.throws(() => requireLocalCall(callOf('POST', '/', { headers: { host } })), refused)
  })
}

test('a call without a Host is rejected', () => {
  const { host: _, ...headers } = callOf('POST', '/').headers
  assert.throws(() => requireLocalCall({ ...callOf('POST', '/'), headers }), refused)
})

for (const name of [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-anything',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'cf-ray',
  'cdn-loop',
  'fastly-client-ip',
  'fly-client-ip',
  'x-envoy-external-address',
  'x-azure-clientip',
  'x-amz-cf-id',
  'x-varnish',
]) {
  test(`rejects a request with the forwarding header ${name}`, () => {
    const call = callOf('POST', '/', { headers: { [name]: '' } })
    assert.throws(() => requireLocalCall(call), refused)
    assert.equal(isLocalCall(call), false)
  })
}

test('rejects HTTP/1.0, which nginx speaks to an upstream by default', () => {
  const call = callOf('POST', '/', { httpVersion: '1.0' })
  assert.throws(() => requireLocalCall(call), refused)
  assert.equal(isLocalCall(call), false)
  requireLocalCall(callOf('POST', '/', { httpVersion: '1.1' }))
})

test('a loopback address is known by its number, not by a name that looks like it', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) assert.ok(isLoopbackAddress(address), address)
  for (const address of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example', '']) {
    assert.ok(!isLoopbackAddress(address), address)
  }
})

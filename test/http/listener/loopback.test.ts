import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopbackAddress, onlyLocalCalls } from '../../../src/http/listener/loopback.ts'
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
    onlyLocalCalls([])(callOf('POST', '/', { headers: { host } }))
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
  test(`Host ${JSON.stringify(host)} is refused`, () => {
    assert.throws(() => onlyLocalCalls([])(callOf('POST', '/', { headers: { host } })), refused)
  })
}

test('a call without a Host is refused', () => {
  const { host: _, ...headers } = callOf('POST', '/').headers
  assert.throws(() => onlyLocalCalls([])({ ...callOf('POST', '/'), headers }), refused)
})

for (const name of [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-anything',
]) {
  test(`a call with ${name} is refused, and served when its proxy is trusted`, () => {
    const call = callOf('POST', '/', { headers: { host: 'keys.example', [name]: '' } })
    assert.throws(() => onlyLocalCalls([])(call), refused)
    assert.throws(() => onlyLocalCalls(['192.0.2.1'])(call), refused)
    onlyLocalCalls(['192.0.2.1', '127.0.0.1'])(call)
    onlyLocalCalls(['127.0.0.1'])({ ...call, peer: '::ffff:127.0.0.1' })
  })
}

test('a loopback address is known by its number, not by a name that looks like it', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) assert.ok(isLoopbackAddress(address), address)
  for (const address of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example', '']) {
    assert.ok(!isLoopbackAddress(address), address)
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, KeyProviderError } from '../../src/core/errors.ts'
import { STATUS, toReply } from '../../src/http/errors.ts'
import { SpekeError } from '../../src/protocols/speke/error.ts'

const codes = Object.keys(STATUS) as ErrorCode[]

for (const code of codes) {
  test(`${code} is ${STATUS[code]}: ${STATUS[code] < 500 ? 'its own message' : 'nothing of the cause'}`, () => {
    const reply = toReply(new KeyProviderError(code, 'where, what and why'))
    assert.equal(reply.status, STATUS[code])
    assert.equal(reply.body === 'where, what and why', STATUS[code] < 500)
    assert.equal(reply.headers['content-type'], 'text/plain; charset=utf-8')
    assert.equal('retry-after' in reply.headers, STATUS[code] === 503)
  })
}

test('every string of SPEKE is a 422', () => {
  const speke = codes.filter((code) => code.startsWith('ERR_SPEKE_'))
  assert.equal(speke.length, 11)
  for (const code of speke) assert.equal(STATUS[code], 422)
})

test('why a request breaks SPEKE stands in a header, in ASCII, beside the fixed string', () => {
  const detail = `CPIX/ContentKeyUsageRuleList/ContentKeyUsageRule[2]: Lébel\r\nx: y ${'x'.repeat(600)}`
  const { headers, body } = toReply(new SpekeError('ERR_SPEKE_CONTRACT_MALFORMED', { detail }))
  assert.equal(body, 'Malformed encryption contract')
  assert.match(
    String(headers['x-keyspring-reason']),
    /^CPIX\/ContentKeyUsageRuleList\/ContentKeyUsageRule\[2\]: L\?bel\?\?x: y x+$/,
  )
  assert.equal(headers['x-keyspring-reason']?.length, 512)
})

for (const thrown of [new TypeError('secret'), 'secret', undefined, { code: 'ERR_XML_MALFORMED', message: 'secret' }]) {
  test(`what is thrown by mistake is an internal error: ${Object.prototype.toString.call(thrown)}`, () => {
    const { status, body } = toReply(thrown)
    assert.deepEqual({ status, body }, { status: 500, body: 'internal error' })
  })
}

import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { type SignedTarget, signUrl, verifySignedUrl } from '../../../src/auth/players/signed-url.ts'
import { toKid } from '../../../src/formats/cenc.ts'
import { flips, NOW } from '../presenting.ts'

const key = createSecretKey(Buffer.from('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hex'))
const keys = new Map([
  ['k1', key],
  ['k2', createSecretKey(randomBytes(32))],
])
const kid = toKid('0294b959-9d75-5de2-bbf0-fdca3fa5eab7') ?? assert.fail()
const target: SignedTarget = { tenant: 'studio', contentId: 'movie', kid }
const query = signUrl({ id: 'k1', key }, target, NOW + 60_000)
const check = (text: string, what = target, at = NOW) => verifySignedUrl(keys, what, new URLSearchParams(text), at)
const refused = (reason: string) => ({ code: 'ERR_UNAUTHENTICATED', reason })

describe('signed URLs', () => {
  test('are HMAC-SHA-256 over their length-prefixed parts', () => {
    // Made with Python: hmac.new(key, b''.join(struct.pack('>I', len(p)) + p for p in parts), 'sha256')
    assert.equal(query, 'expires=1795287660&key=k1&signature=CcTx-SFGJWhb2OELVZK-YY6FwTlH9yJcNbiAXklGFVA')
  })

  test('open what they were signed for, until they expire', () => {
    check(query)
    check(query, target, NOW + 59_999)
    assert.throws(() => check(query, target, NOW + 60_000), refused('expired'))
  })

  test('open nothing else', () => {
    const elsewhere: readonly SignedTarget[] = [
      { ...target, tenant: 'other' },
      { ...target, contentId: 'movie2' },
      { tenant: 'studiomovie', contentId: '', kid },
      { ...target, kid: toKid('1294b959-9d75-5de2-bbf0-fdca3fa5eab7') },
      { ...target, kid: undefined },
    ]
    for (const other of elsewhere) assert.throws(() => check(query, other), refused('mismatch'))
    const whole = signUrl({ id: 'k1', key }, { ...target, kid: undefined }, NOW + 60_000)
    check(whole, { ...target, kid: undefined })
    assert.throws(() => check(whole), refused('mismatch'))
  })

  test('are rejected with any character changed', () => {
    for (const changed of flips(query)) assert.throws(() => check(changed), { code: 'ERR_UNAUTHENTICATED' }, changed)
  })

  test('are rejected with another expiry or key id', () => {
    const params = { expires: query.slice(8, 18), key: 'k1', signature: query.split('signature=')[1] ?? '' }
    const changed = (one: Partial<typeof params>) => new URLSearchParams({ ...params, ...one }).toString()
    check(changed({}))
    assert.throws(() => check(changed({ expires: '9999999999' })), refused('mismatch'))
    assert.throws(() => check(changed({ expires: `0${params.expires}` })), refused('malformed'))
    assert.throws(() => check(changed({ key: 'k2' })), refused('mismatch'))
    assert.throws(() => check(changed({ key: 'k3' })), refused('unknown'))
  })

  test('are rejected when a parameter is missing or comes twice', () => {
    assert.throws(() => check(''), refused('missing'))
    assert.throws(() => check(query.replace(/&signature.*/, '')), refused('mismatch'))
    assert.throws(() => check(`${query}&expires=9999999999`), refused('ambiguous'))
  })
})

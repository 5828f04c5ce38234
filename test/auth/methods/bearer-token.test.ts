import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { bearerToken, issueToken } from '../../../src/auth/methods/bearer-token.ts'
import { directoryOf, ENCODER, flips, NOW, now, presenting, refuses, verified } from '../presenting.ts'

const { token: secret, credential } = issueToken(randomBytes)
const token = secret.reveal()
const method = bearerToken({ clients: directoryOf(credential), now })

describe('bearerToken', () => {
  for (const [header, value] of [
    ['authorization', `Bearer ${token}`],
    ['authorization', `bearer  ${token}`],
    ['x-api-key', token],
    ['api-key', token],
  ] as const) {
    test(`accepts a token in ${header}: ${value.slice(0, 7)}…`, async () => {
      assert.equal(await verified(method, presenting({ [header]: value })), ENCODER)
    })
  }

  test('rejects a token with any character changed', async () => {
    for (const changed of flips(token)) {
      await refuses(method, presenting({ 'x-api-key': changed }), 'unknown', 'mismatch', 'malformed')
    }
  })

  test('rejects every truncation, and a character more', async () => {
    for (let length = 0; length < token.length; length++) {
      await refuses(method, presenting({ 'x-api-key': token.slice(0, length) }), 'mismatch', 'malformed')
    }
    await refuses(method, presenting({ 'x-api-key': `${token}A` }), 'mismatch')
  })

  test('rejects two tokens, even the same', async () => {
    const both = { authorization: `Bearer ${token}`, 'x-api-key': token }
    await refuses(method, presenting(both), 'ambiguous')
    const rawHeaders = ['X-API-Key', token, 'x-api-key', token]
    await refuses(method, presenting({ 'x-api-key': token }, { rawHeaders }), 'ambiguous')
  })

  test('leaves a JWT to others', () => {
    assert.equal(method.recognizes(presenting({ authorization: 'Bearer a.b.c' })), false)
  })

  test('tells a token outside its time only to who holds it', async () => {
    const late = bearerToken({ clients: directoryOf({ ...credential, notAfter: NOW }), now })
    const early = bearerToken({ clients: directoryOf({ ...credential, notBefore: NOW + 1 }), now })
    await refuses(late, presenting({ 'x-api-key': token }), 'expired')
    await refuses(early, presenting({ 'x-api-key': token }), 'not-yet-valid')
    await refuses(late, presenting({ 'x-api-key': `${token}A` }), 'mismatch')
  })

  test('an old and a new token work side by side', async () => {
    const next = issueToken(randomBytes)
    const rotating = bearerToken({ clients: directoryOf({ ...credential, notAfter: NOW + 1 }, next.credential), now })
    for (const value of [token, next.token.reveal()]) await verified(rotating, presenting({ 'api-key': value }))
  })
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { authorize, type Client } from '../../../src/auth/clients/client.ts'
import { createClientDirectory } from '../../../src/auth/clients/directory.ts'
import { matchesPattern } from '../../../src/core/glob.ts'
import { ENCODER } from '../presenting.ts'

const forbidden = (reason: string) => ({
  code: 'ERR_FORBIDDEN',
  message: `the client is not allowed to do this: ${reason}`,
  reason,
})

describe('authorize', () => {
  test('lets a client do what its scopes say', () => authorize(ENCODER, { scope: 'keys:issue', contentId: 'any' }))

  test('rejects every scope that the client does not have, admin included', () => {
    for (const scope of ['keys:read', 'keys:resolve', 'admin'] as const) {
      assert.throws(() => authorize(ENCODER, { scope }), forbidden('scope'))
    }
  })

  test('admin issues no keys', () => {
    assert.throws(() => authorize({ ...ENCODER, scopes: ['admin'] }, { scope: 'keys:issue' }), forbidden('scope'))
  })

  test('rejects a content outside the patterns of the client', () => {
    const client: Client = { ...ENCODER, contentIds: ['news-*', 'sport'] }
    for (const contentId of ['news-', 'news-7', 'sport']) authorize(client, { scope: 'keys:issue', contentId })
    for (const contentId of ['news', 'sport2', 'xnews-7', '']) {
      assert.throws(() => authorize(client, { scope: 'keys:issue', contentId }), forbidden('content'))
    }
  })

  test('an empty list of patterns allows no content', () => {
    const client: Client = { ...ENCODER, contentIds: [] }
    assert.throws(() => authorize(client, { scope: 'keys:issue', contentId: 'a' }), forbidden('content'))
  })

  test('rejects a recipient whose certificate is not pinned, spelled in any way', () => {
    const pinned = 'ab'.repeat(32)
    const client: Client = { ...ENCODER, recipientFingerprints: [pinned] }
    const spelled = Array.from({ length: 32 }, () => 'AB').join(':')
    authorize(client, { scope: 'keys:issue', recipientFingerprints: [spelled] })
    assert.throws(
      () => authorize(client, { scope: 'keys:issue', recipientFingerprints: [spelled, 'cd'.repeat(32)] }),
      forbidden('recipient'),
    )
  })
})

describe('matchesPattern', () => {
  test('agrees with a regular expression', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 })
    fc.assert(
      fc.property(text, text, (pattern, given) => {
        const escaped = pattern.replaceAll('.', '\\.').replace(/\*+/g, '[^]*')
        assert.equal(matchesPattern(pattern, given), new RegExp(`^${escaped}$`).test(given), `${pattern} ${given}`)
      }),
      { numRuns: 2_000 },
    )
  })

  test('takes linear time for a hostile pair', () => {
    assert.equal(matchesPattern(`${'*a'.repeat(100)}b`, 'a'.repeat(256)), false)
  })
})

describe('createClientDirectory', () => {
  const credential = { method: 'jwt', id: 'one', issuer: 'https://issuer.example' } as const

  test('finds a credential by method and id', () => {
    const directory = createClientDirectory([{ client: ENCODER, credentials: [credential] }])
    assert.deepEqual(directory.find('jwt', 'one'), { client: ENCODER, credential })
    assert.equal(directory.find('jwt', 'two'), undefined)
    assert.equal(directory.find('gateway', 'one'), undefined)
  })

  test('names every problem at once', () => {
    const tokens = ['a', 'b', 'c'].map((id) => ({ method: 'token', id, sha256: new Uint8Array(32) }) as const)
    assert.throws(
      () =>
        createClientDirectory([
          { client: ENCODER, credentials: [credential, ...tokens] },
          { client: { ...ENCODER, tenant: '' }, credentials: [credential] },
        ]),
      {
        code: 'ERR_CONFIG_INVALID',
        message: [
          'client "encoder": more than 2 token credentials: remove one that is not used any more',
          'client "encoder": there are two of this name',
          'client "encoder": tenant: expected a name',
          'client "encoder": jwt credential "one": client "encoder" has it too',
        ].join('\n'),
      },
    )
  })

  test('keeps the old clients when the new ones are wrong', () => {
    const directory = createClientDirectory([{ client: ENCODER, credentials: [credential] }])
    const twice = { client: ENCODER, credentials: [] }
    assert.throws(() => directory.replace([twice, twice]), { code: 'ERR_CONFIG_INVALID' })
    assert.equal(directory.find('jwt', 'one')?.client, ENCODER)
    directory.replace([])
    assert.equal(directory.find('jwt', 'one'), undefined)
    assert.equal(directory.size, 0)
  })
})

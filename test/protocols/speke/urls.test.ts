import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { fromUrlSegment, PlayerUrls, toUrlSegment } from '../../../src/protocols/speke/urls.ts'
import { kidOf } from './answering.ts'
import { KID } from './documents.ts'

describe('an id as one segment of a path', () => {
  for (const [id, segment] of [
    ['movie-42_A', 'movie-42_A'],
    ['.', '~Lg'],
    ['..', '~Li4'],
    ['a/b', '~YS9i'],
    ['a b', '~YSBi'],
    ['%2e', '~JTJl'],
    ['~Lg', '~fkxn'],
    ['é', '~w6k'],
    ['🔑', '~8J-UkQ'],
  ] as const) {
    test(`${JSON.stringify(id)} is ${segment}`, () => {
      assert.equal(toUrlSegment(id), segment)
      assert.equal(fromUrlSegment(segment), id)
    })
  }

  for (const segment of ['', '~', '~Lg==', '~bW92aWU', '~Lh', '~_w', '~Y S', 'a.b', 'a%20b', '.', '~.', '~YS9i\n']) {
    test(`${JSON.stringify(segment)} stands for none`, () => assert.equal(fromUrlSegment(segment), undefined))
  }

  test('is read back as what it was written from, and no URL parser changes it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (id) => {
        const segment = toUrlSegment(id)
        assert.equal(fromUrlSegment(segment), id)
        assert.equal(new URL(`https://a/b/${segment}/c`).pathname, `/b/${segment}/c`)
      }),
    )
  })
})

test('URLs begin with the public URL', () => {
  const urls = new PlayerUrls('https://keys.example.com/base')
  const ref = { tenant: 'default', contentId: 'a/b' }
  assert.equal(urls.keyUrl(ref, kidOf(KID)), `https://keys.example.com/base/keys/default/~YS9i/${KID}`)
  assert.equal(urls.clearKeyLicenseUrl(ref), 'https://keys.example.com/base/license/clearkey/default/~YS9i')
})

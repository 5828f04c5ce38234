import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toUrlSegment } from '../../../src/protocols/speke/urls.ts'
import { callOf } from '../../http/calls.ts'
import { getKey, hex, issue, kidOf, playing, REF, recordOf, wantedOf } from './playing.ts'

test('delivers a clear key as 16 raw bytes that no cache keeps', async () => {
  const { handler, clear } = await playing()
  const { status, headers, body } = await handler(callOf('GET', `/keys/default/movie/${kidOf(1)}`))
  assert.equal(status, 200)
  assert.equal(headers['content-type'], 'application/octet-stream')
  assert.equal(headers['cache-control'], 'no-store')
  assert.equal(body.length, 16)
  assert.equal(hex(body as Uint8Array), clear)
})

test('takes the kid in any letter case, and answers HEAD', async () => {
  const { handler, clear } = await playing()
  assert.equal((await getKey(handler, kidOf(1).toUpperCase())).body, clear)
  assert.equal((await handler(callOf('HEAD', `/keys/default/movie/${kidOf(1)}`))).status, 200)
})

test('finds a content whatever its id, which only its own URL names', async () => {
  const { handler, keys, issuedKids } = await playing()
  for (const contentId of ['..', 'a/b', '~movie', 'a b', 'ü', '%2e%2e', '__proto__', '.', 'x'.repeat(256)]) {
    const ref = { tenant: 'default', contentId }
    const issued = await issue(keys, [wantedOf(1, 'clear')], ref)
    issuedKids.note([recordOf([wantedOf(1, 'clear')], ref)])
    const { status, body } = await getKey(handler, kidOf(1), `/keys/default/${toUrlSegment(contentId)}`)
    assert.equal(status, 200, contentId)
    assert.equal(body, issued.keys[0]?.split(' ')[0], contentId)
  }
})

test('a tenant, content or kid that does not exist is one and the same 404, and nothing is created', async () => {
  const { handler, store } = await playing()
  const paths = [
    `/keys/other/movie/${kidOf(1)}`,
    `/keys/default/other/${kidOf(1)}`,
    '/keys/default/movie/none',
    '/keys/default/movie/',
    `/keys/default/../${kidOf(1)}`,
    `/keys/~/~/${kidOf(1)}`,
    `/keys/default/mo%76ie/${kidOf(1)}`,
  ]
  const replies = await Promise.all(paths.map((path) => handler(callOf('GET', path))))
  for (const [at, { status, body }] of replies.entries()) {
    assert.equal(status, 404, paths[at])
    if (!paths[at]?.endsWith('/')) assert.match(String(body), /^there is no such key/, paths[at])
  }
  assert.equal(await store.findContent({ tenant: 'default', contentId: 'other' }, []), undefined)
})

test('a destroyed content is gone', async () => {
  const { handler, store, clock } = await playing()
  await store.putTombstone(REF, { at: 0, reason: 'test', cause: 'deleted' })
  clock.at += 60_000
  assert.equal((await getKey(handler, kidOf(1))).status, 410)
})

test('a content not in memory while the store is away is 503, and tells when to ask again', async () => {
  const { handler, setAway } = await playing()
  setAway(true)
  const { status, headers } = await getKey(handler, kidOf(1), '/keys/default/another')
  assert.equal(status, 503)
  assert.equal(headers['retry-after'], '2')
})

describe('the class of a key', () => {
  test('a key that guards DRM content is refused with the reason', async () => {
    const { handler } = await playing()
    const { status, body } = await getKey(handler, kidOf(2))
    assert.equal(status, 403)
    assert.match(body, /guards DRM content/)
  })

  test('a key that guards DRM content is served where the configuration says so, a clear one too', async () => {
    const { handler, clear, drm } = await playing({ servesDrmKeys: (contentId) => contentId === 'movie' })
    assert.equal((await getKey(handler, kidOf(2))).body, drm)
    assert.equal((await getKey(handler, kidOf(1))).body, clear)
  })

  test('only the contents that the configuration names serve them', async () => {
    const { handler } = await playing({ servesDrmKeys: (contentId) => contentId === 'demo' })
    assert.equal((await getKey(handler, kidOf(2))).status, 403)
  })

  test('a kid issued in both classes is served as clear, and as drm where that is served', async () => {
    for (const serves of [false, true]) {
      const { handler, clear, keys, ledger } = await playing({ servesDrmKeys: () => serves })
      const [record] = await ledger.findByKid('default', kidOf(1))
      assert.ok(record?.keys[0])
      await ledger.record([{ ...record, keys: [{ ...record.keys[0], contentKeyClass: 'drm' }] }])
      const issued = await issue(keys, [wantedOf(1, 'drm')])
      assert.equal((await getKey(handler, kidOf(1))).body, serves ? issued.keys[0]?.split(' ')[0] : clear)
    }
  })
})

test('a method that is not served is told which are', async () => {
  const { handler } = await playing()
  const { status, headers } = await handler(callOf('POST', `/keys/default/movie/${kidOf(1)}`))
  assert.equal(status, 405)
  assert.equal(headers.allow, 'GET, HEAD, OPTIONS')
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { kidOfBytes } from '../../../src/formats/cenc.ts'
import { decodePssh } from '../../../src/formats/drm/payloads/pssh.ts'
import { decodeWidevinePsshData, fourCc } from '../../../src/formats/drm/payloads/widevine-pssh-data.ts'
import { addKidOverride } from '../../../src/keys/content/overrides.ts'
import { readContentKeyRequest, TRACK_TYPES } from '../../../src/protocols/widevine/request.ts'
import { issue, kidOf, REF } from '../../keys/fixtures.ts'
import { type Answer, requesting, requestOf, type Track, VECTORS } from './requesting.ts'

const codeOf = (error: unknown) => (error instanceof KeyProviderError ? error.code : assert.fail(String(error)))
const ALL = ['SD', 'HD', 'UHD1', 'UHD2', 'AUDIO']
const kidOfTrack = ({ key_id }: Track) => kidOfBytes(Buffer.from(key_id, 'base64'))
const tracksOf = ({ status, tracks }: Answer): readonly Track[] => {
  assert.equal(status, 'OK')
  return tracks ?? assert.fail('no tracks')
}

test('answers the published signed request in the shape of the published answer', async () => {
  const { post } = requesting()
  const answer = await post(VECTORS.envelope)
  const [track] = tracksOf(answer)
  const [published] = VECTORS.response.tracks ?? []
  assert.deepEqual(Object.keys(answer), Object.keys(VECTORS.response))
  assert.deepEqual(answer.drm, VECTORS.response.drm)
  assert.equal(answer.already_used, false)
  assert.deepEqual(Object.keys(track ?? {}), Object.keys(published ?? {}))
  // But for the kid, which ends at the 18th byte, the pssh data is the published one.
  const [ours = '', theirs = ''] = [track, published].map((one) => one?.pssh[0]?.data)
  assert.equal(
    Buffer.from(ours, 'base64').subarray(18).toString('hex'),
    Buffer.from(theirs, 'base64').subarray(18).toString('hex'),
  )
})

test('answers what Shaka Packager posts, the tracks in its order', async () => {
  const { post } = requesting()
  const tracks = tracksOf(await post(VECTORS.shakaSigned))
  assert.deepEqual(
    tracks.map(({ type }) => type),
    ALL,
  )
  assert.equal(new Set(tracks.map(({ key_id }) => key_id)).size, 5)
  assert.equal(new Set(tracks.map(({ key }) => key)).size, 5)
})

test('the same request gets the same answer, and one for some of its tracks gets those', async () => {
  const { ask } = requesting()
  const all = tracksOf(await ask(requestOf('movie', ALL)))
  const again = await ask(requestOf('movie', ALL))
  assert.deepEqual(again.tracks, all)
  assert.equal(again.already_used, true)
  assert.deepEqual(tracksOf(await ask(requestOf('movie', ['AUDIO', 'SD', 'AUDIO']))), [all[4], all[0]])
})

test('a key is the one that its kid has in the class drm', async () => {
  const { ask, keys } = requesting()
  const [sd] = tracksOf(await ask(requestOf('movie', ['SD'])))
  assert.ok(sd)
  const { keys: issued, first } = await issue(keys, [{ contentKeyClass: 'drm', kid: kidOfTrack(sd) }])
  assert.equal(first, false)
  assert.equal(Buffer.from(sd.key, 'base64').toString('hex'), issued[0]?.split(' ')[0])
})

test('pssh boxes hold the pssh data, which names the kid, the scheme and the crypto period', async () => {
  const { ask } = requesting()
  for (const [written, scheme] of [
    [undefined, 'cenc'],
    ['', 'cenc'],
    [0, 'cenc'],
    ['CENC', 'cenc'],
    ['CBCS', 'cbcs'],
    [1667392371, 'cbcs'],
    ['CENS', 'cens'],
    ['CBC1', 'cbc1'],
  ] as const) {
    const rotation = { first_crypto_period_index: 7, crypto_period_count: 1 }
    const [track] = tracksOf(await ask(requestOf('movie', ['SD'], { protection_scheme: written, ...rotation })))
    assert.ok(track?.pssh[0])
    const { drm_type, data, boxes } = track.pssh[0]
    assert.equal(drm_type, 'WIDEVINE')
    const box = decodePssh(Buffer.from(boxes, 'base64'))
    assert.equal(box.systemId, 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed')
    assert.equal(Buffer.from(box.data).toString('base64'), data)
    assert.deepEqual(decodeWidevinePsshData(box.data), {
      keyIds: [kidOfTrack(track)],
      protectionScheme: fourCc(scheme),
      cryptoPeriodIndex: 7,
    })
  }
})

test('pssh data says what the signalling profile says', async () => {
  const { ask } = requesting({ settingsFor: () => ({ contentId: true, provider: 'p', policy: 'q' }) })
  const [track] = tracksOf(await ask(requestOf('movie', ['SD'])))
  const data = decodeWidevinePsshData(Buffer.from(track?.pssh[0]?.data ?? '', 'base64'))
  assert.deepEqual([data.provider, data.policy, Buffer.from(data.contentId ?? []).toString()], ['p', 'q', 'movie'])
})

test('tracks carry no IV: a packager would encrypt every rendition with it', async () => {
  const { ask } = requesting()
  for (const protection_scheme of ['CENC', 'CBCS']) {
    const tracks = tracksOf(await ask(requestOf('movie', ALL, { protection_scheme })))
    assert.ok(tracks.every((track) => !('iv' in track)))
  }
})

describe('crypto periods', () => {
  test('come one after the other, each with all its tracks', async () => {
    const { ask } = requesting()
    const periods = { first_crypto_period_index: 4, crypto_period_count: 3 }
    const tracks = tracksOf(await ask(requestOf('live', ['SD', 'AUDIO'], periods)))
    assert.deepEqual(
      tracks.map(({ type, crypto_period_index }) => `${type} ${crypto_period_index}`),
      ['SD 4', 'AUDIO 4', 'SD 5', 'AUDIO 5', 'SD 6', 'AUDIO 6'],
    )
    assert.equal(new Set(tracks.map(({ key }) => key)).size, 6)
  })

  test('have the same keys whichever request asks for them, and others than a content without periods', async () => {
    const { ask } = requesting()
    const some = tracksOf(
      await ask(requestOf('live', ['SD'], { first_crypto_period_index: 0, crypto_period_count: 10 })),
    )
    const one = tracksOf(await ask(requestOf('live', ['SD'], { first_crypto_period_index: 9 })))
    assert.deepEqual(one, [some[9]])
    const [without] = tracksOf(await ask(requestOf('live', ['SD'])))
    assert.ok(without && !('crypto_period_index' in without))
    assert.ok(some.every(({ key_id }) => key_id !== without.key_id))
  })

  test('64 at once are the most', async () => {
    const { ask } = requesting()
    const periods = { first_crypto_period_index: 0xffffffff - 63, crypto_period_count: 64 }
    assert.equal(tracksOf(await ask(requestOf('live', ALL, periods))).length, 320)
  })
})

test('a kid override gives a track its kid, and two tracks never one', async () => {
  const { ask, store, clock } = requesting()
  const rule = { intendedTrackType: 'HD', periodIndex: undefined, kid: kidOf(7) }
  await addKidOverride({ store }, { ref: REF, rule })
  const tracks = tracksOf(await ask(requestOf('movie', ['SD', 'HD'])))
  assert.equal(tracks[1] && kidOfTrack(tracks[1]), kidOf(7))
  const any = { ...rule, intendedTrackType: undefined }
  await addKidOverride({ store }, { ref: REF, rule: any, force: true, reason: 'test' })
  clock.at += 60_000
  assert.deepEqual(await ask(requestOf('movie', ['SD', 'HD'])), { status: 'KEY_ID_MISMATCH' })
})

test('the ledger is told of each crypto period', async () => {
  const { ask, recorded, observed } = requesting()
  const periods = { first_crypto_period_index: 4, crypto_period_count: 2 }
  const tracks = tracksOf(await ask(requestOf('movie', ['SD', 'AUDIO'], periods)))
  assert.deepEqual(
    recorded.map(({ periodIndex, client, keys }) => [periodIndex, client, keys.map(({ kid }) => kid)]),
    [
      [4, 'packager', tracks.slice(0, 2).map(kidOfTrack)],
      [5, 'packager', tracks.slice(2).map(kidOfTrack)],
    ],
  )
  assert.partialDeepStrictEqual(observed.at(-1)?.issued, { ...REF, client: 'packager', keys: 4, first: true })
})

describe('a content id', () => {
  test('that is text names the content of that text', async () => {
    const { ask, store } = requesting()
    await ask(requestOf('film ü', ['SD']))
    assert.ok(await store.findContent({ tenant: 'default', contentId: 'film ü' }, []))
  })

  test('of any bytes is a contentId of its own', () => {
    const contentIdOf = (bytes: Uint8Array): string =>
      readContentKeyRequest(Buffer.from(JSON.stringify(requestOf(Buffer.from(bytes), ['SD'])))).contentId
    const anyId = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 24 }),
      fc.string({ minLength: 1, maxLength: 24 }).map((text) => Buffer.from(text)),
      fc.base64String({ minLength: 4, maxLength: 24 }).map((text) => Buffer.from(`~${text}`)),
    )
    fc.assert(
      fc.property(anyId, anyId, (one, other) => {
        const isSame = Buffer.compare(one, other) === 0
        assert.equal(contentIdOf(one) === contentIdOf(other), isSame)
      }),
    )
    assert.equal(contentIdOf(Buffer.of(0xff, 0)), '~_wA')
    assert.equal(contentIdOf(Buffer.from('~_wA')), '~fl93QQ')
  })
})

describe('SIGNATURE_FAILED: a request', () => {
  const failed = { status: 'SIGNATURE_FAILED' }
  for (const [name, body, signer] of [
    ['of an unknown signer', { ...VECTORS.envelope, signer: 'other' }, 'other'],
    ['for another signer than its own', VECTORS.envelope, 'other'],
    ['whose bytes were changed', { ...VECTORS.envelope, request: VECTORS.shakaSigned.request }, undefined],
    ['without a signature', VECTORS.shakaUnsigned, undefined],
    ['with an empty signature', { ...VECTORS.envelope, signature: '' }, undefined],
    ['whose signature is cut', { ...VECTORS.envelope, signature: VECTORS.envelope.signature.slice(0, 40) }, undefined],
  ] as const) {
    test(name, async () => {
      const { post, observed } = requesting()
      assert.deepEqual(await post(body, signer), failed)
      assert.equal(codeOf(observed.at(-1)?.failure), 'ERR_UNAUTHENTICATED')
    })
  }

  test('an unsigned request is answered where the configuration lets anybody in', async () => {
    const { post } = requesting({
      authenticate: () => ({ tenant: 'default', client: 'anonymous', authorize: () => {} }),
    })
    assert.equal(tracksOf(await post(VECTORS.shakaUnsigned, 'anybody')).length, 5)
  })
})

describe('a status word, under HTTP 200,', () => {
  const movie = requestOf('movie', ['SD'])
  for (const [status, name, request] of [
    ['CONTENT_ID_MISSING', 'no content_id', { ...movie, content_id: undefined }],
    ['CONTENT_ID_MISSING', 'an empty content_id', { ...movie, content_id: '' }],
    ['TRACK_TYPE_MISSING', 'no tracks', { ...movie, tracks: undefined }],
    ['TRACK_TYPE_MISSING', 'an empty list of tracks', { ...movie, tracks: [] }],
    ['TRACK_TYPE_MISSING', 'a track without a type', { ...movie, tracks: [{}] }],
    ['TRACK_TYPE_UNKNOWN', 'a type that is none', { ...movie, tracks: [{ type: '8K' }] }],
    ['TRACK_TYPE_UNKNOWN', 'a type in lower case', { ...movie, tracks: [{ type: 'sd' }] }],
    ['TRACK_TYPE_UNKNOWN', 'a type of every object', { ...movie, tracks: [{ type: '__proto__' }] }],
    [
      'NO_REQUESTED_CRYPTO_PERIODS',
      'no crypto periods',
      { ...movie, first_crypto_period_index: 0, crypto_period_count: 0 },
    ],
    ['ACCESS_DENIED', 'a content that the signer may not have', requestOf('forbidden', ['SD'])],
    ['MALFORMED_REQUEST', 'no JSON', 'tracks'],
    ['MALFORMED_REQUEST', 'a list', []],
    ['MALFORMED_REQUEST', 'null', null],
    ['MALFORMED_REQUEST', 'a content_id that is no base64', { ...movie, content_id: 'a b' }],
    ['MALFORMED_REQUEST', 'a content_id that is no text', { ...movie, content_id: 7 }],
    ['MALFORMED_REQUEST', 'a content_id that is too long', requestOf('x'.repeat(257), ['SD'])],
    ['MALFORMED_REQUEST', 'tracks that are no list', { ...movie, tracks: {} }],
    ['MALFORMED_REQUEST', 'a track that is text', { ...movie, tracks: ['SD'] }],
    [
      'MALFORMED_REQUEST',
      'more tracks than there are',
      { ...movie, tracks: Array.from({ length: 65 }, () => ({ type: 'SD' })) },
    ],
    ['MALFORMED_REQUEST', 'an unknown scheme', { ...movie, protection_scheme: 'SMPT' }],
    ['MALFORMED_REQUEST', 'an unknown fourCC', { ...movie, protection_scheme: 1 }],
    ['MALFORMED_REQUEST', 'a count without a first', { ...movie, crypto_period_count: 2 }],
    [
      'MALFORMED_REQUEST',
      'too many crypto periods',
      { ...movie, first_crypto_period_index: 0, crypto_period_count: 65 },
    ],
    [
      'MALFORMED_REQUEST',
      'crypto periods past the last',
      { ...movie, first_crypto_period_index: 0xffffffff, crypto_period_count: 2 },
    ],
    ['MALFORMED_REQUEST', 'a crypto period that is negative', { ...movie, first_crypto_period_index: -1 }],
    ['MALFORMED_REQUEST', 'half a crypto period', { ...movie, first_crypto_period_index: 0.5 }],
    ['MALFORMED_REQUEST', 'another DRM alone', { ...movie, drm_types: ['PLAYREADY'] }],
    ['MALFORMED_REQUEST', 'entitlement licences', { ...movie, enable_entitlement_license: true }],
  ] as const) {
    test(`${status}: ${name}`, async () => {
      const { ask, store, observed } = requesting()
      assert.deepEqual(await ask(request), { status })
      assert.ok(observed.at(-1)?.failure instanceof Error)
      assert.equal(await store.findContent(REF, []), undefined)
    })
  }

  for (const [name, body] of [
    ['nothing', Buffer.alloc(0)],
    ['no UTF-8', Buffer.of(0x7b, 0xff, 0x7d)],
    ['a list', []],
    ['no request', { ...VECTORS.envelope, request: undefined }],
    ['a request that is no base64', { ...VECTORS.envelope, request: '*' }],
    ['a signature that is no text', { ...VECTORS.envelope, signature: 1 }],
    ['a signer that is no text', { ...VECTORS.envelope, signer: 1 }],
    ['too much', Buffer.alloc(40_000, 0x20)],
    ['deep nesting', Buffer.alloc(30_000, '[')],
  ] as const) {
    test(`MALFORMED_REQUEST: a body of ${name}`, async () => {
      const { post } = requesting()
      assert.deepEqual(await post(body), { status: 'MALFORMED_REQUEST' })
    })
  }

  test('MALFORMED_REQUEST: every truncation of an envelope', async () => {
    const { post } = requesting()
    const bytes = Buffer.from(JSON.stringify(VECTORS.envelope))
    for (let length = 0; length < bytes.length; length++) {
      assert.deepEqual(await post(bytes.subarray(0, length)), { status: 'MALFORMED_REQUEST' })
    }
  })

  test('ACCESS_DENIED: a content that was destroyed', async () => {
    const { ask, store } = requesting()
    await store.putTombstone(REF, { at: 0, reason: 'test', cause: 'deleted' })
    assert.deepEqual(await ask(movie), { status: 'ACCESS_DENIED' })
  })

  test('INTERNAL_ERROR, which packagers ask again after: the store is away', async () => {
    const { ask, setAway, observed } = requesting()
    setAway(true)
    assert.deepEqual(await ask(movie), { status: 'INTERNAL_ERROR' })
    assert.equal(codeOf(observed.at(-1)?.failure), 'ERR_STORE_UNAVAILABLE')
    setAway(false)
    assert.equal((await ask(movie)).status, 'OK')
  })
})

test('every track type of the API has a key', async () => {
  const { ask } = requesting()
  assert.equal(tracksOf(await ask(requestOf('movie', TRACK_TYPES))).length, TRACK_TYPES.length)
})

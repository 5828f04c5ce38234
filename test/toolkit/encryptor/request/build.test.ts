import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Kid } from '../../../../src/formats/cenc.ts'
import { ENCRYPTORS } from '../../../../src/protocols/speke/tables/presets.ts'
import { readAnswer } from '../../../../src/toolkit/encryptor/answer/read.ts'
import { nameUuid } from '../../../../src/toolkit/encryptor/request/periods.ts'
import { AUDIO_PRESET_NAMES, VIDEO_PRESET_NAMES } from '../../../../src/toolkit/encryptor/request/presets.ts'
import { SHAPES } from '../../../../src/toolkit/encryptor/request/shapes.ts'
import { SYSTEM_NAMES } from '../../../../src/toolkit/encryptor/systems.ts'
import { replyTo, requestOf, type Wish } from '../asking.ts'

const golden = (name: string): string => readFileSync(new URL(`../golden/${name}.xml`, import.meta.url), 'utf8')

const iv = Buffer.from('5f0bdaa915ea8aacED68AED7BDF4C3D2'.toLowerCase(), 'hex')
const kidOf = (track: string): Kid =>
  (track === 'AUDIO' ? '5227a7ff-5d0d-4ca3-b8b0-1e6c907175f2' : 'e8e39b4e-69f2-46ad-b423-098294c00550') as Kid

/** What each encryptor sends for the same wish. */
const SHAPED: readonly (readonly [name: string, wish: Wish])[] = [
  [
    'mediapackage-v2',
    {
      as: 'mediapackage-v2',
      drm: ['fairplay', 'widevine'],
      scheme: 'cbcs',
      ivOf: () => iv,
      periods: { firstIndex: 3 },
    },
  ],
  [
    'mediapackage-v1',
    { as: 'mediapackage-v1', speke: '1.0', drm: ['fairplay'], video: 'SHARED', periods: { firstIndex: 11425 } },
  ],
  ['mediaconvert', { as: 'mediaconvert', drm: ['widevine', 'playready'], container: 'dash', video: 'SHARED' }],
  [
    'elemental-live',
    { as: 'elemental-live', speke: '1.0', drm: ['aes-128'], video: 'SHARED', periods: { firstIndex: 1 } },
  ],
  ['shaka', { as: 'shaka', drm: ['widevine'], video: 'VIDEO-2', kidOf: (track) => nameUuid(track) }],
  [
    'spec-v2.1-live',
    {
      speke: '2.1',
      drm: ['fairplay'],
      scheme: 'cbcs',
      periods: { count: 2, interval: 300 },
      kidOf: (track, period) => kidOf(track).replace(/^./, String(period?.number)) as Kid,
    },
  ],
  [
    'spec-v2.1-vod',
    {
      speke: '2.1',
      drm: ['aes-128'],
      scheme: 'AES-128',
      video: 'SHARED',
      periods: { interval: 600, start: undefined },
    },
  ],
]

for (const [name, wish] of SHAPED) {
  test(`writes a request as ${name} does`, () => {
    assert.equal(requestOf({ kidOf, ...wish }).xml, golden(name))
  })
}

test('a content, track and period always have the same kid and period ID', () => {
  const [first, second] = [requestOf({ periods: {} }), requestOf({ periods: {} })]
  assert.equal(first.xml, second.xml)
  assert.notEqual(first.keys[0]?.kid, requestOf({ contentId: 'other', periods: {} }).keys[0]?.kid)
})

test('every combination of shape, version, presets and systems gets an answer that readAnswer accepts', async () => {
  await fc.assert(
    fc.asyncProperty(wishes(), async (wish) => {
      const request = requestOf(wish)
      const { keys, warnings } = readAnswer(await replyTo(request), request, undefined)
      assert.deepEqual(warnings, [])
      assert.deepEqual(
        keys.map(({ kid }) => kid),
        request.keys.map(({ kid }) => kid),
      )
      assert.ok(keys.every(({ contentKey }) => contentKey?.reveal().length === 16))
    }),
    { numRuns: 150 },
  )
})

/** Systems that go together, and a scheme they take. */
function wishes(): fc.Arbitrary<Wish> {
  const systems = fc.constantFrom(
    { drm: ['widevine'], scheme: 'cenc' },
    { drm: ['widevine', 'playready'], scheme: 'cenc' },
    { drm: ['playready', 'fairplay', 'widevine'], scheme: 'cbcs' },
    { drm: ['aes-128'], scheme: 'cbc1' },
    { drm: ['common-pssh'], scheme: 'cenc' },
  )
  return fc
    .record({
      as: fc.constantFrom(...ENCRYPTORS),
      version: fc.nat(2),
      systems,
      video: fc.constantFrom(...VIDEO_PRESET_NAMES.filter((name) => name !== 'SHARED')),
      audio: fc.constantFrom(...AUDIO_PRESET_NAMES.filter((name) => name !== 'SHARED')),
      shared: fc.boolean(),
      contentId: fc.string({
        minLength: 1,
        maxLength: 40,
        unit: fc.constantFrom('a', '7', '-', '&', '<', '"', "'", 'é', '漢'),
      }),
      periods: fc.option(fc.record({ count: fc.integer({ min: 1, max: 3 }), firstIndex: fc.nat(100000) }), {
        nil: undefined,
      }),
    })
    .filter(({ video, audio, shared }) => shared || video !== 'UNENCRYPTED' || audio !== 'UNENCRYPTED')
    .map(({ as, version, systems: { drm, scheme }, video, audio, shared, contentId, periods }) => {
      const speke = SHAPES[as].versions[version % SHAPES[as].versions.length] ?? '2.0'
      const isV1 = speke === '1.0'
      return {
        as,
        speke,
        drm: isV1 ? drm.slice(0, 1) : drm,
        scheme,
        contentId,
        ...(isV1 || shared ? { video: 'SHARED' } : { video, audio }),
        ...(periods !== undefined && { periods: { ...periods, count: isV1 ? 1 : periods.count } }),
      }
    })
}

/** What a shape or version cannot say. */
const REFUSED: readonly (readonly [what: string, wish: Wish, problem: RegExp])[] = [
  ['a version the encryptor does not speak', { as: 'elemental-live', speke: '2.0' }, /supports SPEKE 1\.0, not 2\.0/],
  ['two keys in SPEKE 1.0', { speke: '1.0' }, /SPEKE 1\.0 allows one key/],
  ['two periods in SPEKE 1.0', { speke: '1.0', video: 'SHARED', periods: { count: 2 } }, /one key period/],
  ['one kid for two tracks', { kidOf: () => kidOf('AUDIO') }, /two keys have the kid/],
  ['a contentId with control characters', { contentId: 'a\nb' }, /contentId/],
  ['an empty contentId', { contentId: '' }, /contentId/],
  ['times before SPEKE 2.1', { periods: { timing: 'START_END_ONLY', interval: 60 } }, /requires SPEKE 2\.1/],
  [
    'times without an interval',
    { speke: '2.1', periods: { timing: 'START_END_ONLY' } },
    /requires the length of a period/,
  ],
  ['a system that SPEKE 1.0 does not support', { speke: '1.0', video: 'SHARED', drm: ['irdeto'] }, /does not support/],
  ['an unknown system', { drm: ['nonesuch'] }, /must be one of widevine/],
  ['a system twice', { drm: ['widevine', 'EDEF8BA9-79D6-4ACE-A3C8-27DCD51D21ED'] }, /occurs twice/],
]

for (const [what, wish, message] of REFUSED) {
  test(`rejects ${what}`, () => {
    assert.throws(() => requestOf(wish), { code: 'ERR_USAGE_INVALID', message })
  })
}

test('START_END_ONLY has no index, INDEX_ONLY no times', () => {
  const only = (timing: 'START_END_ONLY' | 'INDEX_ONLY'): string =>
    requestOf({ speke: '2.1', periods: { timing, interval: 60 } }).xml
  assert.match(
    only('START_END_ONLY'),
    /<cpix:ContentKeyPeriod id="\S+" start="2026-10-01T12:00:00Z" end="2026-10-01T12:01:00Z"\/>/,
  )
  assert.match(only('INDEX_ONLY'), /<cpix:ContentKeyPeriod id="\S+" index="0"\/>/)
})

test('a request asks for an unnamed DRM system by its UUID', () => {
  const { xml } = requestOf({ drm: ['3D5E6D35-9B9A-41E8-B843-DD3C6E72C42C'] })
  assert.match(xml, /systemId="3d5e6d35-9b9a-41e8-b843-dd3c6e72c42c"/)
})

test('a container limits the requested elements', () => {
  assert.doesNotMatch(requestOf({ container: 'dash' }).xml, /HLSSignalingData/)
  assert.doesNotMatch(requestOf({ container: 'ts' }).xml, /PSSH/)
})

test('every DRM system in the help text works', () => {
  for (const name of SYSTEM_NAMES) assert.ok(requestOf({ drm: [name] }).drmSystems.length > 0, name)
})

test('an assumed shape is marked as assumed', () => {
  assert.deepEqual(
    ENCRYPTORS.filter((name) => SHAPES[name].assumed),
    ['mediaconvert', 'elemental-live'],
  )
})

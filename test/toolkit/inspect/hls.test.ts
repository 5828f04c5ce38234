import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from '../../../src/toolkit/inspect/inspect.ts'
import { vectors } from '../../formats/drm/vectors.ts'
import { found, named, sound, values } from './looking.ts'

const lines = vectors<Record<string, string>>('signaling.json')
const packaged = vectors<{ origin: string; kid: string; cbcs: { playlist: string }; cenc: { playlist: string } }>(
  'packaged.json',
)
const KID = packaged.kid
const line = (name: string): string => lines[name] ?? assert.fail(name)

describe(`key lines (${lines.origin})`, () => {
  test('of Widevine has its box decoded', () => {
    const inspection = sound(line('hls_widevine'), 'HLS')
    assert.deepEqual(values(inspection, 'key_ids'), [KID])
    assert.equal(named(inspection, 'KEYID')[0]?.kid, KID)
    assert.deepEqual(named(inspection, 'METHOD')[0]?.place, { line: 1, column: 12 })
  })

  test('of PlayReady has its object decoded', () => {
    assert.deepEqual(values(sound(line('hls_playready'), 'HLS'), 'KID'), [KID])
  })

  test('of FairPlay has its URI decoded', () => {
    for (const name of ['hls_fairplay', 'hls_fairplay_session']) {
      assert.deepEqual(values(sound(line(name), 'HLS'), 'kid'), [KID])
    }
  })

  test('is known in base64, as CPIX has it', () => {
    assert.deepEqual(sound(line('hls_fairplay_b64'), 'HLS').encodings, ['base64'])
  })

  test('of a clear key says where the key is', () => {
    assert.match(named(sound(line('hls_aes128'), 'HLS'), 'URI')[0]?.meaning ?? '', /players fetch the key from here/)
  })
})

describe(`playlists of ${packaged.origin}`, () => {
  for (const scheme of ['cbcs', 'cenc'] as const) {
    const inspection = inspect(packaged[scheme].playlist)

    test(`every key line of ${scheme} is found`, () => {
      assert.equal(inspection.kind, 'HLS')
      assert.deepEqual(values(inspection, 'key_ids'), [KID])
      assert.ok(values(inspection, 'KID').includes(KID))
      assert.deepEqual(values(inspection, 'protection_scheme'), [scheme])
    })
  }

  test('hides data in the place of a key', () => {
    const inspection = inspect(packaged.cbcs.playlist)
    assert.deepEqual(values(inspection, 'content key'), ['hidden, 16 bytes'])
    assert.match(found(inspection).join('\n'), /the playlist itself holds what players take for the key/)
    const kid = Buffer.from(KID.replaceAll('-', ''), 'hex').toString('base64')
    assert.ok(!JSON.stringify(named(inspection, 'URI')[0]).includes(kid))
  })
})

const BOX = /base64,([^"]+)/.exec(line('hls_widevine'))?.[1] ?? ''
const problems: readonly (readonly [title: string, text: string, message: RegExp])[] = [
  ['a METHOD that does not stand first', '#EXT-X-KEY:URI="https://k",METHOD=AES-128', /METHOD is not first/],
  ['no METHOD', '#EXT-X-KEY:URI="https://k"', /METHOD is missing/],
  ['no URI', '#EXT-X-KEY:METHOD=AES-128', /URI is missing/],
  ['a METHOD that there is not', '#EXT-X-KEY:METHOD=AES,URI="https://k"', /is not a METHOD of HLS/],
  ['a session key that is none', '#EXT-X-SESSION-KEY:METHOD=NONE', /cannot have METHOD=NONE/],
  ['a URI without quotes', '#EXT-X-KEY:METHOD=AES-128,URI=https://k', /must be quoted/],
  ['a METHOD in quotes', '#EXT-X-KEY:METHOD="AES-128",URI="https://k"', /must not be quoted/],
  ['a quote that is not closed', '#EXT-X-KEY:METHOD=AES-128,URI="https://k', /breaks at column 27/],
  ['an IV of letters', '#EXT-X-KEY:METHOD=AES-128,URI="https://k",IV=abc', /expected 0x and up to 32 hex digits/],
  [
    'FairPlay with CTR',
    '#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery"',
    /FairPlay requires METHOD=SAMPLE-AES/,
  ],
  [
    'a URI whose base64 breaks',
    '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="data:text/plain;base64,AA*A",KEYFORMAT="com.microsoft.playready"',
    /not base64: breaks at character 3/,
  ],
  [
    'a box of another scheme than METHOD says',
    line('hls_widevine').replace('SAMPLE-AES', 'SAMPLE-AES-CTR'),
    /METHOD says cenc, the pssh box cbcs/,
  ],
  [
    'a KEYID in the wrong byte order',
    line('hls_widevine').replace('0x9EB4050DE44B4802', '0x0DB4059E4BE40248').replace('0x0DB4059E', '0x0D05B49E'),
    /wrong byte order/,
  ],
  [
    'a format in a playlist that is too old',
    `#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="data:text/plain;base64,${BOX}",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"`,
    /KEYFORMAT requires EXT-X-VERSION 5, the playlist has 3/,
  ],
]

describe('reports the problem of a line:', () => {
  for (const [title, text, message] of problems) {
    test(title, () => assert.match(found(inspect(text), true).join('\n'), message))
  }
})

test('lines are numbered as in the playlist', () => {
  const text = '#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n#EXT-X-KEY:METHOD=NONE\r\n'
  assert.deepEqual(named(sound(text, 'HLS'), 'EXT-X-KEY')[0]?.place, { line: 3, column: 1 })
})

test('a playlist without keys says so', () => {
  assert.match(found(inspect('\n#EXTM3U\nsegment.ts')).join(), /#EXTM3U must be the first line/)
  assert.match(found(inspect('\ufeff#EXTM3U\nsegment.ts')).join(), /byte order mark/)
  assert.match(found(inspect('#EXTM3U\nsegment.ts'), true).join('\n'), /has no line about keys/)
})

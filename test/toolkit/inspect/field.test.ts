import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { inspect } from '../../../src/toolkit/inspect/inspect.ts'
import { nodesIn } from '../../../src/toolkit/inspect/node.ts'
import { renderInspection } from '../../../src/toolkit/inspect/render.ts'
import { found, values } from './looking.ts'

const KID = '5b0e3a7c-91d4-4c52-8f6a-0c1d2e3f4a51'
const OTHER = 'c2f7d1e8-3a46-4b9d-a5c0-7e8f90a1b2c3'
const file = (name: string): Buffer => readFileSync(new URL(`../../vectors/inspect/${name}`, import.meta.url))
const kidsOf = (input: Uint8Array | string): readonly string[] => [
  ...new Set([...nodesIn(inspect(input).nodes)].flatMap(({ kid }) => kid ?? [])),
]

/** A file, its kind, the kids in it, and what is found in it: all of it, without notes. */
const FILES: readonly (readonly [file: string, kind: string, kids: readonly string[], found: readonly RegExp[]])[] = [
  ['mpd-cenc-pssh-is-bare-widevine-message.mpd', 'DASH MPD', [KID], [/error: .*WidevinePsshData without its pssh box/]],
  ['mpd-cenc-pssh-is-bare-playready-object.mpd', 'DASH MPD', [KID], [/error: .*PlayReady Object without its pssh box/]],
  ['pssh-box-inside-pssh-data.b64', 'pssh', [KID], [/error: .*a whole pssh box where its data belongs/]],
  ['pssh-data-is-raw-kid.b64', 'pssh', [KID], [/error: .*only a KID/]],
  [
    'mpd-mspr-pro-names-other-kid.mpd',
    'DASH MPD',
    [KID, OTHER],
    [/warning: names c2f7d1e8.* cenc:default_KID has 5b0e3a7c/],
  ],
  ['mpd-scheme-cbcs-widevine-box-cenc.mpd', 'DASH MPD', [KID], [/warning: says cenc .*@value cbcs/]],
  ['mpd-playready-descriptor-holds-widevine-box.mpd', 'DASH MPD', [KID], [/warning: the box is of Widevine/]],
  ['mpd-no-default-kid.mpd', 'DASH MPD', [KID], [/warning: names no cenc:default_KID/]],
  ['wrm-4.0-la-url-outside-data.xml', 'WRMHEADER', [KID], [/warning: LA_URL belongs into DATA/]],
  [
    'wrm-4.1-with-kids.xml',
    'WRMHEADER',
    [KID],
    [/warning: PROTECTINFO has no KID/, /warning: version 4.1.0.0 has no KIDS/],
  ],
  ['wrm-4.2-kid-without-kids.xml', 'WRMHEADER', [KID], [/PROTECTINFO has no KIDS/, /version 4.2.0.0 has KID in KIDS/]],
  ['wrm-4.2-aescbc.xml', 'WRMHEADER', [KID], [/warning: version 4.2.0.0 has no AESCBC/]],
  ['wrm-4.3-aescbc-with-checksum.xml', 'WRMHEADER', [KID], [/warning: a KID with AESCBC has no CHECKSUM/]],
  ['wrm-4.3-mixed-algid.xml', 'WRMHEADER', [KID, OTHER], [/warning: KIDS mixes AESCBC/]],
  ['wrm-4.0-version-before-xmlns.xml', 'WRMHEADER', [KID], [/warning: .*Write xmlns first/]],
  ['pro-root-misspelt-wrheader.b64', 'PlayReady Object', [KID], [/error: the root is WRHEADER.*write WRMHEADER/]],
  ['wrm-la-url-holds-content-key.xml', 'WRMHEADER', [KID], [/warning: holds a content key/]],
  ['hls-key-attribute-holds-key.txt', 'HLS', [], [/error: URI is missing/, /warning: holds a content key/]],
  ['hls-method-none-with-uri.m3u8', 'HLS', [], [/error: METHOD=NONE has no other attribute/]],
  ['hls-fairplay-with-iv.txt', 'HLS', [KID], [/warning: FairPlay has no IV attribute/]],
  ['hls-attribute-twice.txt', 'HLS', [], [/error: has URI twice/]],
  ['hls-define-variable-as-iv.m3u8', 'HLS', [], []],
  ['hls-comment-before-extm3u.m3u8', 'HLS', [], [/error: #EXTM3U must be the first line/]],
  ['contentprotection-snippet-prefix-not-declared.xml', 'ContentProtection elements', [KID], []],
  [
    'pssh-base64-cut-to-4n+1.txt',
    'pssh',
    [],
    [
      /error: breaks at byte 0: box pssh says it has 66/,
      /error: the base64 is cut/,
      /error: breaks at byte 32: Data needs 34/,
    ],
  ],
  ['clearkey-licence-k-and-kid-swapped.json', 'ClearKey licence', [], [/warning: .*were they swapped/]],
  ['clearkey-licence-request.json', 'ClearKey licence request', [KID], []],
  ['fairplay-sinf-init-data.json', 'FairPlay initialization data', [KID], []],
  ['kid-of-32-hex-digits.txt', 'KID', [KID], []],
  ['cpix-rule-filter-without-track-type.xml', 'CPIX', [KID], []],
  ['plain-cpix-contentid-no-version.xml', 'CPIX', ['af1ed63c-5784-460b-9e51-309dd47b7d9d'], []],
  ['kid-version-5-uuid.txt', 'KID', ['bd5cefa6-f9cd-5c46-941e-5be9b387790a'], []],
  ['two-widevine-boxes-in-one-cpix-pssh.b64', 'pssh', [KID, OTHER], [/warning: there are 2 pssh boxes of Widevine/]],
  ['skd-base64-of-kid.txt', 'FairPlay URI', [KID], []],
  ['mspr-kid.xml', 'ContentProtection elements', ['7c3a0e5b-d491-524c-8f6a-0c1d2e3f4a51'], []],
]

for (const [name, kind, kids, expected] of FILES) {
  test(`explains ${name}`, () => {
    const inspection = inspect(file(name))
    assert.equal(inspection.kind, kind)
    assert.deepEqual(kidsOf(file(name)), kids)
    const messages = found(inspection)
    assert.equal(messages.length, expected.length, messages.join('\n'))
    for (const one of expected)
      assert.ok(
        messages.some((message) => one.test(message)),
        `${one}\n${messages.join('\n')}`,
      )
  })
}

test('compares each element of ContentProtectionData with its key', () => {
  const messages = found(inspect(file('cpix-answer-mspr-pro-names-other-kid.xml')))
  assert.deepEqual(messages.length, 1)
  assert.match(messages[0] ?? '', /names 3f1c9a52-6b0e-4d87-9c34-1e5a70b2d802, but DRMSystem\/@kid has .*d801/)
})

test('does not call a document without version one of SPEKE 1.0, nor a key without scheme one of cbcs', () => {
  const text = renderInspection(inspect(file('plain-cpix-contentid-no-version.xml')))
  assert.doesNotMatch(text, /SPEKE 1\.0/)
  assert.deepEqual(
    found(inspect(file('cpix-wv-pr-fp-answer-without-scheme.xml'))).filter((one) => /cbcs/.test(one)),
    [],
  )
})

test('a filter restricts a rule without intendedTrackType to tracks of its type', () => {
  assert.deepEqual(values(inspect(file('cpix-rule-filter-without-track-type.xml')), 'used for'), [
    'audio tracks that the filters fit',
  ])
})

test('replaces the variables of a playlist', () => {
  assert.deepEqual(values(inspect(file('hls-define-variable-as-iv.m3u8')), 'IV'), [
    '0x00000000000000000000000000000001',
  ])
})

describe('a content key is hidden, whatever holds it', () => {
  const KEY = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
  const SPELLINGS = [
    KEY.toString('hex'),
    KEY.toString('base64'),
    KEY.toString('base64url'),
    encodeURIComponent(KEY.toString('base64')),
  ]
  const KID_HEX = KID.replaceAll('-', '')
  const HOLDERS: readonly (readonly [string, (key: string) => string])[] = [
    ['a KEY attribute', (key) => `#EXT-X-KEY:METHOD=AES-128,KEY=${key}`],
    ['a quoted attribute', (key) => `#EXT-X-KEY:METHOD=AES-128,URI="https://k",X-CONTENT-KEY="${key}"`],
    ['the URI of a key', (key) => `#EXT-X-KEY:METHOD=AES-128,URI="https://k.example/?key=${key}"`],
    [
      'an identity data URI',
      (key) => `#EXT-X-KEY:METHOD=AES-128,URI="data:text/plain;base64,${Buffer.from(key).toString('base64')}"`,
    ],
    [
      'LA_URL',
      (key) =>
        `<WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader" version="4.0.0.0"><DATA><LA_URL>https://test/rm.asmx?cfg=(kid:header,contentkey:${key},sl:150)</LA_URL></DATA></WRMHEADER>`,
    ],
    [
      'CUSTOMATTRIBUTES',
      (key) =>
        `<WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader" version="4.0.0.0"><DATA><CUSTOMATTRIBUTES><K>${key}</K></CUSTOMATTRIBUTES></DATA></WRMHEADER>`,
    ],
    [
      'a Laurl',
      (key) =>
        `<dashif:Laurl xmlns:dashif="https://dashif.org/CPS">https://clearkey.example/?${KID_HEX}=${key}</dashif:Laurl>`,
    ],
    ['an attribute of a ContentProtection', (key) => `<ContentProtection schemeIdUri="urn:x" key="${key}"/>`],
    ['a ClearKey licence', (key) => JSON.stringify({ keys: [{ kty: 'oct', kid: 'Ww46fJHUTFKPagwdLj9KUQ', k: key }] })],
    ['a map of ClearKey keys', (key) => JSON.stringify({ [KID_HEX]: key })],
    ['other JSON', (key) => JSON.stringify({ a: { contentKey: key } })],
    ['an skd URI', (key) => `skd://host/path?key=${key}`],
    [
      'a URI of SPEKE 1.0',
      (key) =>
        `<cpix:DRMSystem kid="${KID}" systemId="81376844-f976-481e-a84e-cc25d39b0b33"><cpix:URIExtXKey>${Buffer.from(`https://k/?key=${key}`).toString('base64')}</cpix:URIExtXKey></cpix:DRMSystem>`,
    ],
    ['text alone', (key) => key],
    ['text in quotes', (key) => `"${key}"`],
  ]
  for (const [name, hold] of HOLDERS) {
    test(name, () => {
      for (const key of SPELLINGS) {
        const text = hold(key)
        const shown = renderInspection(inspect(text)) + JSON.stringify(inspect(text))
        for (const spelling of SPELLINGS) assert.ok(!shown.includes(spelling), `${text}\n${shown}`)
      }
    })
  }
})

describe('a kid is shown in every form', () => {
  for (const form of [
    KID,
    KID.toUpperCase(),
    `{${KID}}`,
    `urn:uuid:${KID}`,
    KID.replaceAll('-', ''),
    `0x${KID.replaceAll('-', '')}`,
    'Ww46fJHUTFKPagwdLj9KUQ==',
    'Ww46fJHUTFKPagwdLj9KUQ',
    `"${KID.replaceAll('-', '')}"`,
    `kid=${KID.replaceAll('-', '')}`,
    `skd://${KID}`,
    `skd://${KID.replaceAll('-', '')}`,
    'skd://Ww46fJHUTFKPagwdLj9KUQ%3D%3D',
    `skd://${Buffer.from(KID).toString('base64')}`,
    `skd://drm.example.com/a/${KID}?x=y`,
    `SKD://${KID}`,
  ]) {
    test(form, () => assert.deepEqual(kidsOf(form), [KID]))
  }
})

describe('a box is read in every form in which people paste one', () => {
  const BOX = Buffer.from('AAAAOHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAABgSEFsOOnyR1ExSj2oMHS4/SlFI49yVmwY=', 'base64')
  const base64 = BOX.toString('base64')
  for (const form of [
    base64,
    `"${base64}"`,
    `'${base64}',`,
    `pssh = "${base64}";`,
    `"pssh": "${base64}"`,
    encodeURIComponent(base64),
    `data:text/plain;base64,${base64}`,
    base64.replace(/(.{20})/g, '$1\n'),
    BOX.toString('hex').toUpperCase(),
    `0x${BOX.toString('hex')}`,
    [...BOX].map((byte) => `0x${byte.toString(16)}`).join(', '),
    `[${[...BOX].join(', ')}]`,
    `new Uint8Array([${[...BOX].join(',')}])`,
    [...BOX].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
    `<cenc:pssh>${base64}</cenc:pssh>`,
    `&lt;cenc:pssh&gt;${base64}&lt;/cenc:pssh&gt;`,
    `<cpix:PSSH>${base64}</cpix:PSSH>`,
    `<cpix:DRMSystem kid="${KID}" systemId="edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"><cpix:PSSH>${base64}</cpix:PSSH></cpix:DRMSystem>`,
    `<AdaptationSet><ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cenc" cenc:default_KID="${KID}"/><ContentProtection schemeIdUri="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"><cenc:pssh>${base64}</cenc:pssh></ContentProtection></AdaptationSet>`,
    `#EXTINF:6,\na.ts\n#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:text/plain;base64,${base64}",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed",KEYFORMATVERSIONS="1"\n`,
  ]) {
    test(form.slice(0, 60).replaceAll('\n', '\\n'), () => {
      assert.deepEqual(kidsOf(form), [KID])
      assert.deepEqual(found(inspect(form)), [])
    })
  }
})

describe('a payload in the wrong place is named', () => {
  const MESSAGE = Buffer.from('CAESEFsOOnyR1ExSj2oMHS4/SlFI49yVmwY=', 'base64')
  const BOX = Buffer.from('AAAAOHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAABgSEFsOOnyR1ExSj2oMHS4/SlFI49yVmwY=', 'base64')
  const OBJECT = file('pro-root-misspelt-wrheader.b64').toString().trim()
  const drm = (systemId: string, element: string, text: string): string =>
    `<cpix:DRMSystem kid="${KID}" systemId="${systemId}"><cpix:${element}>${text}</cpix:${element}></cpix:DRMSystem>`
  const WIDEVINE = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'
  const PLAYREADY = '9a04f079-9840-4286-ab92-e65be0885f95'
  const b64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64')
  for (const [name, text, message] of [
    ['a Widevine message in PSSH', drm(WIDEVINE, 'PSSH', b64(MESSAGE)), /WidevinePsshData without its pssh box/],
    ['a PlayReady Object in PSSH', drm(PLAYREADY, 'PSSH', OBJECT), /PlayReady Object without its pssh box/],
    ['a kid in PSSH', drm(WIDEVINE, 'PSSH', 'Ww46fJHUTFKPagwdLj9KUQ=='), /only a KID, without pssh box/],
    ['base64 of base64 in PSSH', drm(WIDEVINE, 'PSSH', b64(b64(BOX))), /encoded twice/],
    [
      'a PlayReady Object in ContentProtectionData',
      drm(PLAYREADY, 'ContentProtectionData', OBJECT),
      /a PlayReady Object where XML belongs/,
    ],
    [
      'a pssh box in ContentProtectionData',
      drm(WIDEVINE, 'ContentProtectionData', b64(BOX)),
      /a pssh box where XML belongs/,
    ],
    [
      'a pssh box in a Smooth header',
      drm(PLAYREADY, 'SmoothStreamingProtectionHeaderData', b64(BOX)),
      /a whole pssh box where a PlayReady Object belongs/,
    ],
    ['a pssh box in mspr:pro', `<mspr:pro>${b64(BOX)}</mspr:pro>`, /a whole pssh box where a PlayReady Object belongs/],
    [
      'a WRMHEADER in mspr:pro',
      `<mspr:pro>${b64(Buffer.from(file('wrm-4.0-version-before-xmlns.xml').toString(), 'utf16le'))}</mspr:pro>`,
      /WRMHEADER without its PlayReady Object/,
    ],
    [
      'a Widevine message in an HLS line',
      `#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:text/plain;base64,${b64(MESSAGE)}",KEYFORMAT="urn:uuid:${WIDEVINE}"`,
      /WidevinePsshData without its pssh box/,
    ],
    [
      'a pssh box in a PlayReady line',
      `#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:text/plain;charset=UTF-16;base64,${b64(BOX)}",KEYFORMAT="com.microsoft.playready"`,
      /a whole pssh box where a PlayReady Object belongs/,
    ],
  ] as const) {
    test(name, () => assert.match(found(inspect(text)).join('\n'), message))
  }
})

test('lines for the same segments that name different keys are reported', () => {
  const line = (kid: string): string => `KEYID=0x${kid.replaceAll('-', '')}`
  const text = `#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://${OTHER}",KEYFORMAT="com.apple.streamingkeydelivery"\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="https://x",${line(KID)},KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"\n#EXTINF:6,\na.ts\n`
  assert.match(found(inspect(text)).join('\n'), /names the key c2f7d1e8.*5b0e3a7c/)
  assert.deepEqual(found(inspect(text.replace(OTHER, KID))), [])
})

test('boxes of one system in a moov may each be for another track', () => {
  const box = (type: string, ...parts: readonly Buffer[]): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), ...parts])
    const size = Buffer.alloc(4)
    size.writeUInt32BE(body.length + 4)
    return Buffer.concat([size, body])
  }
  const tenc = (kid: string): Buffer =>
    box(
      'tenc',
      Buffer.from('00000000000001', 'hex'),
      Buffer.from('08', 'hex'),
      Buffer.from(kid.replaceAll('-', ''), 'hex'),
    )
  const trak = (kid: string): Buffer =>
    box('trak', box('mdia', box('minf', box('stbl', box('sinf', box('schi', tenc(kid)))))))
  const boxes = Buffer.from(file('two-widevine-boxes-in-one-cpix-pssh.b64').toString(), 'base64')
  assert.deepEqual(found(inspect(box('moov', trak(KID), trak(OTHER), boxes))), [])
  assert.equal(found(inspect(box('moov', trak('3f1c9a52-6b0e-4d87-9c34-1e5a70b2d801'), boxes))).length, 2)
})

test('boxes inside each other do not exhaust the stack', () => {
  let box = Buffer.alloc(0)
  const head = Buffer.from('0000000070737368000000' + '00edef8ba979d64acea3c827dcd51d21ed00000000', 'hex')
  for (let i = 0; i < 5_000; i++) {
    const outer = Buffer.concat([head, box])
    outer.writeUInt32BE(outer.length, 0)
    outer.writeUInt32BE(box.length, 28)
    box = outer
  }
  assert.match(found(inspect(box)).join('\n'), /16 deep in each other/)
})

test('a part of an MPD is named without what surrounds it, and what it lacks is a note', () => {
  const inspection = inspect(
    '<Representation><ContentProtection schemeIdUri="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"/></Representation>',
  )
  assert.equal(inspection.nodes[0]?.name, 'Representation')
  assert.deepEqual(found(inspection), [])
  assert.equal(found(inspection, true).filter((one) => /names no/.test(one)).length, 2)
})

test('names the KEYFORMATs of other DRM systems, and reads the JSON of older Widevine lines', () => {
  const line = (format: string, uri = 'https://x'): string =>
    `#EXT-X-KEY:METHOD=SAMPLE-AES,URI="${uri}",KEYFORMAT="${format}"`
  for (const format of [
    'PRMNAGRA',
    'org.w3.clearkey',
    'urn:uuid:3d5e6d35-9b9a-41e8-b843-dd3c6e72c42c',
    'urn:uuid:80a6be7e-1448-4c37-9e70-d5aebe04c8d2',
  ])
    assert.doesNotMatch(found(inspect(line(format)), true).join(), /KEYFORMAT/)
  const json = Buffer.from(JSON.stringify({ provider: 'p', key_ids: [OTHER.replaceAll('-', '')] })).toString('base64')
  const widevine = `${line('com.widevine', `data:text/plain;base64,${json}`)},KEYID=0x${KID.replaceAll('-', '')}`
  assert.match(found(inspect(widevine)).join(), /^warning: names c2f7d1e8[^;]*KEYID has 5b0e3a7c[^,]*$/)
})

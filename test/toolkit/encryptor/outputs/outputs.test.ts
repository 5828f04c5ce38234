import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { guidBytes, type Kid } from '../../../../src/formats/cenc.ts'
import { PLAYREADY, WIDEVINE } from '../../../../src/formats/drm/facts.ts'
import { decodePlayReadyObject, encodePlayReadyObject } from '../../../../src/formats/drm/payloads/playready-object.ts'
import { decodePsshBoxes, encodePssh } from '../../../../src/formats/drm/payloads/pssh.ts'
import {
  decodeWidevinePsshData,
  encodeWidevinePsshData,
} from '../../../../src/formats/drm/payloads/widevine-pssh-data.ts'
import { readWrmHeader } from '../../../../src/formats/drm/payloads/wrm-header.ts'
import { readXml } from '../../../../src/formats/xml/reader.ts'
import { newRecipient } from '../../../../src/toolkit/encryptor/certificate.ts'
import { OUTPUT_NAMES, type OutputOptions, type Rendered } from '../../../../src/toolkit/encryptor/outputs/output.ts'
import { OUTPUTS } from '../../../../src/toolkit/encryptor/outputs/outputs.ts'
import { substitute } from '../../../../src/toolkit/encryptor/substitute.ts'
import { answerTo, type Wish } from '../asking.ts'

/** Of the DASH-IF ClearKey sample pair, and others beside it. */
const KIDS: Readonly<Record<string, string>> = {
  VIDEO: '9eb4050d-e44b-4802-932e-27d75083e266',
  ALL: '9eb4050d-e44b-4802-932e-27d75083e266',
  AUDIO: '087bcfc6-f7a5-5716-b840-6aa6eba3369e',
}
const VIDEO_KEY = '166634c675823c235a4a9446fad52e4d'
const iv = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
const PAIR: Wish = { kidOf: (track) => (KIDS[track] ?? KIDS.VIDEO) as Kid, ivOf: () => iv }
const CBCS: Wish = { ...PAIR, drm: ['widevine', 'fairplay'], scheme: 'cbcs', container: 'cmaf' }
const MULTI: Wish = { ...PAIR, drm: ['widevine', 'playready', 'common-pssh'] }

/** The version and kids of a PlayReady Object. */
function kidsOfObject(bytes: Uint8Array): readonly string[] {
  return decodePlayReadyObject(bytes).flatMap(({ value }) => {
    const { version, keys } = readWrmHeader(value)
    return [version, ...keys.map(({ kid }) => kid)]
  })
}

/** The flags of Shaka Packager by name. */
function flagsOf({ args = [] }: Rendered): Readonly<Record<string, string>> {
  return Object.fromEntries(args.map((arg) => arg.replace('--', '').split(/=(.*)/s) as [string, string]))
}

const OPTIONS: OutputOptions = {
  showKeys: false,
  fileBeside: (suffix) => `/tmp/keys${suffix}`,
  trackIds: new Map(),
  track: undefined,
}

const golden = (name: string): string => readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8')
async function render(format: string, wish: Wish = CBCS, options: Partial<OutputOptions> = {}): Promise<Rendered> {
  const output = OUTPUTS.get(format) ?? assert.fail(format)
  return output.render(await answerTo(wish), { ...OPTIONS, ...options })
}

const GOLDEN: readonly (readonly [file: string, format: string, wish: Wish, options?: Partial<OutputOptions>])[] = [
  ['table.txt', 'table', CBCS],
  [
    'table-with-keys.txt',
    'table',
    {
      ...CBCS,
      periods: { count: 2 },
      kidOf: (track, period) => KIDS[track]?.replace(/^./, String(period?.number)) as Kid,
    },
    { showKeys: true },
  ],
  ['answer.json', 'json', CBCS],
  ['answer-with-keys.json', 'json', { ...PAIR, video: 'SHARED', periods: { firstIndex: 7 } }, { showKeys: true }],
  ['shaka-cbcs.flags', 'shaka', CBCS],
  ['shaka-cenc.flags', 'shaka', { ...PAIR, video: 'SHARED' }],
  ['ffmpeg-cenc.txt', 'ffmpeg', { ...PAIR, video: 'SHARED' }],
  ['ffmpeg-aes-128.keyinfo', 'ffmpeg', { ...PAIR, speke: '1.0', drm: ['aes-128'], video: 'SHARED' }],
  ['bento4-cbcs.txt', 'bento4', CBCS],
  ['bento4-cenc.txt', 'bento4', { ...PAIR, video: 'SHARED' }],
  ['gpac-cbcs.xml', 'gpac', CBCS],
  ['gpac-cenc.xml', 'gpac', { ...PAIR, video: 'SHARED', drm: ['common-pssh'] }],
  ['dotenv.env', 'dotenv', CBCS],
]

for (const [file, format, wish, options] of GOLDEN) {
  test(`writes ${format} as in golden/${file}`, async () => {
    assert.equal((await render(format, wish, options)).text, golden(file))
  })
}

test('cpix is the unchanged document', async () => {
  const answer = await answerTo(CBCS)
  assert.equal(OUTPUTS.get('cpix')?.render(answer, OPTIONS).text, answer.document)
})

test('--format accepts every format', () => {
  assert.deepEqual([...OUTPUTS.keys()], [...OUTPUT_NAMES])
})

test('table and json contain keys only with showKeys', async () => {
  for (const format of ['table', 'json']) {
    assert.ok(!(await render(format)).text.includes(VIDEO_KEY), format)
    assert.ok((await render(format, CBCS, { showKeys: true })).text.includes(VIDEO_KEY), format)
  }
})

test('a format with keys says so', async () => {
  const answer = await answerTo({ ...PAIR, video: 'SHARED' })
  const spellings = [VIDEO_KEY, Buffer.from(VIDEO_KEY, 'hex').toString('base64')]
  for (const [name, output] of OUTPUTS) {
    const { text } = output.render(answer, OPTIONS)
    assert.equal(
      output.holdsKeys(answer),
      spellings.some((key) => text.includes(key)),
      name,
    )
  }
})

test('in counter mode no packager gets an IV that its streams would share', async () => {
  for (const format of ['shaka', 'bento4', 'gpac']) {
    const { text, notes = [] } = await render(format, { ...PAIR, video: 'SHARED' })
    assert.ok(!text.includes(iv.toString('hex')), format)
    assert.match(notes.join(), /share a keystream/, format)
  }
})

test('an ffmpeg key info file comes with a key file', async () => {
  const { files = [] } = await render('ffmpeg', { ...PAIR, speke: '1.0', drm: ['aes-128'], video: 'SHARED' })
  assert.deepEqual(
    files.map(({ path, bytes }) => [path, bytes.length]),
    [['/tmp/keys.key', 16]],
  )
})

test('mp4encrypt gets one box per DRM system, with the data in a file', async () => {
  const { files = [], args = [] } = await render('bento4', MULTI)
  const options = args.flatMap((arg, i) => (arg.startsWith('--pssh') ? [`${arg} ${args[i + 1]}`] : []))
  assert.deepEqual(options, [
    '--pssh edef8ba979d64acea3c827dcd51d21ed:/tmp/keys.pssh-1',
    '--pssh 9a04f07998404286ab92e65be0885f95:/tmp/keys.pssh-2',
    '--pssh-v1 1077efecc0b24d02ace33c1e52e2fb4b:',
  ])
  const [widevine, playready] = files.map(({ bytes }) => bytes)
  assert.deepEqual(decodeWidevinePsshData(widevine ?? Buffer.alloc(0)).keyIds, [KIDS.VIDEO, KIDS.AUDIO])
  assert.deepEqual(kidsOfObject(playready ?? Buffer.alloc(0)), ['4.2.0.0', KIDS.VIDEO, KIDS.AUDIO])
  const without = await render('bento4', CBCS, { fileBeside: undefined })
  assert.match(without.notes?.join() ?? '', /set --out FILE/)
})

test('Shaka Packager writes the signalling of several keys itself, and one key keeps its boxes', async () => {
  const several = flagsOf(await render('shaka', MULTI))
  assert.equal(several.protection_systems, 'Widevine,PlayReady,CommonSystem')
  assert.equal(several.pssh, undefined)
  const one = flagsOf(await render('shaka', { ...MULTI, video: 'SHARED' }))
  assert.equal(one.protection_systems, undefined)
  assert.equal(decodePsshBoxes(Buffer.from(one.pssh ?? '', 'hex')).length, 3)
  const track = flagsOf(await render('shaka', MULTI, { track: 'AUDIO' }))
  assert.match(track.keys ?? '', new RegExp(`^label=:key_id=${KIDS.AUDIO?.replaceAll('-', '')}:key=[0-9a-f]{32}$`))
  assert.deepEqual(
    decodeWidevinePsshData(decodePsshBoxes(Buffer.from(track.pssh ?? '', 'hex'))[0]?.data as Uint8Array).keyIds,
    [KIDS.AUDIO],
  )
})

test('a Widevine box with more than kids keeps its fields in one box for all keys', async () => {
  const answer = await answerTo({ ...PAIR, drm: ['widevine'] })
  const withContentId = (contentIdOf: (kid: string) => string) => ({
    ...answer,
    systems: answer.systems.map((system) => ({
      ...system,
      pssh: encodePssh({
        systemId: WIDEVINE,
        kids: [],
        data: encodeWidevinePsshData({ keyIds: [system.kid], contentId: Buffer.from(contentIdOf(system.kid)) }),
      }),
    })),
  })
  const shaka = OUTPUTS.get('shaka') ?? assert.fail()
  const same = flagsOf(
    shaka.render(
      withContentId(() => 'film'),
      OPTIONS,
    ),
  )
  const [box] = decodePsshBoxes(Buffer.from(same.pssh ?? '', 'hex'))
  const { keyIds, contentId = Buffer.alloc(0) } = decodeWidevinePsshData(box?.data ?? Buffer.alloc(0))
  assert.deepEqual([keyIds, Buffer.from(contentId).toString()], [[KIDS.VIDEO, KIDS.AUDIO], 'film'])
  const different = shaka.render(
    withContentId((kid) => kid),
    OPTIONS,
  )
  assert.equal(flagsOf(different).protection_systems, 'Widevine')
  assert.match(different.notes?.join() ?? '', /own Widevine data.*--track TRACK/)
})

test('several PlayReady headers keep their licence URL, which adds no option', async () => {
  const laUrl = 'https://keys.example.com/?a=1&b=2'
  const answer = await answerTo({ ...PAIR, drm: ['playready'] })
  const header = (kid: string, url: string): Buffer =>
    Buffer.from(
      `<WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader" version="4.0.0.0"><DATA><PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO><KID>${guidBytes(kid as Kid).toString('base64')}</KID>${url}</DATA></WRMHEADER>`,
      'utf16le',
    )
  const withUrl = (urlOf: (kid: string) => string) => ({
    ...answer,
    systems: answer.systems.map((system) => ({
      ...system,
      pssh: encodePssh({
        systemId: PLAYREADY,
        kids: [],
        data: encodePlayReadyObject([{ type: 1, value: header(system.kid, urlOf(system.kid)) }]),
      }),
    })),
  })
  const shaka = OUTPUTS.get('shaka') ?? assert.fail()
  const element = `<LA_URL>${laUrl.replace('&', '&amp;')}</LA_URL>`
  const same = shaka.render(
    withUrl(() => element),
    OPTIONS,
  )
  assert.equal(flagsOf(same).playready_extra_header_data, element)
  const { text } = shaka.render(
    withUrl(() => '<LA_URL>a\n--help</LA_URL>'),
    OPTIONS,
  )
  assert.match(text, /^--playready_extra_header_data=<LA_URL>a --help<\/LA_URL>$/m)
  const different = shaka.render(
    withUrl((kid) => `<LA_URL>${kid}</LA_URL>`),
    OPTIONS,
  )
  assert.equal(flagsOf(different).protection_systems, 'PlayReady')
  assert.match(different.notes?.join() ?? '', /own PlayReady header data.*--track TRACK/)
  const file = OUTPUTS.get('gpac')?.render(
    withUrl((kid) => `<LA_URL>${kid}</LA_URL>`),
    OPTIONS,
  )
  assert.doesNotMatch(file?.text ?? '', /DRMInfo/)
  assert.match(file?.notes?.join() ?? '', /boxes of playready differ .* omitted/)
})

test('FairPlay keeps its KEYFORMAT, and the notes have the URI of each key', async () => {
  const fairplay: Wish = { ...PAIR, drm: ['fairplay'], scheme: 'cbcs' }
  const one = flagsOf(await render('shaka', { ...fairplay, video: 'SHARED' }))
  assert.equal(one.protection_systems, 'FairPlay')
  assert.match(one.hls_key_uri ?? '', /^skd:\/\/./)
  const { notes = [], ...several } = await render('shaka', fairplay)
  assert.equal(flagsOf(several).protection_systems, 'FairPlay')
  assert.equal(flagsOf(several).hls_key_uri, undefined)
  const written = Buffer.from((KIDS.AUDIO ?? '').replaceAll('-', ''), 'hex').toString('base64')
  assert.ok(notes.some((note) => note.startsWith(`AUDIO: replace URI="skd://${written}" with URI="skd://`)))
})

test('the common pssh box gets no identity line with the URI of FairPlay', async () => {
  const wish: Wish = { ...PAIR, drm: ['fairplay', 'common-pssh'], scheme: 'cbcs', video: 'SHARED' }
  const rendered = await render('shaka', wish)
  assert.equal(flagsOf(rendered).protection_systems, 'FairPlay')
  assert.equal(flagsOf(rendered).pssh, undefined)
  assert.match(rendered.notes?.join() ?? '', /common pssh box is omitted/)
  const clear = flagsOf(await render('shaka', { ...wish, drm: ['sample-aes', 'widevine'] }))
  assert.equal(clear.protection_systems, 'CommonSystem')
  assert.match(clear.hls_key_uri ?? '', /^https:/)
})

test('the DRM file of GPAC has one box per DRM system and no IV_size for cbcs', async () => {
  const { text } = await render('gpac', { ...MULTI, scheme: 'cbcs' })
  assert.equal(text.match(/<DRMInfo /g)?.length, 3)
  assert.doesNotMatch(text, /IV_size="0"| IV_size=/)
  assert.equal(text.match(/constant_IV_size="16" constant_IV="0x[0-9a-f]{32}"/g)?.length, 2)
  const shared = (await render('gpac', { ...CBCS, video: 'SHARED' })).text
  const patterns = [
    ...shared.matchAll(/trackID="(\d)"[^>]*?( crypt_byte_block="1" skip_byte_block="9")?(?= saiSavedBox)/g),
  ]
  assert.deepEqual(
    patterns.map(([, id, pattern]) => [id, pattern !== undefined]),
    [
      ['1', true],
      ['2', false],
    ],
  )
})

test('uses the given track IDs', async () => {
  const trackIds = new Map([['VIDEO', [3, 4]]])
  const { text } = await render('gpac', CBCS, { trackIds })
  assert.deepEqual(
    [...text.matchAll(/trackID="(\d+)"/g)].map(([, id]) => id),
    ['3', '4', '2'],
  )
})

test('the DRM file of GPAC is well-formed XML', async () => {
  assert.equal(readXml(Buffer.from((await render('gpac')).text)).root.local, 'GPACDRM')
})

test('a note names a track that needs a drm_label', async () => {
  const { text, notes = [] } = await render('shaka', { ...PAIR, video: 'VIDEO-7', kidOf: undefined } as unknown as Wish)
  assert.match(text, /label=SD\+HD1:/)
  assert.match(notes.join('\n'), /set drm_label to the name of the track for the streams of SD\+HD1, HD2/)
})

const REFUSED: readonly (readonly [
  what: string,
  format: string,
  wish: Wish,
  problem: RegExp,
  options?: Partial<OutputOptions>,
])[] = [
  ['two key periods', 'shaka', { periods: { count: 2 } }, /keys of one key period/],
  ['an unknown track', 'shaka', {}, /no track SD: use one of VIDEO, AUDIO/, { track: 'SD' }],
  ['two keys', 'ffmpeg', {}, /--track with one of VIDEO, AUDIO/],
  ['cbcs', 'ffmpeg', { video: 'SHARED', scheme: 'cbcs' }, /not cbcs/],
  [
    'a key info file on standard output',
    'ffmpeg',
    { speke: '1.0', drm: ['aes-128'], video: 'SHARED' },
    /set --out FILE/,
    { fileBeside: undefined },
  ],
  ['cbcs without IV', 'gpac', { scheme: 'cbcs', drm: ['common-pssh'] }, /--iv new/],
]

for (const [what, format, wish, message, options] of REFUSED) {
  test(`${format} rejects ${what}`, async () => {
    if (what === 'cbcs without IV') {
      const answer = await answerTo(wish)
      const keys = answer.keys.map((key) => ({ ...key, explicitIv: undefined }))
      assert.throws(() => OUTPUTS.get(format)?.render({ ...answer, keys }, OPTIONS), {
        code: 'ERR_USAGE_INVALID',
        message,
      })
      return
    }
    await assert.rejects(render(format, wish, options), { code: 'ERR_USAGE_INVALID', message })
  })
}

test('a format with keys rejects keys encrypted for another recipient; cpix does not contain them', async () => {
  const { certificate } = newRecipient(Date.UTC(2026, 10, 21), (size) => Buffer.alloc(size, 1))
  const answer = await answerTo({ certificates: [certificate] })
  for (const format of ['shaka', 'bento4', 'gpac', 'dotenv']) {
    assert.throws(() => OUTPUTS.get(format)?.render(answer, OPTIONS), { message: /--private-key/ }, format)
  }
  assert.equal(OUTPUTS.get('cpix')?.holdsKeys(answer), false)
  assert.match(OUTPUTS.get('table')?.render(answer, OPTIONS).text ?? '', /encrypted/)
})

test('a URI with a line break adds no option', async () => {
  const answer = await answerTo({ ...PAIR, speke: '1.0', drm: ['aes-128'], video: 'SHARED' })
  const systems = answer.systems.map((system) => ({ ...system, uriExtXKey: 'https://a\n--help' }))
  for (const format of ['shaka', 'ffmpeg']) {
    assert.throws(() => OUTPUTS.get(format)?.render({ ...answer, systems }, OPTIONS), { message: /line break/ })
  }
})

test('removes terminal control characters of a key provider', async () => {
  const answer = await answerTo(CBCS)
  const systems = answer.systems.map((system) => ({ ...system, hlsMedia: '#EXT-X-KEY:METHOD=\u001b[2J' }))
  assert.ok(
    !OUTPUTS.get('table')
      ?.render({ ...answer, systems }, OPTIONS)
      .text.includes('\u001b'),
  )
})

async function substituted(command: readonly string[], wish: Wish = CBCS) {
  const answer = await answerTo(wish)
  return substitute(command, {
    answer,
    render: (format, track) => OUTPUTS.get(format)?.render(answer, { ...OPTIONS, track }) ?? assert.fail(format),
    writeFile: (format, track) => `/tmp/${format}${track === undefined ? '' : `-${track}`}`,
  })
}

test('replaces the placeholders of a command and keeps other braces', async () => {
  assert.deepEqual(
    await substituted(['packager', '--flagfile={file:shaka}', '{kid:AUDIO}', '{a,b}', '{unknown}', '{file:shaka}']),
    {
      command: [
        'packager',
        '--flagfile=/tmp/shaka',
        KIDS.AUDIO?.replaceAll('-', ''),
        '{a,b}',
        '{unknown}',
        '/tmp/shaka',
      ],
      keysInArguments: false,
    },
  )
})

test('a placeholder selects one track', async () => {
  const { command } = await substituted([
    'packager',
    '--flagfile={file:shaka:AUDIO}',
    '{file:shaka:VIDEO}',
    '{shaka:AUDIO}',
  ])
  assert.deepEqual(command.slice(0, 4), [
    'packager',
    '--flagfile=/tmp/shaka-AUDIO',
    '/tmp/shaka-VIDEO',
    '--enable_raw_key_encryption',
  ])
  assert.match(command[4] ?? '', new RegExp(`^--keys=label=:key_id=${KIDS.AUDIO?.replaceAll('-', '')}:`))
})

test('reports a key in an argument', async () => {
  const { command, keysInArguments } = await substituted(['x', 'k={key:VIDEO}', '{iv:VIDEO}'])
  assert.deepEqual(command, ['x', `k=${VIDEO_KEY}`, iv.toString('hex')])
  assert.equal(keysInArguments, true)
  const spread = await substituted(['packager', '{shaka}', 'in=a'])
  assert.deepEqual(spread.command.slice(0, 2), ['packager', '--enable_raw_key_encryption'])
  assert.equal(spread.keysInArguments, true)
})

for (const [command, message] of [
  [['packager', 'in=a'], /no placeholder/],
  [['{key}'], /\{key:TRACK\} with a TRACK of VIDEO, AUDIO/],
  [['{key:SD}'], /TRACK of VIDEO, AUDIO/],
] as const) {
  test(`rejects the command ${command.join(' ')}`, async () => {
    await assert.rejects(substituted(command), { code: 'ERR_USAGE_INVALID', message })
  })
}

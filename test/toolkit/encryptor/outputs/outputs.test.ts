import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Kid } from '../../../../src/formats/cenc.ts'
import { decodePssh } from '../../../../src/formats/drm/payloads/pssh.ts'
import { readXml } from '../../../../src/formats/xml/reader.ts'
import { newRecipient } from '../../../../src/toolkit/encryptor/certificate.ts'
import { OUTPUT_NAMES } from '../../../../src/toolkit/encryptor/outputs/names.ts'
import type { OutputOptions, Rendered } from '../../../../src/toolkit/encryptor/outputs/output.ts'
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

test('mp4encrypt is given the data of each box in a file', async () => {
  const answer = await answerTo(CBCS)
  const { files = [], args = [] } = await render('bento4')
  const boxes = answer.systems.flatMap(({ pssh }) => (pssh === undefined ? [] : decodePssh(pssh)))
  assert.deepEqual(
    files.map(({ bytes }) => Buffer.from(bytes).toString('hex')),
    boxes.map(({ data }) => Buffer.from(data).toString('hex')),
  )
  assert.equal(args.filter((arg) => arg === '--pssh').length, files.length)
  const without = await render('bento4', CBCS, { fileBeside: undefined })
  assert.match(without.notes?.join() ?? '', /give --out FILE/)
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
  assert.match(notes.join('\n'), /give the streams of SD\+HD1, HD2 that name as drm_label/)
})

const REFUSED: readonly (readonly [
  what: string,
  format: string,
  wish: Wish,
  problem: RegExp,
  options?: Partial<OutputOptions>,
])[] = [
  ['two key periods', 'shaka', { periods: { count: 2 } }, /keys of one key period/],
  ['two keys', 'ffmpeg', {}, /--track one of VIDEO, AUDIO/],
  ['cbcs', 'ffmpeg', { video: 'SHARED', scheme: 'cbcs' }, /not by cbcs/],
  [
    'a key info file on standard output',
    'ffmpeg',
    { speke: '1.0', drm: ['aes-128'], video: 'SHARED' },
    /give --out FILE/,
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
    render: (format) => OUTPUTS.get(format)?.render(answer, OPTIONS) ?? assert.fail(format),
    writeFile: (format) => `/tmp/${format}`,
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

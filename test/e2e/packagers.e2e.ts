import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { packageAes128 } from '../../src/demo/aes-128.ts'
import { packageCmaf, streamsOf } from '../../src/demo/cmaf.ts'
import type { TrackKey } from '../../src/demo/speke.ts'
import { ffmpeg, PACKAGER, packager } from '../../src/demo/tools.ts'
import { decodePlayReadyObject } from '../../src/formats/drm/payloads/playready-object.ts'
import { readWrmHeader } from '../../src/formats/drm/payloads/wrm-header.ts'
import { openStudio, SIGNER, type Studio } from './studio.ts'

let studio: Studio
before(async () => {
  studio = await openStudio()
})
after(async () => {
  await studio.close()
})

/** The decoded frames of a file, each by the MD5 of its samples. */
async function framesOf(...input: readonly string[]): Promise<readonly string[]> {
  const text = await ffmpeg(studio.folder, [...input, '-map', '0', '-f', 'framemd5', '-'])
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

const BIN = fileURLToPath(new URL('../../bin/keyspring.js', import.meta.url))

/** The standard output of a command, run in the folder of the studio. */
async function keyspring(args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [BIN, ...args], { cwd: studio.folder })
  return stdout
}

const hex = (kid: string): string => kid.replaceAll('-', '')

describe('FFmpeg decrypts a file that Shaka Packager encrypted with SPEKE keys', () => {
  for (const scheme of ['cenc', 'cbcs'] as const) {
    test(`${scheme}: every frame equals the source`, async () => {
      const tracks = ['AUDIO', 'SD'].map((trackType) => ({ kid: randomUUID(), trackType }))
      const keys = await studio.ask({ contentId: `file-${scheme}`, scheme, systems: ['widevine'], tracks })
      for (const [i, stream] of (['audio', 'video'] as const).entries()) {
        const { kid, key, iv } = keys[i] ?? assert.fail('no key')
        const [plain, encrypted] = [`${scheme}-${stream}-clear.mp4`, `${scheme}-${stream}.mp4`]
        await packager(studio.folder, [`in=${studio.clip.sd},stream=${stream},output=${plain}`])
        await packager(studio.folder, [
          `in=${studio.clip.sd},stream=${stream},output=${encrypted}`,
          '--enable_raw_key_encryption',
          `--keys=label=:key_id=${hex(kid)}:key=${key}${iv === undefined ? '' : `:iv=${iv}`}`,
          ...[`--protection_scheme=${scheme}`, '--clear_lead=0'],
        ])
        const source = await framesOf('-i', plain)
        assert.ok(source.length > 250)
        assert.deepEqual(await framesOf('-decryption_key', key, '-i', encrypted), source)
        const wrong = 'ff'.repeat(16)
        const garbled = await framesOf('-decryption_key', wrong, '-i', encrypted).catch(() => [])
        assert.notDeepEqual(garbled, source)
      }
    })
  }
})

describe('keyspring request --run starts Shaka Packager with the keys of two tracks', () => {
  for (const scheme of ['cenc', 'cbcs'] as const) {
    test(`${scheme}: every frame equals the source, and each AdaptationSet has its own licence URL and kid`, async () => {
      const asked = ['request', `${studio.url}/copyProtection`, '--content-id', `run-${scheme}`, '--scheme', scheme]
      const outputs = ['video', 'audio'].map(
        (stream) => `in=${studio.clip.sd},stream=${stream},output=run-${scheme}-${stream}.mp4`,
      )
      const mpd = `run-${scheme}.mpd`
      const flags = ['--flagfile={file:shaka}', '--clear_lead=0', `--mpd_output=${mpd}`, '--quiet']
      await keyspring([...asked, '--run', '--', PACKAGER, ...flags, ...outputs])
      const { contentKeys } = JSON.parse(await keyspring([...asked, '--format', 'json', '--show-keys']))
      for (const [i, stream] of ['video', 'audio'].entries()) {
        await packager(studio.folder, [`in=${studio.clip.sd},stream=${stream},output=run-${stream}-clear.mp4`])
        const source = await framesOf('-i', `run-${stream}-clear.mp4`)
        const decrypted = ['-decryption_key', contentKeys[i].contentKey, '-i', `run-${scheme}-${stream}.mp4`]
        assert.deepEqual(await framesOf(...decrypted), source)
      }
      const text = await readFile(studio.at(mpd), 'utf8')
      const objects = [...text.matchAll(/<mspr:pro>([^<]+)</g)].map(([, base64 = '']) =>
        decodePlayReadyObject(Buffer.from(base64, 'base64')).map(({ value }) => readWrmHeader(value)),
      )
      assert.deepEqual(
        objects.flat().map(({ laUrl, keys }) => [laUrl, keys.map(({ kid }) => kid)]),
        contentKeys.map(({ kid }: { kid: string }) => [`${studio.licenses.url}/playready?a=1&b=2`, [kid]]),
      )
    })
  }
})

describe('HLS AES-128 with key rotation', () => {
  test('FFmpeg downloads three keys from the URLs of the playlist, and every frame equals the source', async () => {
    const tracks = [0, 1, 2].map((period) => ({ kid: randomUUID(), trackType: 'ALL', period }))
    const keys = await studio.ask({ contentId: 'hls', scheme: 'cbc1', systems: ['aes128'], tracks })
    assert.equal(new Set(keys.map(({ key }) => key)).size, 3)
    await packageAes128(studio.at('hls'), studio.clip, keys)
    await packageAes128(studio.at('hls-clear'), studio.clip, [undefined, undefined, undefined])

    const file = studio.at('hls', 'stream.m3u8')
    const playlist = await readFile(file, 'utf8')
    assert.equal(playlist.match(/#EXT-X-KEY:METHOD=AES-128,URI="http/g)?.length, 3)
    const token = await studio.mint({ contentIds: ['hls'] })
    await writeFile(file, playlist.replace(/(URI="[^"]+)"/g, `$1?token=${token}"`))
    const reading = ['-allowed_extensions', 'ALL', '-protocol_whitelist', 'file,http,tcp,crypto', '-i']
    const source = await framesOf(...reading, studio.at('hls-clear', 'stream.m3u8'))
    assert.ok(source.length > 500)
    assert.deepEqual(await framesOf(...reading, file), source)
    await writeFile(file, playlist)
    assert.notDeepEqual(await framesOf(...reading, file).catch(() => []), source, 'and not without a token')
  })
})

describe('a stock Shaka Packager that gets its keys from the Widevine key API', () => {
  for (const scheme of ['cenc', 'cbcs'] as const) {
    test(`${scheme}: FFmpeg decrypts its output to the source, with the key of the API`, async () => {
      const contentId = `api-${scheme}`
      const output = `${contentId}.mp4`
      await packager(studio.folder, [
        `in=${studio.clip.sd},stream=video,output=${output}`,
        '--enable_widevine_encryption',
        `--key_server_url=${studio.url}/widevine/getcontentkey/${SIGNER.name}`,
        `--content_id=${Buffer.from(contentId).toString('hex')}`,
        ...[`--signer=${SIGNER.name}`, `--aes_signing_key=${SIGNER.key}`, `--aes_signing_iv=${SIGNER.iv}`],
        ...[`--protection_scheme=${scheme}`, '--clear_lead=0'],
      ])
      await packager(studio.folder, [`in=${studio.clip.sd},stream=video,output=${contentId}-clear.mp4`])
      // The kid stands in the file. By SPEKE the same content has the same key for it.
      const kid = await kidOf(output)
      const tracks = [{ kid, trackType: 'ALL' }]
      const [{ key } = assert.fail('no key')] = await studio.ask({ contentId, scheme, systems: ['widevine'], tracks })
      const source = await framesOf('-i', `${contentId}-clear.mp4`)
      assert.deepEqual(await framesOf('-decryption_key', key, '-i', output), source)
    })
  }

  test('a signer with another key gets no keys', async () => {
    const refused = packager(studio.folder, [
      `in=${studio.clip.sd},stream=video,output=none.mp4`,
      '--enable_widevine_encryption',
      `--key_server_url=${studio.url}/widevine/getcontentkey/${SIGNER.name}`,
      ...['--content_id=00', `--signer=${SIGNER.name}`, `--aes_signing_key=${'00'.repeat(32)}`],
      `--aes_signing_iv=${SIGNER.iv}`,
    ])
    await assert.rejects(refused, /SERVER_ERROR/)
  })
})

describe('IVs', () => {
  test('cenc gets no IV from Keyspring, and two renditions with one key have different IVs', async () => {
    const [key = assert.fail('no key')] = await studio.ask({
      contentId: 'shared',
      scheme: 'cenc',
      systems: ['widevine', 'common'],
      tracks: [{ kid: randomUUID(), trackType: 'ALL' }],
    })
    assert.equal(key.iv, undefined)
    const keys = ['AUDIO', 'SD', 'HD'].map((trackType): TrackKey => ({ ...key, trackType }))
    await packageCmaf(studio.at('shared'), studio.clip, { scheme: 'cenc', keys })
    const ivs = await Promise.all(
      ['audio', 'sd', 'hd'].map(async (name) => ivsOf(studio.at('shared', `${name}-1.m4s`))),
    )
    for (const list of ivs) assert.ok(list.length > 40)
    const all = ivs.flat()
    assert.equal(new Set(all).size, all.length)
  })

  test('cbcs gets one IV for each key, and tenc contains it', async () => {
    const keys = await studio.publish('constant', 'cbcs')
    for (const { trackType, iv = assert.fail('no IV') } of keys) {
      const init = await readFile(studio.at('constant', `${trackType.toLowerCase()}-init.mp4`))
      assert.ok(init.includes(Buffer.from(iv, 'hex')))
    }
  })
})

test('the packaged files contain no content key in any encoding', async () => {
  await studio.publish('searched-cenc', 'cenc')
  await studio.publish('searched-cbcs', 'cbcs')
  let files = 0
  for (const name of ['searched-cenc', 'searched-cbcs', 'shared', 'constant', 'hls']) {
    for (const [file, bytes] of await studio.filesOf(name)) {
      files++
      for (const { key } of studio.issued) {
        const raw = Buffer.from(key, 'hex')
        for (const spelling of [raw, key, key.toUpperCase(), raw.toString('base64'), raw.toString('base64url')]) {
          assert.ok(!bytes.includes(spelling), `${name}/${file}`)
        }
      }
    }
  }
  assert.ok(files > 80 && studio.issued.length > 10)
})

test('keys appear neither in the output of the packager nor in the log of the server', async () => {
  assert.equal(streamsOf(studio.clip).length, 3)
  const reading = await openStudio()
  await reading.publish('logged', 'cbcs')
  const { log } = await reading.close()
  for (const { key } of reading.issued)
    assert.ok(!log.includes(key) && !log.includes(Buffer.from(key, 'hex').toString('base64')))
})

/** The kid in the tenc box of a file. @see ISO/IEC 23001-7, 8.2 */
async function kidOf(file: string): Promise<string> {
  const bytes = await readFile(studio.at(file))
  const at = bytes.indexOf('tenc') + 12
  return bytes.toString('hex', at, at + 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** The IV of every sample in a segment of `cenc`. @see ISO/IEC 23001-7, 7.2 (senc) */
async function ivsOf(file: string): Promise<readonly string[]> {
  const bytes = await readFile(file)
  const box = bytes.indexOf('senc')
  assert.ok(box > 0)
  const hasSubsamples = (bytes.readUInt32BE(box + 4) & 2) !== 0
  const count = bytes.readUInt32BE(box + 8)
  const ivs: string[] = []
  for (let at = box + 12; ivs.length < count; ) {
    ivs.push(bytes.toString('hex', at, at + 8))
    at += 8
    if (hasSubsamples) at += 2 + 6 * bytes.readUInt16BE(at)
  }
  return ivs
}

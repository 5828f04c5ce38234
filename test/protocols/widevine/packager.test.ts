import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Listener } from '../../../src/http/listener/listener.ts'
import { requesting, requestOf, type Track, VECTORS } from './requesting.ts'

const run = promisify(execFile)
const PLATFORMS: Record<string, string> = { linux: 'linux', darwin: 'osx', win32: 'win' }
const PACKAGER = fileURLToPath(
  new URL(
    `../../node_modules/shaka-packager/bin/packager-${PLATFORMS[process.platform]}-${process.arch}${process.platform === 'win32' ? '.exe' : ''}`,
    import.meta.url,
  ),
)
/** 4 s of video and audio, made by `ffmpeg -f lavfi -i testsrc2=s=64x48:r=10:d=4 -f lavfi -i sine=f=440:r=16000:d=4`. */
const CLIP = fileURLToPath(new URL('../../vectors/clip.mp4', import.meta.url))
const LIMITS = { bodyBytes: 1_000_000, connections: 100, headersTimeoutMs: 5_000, requestTimeoutMs: 10_000 }
const skip = existsSync(PACKAGER) ? false : `there is no Shaka Packager for ${process.platform} ${process.arch}`

describe('a stock Shaka Packager takes its keys here', { skip }, () => {
  const api = requesting()
  let listener: Listener
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyspring-packager-'))
    listener = await Listener.open({ host: '127.0.0.1', port: 0, handler: api.handler, limits: LIMITS })
  })
  after(async () => {
    await listener.close(1_000)
    await rm(folder, { recursive: true })
  })

  const at = (name: string): string => join(folder, name)
  const packager = (...args: readonly string[]) => run(PACKAGER, args, { cwd: folder, timeout: 60_000 })
  const keyServer = (contentId: string, key = VECTORS.aesKey): readonly string[] => [
    '--enable_widevine_encryption',
    `--key_server_url=http://127.0.0.1:${listener.address.port}/widevine/getcontentkey/${VECTORS.signer}`,
    `--content_id=${Buffer.from(contentId).toString('hex')}`,
    `--signer=${VECTORS.signer}`,
    `--aes_signing_key=${key}`,
    `--aes_signing_iv=${VECTORS.aesIv}`,
    '--clear_lead=0',
  ]
  const keysOf = (tracks: readonly Track[]): string =>
    tracks.map(({ key_id, key }, index) => `label=${index}:key_id=${hex(key_id)}:key=${hex(key)}`).join(',')

  for (const scheme of ['cenc', 'cbcs']) {
    test(`and what it encrypts by ${scheme} decrypts to the source with the keys of the API`, async () => {
      const { tracks = [] } = await api.ask(
        requestOf(`movie-${scheme}`, ['SD', 'AUDIO'], { protection_scheme: scheme.toUpperCase() }),
      )
      for (const [index, stream] of ['video', 'audio'].entries()) {
        const name = `${scheme}-${stream}`
        await packager(`in=${CLIP},stream=${stream},output=${at(`${name}-clear.mp4`)}`)
        await packager(
          `in=${CLIP},stream=${stream},output=${at(`${name}.mp4`)}`,
          ...keyServer(`movie-${scheme}`),
          `--protection_scheme=${scheme}`,
        )
        const track = tracks[index] ?? assert.fail('no track')
        await packager(
          `in=${at(`${name}.mp4`)},stream=${stream},output=${at(`${name}-decrypted.mp4`)}`,
          '--enable_raw_key_decryption',
          `--keys=${keysOf([track])}`,
        )
        const [clear, encrypted, decrypted] = await Promise.all(
          ['-clear', '', '-decrypted'].map(async (kind) => readFile(at(`${name}${kind}.mp4`))),
        )
        assert.ok(clear && encrypted && decrypted)
        assert.deepEqual(mediaOf(decrypted), mediaOf(clear))
        assert.notDeepEqual(mediaOf(encrypted), mediaOf(clear))
        // The box of the API, and nothing of a key.
        assert.ok(encrypted.includes(Buffer.from(track.pssh[0]?.boxes ?? assert.fail('no box'), 'base64')))
        assert.ok(!encrypted.includes(Buffer.from(track.key, 'base64')))
      }
    })
  }

  test('and a stream whose keys rotate decrypts with the keys of its crypto periods', async () => {
    const periods = { first_crypto_period_index: 0, crypto_period_count: 5 }
    const { tracks = [] } = await api.ask(requestOf('live', ['SD'], periods))
    const segments = 'init_segment=init.mp4,segment_template=$Number$.m4s'
    const rotation = ['--crypto_period_duration=1', '--segment_duration=1', '--protection_scheme=cenc']
    await packager(`in=${CLIP},stream=video,${segments}`, ...keyServer('live'), ...rotation, '--mpd_output=live.mpd')
    const parts = await Promise.all(
      ['init.mp4', ...[1, 2, 3, 4].map((n) => `${n}.m4s`)].map((name) => readFile(at(name))),
    )
    await packager(`in=${CLIP},stream=video,output=clear.mp4`)

    const [init = Buffer.alloc(0), ...encrypted] = parts
    const decrypted: Buffer[] = []
    for (const [index, segment] of encrypted.entries()) {
      const { key_id, key, pssh } = tracks[index] ?? assert.fail('no track')
      assert.ok(
        segment.includes(Buffer.from(key_id, 'base64')),
        `segment ${index + 1} is not of crypto period ${index}`,
      )
      assert.ok(segment.includes(Buffer.from(pssh[0]?.boxes ?? assert.fail('no box'), 'base64')))
      assert.ok(tracks.every((track) => !segment.includes(Buffer.from(track.key, 'base64'))))
      // The decryption of Shaka Packager looks at the kid of the init segment alone, which is none under rotation.
      const keys = `label=:key_id=${'00'.repeat(16)}:key=${hex(key)}`
      await writeFile(at('one.mp4'), Buffer.concat([init, segment]))
      await packager('in=one.mp4,stream=video,output=one-clear.mp4', '--enable_raw_key_decryption', `--keys=${keys}`)
      decrypted.push(mediaOf(await readFile(at('one-clear.mp4'))))
    }
    assert.deepEqual(Buffer.concat(decrypted), mediaOf(await readFile(at('clear.mp4'))))
  })

  test('and gives up when its signing key is another', async () => {
    const refused = packager(`in=${CLIP},stream=video,output=no.mp4`, ...keyServer('movie', '00'.repeat(32)))
    await assert.rejects(refused, /SERVER_ERROR/)
    assert.ok(!existsSync(at('no.mp4')))
  })
})

function hex(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex')
}

/** The samples of a file: what its mdat boxes hold. */
function mediaOf(file: Buffer): Buffer {
  const media: Buffer[] = []
  for (let at = 0; at < file.length; ) {
    const size = file.readUInt32BE(at)
    assert.ok(size >= 8)
    if (file.toString('latin1', at + 4, at + 8) === 'mdat') media.push(file.subarray(at + 8, at + size))
    at += size
  }
  return Buffer.concat(media)
}

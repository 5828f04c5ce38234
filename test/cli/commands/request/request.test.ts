import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { newRecipient } from '../../../../src/toolkit/encryptor/certificate.ts'
import { PACKAGE, run, runProcess, start, temporaryDirectory } from '../../run.ts'

const directory = temporaryDirectory()
const keyProvider = start(['serve', '--port', '0', '--data', join(directory, 'data')])
const [, address = ''] = await keyProvider.stderr(/listens on (\S+),/)
const url = `${address}/copyProtection`
const servers: Server[] = []
after(() => {
  for (const server of servers) server.close()
})

/** A key provider that does as the test says. */
async function odd(listener: RequestListener): Promise<string> {
  const server = createServer((request, response) => void request.resume().on('end', () => listener(request, response)))
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/speke`
}

// What the command starts writes to the streams of a process.
const request = (...args: readonly string[]) => (args.includes('--run') ? runProcess : run)(['request', ...args])

interface Shown {
  readonly contentKeys: readonly {
    readonly kid: string
    readonly intendedTrackType: string
    readonly contentKey?: string
  }[]
}
const keysOf = async (...args: readonly string[]): Promise<Shown['contentKeys']> => {
  const { stdout, stderr } = await request(url, '--format', 'json', '--show-keys', ...args)
  assert.notEqual(stdout, '', stderr)
  return (JSON.parse(stdout) as Shown).contentKeys
}

test('requests keys and prints a table without keys', async () => {
  const { code, stdout, stderr } = await request(url)
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  assert.match(stdout, /^keyspring-request: SPEKE 2\.0, cenc, widevine, playready\n\nKID +TRACK +PERIOD +IV +KEY\n/)
  assert.match(stdout, / VIDEO .* hidden\n.* AUDIO .* hidden\n/)
  const keys = await keysOf()
  assert.equal(keys.length, 2)
  for (const { kid, contentKey = '' } of keys) {
    assert.ok(stdout.includes(kid))
    for (const spelling of [contentKey, Buffer.from(contentKey, 'hex').toString('base64')])
      assert.ok(!stdout.includes(spelling))
  }
})

test('requests the same keys again, and other keys with --new-kids', async () => {
  const [first, second, others] = await Promise.all([keysOf(), keysOf(), keysOf('--new-kids')])
  assert.deepEqual(first, second)
  assert.notDeepEqual(first, others)
})

for (const as of ['spec', 'mediapackage-v1', 'mediapackage-v2', 'mediaconvert', 'elemental-live', 'shaka']) {
  test(`requests keys as ${as}`, async () => {
    const isV1 = as === 'mediapackage-v1' || as === 'elemental-live'
    const { code, stderr } = await request(
      url,
      '--as',
      as,
      ...(isV1 ? ['--drm', 'fairplay'] : ['--drm', 'widevine,fairplay']),
    )
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  })
}

test('encrypts for a new recipient and decrypts to the same keys', async () => {
  assert.deepEqual(await keysOf('--encrypt-to', 'new'), await keysOf())
})

test('encrypts for a certificate in a file, and decrypts only with its private key', async () => {
  const { certificate, privateKey } = newRecipient(Date.now(), (size) => Buffer.alloc(size, 1))
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'cert.key')]
  writeFileSync(
    cert,
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate).toString('base64')}\n-----END CERTIFICATE-----\n`,
  )
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  assert.deepEqual(await keysOf('--encrypt-to', cert, '--private-key', key), await keysOf())
  const without = await request(url, '--encrypt-to', cert)
  assert.match(without.stdout, / VIDEO .* encrypted\n/)
  const cpix = await request(url, '--encrypt-to', cert, '--format', 'cpix')
  assert.equal(cpix.code, 0, 'a document without clear keys may be printed')
  assert.doesNotMatch(cpix.stdout, /PlainValue/)
  const other = newRecipient(Date.now(), (size) => Buffer.alloc(size, 1)).privateKey
  writeFileSync(key, other.export({ type: 'pkcs8', format: 'pem' }))
  const foreign = await request(url, '--encrypt-to', cert, '--private-key', key)
  assert.deepEqual([foreign.code, /does not belong to the certificate/.test(foreign.stderr)], [2, true])
})

for (const format of ['shaka', 'dotenv', 'bento4', 'gpac', 'cpix', 'ffmpeg']) {
  test(`${format} goes to a file of mode 0600, or to standard output with --show-keys`, async () => {
    const file = join(directory, `${format}.out`)
    writeFileSync(file, 'old', { mode: 0o644 })
    const asking = [url, '--video', 'SHARED', '--format', format]
    const refused = await request(...asking)
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /contains content keys: write them with --out FILE.*--show-keys/)
    assert.equal(refused.stdout, '')
    const written = await request(...asking, '--out', file)
    assert.deepEqual([written.code, written.stdout], [0, ''])
    assert.match(written.stderr, /keyspring: wrote \S+.*: content keys, readable only by you \(mode 0600\)\n$/)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const shown = await request(...asking, '--show-keys')
    assert.match(shown.stderr, /the output contains content keys/)
    if (format !== 'bento4') assert.equal(shown.stdout, readFileSync(file, 'utf8'))
  })
}

test('a full disk is an error in one line, and a device keeps its mode', {
  skip: !existsSync('/dev/full'),
}, async () => {
  const before = statSync('/dev/full').mode
  const full = await request(url, '--format', 'json', '--out', '/dev/full')
  assert.deepEqual([full.code, full.stdout], [1, ''])
  assert.equal(full.stderr, 'keyspring: /dev/full: no space left on the device\n')
  assert.equal(statSync('/dev/full').mode, before)
})

test('requests key periods by index, with start and end in SPEKE 2.1, and as offsets for VOD', async () => {
  const dry = async (...args: string[]) =>
    (await request(url, '--dry-run', ...args)).stdout.match(/<cpix:ContentKeyPeriod .*/g)
  assert.match(String(await dry('--periods', '1', '--index', '41')), /index="41"\/>$/)
  const live = await dry('--speke', '2.1', '--periods', '2', '--interval', '60', '--start', '2026-10-01T12:00:00Z')
  assert.match(String(live), /start="2026-10-01T12:00:00Z" end="2026-10-01T12:01:00Z".*start="2026-10-01T12:01:00Z"/)
  const vod = await dry('--speke', '2.1', '--vod', '--periods', '2', '--interval', '600')
  assert.match(String(vod), /startOffset="PT0S" endOffset="PT600S".*startOffset="PT600S" endOffset="PT1200S"/)
  assert.equal((await keysOf('--speke', '2.1', '--periods', '3', '--interval', '60')).length, 6)
})

test('--dry-run sends nothing', async () => {
  const { code, stdout } = await request('http://127.0.0.1:1/', '--dry-run')
  assert.equal(code, 0)
  assert.match(stdout, /^<cpix:CPIX contentId="keyspring-request" version="2\.3"/)
})

test('follows key periods and reports the timeline', async () => {
  const { code, stdout } = await request(url, '--follow', '--periods', '2', '--interval', '1', '--index', '5')
  assert.equal(code, 0)
  assert.match(
    stdout,
    /^\S+Z {2}period 5 {2}\d+ ms {2}new keys {2}VIDEO=\S+ AUDIO=\S+\n\S+Z {2}period 6 .*\n2 key periods, 0 without keys/,
  )
})

test('following ends at a signal, with its report', async () => {
  const following = start(['request', url, '--follow', '--interval', '3600'])
  await following.stderr(/following key periods/)
  following.signal('SIGINT')
  const { code, stdout } = await following.done
  assert.equal(code, 0)
  assert.match(stdout, /\n1 key periods, 0 without keys/)
})

test('following continues after a rejected request, and ends with its exit code', async () => {
  let asked = 0
  const refusing = await odd((_, response) => {
    asked += 1
    response.writeHead(422).end('Malformed encryption contract')
  })
  const { code, stdout } = await request(refusing, '--follow', '--periods', '2', '--interval', '1')
  assert.deepEqual([code, asked], [4, 2])
  assert.match(
    stdout,
    /period 0 {2}no keys, the last keys stay in use: the key provider answered 422: Malformed encryption contract\n/,
  )
  assert.match(stdout, /2 key periods, 2 without keys/)
})

test('sends load within limits and prints percentiles', async () => {
  const { code, stdout } = await request(url, '--load', '50', '--duration', '1')
  assert.equal(code, 0)
  assert.match(
    stdout,
    /^50 requests in .*\n {2}50 × 200\nlatency of answers with keys: p50 .* ms, p90 .* ms, p99 .* ms, max .* ms\n$/,
  )
  assert.equal((await request(url, '--load', '99999')).code, 2)
})

test('explains a rejection, with the reason that Keyspring gives', async () => {
  const { code, stdout, stderr } = await request(url, '--drm', 'fairplay', '--scheme', 'cenc')
  assert.deepEqual([code, stdout], [4, ''])
  assert.equal(
    stderr,
    'keyspring: the key provider answered 422: ContentKey@commonEncryptionScheme non compatible with DRMSystem 94ce86fb-07ff-4f43-adb8-93d2fa968ca2\n' +
      'reason: FairPlay supports cbcs.\n' +
      'why: this DRM system does not support the scheme: FairPlay supports cbcs, AES-128 cbc1, Widevine and PlayReady cenc and cbcs\n' +
      'how to fix it: set another --scheme, or remove the system from --drm\n',
  )
})

test('an unusable answer ends with 5 and every problem', async () => {
  const echo = await odd((_, response) => response.writeHead(200, { 'content-type': 'application/xml' }).end('<a/>'))
  const { code, stdout, stderr } = await request(echo)
  assert.deepEqual([code, stdout], [5, ''])
  assert.match(stderr, /the root element must be CPIX/)
})

test('no answer ends with 1', async () => {
  const { code, stderr } = await request('http://127.0.0.1:1/')
  assert.equal(code, 1)
  assert.match(stderr, /^keyspring: 127\.0\.0\.1:1: no program listens on this port/)
})

test('a secret comes from a file, standard input or the environment, and is printed nowhere', async () => {
  const seen: (string | undefined)[] = []
  const asking = await odd((incoming, response) => {
    seen.push(incoming.headers.authorization ?? String(incoming.headers['x-api-key']))
    response.writeHead(401).end('who?')
  })
  const file = join(directory, 'secret')
  writeFileSync(file, 'hunter2\n')
  writeFileSync(join(directory, 'headers'), 'X-Api-Key: hunter2\n')
  const runs = [
    await run(['request', asking, '--auth', 'basic', '--user', 'me', '--secret-file', file]),
    await run(['request', asking, '--auth', 'bearer', '--secret-file', '-'], { stdin: 'hunter2' }),
    await run(['request', asking, '--auth', 'bearer', '--secret-env', 'TOKEN'], { environment: { TOKEN: 'hunter2' } }),
    await run(['request', asking, '--header', `@${join(directory, 'headers')}`]),
    await run(['request', asking, '--auth', 'sigv4', '--region', 'eu-west-1'], {
      environment: { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'hunter2' },
    }),
  ]
  for (const { code, stdout, stderr } of runs) {
    assert.equal(code, 4)
    assert.match(stderr, /answered 401: who\?/)
    assert.doesNotMatch(stdout + stderr, /hunter2/)
  }
  assert.deepEqual(seen.slice(0, 4), [`Basic ${btoa('me:hunter2')}`, 'Bearer hunter2', 'Bearer hunter2', 'hunter2'])
  assert.match(seen[4] ?? '', /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-west-1\/execute-api\/aws4_request, /)
})

for (const args of [
  ['--video', 'VIDEO-9'],
  ['--drm', 'nonesuch'],
  ['--scheme', 'aes'],
  ['--speke', '1.0', '--scheme', 'cenc'],
  ['--iv', 'zz'],
  ['--kid', 'zz'],
  ['--kid', '9eb4050d-e44b-4802-932e-27d75083e266'],
  ['--kid', 'SD=9eb4050d-e44b-4802-932e-27d75083e266'],
  ['--live', '--vod'],
  ['--periods', '0'],
  ['--follow'],
  ['--run'],
  ['--auth', 'basic'],
  ['--auth', 'bearer', '--secret-env', 'KEYSPRING_NONESUCH'],
  ['--header', 'nonesuch'],
  ['--private-key', 'x.pem'],
  ['--cert', 'x.pem'],
  ['--track-id', 'x'],
  ['--start', 'tomorrow'],
]) {
  test(`wrong usage ends with 2: ${args.join(' ')}`, async () => {
    const { code, stdout, stderr } = await request(url, ...args)
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, /^keyspring: .+\nhint: /)
  })
}

test('--help marks assumed shapes, and lists placeholders, examples and exit codes', async () => {
  const { code, stdout } = await request('--help')
  assert.equal(code, 0)
  for (const expected of [
    /elemental-live .*\n +ASSUMED: /,
    /mediaconvert .*\n +ASSUMED: /,
    /\{file:FORMAT\}/,
    /Examples:/,
    /Exit codes: 0 keys received/,
  ]) {
    assert.match(stdout, expected)
  }
})

describe('a packager that is started', () => {
  test('gets its placeholders filled, and files that are deleted afterwards', async () => {
    const { code, stdout, stderr } = await request(url, '--video', 'SHARED', '--run', '--', 'cat', '{file:shaka}')
    assert.equal(code, 0)
    assert.match(stdout, /^--enable_raw_key_encryption\n--keys=label=:key_id=[\da-f]{32}:key=[\da-f]{32}\n/)
    assert.doesNotMatch(stderr, /warning/)
    const echoed = await request(url, '--video', 'SHARED', '--run', '--', 'echo', '{file:shaka}')
    assert.equal(existsSync(echoed.stdout.trim()), false)
  })

  test('passes on its exit code, and warns of keys in its arguments', async () => {
    const { code, stderr } = await request(url, '--video', 'SHARED', '--run', '--', 'sh', '-c', 'exit 7', '{key}')
    assert.equal(code, 7)
    assert.match(stderr, /warning: the arguments contain keys/)
  })

  test('that does not exist is wrong usage', async () => {
    const { code, stderr } = await request(url, '--video', 'SHARED', '--run', '--', 'nonesuch-packager', '{kid}')
    assert.equal(code, 2)
    assert.match(stderr, /nonesuch-packager cannot be started: ENOENT/)
  })
})

const ffmpeg = ['/usr/bin/ffmpeg', '/usr/local/bin/ffmpeg'].find(existsSync)
const packager = join(PACKAGE, 'node_modules/shaka-packager/bin', `packager-${process.platform}-${process.arch}`)

describe('Shaka Packager', {
  skip: ffmpeg === undefined || !existsSync(packager) ? 'needs ffmpeg and a packager for this machine' : false,
}, () => {
  const media = join(directory, 'media')
  const frames = (...args: string[]): string =>
    execFileSync(ffmpeg ?? '', ['-loglevel', 'error', ...args, '-f', 'framemd5', '-'], {
      encoding: 'utf8',
      // What it says of packets that are still encrypted is no news.
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      // Behind the hash of a packet stand those of its side data, which an encrypted one has more of.
      .map((line) => line.split(',')[5]?.trim())
      .join('\n')
  before(() => {
    mkdirSync(media)
    execFileSync(ffmpeg ?? '', [
      '-loglevel',
      'error',
      '-f',
      'lavfi',
      '-i',
      'testsrc=s=160x90:d=1:r=10',
      '-c:v',
      'mpeg4',
      '-an',
      join(media, 'v.mp4'),
    ])
    execFileSync(ffmpeg ?? '', [
      '-loglevel',
      'error',
      '-f',
      'lavfi',
      '-i',
      'sine=d=1',
      '-c:a',
      'aac',
      join(media, 'a.mp4'),
    ])
  })

  for (const scheme of ['cenc', 'cbcs']) {
    test(`encrypts with ${scheme} and the flags of the answer, and ffmpeg decrypts with its key`, async () => {
      const asking = [
        '--drm',
        'widevine,playready',
        '--scheme',
        scheme,
        ...(scheme === 'cbcs' ? ['--iv', '00112233445566778899aabbccddeeff'] : []),
      ]
      const out = join(media, `a-${scheme}.mp4`)
      const { code, stderr } = await request(
        url,
        ...asking,
        '--run',
        '--',
        packager,
        '--flagfile={file:shaka}',
        `in=${join(media, 'a.mp4')},stream=audio,output=${out}`,
        '--clear_lead',
        '0',
        '--mpd_output',
        join(media, `${scheme}.mpd`),
      )
      assert.equal(code, 0, stderr)
      const keys = await keysOf(...asking)
      const audio = keys.find(({ intendedTrackType }) => intendedTrackType === 'AUDIO') ?? assert.fail()
      const clear = frames('-i', join(media, 'a.mp4'), '-map', '0:a', '-c', 'copy')
      assert.equal(frames('-decryption_key', audio.contentKey ?? '', '-i', out, '-map', '0:a', '-c', 'copy'), clear)
      assert.notEqual(frames('-i', out, '-map', '0:a', '-c', 'copy'), clear)
      const mpd = readFileSync(join(media, `${scheme}.mpd`), 'utf8')
      assert.ok(mpd.includes(`cenc:default_KID="${audio.kid}"`))
      assert.match(mpd, /edef8ba9-79d6-4ace-a3c8-27dcd51d21ed/)
      assert.match(mpd, /9a04f079-9840-4286-ab92-e65be0885f95/)
    })
  }

  test('ffmpeg encrypts MP4 with the options of the answer', async () => {
    const asking = ['--video', 'SHARED']
    const out = join(media, 'ffmpeg.mp4')
    const { code, stderr } = await request(
      url,
      ...asking,
      '--run',
      '--',
      ffmpeg ?? '',
      '-loglevel',
      'error',
      '-i',
      join(media, 'a.mp4'),
      '-c',
      'copy',
      '{ffmpeg}',
      out,
    )
    assert.equal(code, 0, stderr)
    const [key] = await keysOf(...asking)
    const clear = frames('-i', join(media, 'a.mp4'), '-c', 'copy')
    assert.equal(frames('-decryption_key', key?.contentKey ?? '', '-i', out, '-c', 'copy'), clear)
  })

  test('ffmpeg encrypts HLS with the key info file of the answer', async () => {
    const info = join(media, 'hls.keyinfo')
    assert.equal(
      (await request(url, '--as', 'elemental-live', '--drm', 'aes-128', '--format', 'ffmpeg', '--out', info)).code,
      0,
    )
    execFileSync(ffmpeg ?? '', [
      '-loglevel',
      'error',
      '-i',
      join(media, 'a.mp4'),
      '-c',
      'copy',
      '-f',
      'hls',
      '-hls_key_info_file',
      info,
      join(media, 'hls.m3u8'),
    ])
    assert.match(
      readFileSync(join(media, 'hls.m3u8'), 'utf8'),
      /#EXT-X-KEY:METHOD=AES-128,URI="http:\/\/127\.0\.0\.1:\d+\/keys\/default\/keyspring-request\//,
    )
    assert.deepEqual(
      readdirSync(media)
        .filter((name) => name.startsWith('hls.keyinfo'))
        .map((name) => statSync(join(media, name)).mode & 0o777),
      [0o600, 0o600],
    )
  })
})

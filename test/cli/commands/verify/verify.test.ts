import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readXml } from '../../../../src/formats/xml/reader.ts'
import { ENCRYPTORS } from '../../../../src/protocols/speke/tables/presets.ts'
import { CHECK_GROUPS } from '../../../../src/toolkit/conformance/check.ts'
import { run, start, temporaryDirectory } from '../../run.ts'

const directory = temporaryDirectory()

const EVERY_DRM = 'widevine,playready,fairplay,aes-128,sample-aes,common-pssh,clearkey'
const servers = new Map<string, Promise<string>>()

/** The URL of a Keyspring with this signalling profile. */
function serving(signalingProfile: string): Promise<string> {
  const known = servers.get(signalingProfile)
  if (known !== undefined) return known
  const process = start(['serve', '--port', '0', '--data', join(directory, signalingProfile)], {
    environment: { KEYSPRING_SIGNALING_PROFILE: signalingProfile },
  })
  const url = process.stderr(/listens on (\S+),/).then(([, base]) => `${base}/copyProtection`)
  servers.set(signalingProfile, url)
  return url
}

describe('Keyspring passes every check of every encryptor', () => {
  for (const as of ENCRYPTORS) {
    test(`as ${as}`, async () => {
      const url = await serving(as === 'mediapackage-v2' ? as : 'default')
      const { code, stdout, stderr } = await run([
        'verify',
        url,
        '--as',
        as,
        '--drm',
        EVERY_DRM,
        '--fail-on',
        'note',
        '--timeout',
        '60',
      ])
      assert.equal(code, 0, stdout + stderr)
      assert.match(stdout, /: 0 with errors, 0 with warnings, 0 with notes\n$/)
    })
  }
})

test('verify has 250 checks or more, in every group, each with its own name', async () => {
  const { code, stdout } = await run(['verify', '--list'])
  assert.equal(code, 0)
  const names = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
  assert.ok(names.length >= 250, `${names.length} checks`)
  assert.equal(new Set(names).size, names.length)
  const ofMediaPackage = (await run(['verify', '--list', '--as', 'mediapackage-v2'])).stdout
  for (const group of Object.keys(CHECK_GROUPS)) {
    assert.ok(`\n${stdout}${ofMediaPackage}`.includes(`\n${group}/`), group)
  }
})

test('verify reports what MediaPackage v2 requires and a profile lacks, and ends with 6', async () => {
  const url = await serving('default')
  const { code, stdout } = await run(['verify', url, '--as', 'mediapackage-v2', '--only', 'mediapackage-v2'])
  assert.equal(code, 6)
  assert.match(stdout, /error: explicitIV is missing \[iv-expected-by-mediapackage\]/)
  assert.match(stdout, /error: METHOD is SAMPLE-AES-CTR, expected SAMPLE-AES \[hls-method\]/)
  for (const line of ['where: answer /cpix:CPIX/', 'sent: ', 'why: ', 'fix: ', 'source: ']) {
    assert.ok(stdout.includes(`  ${line}`), line)
  }
})

test('verify writes reports without keys, and with keys only with --show-keys', async () => {
  const url = await serving('default')
  const file = (name: string): string => join(directory, name)
  const only = ['--only', 'systems/2.0', '--only', 'encryption/2.0/opens', '--only', 'errors/2.0']
  const reports = ['--html', file('report.html'), '--junit', file('report.xml'), '--json', file('report.json')]
  const { code, stderr } = await run(['verify', url, ...only, ...reports, '--as', 'mediapackage-v2'])
  assert.equal(code, 6, stderr)
  const withKeys = await run(['verify', url, '--only', 'systems/2.0', '--show-keys', '--json', '-'])
  const answers: string[] = JSON.parse(withKeys.stdout).checks.flatMap(
    ({ exchanges }: { exchanges: { came: { body: string } }[] }) => exchanges.map(({ came }) => came.body),
  )
  const keys = answers.flatMap((body) => [...body.matchAll(/PlainValue>([^<]+)</g)].map(([, key = '']) => key))
  assert.ok(keys.length > 20)
  for (const name of ['report.html', 'report.xml', 'report.json']) {
    const text = readFileSync(file(name), 'utf8')
    assert.equal(statSync(file(name)).mode & 0o777, 0o600)
    for (const key of keys) assert.ok(!text.includes(key), name)
    assert.match(text, /hls-method/)
  }
  const html = readFileSync(file('report.html'), 'utf8')
  assert.doesNotMatch(html, /<script|<link|<img|src=|@import|url\(/)
  assert.match(html, /Content keys are removed/)
  assert.equal(readXml(readFileSync(file('report.xml')), { elements: 100_000 }).root.local, 'testsuites')
})

test('verify reports that nothing listens, or that every request is rejected', async () => {
  const gone = await run(['verify', 'http://127.0.0.1:9/copyProtection'])
  assert.equal(gone.code, 1)
  assert.match(gone.stderr, /no program listens on this port/)
  const url = await serving('default')
  const wrongPath = await run(['verify', url.replace('copyProtection', 'nowhere')])
  assert.equal(wrongPath.code, 4)
  assert.match(wrongPath.stderr, /the path does not exist/)
})

test('verify rejects invalid options', async () => {
  for (const args of [
    [],
    ['http://127.0.0.1:9/', '--only', 'none'],
    ['http://127.0.0.1:9/', '--drm', 'widewine'],
    ['http://127.0.0.1:9/', '--content-id', 'a b'],
    ['http://127.0.0.1:9/', '--concurrency', '0'],
    ['ftp://127.0.0.1/'],
  ]) {
    assert.equal((await run(['verify', ...args])).code, 2, args.join(' '))
  }
})

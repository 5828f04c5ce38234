import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Run, run, temporaryDirectory } from '../../run.ts'

const directory = temporaryDirectory()
const data = join(directory, 'data')
const KID = '3f1c9a52-6b0e-4d87-9c34-1e5a70b2d801'
const KEY = Buffer.from('c0ffee00112233445566778899aabbcc', 'hex')
/** @see drm-signaling.md 3.2, cenc */
const WIDEVINE_BOX = 'AAAAOHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAABgSEJ60BQ3kS0gCky4n11CD4mZI49yVmwY='
const PLAYREADY = '9a04f079-9840-4286-ab92-e65be0885f95'
const COMMON_PSSH = '1077efec-c0b2-4d02-ace3-3c1e52e2fb4b'
const WIDEVINE = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'

const override = (verb: string, args: readonly string[], stdin?: string | Uint8Array): Promise<Run> =>
  run(['override', verb, '--data', data, ...args], stdin === undefined ? {} : { stdin })

function assertNoKey({ stdout, stderr }: Run): void {
  for (const spelling of ['hex', 'base64', 'base64url'] as const) {
    assert.ok(!`${stdout}${stderr}`.toLowerCase().includes(KEY.toString(spelling).toLowerCase()), spelling)
  }
}

const spellings: readonly [string, string | Uint8Array][] = [
  ['raw bytes', KEY],
  ['hex digits', `${KEY.toString('hex').toUpperCase()}\n`],
  ['base64', `${KEY.toString('base64')}\n`],
]
for (const [spelling, stdin] of spellings) {
  test(`accepts a key as ${spelling} and prints only its kid and class`, async () => {
    const added = await override(
      'add',
      ['--content-id', spelling, '--kid', KID.toUpperCase(), '--key-file', '-'],
      stdin,
    )
    assert.deepEqual(
      { code: added.code, stdout: added.stdout },
      { code: 0, stdout: `added: ${KID} drm\n` },
      added.stderr,
    )
    assertNoKey(added)
    const listed = await override('list', ['--content-id', spelling])
    assert.deepEqual(listed, { code: 0, stdout: `${KID} drm\n`, stderr: '' })
  })
}

for (const [what, stdin] of [
  ['15 bytes', KEY.subarray(1)],
  ['31 hex digits', 'c0ffee00112233445566778899aabbc'],
  ['nothing', ''],
] as const) {
  test(`rejects a key of ${what} without printing it`, async () => {
    const { code, stderr } = await override('add', ['--content-id', 'odd', '--kid', KID, '--key-file', '-'], stdin)
    assert.equal(code, 2)
    assert.equal(stderr, 'keyspring: --key-file: expected 16 bytes: raw, as 32 hex digits, or in base64\n')
  })
}

test('rejects a second key for a kid, unless forced with a reason', async () => {
  const args = ['--content-id', 'twice', '--kid', KID, '--class', 'clear', '--key-file', '-']
  assert.equal((await override('add', args, KEY)).code, 0)
  const again = await override('add', args, KEY)
  assert.equal(again.code, 4)
  assert.match(again.stderr, /\nhint: add --force --reason/)
  assert.equal((await override('add', [...args, '--force'], KEY)).code, 2)
  const forced = await override('add', [...args, '--force', '--reason', 'leaked'], KEY)
  assert.equal(forced.code, 0, forced.stderr)
})

test('lists overrides as JSON, without keys', async () => {
  const iv = join(directory, 'iv')
  const pssh = join(directory, 'pssh=box')
  writeFileSync(iv, Buffer.alloc(16, 7))
  writeFileSync(pssh, WIDEVINE_BOX)
  const content = ['--content-id', 'json']
  const added = await override(
    'add',
    [...content, '--kid', KID, '--key-file', '-', '--iv-file', iv, '--pssh', `${WIDEVINE}=${pssh}`],
    KEY,
  )
  assert.equal(added.code, 0, added.stderr)
  const rule = await override('add', [...content, '--new-kid', KID, '--track-type', 'AUDIO', '--period-index', '3'])
  assert.equal(rule.stdout, `added: ${KID} for AUDIO, period 3\n`, rule.stderr)
  const listed = await override('list', [...content, '--json'])
  assertNoKey(listed)
  assert.deepEqual(JSON.parse(listed.stdout), {
    overrides: [{ contentKeyClass: 'drm', kid: KID, psshSystemIds: [WIDEVINE] }],
    kidOverrides: [{ intendedTrackType: 'AUDIO', periodIndex: 3, kid: KID }],
  })
})

for (const [spelling, content] of [
  ['bytes', Buffer.from(WIDEVINE_BOX, 'base64')],
  ['hex', Buffer.from(WIDEVINE_BOX, 'base64').toString('hex')],
  ['base64', `${WIDEVINE_BOX}\n`],
] as const) {
  test(`accepts a pssh box as ${spelling}`, async () => {
    const file = join(directory, `box-${spelling}`)
    writeFileSync(file, content)
    const args = ['--content-id', `box-${spelling}`, '--kid', KID, '--key-file', '-', '--pssh', `${WIDEVINE}=${file}`]
    const { code, stderr } = await override('add', args, KEY)
    assert.equal(code, 0, stderr)
  })
}

for (const [what, systemId, content] of [
  ['no box', WIDEVINE, Buffer.alloc(32)],
  ['half a box', WIDEVINE, Buffer.from(WIDEVINE_BOX, 'base64').subarray(0, 40)],
  ["another system's box", COMMON_PSSH, WIDEVINE_BOX],
  [
    'a PlayReady box without a PlayReady object',
    PLAYREADY,
    '00000024707373680000000' + `09a04f07998404286ab92e65be0885f950000000401000000`,
  ],
] as const) {
  test(`rejects ${what} when it is added, not when an encryptor asks`, async () => {
    const file = join(directory, 'damaged')
    writeFileSync(file, content)
    const args = ['--content-id', 'damaged', '--kid', KID, '--key-file', '-', '--pssh', `${systemId}=${file}`]
    const { code, stdout, stderr } = await override('add', args, KEY)
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' })
    assert.match(stderr, /^keyspring: --pssh: /)
  })
}

test('removes a key and a rule', async () => {
  const content = ['--content-id', 'removed']
  await override('add', [...content, '--kid', KID, '--key-file', '-'], KEY)
  await override('add', [...content, '--new-kid', KID])
  const force = ['--force', '--reason', 'a test']
  assert.equal((await override('remove', [...content, '--kid', KID, ...force])).stdout, 'removed\n')
  assert.equal((await override('remove', [...content, '--rule', ...force])).stdout, 'removed\n')
  assert.equal((await override('list', content)).stdout, '')
})

for (const [what, verb, args] of [
  ['a kid that is none', 'add', ['--kid', 'x', '--key-file', '-']],
  ['a kid without a key', 'add', ['--kid', KID]],
  ['a rule with a key', 'add', ['--new-kid', KID, '--key-file', '-']],
  ['an odd period index', 'add', ['--new-kid', KID, '--period-index', '-1']],
  ['an odd system id', 'add', ['--kid', KID, '--key-file', '-', '--pssh', 'widevine=x']],
  ['neither a kid nor a rule', 'remove', []],
  ['a kid and a rule', 'remove', ['--kid', KID, '--rule']],
] as const) {
  test(`rejects ${what}`, async () => {
    const { code, stdout, stderr } = await override(verb, ['--content-id', 'wrong', ...args], KEY)
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' })
    assert.match(stderr, /^keyspring: /)
  })
}

test('does not create a store to list it', async () => {
  const nowhere = join(directory, 'nowhere')
  const { code, stderr } = await run(['override', 'list', '--data', nowhere, '--content-id', 'a'])
  assert.equal(code, 3)
  assert.match(stderr, /^keyspring: /)
  assert.ok(!existsSync(nowhere))
})

import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { sharedPostgres } from '../../../adapters/store/postgres/server.ts'
import { PACKAGE, run, start, startProcess, temporaryDirectory } from '../../run.ts'

const directory = temporaryDirectory()
const postgres = await sharedPostgres()

const DOCUMENT = readFileSync(join(PACKAGE, 'docs/examples/widevine-playready-cenc.xml'), 'utf8')

/** Serves, and gives what asks for the keys of a content. */
async function serve(args: readonly string[], environment: Readonly<Record<string, string>> = {}, begin = start) {
  const process = begin(['serve', '--port', '0', ...args], { environment })
  const [, url = ''] = await process.stderr(/listens on (\S+),/)
  const keysOf = async (contentId: string): Promise<readonly string[]> => {
    const response = await fetch(`${url}/copyProtection`, {
      method: 'POST',
      headers: { 'content-type': 'application/xml', 'x-speke-version': '2.0' },
      body: DOCUMENT.replace(/contentId="[^"]*"/, `contentId="${contentId}"`),
    })
    assert.equal(response.status, 200)
    return (await response.text()).match(/PlainValue>[^<]+</g) ?? []
  }
  const stop = async () => {
    process.signal('SIGTERM')
    return process.done
  }
  return { process, keysOf, stop }
}

const passphrase = join(directory, 'passphrase')
writeFileSync(passphrase, 'correct horse battery staple\n', { mode: 0o600 })

test('two nodes on PostgreSQL give one key, and neither prints the password', async () => {
  const url = join(directory, 'url')
  writeFileSync(url, `${(await postgres.newUrl()).reveal()}\n`, { mode: 0o600 })
  const environment = { KEYSPRING_STORE_FILE: url, KEYSPRING_ROOT_KEY_FILE: join(directory, 'shared.key') }
  const refused = await run(['serve', '--port', '0'], { environment })
  assert.equal(refused.code, 3)
  assert.match(refused.stderr, /keyspring store migrate/)
  assert.equal((await run(['store', 'migrate'], { environment })).code, 0)
  const first = await serve([], environment, startProcess)
  const before = await first.keysOf('film')
  assert.equal(before.length, 2)
  const second = await serve([], environment, startProcess)
  assert.deepEqual(await second.keysOf('film'), before)
  const together = await Promise.all([...Array(16)].flatMap(() => [first, second].map((node) => node.keysOf('new'))))
  assert.equal(new Set(together.map(String)).size, 1)
  for (const { stderr, stdout } of [await first.stop(), await second.stop(), refused]) {
    assert.ok(!`${stdout}${stderr}`.includes(postgres.password))
  }
})

test('every key stays the same when a store is rotated, backed up, restored and moved to PostgreSQL', async () => {
  const data = join(directory, 'data')
  const server = await serve(['--data', data])
  const names = ['a', 'b', 'c']
  const keys = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await server.keysOf(name)])))

  // The audit log seals with a data key of its own, made within a second: it is among those that are counted, or not yet.
  // While it serves: a new data key, a new root key, everything moved to them.
  const keyring = async (...args: readonly string[]) => run(['keyring', ...args, '--data', data])
  const rotated = await keyring('rotate', '--data-keys')
  assert.equal(rotated.code, 0, rotated.stderr)
  assert.match((await keyring('rotate')).stdout, /^new generation [0-9a-f]{16} in .*root\.key: back it up/)
  const rewrapped = await keyring('rewrap', '--remove-old')
  assert.match(
    rewrapped.stdout,
    /^data keys wrapped anew: [2-4]\nvalues sealed anew: 3, of 3 contents\n.*\nheads of audit logs sealed anew: \d\nold data keys removed: [12]\nold root key generations removed: 1\n$/,
    rewrapped.stderr,
  )
  assert.match(
    (await keyring('status')).stdout,
    /^tenant "default", data key 2 \(newest\): 3 sealed values, wrapped by local [0-9a-f]{16}$/m,
  )
  for (const name of names) assert.deepEqual(await server.keysOf(name), keys[name])

  const archive = join(directory, 'backup')
  const backedUp = await run(['store', 'backup', '--out', archive, '--passphrase-file', passphrase, '--data', data])
  assert.equal(backedUp.code, 0, backedUp.stderr)
  assert.match(backedUp.stdout, /3 contents, [12] data keys, \d+ bytes, SHA-256 [0-9a-f]{64}\n$/)
  await server.stop()

  const restored = join(directory, 'restored')
  const restore = (...args: readonly string[]) =>
    run(['store', 'restore', '--from', archive, '--passphrase-file', passphrase, '--data', restored, ...args])
  assert.equal((await restore()).code, 3)
  assert.equal(existsSync(join(restored, 'keyspring.db')), false)
  await cp(join(data, 'root.key'), join(restored, 'root.key'))
  const drilled = await restore('--drill')
  assert.match(drilled.stdout, /checksum right, 3 contents; opened 3 keys of 3 contents\n$/, drilled.stderr)
  assert.equal(existsSync(join(restored, 'keyspring.db')), false)
  assert.match((await restore()).stdout, /\nrestored: .*keyspring\.db\n$/)
  assert.equal((await restore()).code, 4)
  const again = await serve(['--data', restored])
  for (const name of names) assert.deepEqual(await again.keysOf(name), keys[name])
  await again.stop()

  const url = join(directory, 'url-2')
  writeFileSync(url, (await postgres.newUrl()).reveal(), { mode: 0o600 })
  const copied = await run(['store', 'copy', '--from', `sqlite:${restored}`, '--to', `url-file:${url}`])
  assert.match(copied.stdout, /^verified: 3 contents, 2 data keys, .*; 3 contents were written now\n$/, copied.stderr)
  const environment = { KEYSPRING_STORE_FILE: url, KEYSPRING_ROOT_KEY_FILE: join(restored, 'root.key') }
  const moved = await serve([], environment)
  for (const name of names) assert.deepEqual(await moved.keysOf(name), keys[name])
  await moved.stop()
})

test('rejects a wrong passphrase, and a password on the command line', async () => {
  const wrong = join(directory, 'wrong')
  writeFileSync(wrong, 'correct horse battery stable\n')
  const archive = join(directory, 'backup')
  const refused = await run([
    'store',
    'restore',
    '--from',
    archive,
    '--passphrase-file',
    wrong,
    '--data',
    join(directory, 'no'),
  ])
  assert.equal(refused.code, 3)
  assert.match(refused.stderr, /the passphrase is wrong, or the archive was altered/)
  const shown = await run([
    'store',
    'copy',
    '--from',
    'postgres://u:hunter2@127.0.0.1/x',
    '--to',
    `sqlite:${directory}`,
  ])
  assert.equal(shown.code, 2)
  assert.doesNotMatch(shown.stderr, /hunter2/)
})

import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openLocalRootKey } from '../../../src/adapters/root-keys/local.ts'
import { rootKeyContract } from './root-key-contract.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-root-key-'))
after(() => rmSync(scratch, { recursive: true }))

let files = 0
const newFile = (text?: string, mode = 0o600): string => {
  const file = join(scratch, `root-${files++}.key`)
  if (text !== undefined) writeFileSync(file, text, { mode })
  return file
}
const CONTEXT = { tenant: 'default', generation: '1' }
const invalid = { code: 'ERR_ROOT_KEY_INVALID' }

rootKeyContract('local file', async () => (await openLocalRootKey({ file: newFile(), create: true })).rootKey)

describe('a local root key', () => {
  test('is created once, with access for its owner only, and says that it needs a backup', async () => {
    const file = newFile()
    assert.equal((await openLocalRootKey({ file, create: true })).created, true)
    assert.equal((await openLocalRootKey({ file, create: true })).created, false)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.match(
      readFileSync(file, 'utf8'),
      /^# Back this file up.*\n#.*\nkeyspring-root-key v1 [0-9a-f]{16} \S{44}\n$/,
    )
  })

  test('leaves no temporary file', async () => {
    const file = newFile()
    await openLocalRootKey({ file, create: true })
    assert.deepEqual(
      readdirSync(scratch).filter((name) => name.endsWith('.new')),
      [],
    )
  })

  test('is the same when two processes create it at once', async () => {
    const file = newFile()
    const opened = await Promise.all(Array.from({ length: 8 }, () => openLocalRootKey({ file, create: true })))
    assert.equal(opened.filter(({ created }) => created).length, 1)
    const wrapped = await opened[0]?.rootKey.wrap(new Uint8Array(32), CONTEXT)
    assert.ok(wrapped)
    for (const { rootKey } of opened) assert.ok(await rootKey.unwrap(wrapped, CONTEXT))
  })

  test('unwraps after a restart', async () => {
    const file = newFile()
    const wrapped = await (await openLocalRootKey({ file, create: true })).rootKey.wrap(new Uint8Array(32), CONTEXT)
    const again = await openLocalRootKey({ file, create: false })
    assert.deepEqual(await again.rootKey.unwrap(wrapped, CONTEXT), new Uint8Array(32))
  })

  test('wraps with the last generation and unwraps with each', async () => {
    const [a, b, both] = [newFile(), newFile(), newFile()]
    const first = (await openLocalRootKey({ file: a, create: true })).rootKey
    const second = (await openLocalRootKey({ file: b, create: true })).rootKey
    writeFileSync(both, readFileSync(a, 'utf8') + readFileSync(b, 'utf8'), { mode: 0o600 })
    const { rootKey } = await openLocalRootKey({ file: both, create: false })
    const old = await first.wrap(new Uint8Array(32), CONTEXT)
    assert.ok(await rootKey.unwrap(old, CONTEXT))
    assert.ok(await second.unwrap(await rootKey.wrap(new Uint8Array(32), CONTEXT), CONTEXT))
  })

  test('is not created again when the store holds keys', async () => {
    const file = newFile()
    await assert.rejects(openLocalRootKey({ file, create: false }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ERR_ROOT_KEY_MISSING')
      assert.match(error.message, /without it the keys in .* cannot be opened: restore it from its backup/)
      assert.ok(error.message.includes(file) && error.message.includes(scratch))
      return true
    })
  })

  test('is rejected when other users can read it, and the error says how to fix it', async () => {
    const file = newFile()
    await openLocalRootKey({ file, create: true })
    for (const mode of [0o640, 0o604, 0o660, 0o644]) {
      chmodSync(file, mode)
      await assert.rejects(openLocalRootKey({ file, create: true }), { ...invalid, message: /chmod 600/ })
    }
  })

  test('is rejected when its directory does not exist', async () => {
    await assert.rejects(openLocalRootKey({ file: join(scratch, 'no', 'root.key'), create: true }), invalid)
  })
})

describe('a root key file is rejected', () => {
  const key = Buffer.alloc(32, 7).toString('base64')
  const ID = '0000000000000000'
  const malformed: Record<string, string> = {
    'when empty': '',
    'with comments alone': '# nothing\n',
    'of another version': `keyspring-root-key v2 ${ID} ${key}\n`,
    'with another id than the key has': `keyspring-root-key v1 ${ID} ${key}\n`,
    'with a short key': `keyspring-root-key v1 ${ID} ${Buffer.alloc(31, 7).toString('base64')}\n`,
    'with loose bits at the end of the key': `keyspring-root-key v1 ${ID} ${key.slice(0, -2)}d=\n`,
    'with something after the key': `keyspring-root-key v1 ${ID} ${key} more\n`,
    'with the key alone': `${key}\n`,
  }
  for (const [name, text] of Object.entries(malformed)) {
    test(name, async () => {
      const file = newFile(text)
      await assert.rejects(openLocalRootKey({ file, create: true }), (error: Error & { code?: string }) => {
        assert.equal(error.code, invalid.code)
        assert.ok(error.message.includes(file))
        assert.ok(!error.message.includes(key.slice(0, 20)))
        return true
      })
    })
  }

  test('at every truncation', async () => {
    const whole = newFile()
    await openLocalRootKey({ file: whole, create: true })
    const text = readFileSync(whole, 'utf8').trimEnd()
    for (let length = text.indexOf('keyspring-root-key'); length < text.length; length++) {
      const file = newFile(text.slice(0, length))
      await assert.rejects(openLocalRootKey({ file, create: true }), invalid)
    }
  })
})

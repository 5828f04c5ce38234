import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openLocalRootKey, removeLocalGenerations, rotateLocalRootKey } from '../../../src/adapters/root-keys/local.ts'
import { Secret } from '../../../src/core/secret.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-rotation-'))
after(() => rmSync(scratch, { recursive: true }))

let files = 0
const newFile = (): string => join(scratch, `root-${files++}.key`)
const CONTEXT = { tenant: 'default', generation: '1' }
const passphrase = new Secret('correct horse battery staple')
const open = async (options: Parameters<typeof openLocalRootKey>[0]) => (await openLocalRootKey(options)).rootKey

describe('a local root key that is rotated', () => {
  test('wraps with the new generation and opens what the old one wrapped', async () => {
    const file = newFile()
    const before = await open({ file, create: true })
    const old = await before.wrap(new Uint8Array(32), CONTEXT)
    const id = await rotateLocalRootKey({ file })
    const rootKey = await open({ file, create: false })
    const fresh = await rootKey.wrap(new Uint8Array(32), CONTEXT)
    assert.ok(await rootKey.unwrap(old, CONTEXT))
    assert.equal(rootKey.describe?.(fresh), `local ${id}`)
    assert.deepEqual([rootKey.isNewest?.(old), rootKey.isNewest?.(fresh)], [false, true])
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  test('reaches a running process without a restart', async () => {
    const file = newFile()
    const running = await open({ file, create: true })
    await rotateLocalRootKey({ file })
    const fresh = await (await open({ file, create: false })).wrap(new Uint8Array(32), CONTEXT)
    assert.deepEqual(await running.unwrap(fresh, CONTEXT), new Uint8Array(32))
    assert.equal(running.isNewest?.(await running.wrap(new Uint8Array(32), CONTEXT)), true)
  })

  test('loses only unused generations, and never the newest', async () => {
    const file = newFile()
    const first = await open({ file, create: true })
    const old = await first.wrap(new Uint8Array(32), CONTEXT)
    const needed = first.describe?.(old)?.replace('local ', '')
    await rotateLocalRootKey({ file })
    await rotateLocalRootKey({ file })
    assert.equal(await removeLocalGenerations({ file }, (id) => id === needed), 1)
    assert.ok(await (await open({ file, create: false })).unwrap(old, CONTEXT))
    assert.equal(await removeLocalGenerations({ file }, () => false), 1)
    const last = await open({ file, create: false })
    assert.equal(await last.unwrap(old, CONTEXT), undefined)
    assert.equal(last.isNewest?.(await last.wrap(new Uint8Array(32), CONTEXT)), true)
  })

  test('rotates twice or reports an error when two rotations run at once, and loses nothing', async () => {
    const file = newFile()
    await openLocalRootKey({ file, create: true })
    const rotations = await Promise.allSettled([1, 2, 3].map(() => rotateLocalRootKey({ file })))
    const done = rotations.filter(({ status }) => status === 'fulfilled').length
    assert.equal(readFileSync(file, 'utf8').match(/^keyspring-root-key v1 /gm)?.length, 1 + done)
  })
})

describe('a local root key under a passphrase', () => {
  test('is never in the clear in its file, and opens only with the passphrase', async () => {
    const file = newFile()
    const rootKey = await open({ file, create: true, passphrase })
    const wrapped = await rootKey.wrap(new Uint8Array(32), CONTEXT)
    assert.doesNotMatch(readFileSync(file, 'utf8'), /keyspring-root-key v1/)
    assert.ok(await (await open({ file, create: false, passphrase })).unwrap(wrapped, CONTEXT))
    const invalid = (message: RegExp) => ({ code: 'ERR_ROOT_KEY_INVALID', message })
    await assert.rejects(open({ file, create: false }), invalid(/sealed with a passphrase, and none is set/))
    const other = new Secret('correct horse battery stable')
    await assert.rejects(open({ file, create: false, passphrase: other }), invalid(/does not open/))
  })

  test('gets its passphrase at the next rotation', async () => {
    const file = newFile()
    const wrapped = await (await open({ file, create: true })).wrap(new Uint8Array(32), CONTEXT)
    await rotateLocalRootKey({ file, passphrase })
    assert.doesNotMatch(readFileSync(file, 'utf8'), /keyspring-root-key v1/)
    assert.ok(await (await open({ file, create: false, passphrase })).unwrap(wrapped, CONTEXT))
  })

  test('is rejected when its file was altered or truncated or requests too much work', async () => {
    const file = newFile()
    await openLocalRootKey({ file, create: true, passphrase })
    const text = readFileSync(file, 'utf8')
    const changed = [
      text.replace('N=65536', 'N=32768'),
      text.replace('N=65536', 'N=9999999'),
      text.replace('N=65536', 'N=65537'),
      `${text.trimEnd().slice(0, -8)}\n`,
      text.replace(/(\S{8})\S(\S{8})\n$/, '$1A$2\n'),
      text.replace(/ \S+\n$/, ' \n'),
    ]
    for (const one of changed.filter((candidate) => candidate !== text)) {
      writeFileSync(file, one)
      await assert.rejects(open({ file, create: false, passphrase }), { code: 'ERR_ROOT_KEY_INVALID' })
    }
  })
})

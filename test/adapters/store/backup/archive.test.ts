import assert from 'node:assert/strict'
import { createHash, createSecretKey, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import {
  type Manifest,
  measure,
  readArchive,
  readManifest,
  writeArchive,
} from '../../../../src/adapters/store/backup/archive.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-archive-'))
after(() => rmSync(scratch, { recursive: true }))

let files = 0
const newFile = (): string => join(scratch, `${files++}`)
const key = createSecretKey(randomBytes(32))
const invalid = { code: 'ERR_BACKUP_INVALID' }

async function archived(bytes: Uint8Array) {
  const [source, archive] = [newFile(), newFile()]
  writeFileSync(source, bytes)
  const manifest: Manifest = {
    createdAt: '2026-01-02T03:04:05.000Z',
    contents: 1,
    dataKeys: 1,
    ...(await measure(source)),
    salt: randomBytes(16).toString('base64'),
    scrypt: { N: 2, r: 8, p: 1 },
  }
  await writeArchive(source, archive, manifest, key)
  return { archive, manifest, sealed: readFileSync(archive) }
}

describe('a backup archive', () => {
  for (const size of [0, 1, 1_048_575, 1_048_576, 1_048_577, 3_000_000]) {
    test(`of ${size} bytes restores them, with access for the owner only`, async () => {
      const bytes = randomBytes(size)
      const { archive, manifest } = await archived(bytes)
      const target = newFile()
      assert.deepEqual(await readManifest(archive), manifest)
      assert.deepEqual(await readArchive(archive, target, key), manifest)
      assert.ok(readFileSync(target).equals(bytes))
      assert.equal(manifest.sha256, createHash('sha256').update(bytes).digest('hex'))
      for (const file of [archive, target]) assert.equal(statSync(file).mode & 0o777, 0o600)
    })
  }

  test('holds nothing of the store in the clear', async () => {
    const bytes = Buffer.from('content-id-of-a-film '.repeat(100))
    const { sealed } = await archived(bytes)
    assert.ok(!sealed.includes('content-id-of-a-film'))
  })

  test('opens only with its own key, and leaves no file otherwise', async () => {
    const { archive } = await archived(randomBytes(100))
    const target = newFile()
    await assert.rejects(readArchive(archive, target, createSecretKey(randomBytes(32))), invalid)
    assert.equal(existsSync(target), false)
  })

  test('is rejected at every truncation', async () => {
    const { sealed } = await archived(randomBytes(50))
    for (let length = 0; length < sealed.length; length++) {
      const cut = newFile()
      writeFileSync(cut, sealed.subarray(0, length))
      await assert.rejects(readArchive(cut, newFile(), key), invalid)
    }
  })

  test('is rejected with any byte changed, and with data after its end', async () => {
    const { sealed } = await archived(randomBytes(50))
    for (const index of sealed.keys()) {
      const changed = newFile()
      writeFileSync(
        changed,
        sealed.map((byte, i) => (i === index ? byte ^ 1 : byte)),
      )
      await assert.rejects(readArchive(changed, newFile(), key), invalid)
    }
    const longer = newFile()
    writeFileSync(longer, Buffer.concat([sealed, Buffer.of(0)]))
    await assert.rejects(readArchive(longer, newFile(), key), invalid)
  })

  test('is rejected when two chunks are swapped or the last is missing', async () => {
    const { sealed, manifest } = await archived(randomBytes(3 * 1_048_576))
    const chunk = 1_048_576 + 16
    const start = sealed.length - 3 * chunk
    const [head, a, b, c] = [0, start, start + chunk, start + 2 * chunk].map((at, i) =>
      sealed.subarray(at, i === 0 ? start : at + chunk),
    )
    assert.ok(head && a && b && c)
    assert.equal(manifest.size, 3 * 1_048_576)
    for (const parts of [
      [head, b, a, c],
      [head, a, b],
      [head, a, b, b],
    ]) {
      const changed = newFile()
      writeFileSync(changed, Buffer.concat(parts))
      await assert.rejects(readArchive(changed, newFile(), key), invalid)
    }
  })
})

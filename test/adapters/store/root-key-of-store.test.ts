import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openLocalRootKey } from '../../../src/adapters/root-keys/local.ts'
import { openSqliteStore } from '../../../src/adapters/store/sqlite/store.ts'
import { StoredContentKeys } from '../../../src/keys/content/content-keys.ts'
import { openKeys } from '../../../src/keys/crypto/data-keys.ts'
import { issue, wantedOf } from '../../keys/fixtures.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-root-key-of-store-'))
after(() => rmSync(scratch, { recursive: true }))

/** One run of a server on `directory`: its keys, or why it refuses. */
async function run(directory: string) {
  const store = openSqliteStore({ file: join(directory, 'keys.db') })
  const rootKeyName = join(directory, 'root.key')
  try {
    const openRootKey = (create: boolean) => openLocalRootKey({ file: rootKeyName, create })
    const { dataKeys, created } = await openKeys({ store, openRootKey, rootKeyName, randomBytes })
    const keys = new StoredContentKeys({ store, dataKeys, policy: 'derived', now: () => 0, randomBytes, time: () => 0 })
    return { created, ...(await issue(keys, [wantedOf(1)])) }
  } finally {
    await store.close()
  }
}

describe('a store and its root key', () => {
  test('return the same keys after a restart', async () => {
    const directory = mkdtempSync(join(scratch, 'data-'))
    const first = await run(directory)
    assert.deepEqual([first.created, first.first], [true, true])
    assert.deepEqual(await run(directory), { ...first, created: false, first: false })
  })

  test('do not start without their root key, and start once it is restored', async () => {
    const directory = mkdtempSync(join(scratch, 'data-'))
    const first = await run(directory)
    renameSync(join(directory, 'root.key'), join(directory, 'backup'))
    for (const _attempt of [1, 2]) {
      await assert.rejects(run(directory), { code: 'ERR_ROOT_KEY_MISSING', message: /restore it from its backup/ })
    }
    renameSync(join(directory, 'backup'), join(directory, 'root.key'))
    assert.deepEqual((await run(directory)).keys, first.keys)
  })

  test('do not start with the root key of another store', async () => {
    const [one, two] = [mkdtempSync(join(scratch, 'data-')), mkdtempSync(join(scratch, 'data-'))]
    await run(one)
    await run(two)
    renameSync(join(two, 'root.key'), join(one, 'root.key'))
    const named = new RegExp(`tenant "default" .*${join(one, 'root.key')}. Restore`)
    await assert.rejects(run(one), { code: 'ERR_ROOT_KEY_FOREIGN', message: named })
  })

  test('do not start with a root key that other users can read', async () => {
    const directory = mkdtempSync(join(scratch, 'data-'))
    await run(directory)
    chmodSync(join(directory, 'root.key'), 0o644)
    await assert.rejects(run(directory), { code: 'ERR_ROOT_KEY_INVALID', message: /chmod 600/ })
  })
})

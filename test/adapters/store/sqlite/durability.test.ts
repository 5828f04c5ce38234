import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { openLocalRootKey } from '../../../../src/adapters/root-keys/local.ts'
import { openSqliteStore } from '../../../../src/adapters/store/sqlite/store.ts'
import { StoredContentKeys } from '../../../../src/keys/content/content-keys.ts'
import { addOverride } from '../../../../src/keys/content/overrides.ts'
import { openKeys } from '../../../../src/keys/crypto/data-keys.ts'
import { BIRTH, hex, issue, kidOf, REF, wantedOf } from '../../../keys/fixtures.ts'
import { recordOf } from '../ledger-store-contract.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-durability-'))
after(() => rmSync(scratch, { recursive: true }))

const PROCESS = new URL('./process.ts', import.meta.url).pathname
const newDirectory = (): string => mkdtempSync(join(scratch, 'data-'))

describe('the sqlite store over time', () => {
  test('keeps everything after it is opened again', async () => {
    const file = join(newDirectory(), 'keys.db')
    const before = openSqliteStore({ file })
    await before.putSecretIfAbsent(REF, Uint8Array.of(1), [], BIRTH)
    await before.putTombstone({ ...REF, contentId: 'gone' }, { at: 1, reason: 'withdrawn', cause: 'deleted' })
    await before.putDataKeyIfAbsent({ tenant: 'default', generation: 1, wrapped: Uint8Array.of(2) })
    await before.record([recordOf({})])
    await before.close()
    const again = openSqliteStore({ file, create: false })
    assert.deepEqual((await again.findContent(REF, []))?.sealedSecret, Uint8Array.of(1))
    assert.equal((await again.findContent({ ...REF, contentId: 'gone' }, []))?.tombstone?.reason, 'withdrawn')
    assert.equal((await again.findDataKeys('default')).length, 1)
    assert.deepEqual(await again.findByContent({ tenant: 'default', contentId: 'live' }, 1), [recordOf({})])
    await again.close()
  })

  test('completes a write that began before close() and rejects a later one', async () => {
    const file = join(newDirectory(), 'keys.db')
    const store = openSqliteStore({ file })
    const writes = Array.from({ length: 100 }, (_, number) =>
      store.putSecretIfAbsent({ ...REF, contentId: `c${number}` }, Uint8Array.of(number), [], BIRTH),
    )
    const closed = store.close()
    await assert.rejects(store.putSecretIfAbsent(REF, Uint8Array.of(1), [], BIRTH), { code: 'ERR_STORE_UNAVAILABLE' })
    await closed
    assert.equal((await Promise.all(writes)).length, 100)
    await assert.rejects(store.findContent(REF, []), { code: 'ERR_STORE_UNAVAILABLE' })
    const again = openSqliteStore({ file })
    assert.ok(await again.findContent({ ...REF, contentId: 'c99' }, []))
    await again.close()
  })

  for (const round of [1, 2, 3]) {
    test(`a killed process loses no acknowledged write (round ${round})`, async () => {
      const directory = newDirectory()
      const child = spawn(process.execPath, [PROCESS, 'write', directory], { stdio: ['ignore', 'pipe', 'inherit'] })
      const exited = once(child, 'exit')
      const acknowledged: string[] = []
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged.push(line)
        if (acknowledged.length === round * 40) child.kill('SIGKILL')
      }
      assert.deepEqual(await exited, [null, 'SIGKILL'])
      const store = openSqliteStore({ file: join(directory, 'keys.db'), create: false })
      // The last line may have been cut by the kill.
      const whole = acknowledged.filter((line) => /^\d+ [0-9a-f]{64}$/.test(line))
      assert.ok(whole.length >= round * 40)
      for (const line of whole) {
        const [number, secret] = line.split(' ')
        const found = await store.findContent({ ...REF, contentId: `c${number}` }, [])
        assert.equal(hex(found?.sealedSecret ?? new Uint8Array()), secret)
      }
      await store.close()
    })
  }
})

test('32 first requests in each of three processes on one file get one key', async () => {
  const directory = newDirectory()
  const run = promisify(execFile)
  const processes = [1, 2, 3].map(() => run(process.execPath, [PROCESS, 'first-requests', directory]))
  const keys = (await Promise.all(processes)).flatMap(({ stdout }) => JSON.parse(stdout) as string[])
  assert.equal(keys.length, 96)
  assert.equal(new Set(keys).size, 1)
})

for (const policy of ['derived', 'random'] as const) {
  test(`the data directory holds no clear key or secret under the policy ${policy}`, async () => {
    const directory = newDirectory()
    const clear: Uint8Array[] = []
    // Everything random that could be a key or secret passes here.
    const watched = (size: number): Uint8Array => {
      const bytes = randomBytes(size)
      if (size >= 16) clear.push(new Uint8Array(bytes))
      return bytes
    }
    const store = openSqliteStore({ file: join(directory, 'keys.db') })
    const rootKeyName = join(directory, 'root.key')
    const openRootKey = (create: boolean) => openLocalRootKey({ file: rootKeyName, create })
    const { dataKeys } = await openKeys({ store, openRootKey, rootKeyName, randomBytes: watched })
    const keys = new StoredContentKeys({ store, dataKeys, policy, now: () => 0, randomBytes: watched, time: () => 0 })
    for (let number = 0; number < 20; number++) {
      const ref = { ...REF, contentId: `c${number}` }
      const key = watched(16)
      const pssh = {}
      await addOverride(
        { store, dataKeys, randomBytes: watched, now: () => 0 },
        { ref, contentKeyClass: 'drm', kid: kidOf(1), key, pssh },
      )
      const issued = await issue(keys, [wantedOf(1), wantedOf(2), wantedOf(3, 'clear')], ref)
      for (const pair of issued.keys) clear.push(Buffer.from(pair.split(' ')[0] ?? '', 'hex'))
    }
    await store.record([recordOf({})])
    assert.ok(clear.length > 60)
    const search = (): void => {
      for (const name of readdirSync(directory).filter((one) => one !== 'root.key')) {
        const content = readFileSync(join(directory, name))
        const text = content.toString('latin1').toLowerCase()
        for (const secret of clear) {
          assert.ok(!content.includes(Buffer.from(secret)), name)
          for (const encoding of ['hex', 'base64', 'base64url'] as const) {
            const spelled = Buffer.from(secret).toString(encoding).replaceAll('=', '').slice(0, 21).toLowerCase()
            assert.ok(!text.includes(spelled), name)
          }
        }
      }
    }
    assert.ok(readdirSync(directory).includes('keys.db-wal'))
    search()
    await store.close()
    search()
  })
}

test('creates its files with access for the owner only', async () => {
  const directory = join(newDirectory(), 'new')
  const store = openSqliteStore({ file: join(directory, 'keys.db') })
  await store.putSecretIfAbsent(REF, Uint8Array.of(1), [], BIRTH)
  assert.equal(statSync(directory).mode & 0o777, 0o700)
  const files = readdirSync(directory)
  assert.deepEqual(files.sort(), ['keys.db', 'keys.db-shm', 'keys.db-wal'])
  for (const name of files) assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name)
  await store.close()
})

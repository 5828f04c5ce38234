import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { openSqliteQueue, type SqliteQueue } from '../../../../src/adapters/store/sqlite/queue.ts'
import { openSqliteStore } from '../../../../src/adapters/store/sqlite/store.ts'
import type { WriterData } from '../../../../src/adapters/store/sqlite/writer.ts'
import { Readiness } from '../../../../src/server/assemble/key-provider.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-writer-'))
after(() => rmSync(scratch, { recursive: true }))
let files = 0
const newFile = (): string => join(scratch, `${files++}.db`)

const UNAVAILABLE = { code: 'ERR_STORE_UNAVAILABLE' }
const dataKey = (generation: number) => ({ tenant: 'studio', generation, wrapped: Uint8Array.of(generation) })

/** A queue whose threads can be killed, with a clock that stands still. */
async function killable() {
  const file = newFile()
  await openSqliteStore({ file }).close()
  const threads: Worker[] = []
  const restarts: string[] = []
  const clock = { ms: 0 }
  const start = (workerData: WriterData): Worker => {
    const thread = new Worker(new URL('../../../../src/adapters/store/sqlite/writer.ts', import.meta.url), {
      workerData,
    })
    threads.push(thread)
    return thread
  }
  const queue = openSqliteQueue(
    { file, busyTimeoutMs: 50, pragmas: 'PRAGMA journal_mode = WAL;' },
    { start, now: () => clock.ms, onRestart: ({ code }) => restarts.push(code) },
  )
  const kill = async (): Promise<void> => void (await threads.at(-1)?.terminate())
  return { queue, kill, clock, threads, restarts, file }
}

const put = (queue: SqliteQueue, generation: number) => queue.write('putDataKeyIfAbsent', dataKey(generation))

test('after its thread was killed, writes fail at once until the pause ends, then a new thread writes', async () => {
  const { queue, kill, clock, threads, restarts } = await killable()
  assert.deepEqual((await put(queue, 1)).wrapped, Uint8Array.of(1))
  await kill()
  await assert.rejects(put(queue, 2), UNAVAILABLE)
  await assert.rejects(queue.write('checkWrites'), UNAVAILABLE)
  assert.deepEqual([threads.length, restarts], [1, []])
  clock.ms += 100
  await queue.write('checkWrites')
  assert.deepEqual((await put(queue, 2)).wrapped, Uint8Array.of(2))
  assert.deepEqual([threads.length, restarts], [2, ['ERR_STORE_UNAVAILABLE']])
  await queue.close()
})

test('writes in flight when the thread is killed fail, and a retry shows whether they were stored', async () => {
  const { queue, kill, clock } = await killable()
  await put(queue, 1)
  const writes = [2, 3, 4].map((generation) => put(queue, generation))
  await kill()
  for (const outcome of await Promise.allSettled(writes)) {
    if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'ERR_STORE_UNAVAILABLE')
  }
  clock.ms += 100
  for (const generation of [2, 3, 4])
    assert.deepEqual((await put(queue, generation)).wrapped, Uint8Array.of(generation))
  await queue.close()
})

test('the pause doubles with each death, up to 10 seconds, and is short again after a write', async () => {
  const { queue, kill, clock, threads } = await killable()
  await put(queue, 1)
  for (const pause of [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
    await kill()
    clock.ms += pause - 1
    await assert.rejects(queue.write('checkWrites'), UNAVAILABLE)
    const before = threads.length
    clock.ms += 1
    const doomed = queue.write('checkWrites').catch(({ code }) => code)
    assert.equal(threads.length, before + 1, `after ${pause} ms`)
    // It must not have written, or the pause would start anew.
    void kill()
    assert.equal(await doomed, 'ERR_STORE_UNAVAILABLE')
  }
  clock.ms += 10_000
  await queue.write('checkWrites')
  await kill()
  clock.ms += 100
  await queue.write('checkWrites')
  await queue.close()
})

test('a queue with a dead thread can be closed', async () => {
  const { queue, kill } = await killable()
  await put(queue, 1)
  await kill()
  await queue.close()
  await assert.rejects(put(queue, 2), UNAVAILABLE)
})

test('a probe of the writer writes and changes nothing', async () => {
  const { queue, file } = await killable()
  const db = new DatabaseSync(file)
  const version = db.prepare('PRAGMA user_version').get()
  const changes = () => db.prepare('PRAGMA data_version').get()?.data_version
  const before = changes()
  await queue.write('checkWrites')
  assert.notEqual(changes(), before)
  assert.deepEqual(db.prepare('PRAGMA user_version').get(), version)
  db.exec('BEGIN IMMEDIATE')
  await assert.rejects(queue.write('checkWrites'), { ...UNAVAILABLE, message: /another process/ })
  db.exec('ROLLBACK')
  db.close()
  await queue.close()
})

test('a store that cannot be written is not ready, and is probed at most once a second', async () => {
  const store = openSqliteStore({ file: newFile(), busyTimeoutMs: 50 })
  const other = new DatabaseSync(join(scratch, `${files - 1}.db`))
  let ms = 0
  const readiness = new Readiness(store, () => ms)
  const isReady = () => readiness.check()
  assert.equal(await isReady(), true)
  other.exec('BEGIN IMMEDIATE')
  assert.equal(await isReady(), true)
  ms += 1_000
  await assert.rejects(isReady(), UNAVAILABLE)
  other.exec('ROLLBACK')
  await assert.rejects(isReady(), UNAVAILABLE)
  ms += 1_000
  assert.equal(await isReady(), true)
  other.close()
  await store.close()
})

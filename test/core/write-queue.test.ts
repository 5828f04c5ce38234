import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Schedule, WriteQueue, type WriteQueueOptions } from '../../src/core/write-queue.ts'

interface Item {
  readonly name: string
  readonly value: number
}

/** A queue whose writes are in `written`, and whose timer runs when `tick` is called. */
function queueWith(options: Partial<WriteQueueOptions<Item>> = {}) {
  const written: number[][] = []
  const lost: number[] = []
  const timers = new Set<() => void>()
  const schedule: Schedule = (task) => {
    const run = (): void => {
      timers.delete(run)
      task()
    }
    timers.add(run)
    return () => timers.delete(run)
  }
  const queue = new WriteQueue<Item>({
    write: async (items) => {
      written.push(items.map(({ value }) => value))
    },
    delayMs: 1_000,
    maxItems: 4,
    maxBatch: 2,
    onFailure: (_, waiting) => waiting,
    onLoss: (items) => lost.push(...items.map(({ value }) => value)),
    schedule,
    ...options,
  })
  const tick = async (): Promise<void> => {
    for (const run of [...timers]) run()
    await queue.flush()
  }
  return { queue, written, lost, timers, tick }
}

const item = (value: number, name = String(value)): Item => ({ name, value })

test('writes what waits in batches, the oldest first, when the time is over', async () => {
  const { queue, written, timers, tick } = queueWith()
  for (const value of [1, 2, 3]) queue.add(item(value))
  assert.equal(timers.size, 1)
  assert.deepEqual(written, [])
  await tick()
  assert.deepEqual(written, [[1, 2], [3]])
  assert.equal(queue.size, 0)
  assert.equal(timers.size, 0)
})

test('joins items of one name, and keeps the place of the older one', async () => {
  const { queue, written, tick } = queueWith({
    nameOf: ({ name }) => name,
    join: (older, newer) => item(older.value + newer.value, newer.name),
  })
  queue.add(item(1, 'a'))
  queue.add(item(2, 'b'))
  queue.add(item(3, 'a'))
  await tick()
  assert.deepEqual(written, [[4, 2]])
})

test('replaces an item of the same name where items are not joined', async () => {
  const { queue, written, tick } = queueWith({ nameOf: ({ name }) => name })
  queue.add(item(1, 'a'))
  queue.add(item(3, 'a'))
  await tick()
  assert.deepEqual(written, [[3]])
})

test('reports an item that finds the queue full, and accepts one of a known name', async () => {
  const { queue, lost } = queueWith({ nameOf: ({ name }) => name, maxItems: 1 })
  assert.equal(queue.add(item(1, 'a')), true)
  assert.equal(queue.hasRoom, false)
  assert.equal(queue.add(item(2, 'b')), false)
  assert.equal(queue.add(item(3, 'a')), true)
  assert.deepEqual(lost, [2])
})

test('writes an item that comes during a write later, so that the items of one name are joined', async () => {
  const { queue, written, timers, tick } = queueWith({
    nameOf: ({ name }) => name,
    write: async (items) => {
      written.push(items.map(({ value }) => value))
      if (written.length === 1) queue.add(item(9, 'a'))
    },
  })
  queue.add(item(1, 'a'))
  await tick()
  assert.deepEqual(written, [[1]])
  assert.equal(timers.size, 1)
  await tick()
  assert.deepEqual(written, [[1], [9]])
})

test('writes an urgent item as soon as the write under way is done', async () => {
  let release: () => void = () => {}
  const first = new Promise<void>((resolve) => {
    release = resolve
  })
  const written: number[][] = []
  const { queue } = queueWith({
    write: async (items) => {
      written.push(items.map(({ value }) => value))
      if (written.length === 1) await first
    },
  })
  queue.addUrgent(item(1))
  await Promise.resolve()
  queue.addUrgent(item(2))
  release()
  await queue.close()
  assert.deepEqual(written, [[1], [2]])
})

test('keeps what a failed write leaves, joined with what came meanwhile, and tries again after the delay', async () => {
  const errors: unknown[] = []
  let fails = true
  const { queue, written, timers, tick } = queueWith({
    nameOf: ({ name }) => name,
    join: (older, newer) => item(older.value + newer.value, newer.name),
    write: async (items) => {
      if (fails) {
        queue.add(item(10, 'a'))
        throw new Error('away')
      }
      written.push(items.map(({ value }) => value))
    },
    onFailure: (error, waiting) => {
      errors.push(error)
      return waiting
    },
  })
  queue.add(item(1, 'a'))
  queue.add(item(2, 'b'))
  await tick()
  assert.equal(errors.length, 1)
  assert.equal(queue.size, 2)
  assert.equal(timers.size, 1)
  fails = false
  await tick()
  assert.deepEqual(written, [[11, 2]])
})

test('drops what the owner does not want to try again', async () => {
  const { queue, tick } = queueWith({
    write: () => Promise.reject(new Error('away')),
    onFailure: (_, waiting) => waiting.filter(({ value }) => value > 1),
  })
  queue.add(item(1))
  queue.add(item(2))
  await tick()
  assert.equal(queue.size, 1)
})

test('writes what is left when it is closed, and reports what it cannot write or gets later', async () => {
  const good = queueWith()
  good.queue.add(item(1))
  await good.queue.close()
  assert.deepEqual(good.written, [[1]])
  assert.equal(good.queue.add(item(2)), false)
  assert.deepEqual(good.lost, [2])

  const bad = queueWith({ write: () => Promise.reject(new Error('away')) })
  bad.queue.add(item(1))
  await bad.queue.close()
  assert.deepEqual(bad.lost, [1])
  assert.equal(bad.timers.size, 0)
})

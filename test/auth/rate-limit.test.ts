import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RateLimit } from '../../src/auth/rate-limit.ts'

function make(maxBuckets = 100) {
  let time = 0
  const limit = new RateLimit({ perSecond: 2, burst: 4, now: () => time, maxBuckets })
  const take = (client: string, times: number) => Array.from({ length: times }, () => limit.take(client))
  return {
    take,
    wait: (ms: number) => {
      time += ms
    },
  }
}

const GO = undefined

describe('createRateLimit', () => {
  test('lets a burst through, then says how long to wait', () => {
    assert.deepEqual(make().take('a', 6), [GO, GO, GO, GO, 1, 1])
  })

  test('gives tokens back with time, up to the burst', () => {
    const { take, wait } = make()
    take('a', 4)
    wait(500)
    assert.deepEqual(take('a', 2), [GO, 1])
    wait(3_600_000)
    assert.deepEqual(take('a', 5), [GO, GO, GO, GO, 1])
  })

  test('a request that waits for Retry-After goes through', () => {
    let time = 0
    const slow = new RateLimit({ perSecond: 0.1, burst: 1, now: () => time })
    assert.equal(slow.take('a'), GO)
    const seconds = slow.take('a') ?? assert.fail('not limited')
    assert.equal(seconds, 10)
    time += seconds * 1_000
    assert.equal(slow.take('a'), GO)
  })

  test('counts each client by itself', () => {
    const { take } = make()
    take('a', 5)
    assert.deepEqual(take('b', 1), [GO])
  })

  test('keeps no more buckets than it may', () => {
    const { take } = make(2)
    for (const client of ['a', 'b', 'c']) take(client, 5)
    assert.deepEqual([take('b', 1), take('c', 1), take('a', 1)], [[1], [1], [GO]])
  })
})

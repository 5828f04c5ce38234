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

test('a clock that is set back takes no tokens away', () => {
  let clock = 1_000_000
  const limit = new RateLimit({ perSecond: 1, burst: 2, now: () => clock })
  assert.equal(limit.take('a'), undefined)
  clock = 0
  assert.equal(limit.take('a'), undefined)
  assert.equal(limit.take('a'), 1)
  clock = 1_000
  assert.equal(limit.take('a'), undefined)
})

test('peek takes no token, and makes no bucket', () => {
  const limit = new RateLimit({ perSecond: 1, burst: 1, now: () => 0 })
  for (let i = 0; i < 3; i++) assert.equal(limit.peek('a'), undefined)
  limit.take('a')
  assert.deepEqual([limit.peek('a'), limit.peek('b')], [1, undefined])
})

test('a long name is counted like a short one', () => {
  const limit = new RateLimit({ perSecond: 1, burst: 1, now: () => 0 })
  const [one, other] = ['x'.repeat(10_000), `${'x'.repeat(9_999)}y`]
  assert.deepEqual([limit.take(one), limit.take(one), limit.take(other)], [undefined, 1, undefined])
})

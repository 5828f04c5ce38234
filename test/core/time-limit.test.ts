import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { TimeLimitError, withTimeLimit } from '../../src/core/time-limit.ts'

test('returns the result of work that finishes in time, and keeps no timer', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    assert.equal(await withTimeLimit(10, async () => 'done'), 'done')
    await assert.rejects(
      withTimeLimit(10, async () => {
        throw new RangeError('failed')
      }),
      RangeError,
    )
  } finally {
    mock.timers.reset()
  }
})

test('rejects late work, aborts its signal and ignores its later error', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const { promise, reject } = Promise.withResolvers<never>()
    let signal: AbortSignal | undefined
    const limited = withTimeLimit(10, (given) => {
      signal = given
      return promise
    })
    const rejected = assert.rejects(limited, (error: unknown) => {
      assert.ok(error instanceof TimeLimitError)
      return /10 ms/.test(error.message)
    })
    mock.timers.tick(10)
    await rejected
    assert.equal(signal?.aborted, true)
    reject(new Error('later'))
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    mock.timers.reset()
  }
})

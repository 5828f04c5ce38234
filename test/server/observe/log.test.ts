import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { toLoggedError } from '../../../src/server/observe/log.ts'

test('an error is shown with its causes, and a stack only where it was not foreseen', () => {
  const cause = Object.assign(new Error('disk full'), { code: 'ENOSPC' })
  const logged = toLoggedError(new KeyProviderError('ERR_STORE_UNAVAILABLE', 'not written', { cause }))
  assert.deepEqual(
    { ...logged, cause: undefined },
    {
      name: 'KeyProviderError',
      code: 'ERR_STORE_UNAVAILABLE',
      message: 'not written',
      stack: undefined,
      cause: undefined,
    },
  )
  assert.equal(logged.cause?.code, 'ENOSPC')
  assert.match(logged.cause?.stack ?? '', /disk full/)
})

test('an error that causes itself ends somewhere', () => {
  const error = new Error('again')
  error.cause = error
  assert.ok(JSON.stringify(toLoggedError(error)).length < 10_000)
})

for (const thrown of ['hunter2', { password: 'hunter2' }, undefined, null, 7]) {
  test(`what is thrown and no error is shown by its type alone: ${typeof thrown}`, () => {
    assert.doesNotMatch(JSON.stringify(toLoggedError(thrown)), /hunter2/)
  })
}

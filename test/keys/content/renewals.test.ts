import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { Renewals, type RenewalsOptions } from '../../../src/keys/content/revival.ts'
import type { ContentStore } from '../../../src/keys/ports/content-store.ts'

const refOf = (number: number) => ({ tenant: 'default', contentId: `c${number}` })

/** Renewals whose timer is turned by hand, and what was written of them. */
function renewalsOf(options: Partial<RenewalsOptions> = {}) {
  const seen = { away: false, batches: [] as number[], errors: [] as unknown[], lost: 0, scheduled: [] as number[] }
  const written = new Map<string, number | undefined>()
  let task: (() => void) | undefined
  const store: Pick<ContentStore, 'putExpiry'> = {
    async putExpiry(expiries) {
      if (seen.away) throw new KeyProviderError('ERR_STORE_UNAVAILABLE', 'the store is away')
      seen.batches.push(expiries.length)
      for (const { contentId, expiresAt } of expiries) written.set(contentId, expiresAt)
    },
  }
  const renewals = new Renewals({
    store,
    onError: (error) => seen.errors.push(error),
    onLoss: (lost) => {
      seen.lost += lost
    },
    schedule(next, ms) {
      seen.scheduled.push(ms)
      task = next
      return () => {
        task = undefined
      }
    },
    ...options,
  })
  const turn = async (): Promise<void> => {
    task?.()
    await renewals.flush()
  }
  return { renewals, written, seen, turn }
}

describe('renewals', () => {
  test('are written late, together, the latest of each content', async () => {
    const { renewals, written, seen, turn } = renewalsOf()
    for (let number = 0; number < 450; number++) renewals.renew(refOf(number % 250), number)
    assert.deepEqual([seen.batches, seen.scheduled], [[], [1_000]])
    await turn()
    assert.deepEqual(seen.batches, [200, 50])
    assert.deepEqual([written.get('c0'), written.get('c199'), written.get('c249')], [250, 449, 249])
    await turn()
    assert.deepEqual(seen.batches, [200, 50])
  })

  test('are kept while the store is away, and tried again', async () => {
    const { renewals, written, seen, turn } = renewalsOf()
    seen.away = true
    renewals.renew(refOf(1), 1)
    renewals.renew(refOf(2), undefined)
    await turn()
    assert.equal(seen.errors.length, 1)
    renewals.renew(refOf(1), 3)
    seen.away = false
    await turn()
    assert.deepEqual(
      [...written],
      [
        ['c1', 3],
        ['c2', undefined],
      ],
    )
    assert.deepEqual(seen.scheduled, [1_000, 1_000])
  })

  test('that come while others are written are written next', async () => {
    const during = { renew: () => {} }
    const written: (number | undefined)[] = []
    const renewals = new Renewals({
      store: {
        async putExpiry(expiries) {
          during.renew()
          written.push(...expiries.map(({ expiresAt }) => expiresAt))
        },
      },
      schedule: () => () => {},
    })
    during.renew = () => {
      during.renew = () => {}
      renewals.renew(refOf(1), 2)
    }
    renewals.renew(refOf(1), 1)
    await renewals.flush()
    await renewals.flush()
    assert.deepEqual(written, [1, 2])
  })

  test('are bounded: what finds no room is counted, not thrown', async () => {
    const { renewals, written, seen, turn } = renewalsOf({ maxWaiting: 2 })
    for (const number of [1, 2, 3, 1]) renewals.renew(refOf(number), number * 10)
    assert.equal(seen.lost, 1)
    await turn()
    assert.deepEqual([...written.keys()], ['c1', 'c2'])
  })

  test('are written in the end, and what cannot be is counted', async () => {
    const { renewals, written } = renewalsOf()
    renewals.renew(refOf(1), 1)
    await renewals.close()
    assert.equal(written.get('c1'), 1)

    const away = renewalsOf()
    away.seen.away = true
    away.renewals.renew(refOf(1), 1)
    await away.renewals.close()
    away.renewals.renew(refOf(2), 1)
    assert.equal(away.seen.lost, 2)
  })
})

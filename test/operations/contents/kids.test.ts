import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lookUpKid } from '../../../src/operations/contents/kids.ts'
import { kidOf } from '../../keys/fixtures.ts'
import { ledgerKey, ledgerRecord, managing, OPERATOR, START } from '../managing.ts'

const iso = (at: number): string => new Date(at).toISOString()

test('a kid is found in every content and period it was issued in', async () => {
  const { management, store } = managing()
  const key = ledgerKey(kidOf(7))
  await store.record([
    ledgerRecord({ periodId: 'p1', periodIndex: 1, keys: [key, ledgerKey(kidOf(8))], requests: 2 }),
    ledgerRecord({
      periodId: 'p2',
      periodIndex: 2,
      periodStart: '2026-11-21T00:00:00Z',
      periodEnd: '2026-11-21T00:01:00Z',
      keys: [{ ...key, contentKeyClass: 'clear', intendedTrackTypes: ['AUDIO'] }],
      firstAt: START + 1,
      lastAt: START + 2,
      requests: 3,
    }),
    ledgerRecord({ contentId: 'copy', keys: [key] }),
  ])
  const { kid, contents } = await lookUpKid(management, OPERATOR, { kid: kidOf(7) })
  assert.equal(kid, kidOf(7))
  const [channel, copy, ...more] = contents
  assert.deepEqual(more, [])
  assert.deepEqual(channel, {
    contentId: 'channel',
    classes: ['clear', 'drm'],
    commonEncryptionSchemes: ['cenc'],
    intendedTrackTypes: ['AUDIO', 'VIDEO'],
    systemIds: [],
    firstAt: iso(START),
    lastAt: iso(START + 2),
    requests: 5,
    periods: [
      {
        periodId: 'p2',
        index: 2,
        start: '2026-11-21T00:00:00Z',
        end: '2026-11-21T00:01:00Z',
        firstAt: iso(START + 1),
        lastAt: iso(START + 2),
      },
      { periodId: 'p1', index: 1, start: undefined, end: undefined, firstAt: iso(START), lastAt: iso(START) },
    ],
  })
  assert.equal(copy?.contentId, 'copy')
})

test('a kid that was not issued in the tenant is not found', async () => {
  const { management, store } = managing()
  await store.record([ledgerRecord({ tenant: 'other', keys: [ledgerKey(kidOf(7))] })])
  await assert.rejects(lookUpKid(management, OPERATOR, { kid: kidOf(7) }), { code: 'ERR_KEY_NOT_FOUND' })
})

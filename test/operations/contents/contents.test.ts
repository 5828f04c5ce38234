import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FOREVER } from '../../../src/keys/content/lifetime.ts'
import { deleteContent, holdContent, releaseContent } from '../../../src/operations/contents/changes.ts'
import { listContents, showContent } from '../../../src/operations/contents/contents.ts'
import { resolveKeys } from '../../../src/operations/resolve/resolve.ts'
import { kidOf } from '../../keys/fixtures.ts'
import { DAY, HELD, ledgerRecord, managing, OPERATOR, START, WEEK } from '../managing.ts'

const iso = (at: number): string => new Date(at).toISOString()
const refOf = (contentId: string) => ({ tenant: 'default', contentId })
const WHY = { contentId: 'movie', reason: 'rights ended' }

describe('a list of contents', () => {
  test('says of each its class and state', async () => {
    const { management, create, clock, rules, store } = managing()
    rules.of = ({ contentId }) => (contentId === 'court' ? HELD : contentId === 'vod' ? FOREVER : WEEK)
    for (const contentId of ['court', 'held', 'live', 'old', 'vod']) await create(contentId)
    await store.putHold(refOf('held'), 'case 7')
    await store.putTombstone(refOf('old'), { at: START, reason: 'rights ended', cause: 'deleted' })
    clock.at += 7 * DAY
    await create('fresh')
    const { contents, next } = await listContents(management, OPERATOR, {})
    assert.deepEqual(
      contents.map(({ contentId, state, class: name, expiresAt }) => [contentId, state, name, expiresAt]),
      [
        ['court', 'held', 'court', undefined],
        ['fresh', 'active', 'week', iso(START + 14 * DAY)],
        ['held', 'held', 'week', undefined],
        ['live', 'expired', 'week', iso(START + 7 * DAY)],
        ['old', 'destroyed', 'week', undefined],
        ['vod', 'active', 'forever', undefined],
      ],
    )
    assert.equal(next, undefined)
  })

  test('goes on where the page before ended, until everything was given once', async () => {
    const { management, create } = managing()
    const ids = Array.from({ length: 23 }, (_, i) => `c/${String(i).padStart(2, '0')}/é`)
    for (const id of ids) await create(id)
    await create('not ours', 'other')
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await listContents(management, OPERATOR, { cursor, limit: 5 })
      seen.push(...page.contents.map(({ contentId }) => contentId))
      cursor = page.next
    } while (cursor !== undefined)
    assert.deepEqual(seen, ids)
  })

  test('is of what starts with a text, and contains one', async () => {
    const { management, create } = managing()
    for (const id of ['live-a', 'live-b', 'vod-a']) await create(id)
    const ids = async (query: Parameters<typeof listContents>[2]) =>
      (await listContents(management, OPERATOR, query)).contents.map(({ contentId }) => contentId)
    assert.deepEqual(await ids({ startsWith: 'live-' }), ['live-a', 'live-b'])
    assert.deepEqual(await ids({ contains: '-a' }), ['live-a', 'vod-a'])
    assert.deepEqual(await ids({ startsWith: 'live-', contains: 'b' }), ['live-b'])
  })

  for (const cursor of ['', 'x', 'bW92aWU', 'MW1vdmll=', 'MW1vdmll\n']) {
    test(`rejects the cursor ${JSON.stringify(cursor)}, which it never gave`, async () => {
      const listed = listContents(managing().management, OPERATOR, { cursor })
      await assert.rejects(listed, { code: 'ERR_API_REQUEST_INVALID' })
    })
  }
  for (const limit of [0, 1_001, 1.5]) {
    test(`rejects a limit of ${limit}`, async () => {
      await assert.rejects(listContents(managing().management, OPERATOR, { limit }), {
        code: 'ERR_API_REQUEST_INVALID',
      })
    })
  }
})

describe('one content', () => {
  test('is shown with what is stored and the periods that were asked for last', async () => {
    const { management, create, store, rules } = managing()
    rules.of = () => WEEK
    await create('movie')
    await store.record(
      [0, 1].map((i) =>
        ledgerRecord({ contentId: 'movie', periodId: `p${i}`, periodIndex: i, lastAt: START + i, requests: 3 }),
      ),
    )
    const { lastPeriods, ...listed } = await showContent(management, OPERATOR, { contentId: 'movie' })
    assert.deepEqual(listed, {
      contentId: 'movie',
      state: 'active',
      class: 'week',
      createdAt: iso(START),
      expiresAt: iso(START + 7 * DAY),
      destroyedFrom: iso(START + 8 * DAY),
      hold: undefined,
      destroyed: undefined,
      epoch: 0,
      hasSecret: true,
      overrides: 0,
      kidOverrides: 0,
    })
    assert.deepEqual(
      lastPeriods.map(({ periodId, index, keys, requests }) => [periodId, index, keys, requests]),
      [1, 0].map((i) => [`p${i}`, i, [{ kid: kidOf(1), class: 'drm', intendedTrackTypes: ['VIDEO'] }], 3]),
    )
  })

  test('of another tenant is not found, nor is one of which nothing is stored', async () => {
    const { management, create } = managing()
    await create('movie', 'other')
    for (const contentId of ['movie', 'nothing']) {
      await assert.rejects(showContent(management, OPERATOR, { contentId }), { code: 'ERR_CONTENT_NOT_FOUND' })
    }
  })
})

describe('a deletion', () => {
  test('destroys a content permanently: a late request gets no new key', async () => {
    const { management, create, store, clock, events, entries } = managing()
    await create('movie')
    clock.at += DAY
    assert.deepEqual(await deleteContent(management, OPERATOR, WHY), {
      contentId: 'movie',
      destroyedAt: iso(clock.at),
      already: false,
    })
    assert.equal((await store.findContent(refOf('movie'), []))?.sealedSecret, undefined)
    await assert.rejects(create('movie'), { code: 'ERR_CONTENT_GONE' })
    assert.deepEqual(events, [
      {
        type: 'content.deleted',
        tenant: 'default',
        contentId: 'movie',
        at: clock.at,
        data: { reason: 'rights ended' },
      },
    ])
    assert.deepEqual(
      entries.map(({ action, outcome, contentId, reason, actor }) => [action, outcome, contentId, reason, actor.id]),
      ['begun', 'ok'].map((outcome) => ['content.delete', outcome, 'movie', 'rights ended', 'ops']),
    )
  })

  test('of what was deleted changes nothing and says when that was', async () => {
    const { management, create, clock, events } = managing()
    await create('movie')
    await deleteContent(management, OPERATOR, WHY)
    clock.at += DAY
    const again = await deleteContent(management, OPERATOR, { ...WHY, reason: 'again' })
    assert.deepEqual(again, { contentId: 'movie', destroyedAt: iso(START), already: true })
    assert.equal(events.length, 1)
  })

  test('of what had expired takes away its chance of new keys', async () => {
    const { management, create, store } = managing({ rules: { of: () => ({ ...WEEK, afterwards: 'regenerate' }) } })
    await create('movie')
    await store.putTombstone(refOf('movie'), { at: START, reason: 'its retention had passed', cause: 'expired' })
    assert.equal((await deleteContent(management, OPERATOR, WHY)).already, false)
    assert.equal((await store.findSummary(refOf('movie')))?.tombstone?.cause, 'deleted')
    await assert.rejects(create('movie'), { code: 'ERR_CONTENT_GONE' })
  })

  test('of a content that only derives, and stores nothing, leaves a tombstone', async () => {
    const { management, store } = managing()
    await store.record([ledgerRecord({ contentId: 'movie' })])
    assert.equal((await deleteContent(management, OPERATOR, WHY)).already, false)
    assert.equal((await store.findSummary(refOf('movie')))?.tombstone?.reason, 'rights ended')
  })

  test('of what is not there is rejected, and recorded', async () => {
    const { management, store, entries } = managing()
    await assert.rejects(deleteContent(management, OPERATOR, WHY), { code: 'ERR_CONTENT_NOT_FOUND' })
    assert.equal(await store.findSummary(refOf('movie')), undefined)
    assert.deepEqual(
      entries.map(({ outcome, code }) => [outcome, code]),
      [
        ['begun', undefined],
        ['refused', 'ERR_CONTENT_NOT_FOUND'],
      ],
    )
  })

  test('of what is under legal hold is refused, by an operator or by a rule', async () => {
    const { management, create, store, rules } = managing()
    await create('movie')
    await holdContent(management, OPERATOR, { contentId: 'movie', reason: 'case 7' })
    await assert.rejects(deleteContent(management, OPERATOR, WHY), { code: 'ERR_CONTENT_HELD' })
    await releaseContent(management, OPERATOR, { contentId: 'movie', reason: 'case closed' })
    rules.of = () => HELD
    await assert.rejects(deleteContent(management, OPERATOR, WHY), { code: 'ERR_CONTENT_HELD' })
    assert.equal((await store.findSummary(refOf('movie')))?.hasSecret, true)
  })

  for (const reason of ['', ' \n', 'x'.repeat(513)]) {
    test(`without words that say why (${reason.length} characters) is rejected`, async () => {
      const { management, create, store } = managing()
      await create('movie')
      const deleted = deleteContent(management, OPERATOR, { contentId: 'movie', reason })
      await assert.rejects(deleted, { code: 'ERR_API_REQUEST_INVALID' })
      assert.equal((await store.findSummary(refOf('movie')))?.hasSecret, true)
    })
  }

  test('that cannot be recorded is not done', async () => {
    const { management, create, store, setAuditAway } = managing()
    await create('movie')
    setAuditAway(true)
    await assert.rejects(deleteContent(management, OPERATOR, WHY), { code: 'ERR_AUDIT_UNAVAILABLE' })
    assert.equal((await store.findSummary(refOf('movie')))?.hasSecret, true)
  })
})

describe('a legal hold', () => {
  test('is put and lifted with words that say why', async () => {
    const { management, create, store, entries } = managing()
    await create('movie')
    const held = await holdContent(management, OPERATOR, { contentId: 'movie', reason: ' case 7 ' })
    assert.deepEqual(held, { contentId: 'movie', held: true })
    assert.equal((await store.findSummary(refOf('movie')))?.hold, 'case 7')
    const released = await releaseContent(management, OPERATOR, { contentId: 'movie', reason: 'case closed' })
    assert.deepEqual(released, { contentId: 'movie', held: false })
    assert.equal((await store.findSummary(refOf('movie')))?.hold, undefined)
    assert.deepEqual(
      entries.filter(({ outcome }) => outcome === 'ok').map(({ action, reason }) => [action, reason]),
      [
        ['content.hold', 'case 7'],
        ['content.release', 'case closed'],
      ],
    )
  })

  test('of what is not there, or is destroyed, is rejected', async () => {
    const { management, create } = managing()
    for (const change of [holdContent, releaseContent]) {
      await assert.rejects(change(management, OPERATOR, WHY), { code: 'ERR_CONTENT_NOT_FOUND' })
    }
    await create('movie')
    await deleteContent(management, OPERATOR, WHY)
    for (const change of [holdContent, releaseContent]) {
      await assert.rejects(change(management, OPERATOR, WHY), { code: 'ERR_CONTENT_GONE' })
    }
  })

  test('by a rule is not an operator’s to lift', async () => {
    const { management, create } = managing({ rules: { of: () => HELD } })
    await create('movie')
    await assert.rejects(releaseContent(management, OPERATOR, WHY), { code: 'ERR_CONTENT_HELD' })
  })
})

test('a content whose rules let it live on has not expired, whatever time is stored with it, nor does a licence of it end', async () => {
  const rules = { of: () => WEEK }
  const { management, create, clock, rules: current } = managing({ rules })
  await create('movie')
  clock.at += 8 * DAY
  for (const kept of [FOREVER, HELD]) {
    current.of = () => kept
    const { state, expiresAt } = await showContent(management, OPERATOR, { contentId: 'movie' })
    assert.deepEqual([state, expiresAt], [kept.held ? 'held' : 'active', undefined])
    const resolved = await resolveKeys(management, OPERATOR, { contentId: 'movie', kids: [kidOf(1)] })
    assert.ok('keys' in resolved)
    assert.equal(resolved.keys[0]?.policy.expiresAt, undefined)
    assert.equal(resolved.keys.length, 1)
  }
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { apiWorld, KID, OTHER_KID, withScopes } from '../worlds.ts'

const REASON = '?reason=the%20licence%20ended'

describe('contents', () => {
  test('are listed in the order of their ids, page by page', async () => {
    const { ask, issue } = apiWorld()
    for (const contentId of ['live-2', 'movie', 'live-1']) await issue(contentId)
    const first = await ask('GET', '/api/contents?limit=2')
    assert.equal(first.status, 200)
    const ids = (json: Record<string, unknown>) =>
      (json.contents as { contentId: string }[]).map((one) => one.contentId)
    assert.deepEqual(ids(first.json), ['live-1', 'live-2'])
    const second = await ask('GET', `/api/contents?limit=2&cursor=${first.json.next}`)
    assert.deepEqual(ids(second.json), ['movie'])
    assert.equal(second.json.next, undefined)
    assert.deepEqual(ids((await ask('GET', '/api/contents?startsWith=live-&contains=2')).json), ['live-2'])
  })

  test('are shown with their class and last periods, and without a key', async () => {
    const { ask, issue } = apiWorld()
    const [key] = await issue('live-1')
    const { status, json, text } = await ask('GET', '/api/contents/live-1')
    assert.equal(status, 200)
    assert.deepEqual(
      { state: json.state, class: json.class, expiresAt: json.expiresAt },
      { state: 'active', class: 'live', expiresAt: '2026-11-28T19:00:00.000Z' },
    )
    assert.equal((json.lastPeriods as unknown[]).length, 1)
    assert.ok(!text.includes(key?.toString('base64') ?? ''))
  })

  test('are named by ~ and base64url where their id is no word', async () => {
    const { ask, issue } = apiWorld()
    await issue('a/../b ü')
    const segment = `~${Buffer.from('a/../b ü').toString('base64url')}`
    assert.equal((await ask('GET', `/api/contents/${segment}`)).json.contentId, 'a/../b ü')
    const { status, json } = await ask('GET', '/api/contents/a.b')
    assert.equal(status, 400)
    assert.equal((json.problems as { path: string }[])[0]?.path, 'path.content')
  })

  test('of which nothing is stored are 404', async () => {
    const { ask } = apiWorld()
    const { status, json } = await ask('GET', '/api/contents/never')
    assert.deepEqual({ status, code: json.code }, { status: 404, code: 'ERR_CONTENT_NOT_FOUND' })
  })

  test('are held, and cannot be deleted until they are released', async () => {
    const { ask, issue } = apiWorld()
    await issue('live-1')
    const held = await ask('PUT', '/api/contents/live-1/hold', { json: { reason: 'case 17' } })
    assert.deepEqual(held.json, { contentId: 'live-1', held: true })
    const refused = await ask('DELETE', `/api/contents/live-1${REASON}`)
    assert.deepEqual({ status: refused.status, code: refused.json.code }, { status: 409, code: 'ERR_CONTENT_HELD' })
    assert.equal((await ask('DELETE', `/api/contents/live-1/hold${REASON}`)).json.held, false)
    assert.equal((await ask('DELETE', `/api/contents/live-1${REASON}`)).status, 200)
  })

  test('that were deleted never get keys again, and who did it is recorded first', async () => {
    const { ask, issue, audit } = apiWorld()
    await issue('live-1')
    const { json } = await ask('DELETE', `/api/contents/live-1${REASON}`)
    assert.deepEqual(json, { contentId: 'live-1', destroyedAt: '2026-11-21T19:00:00.000Z', already: false })
    await assert.rejects(issue('live-1'), { code: 'ERR_CONTENT_GONE' })
    assert.deepEqual(
      audit.map(({ action, outcome, actor, requestId }) => [action, outcome, actor.id, requestId]),
      [
        ['content.delete', 'begun', 'operator', 'test-1'],
        ['content.delete', 'ok', 'operator', 'test-1'],
      ],
    )
  })

  test('are deleted with a reason', async () => {
    const { ask, issue } = apiWorld()
    await issue('live-1')
    const { status, json } = await ask('DELETE', '/api/contents/live-1')
    assert.equal(status, 400)
    assert.deepEqual(json.problems, [{ path: 'query.reason', problem: 'is not set: expected string' }])
  })

  test('tell their key periods', async () => {
    const { ask, issue } = apiWorld()
    await issue('movie')
    const { json } = await ask('GET', '/api/contents/movie/periods?from=2026-01-01T00:00:00Z&expected=0')
    assert.equal((json.periods as { state: string }[])[0]?.state, 'current')
    assert.equal((await ask('GET', '/api/contents/movie/periods?from=soon&expected=101')).status, 400)
  })
})

describe('retention', () => {
  test('tells the classes, and which one a content has', async () => {
    const { ask } = apiWorld()
    const { json } = await ask('GET', '/api/retention?contentId=live-9')
    assert.deepEqual(json, {
      default: 'forever',
      classes: [
        { name: 'forever', graceSeconds: 0, afterwards: 'gone' },
        { name: 'live', keepSeconds: 604_800, graceSeconds: 86_400, afterwards: 'gone' },
      ],
      content: { contentId: 'live-9', class: 'live', held: false },
    })
  })

  test('a dry run tells what is due, a sweep destroys it', async () => {
    const { ask, issue, advance } = apiWorld()
    await issue('live-1')
    await issue('movie')
    advance(9)
    const plan = await ask('POST', '/api/sweep?dryRun=true')
    assert.deepEqual(
      (plan.json.contents as { contentId: string; action: string }[]).map(({ contentId, action }) => [
        contentId,
        action,
      ]),
      [['live-1', 'destroy']],
    )
    assert.equal((await ask('POST', '/api/sweep')).json.destroyed, 1)
    const { json } = await ask('GET', '/api/contents/live-1')
    assert.deepEqual(
      { state: json.state, cause: (json.destroyed as { cause: string }).cause },
      { state: 'destroyed', cause: 'expired' },
    )
  })

  test('a sweep requires admin, and a plan lists the contents of the own tenant only', async () => {
    const { ask, issue, advance } = apiWorld()
    await issue('live-1', [KID], 'other')
    advance(9)
    assert.equal((await ask('POST', '/api/sweep', { as: withScopes('keys:read', 'keys:write') })).status, 403)
    const plan = await ask('POST', '/api/sweep?dryRun=true', { as: withScopes('admin') })
    assert.deepEqual(plan.json.contents, [])
  })
})

describe('kids', () => {
  test('are found in their content', async () => {
    const { ask, issue } = apiWorld()
    await issue('movie', [KID, OTHER_KID])
    const { json } = await ask('GET', `/api/kids/${OTHER_KID.toUpperCase()}`)
    assert.equal(json.kid, OTHER_KID)
    assert.equal((json.contents as { contentId: string }[])[0]?.contentId, 'movie')
  })

  test('that nobody was given are 404, and what is no UUID is 400', async () => {
    const { ask } = apiWorld()
    assert.equal((await ask('GET', `/api/kids/${KID}`)).status, 404)
    assert.equal((await ask('GET', '/api/kids/one')).status, 400)
  })
})

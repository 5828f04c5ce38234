import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.ts'
import { authorize, SCOPES, type Scope } from '../../src/auth/clients/client.ts'
import { OPERATIONS } from '../../src/http/api/operations/operations.ts'
import { copyProtectionData } from '../../src/http/routes/copy-protection-data.ts'
import { OPERATOR } from '../operations/managing.ts'
import { transferring } from '../operations/transfer/transferring.ts'
import { apiWorld, KID, OTHER_KID } from './api/worlds.ts'
import { callOf, handlerFor } from './calls.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-effects-'))
const closing: (() => Promise<void>)[] = []
after(async () => {
  for (const close of closing) await close()
  rmSync(scratch, { recursive: true })
})

const KEY = Buffer.alloc(16, 0xd1).toString('hex')
const REASON = { reason: 'a test' }
const FORCED = { force: true, ...REASON }

/** What an operation does to the store, the scope that allows it, and a request of it. `CONTENT` is a contentId. */
interface Effect {
  readonly effect: 'reads' | 'writes'
  readonly scope: Scope
  readonly kid?: string
  readonly query?: string
  readonly json?: object
}

/** Every operation of the management API. A new operation needs its line here. */
const TABLE: Readonly<Record<string, Effect>> = {
  listContents: { effect: 'reads', scope: 'keys:read' },
  showContent: { effect: 'reads', scope: 'keys:read' },
  listPeriods: { effect: 'reads', scope: 'keys:read' },
  listKeys: { effect: 'reads', scope: 'keys:read' },
  showKey: { effect: 'reads', scope: 'keys:read', kid: KID },
  listOverrides: { effect: 'reads', scope: 'keys:read' },
  lookUpKid: { effect: 'reads', scope: 'keys:read', kid: KID },
  showRetention: { effect: 'reads', scope: 'keys:read' },
  resolveKeys: { effect: 'reads', scope: 'keys:resolve', json: { contentId: 'CONTENT', kids: [KID] } },
  exportKeys: { effect: 'reads', scope: 'keys:export', json: { contentId: 'CONTENT', format: 'json', clear: true } },
  deleteContent: { effect: 'writes', scope: 'keys:write', query: 'reason=test', json: REASON },
  holdContent: { effect: 'writes', scope: 'keys:write', json: REASON },
  releaseContent: { effect: 'writes', scope: 'keys:write', query: 'reason=test', json: REASON },
  addOverride: {
    effect: 'writes',
    scope: 'keys:write',
    json: { contentKeyClass: 'drm', kid: OTHER_KID, key: KEY, ...FORCED },
  },
  removeOverride: { effect: 'writes', scope: 'keys:write', kid: OTHER_KID, query: 'force=true&reason=test' },
  addKidOverride: {
    effect: 'writes',
    scope: 'keys:write',
    json: { intendedTrackType: 'VIDEO', kid: OTHER_KID, ...FORCED },
  },
  removeKidOverride: {
    effect: 'writes',
    scope: 'keys:write',
    query: 'intendedTrackType=VIDEO&force=true&reason=test',
  },
  importKeys: {
    effect: 'writes',
    scope: 'keys:write',
    json: { keys: [{ contentId: 'imported', kid: KID, key: KEY }] },
  },
  sweep: { effect: 'writes', scope: 'admin' },
}

/** Scopes that `admin` includes. */
const OF_ADMIN: readonly Scope[] = ['keys:read', 'keys:write']
const allows = (scope: Scope, needed: Scope): boolean =>
  scope === needed || (scope === 'admin' && OF_ADMIN.includes(needed))

/** Every row of every table. */
function rowsOf(file: string): unknown {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all()
    return tables.map(({ name }) => [name, db.prepare(`SELECT * FROM "${String(name)}"`).all()])
  } finally {
    db.close()
  }
}

const CONTENTS = { movie: 'living', 'live-new': 'expired', 'live-old': 'past its grace period', gone: 'destroyed' }

let stores = 0
async function openWorld() {
  const file = join(scratch, `${stores++}.db`)
  const store = await openSqliteStore({ file, create: true })
  closing.push(() => store.close())
  const world = apiWorld(store as never)
  await world.issue('live-old')
  world.advance(1)
  await world.issue('live-new')
  await world.issue('movie')
  await world.issue('gone')
  await store.putTombstone({ tenant: 'default', contentId: 'gone' }, { at: 1, reason: 'an operator', cause: 'deleted' })
  world.advance(7.5)
  return { ...world, rows: () => rowsOf(file) }
}

type World = Awaited<ReturnType<typeof openWorld>>

function ask(world: World, operation: (typeof OPERATIONS)[number], contentId: string, scopes: readonly Scope[]) {
  const { kid = KID, query, json } = TABLE[operation.id] ?? assert.fail(`${operation.id} is missing in the table`)
  const path = operation.path.replace('{content}', contentId).replace('{kid}', kid)
  const body = json && JSON.parse(JSON.stringify(json).replaceAll('CONTENT', contentId))
  const hasBody = body !== undefined && operation.method !== 'get' && operation.query === undefined
  return world.ask(operation.method.toUpperCase(), `${path}${query === undefined ? '' : `?${query}`}`, {
    as: { scopes },
    ...((hasBody || operation.id === 'importKeys') && { json: body }),
  })
}

test('the table has every operation, with its scope', () => {
  assert.deepEqual(
    Object.fromEntries(OPERATIONS.map(({ id, scope }) => [id, scope])),
    Object.fromEntries(Object.entries(TABLE).map(([id, { scope }]) => [id, scope])),
  )
})

for (const operation of OPERATIONS) {
  const { effect, scope } = TABLE[operation.id] ?? { effect: 'reads', scope: operation.scope }
  describe(`${operation.id} ${effect}`, () => {
    let world: World
    before(async () => {
      world = await openWorld()
    })

    test('changes nothing without its scope', async () => {
      const start = world.rows()
      for (const other of SCOPES.filter((one) => !allows(one, scope))) {
        assert.equal((await ask(world, operation, 'movie', [other])).status, 403, other)
      }
      assert.deepEqual(world.rows(), start)
    })

    if (effect === 'reads') {
      for (const [contentId, state] of Object.entries(CONTENTS)) {
        test(`changes nothing of a content that is ${state}`, async () => {
          const start = world.rows()
          const { status } = await ask(world, operation, contentId, [scope])
          assert.ok(status < 500 && status !== 400 && status !== 403, `${status}`)
          if (contentId === 'movie') assert.equal(status, 200)
          assert.deepEqual(world.rows(), start)
        })
      }
    } else {
      test('changes the store', async () => {
        const by = (id: string) => OPERATIONS.find((one) => one.id === id) ?? assert.fail(id)
        if (operation.id === 'removeOverride') await ask(world, by('addOverride'), 'movie', ['keys:write'])
        if (operation.id === 'removeKidOverride') await ask(world, by('addKidOverride'), 'movie', ['keys:write'])
        if (operation.id === 'releaseContent') await ask(world, by('holdContent'), 'movie', ['keys:write'])
        const start = world.rows()
        const { status, text } = await ask(world, operation, 'movie', [scope])
        assert.ok(status === 200 || status === 201 || status === 204, `${status} ${text}`)
        assert.notDeepEqual(world.rows(), start)
      })
    }
  })
}

describe('CPIX transfer', () => {
  const document = (contentId: string, data = ''): string =>
    `<CPIX contentId="${contentId}" xmlns="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc"><ContentKeyList><ContentKey kid="${KID}">${data}</ContentKey></ContentKeyList></CPIX>`
  const METHODS = {
    GET: { effect: 'reads', scopes: ['keys:issue', 'keys:export'] },
    POST: { effect: 'writes', scopes: ['keys:issue'] },
    PUT: { effect: 'writes', scopes: ['keys:write', 'admin'] },
    DELETE: { effect: 'writes', scopes: ['keys:write', 'admin'] },
  } as const satisfies Record<string, { effect: Effect['effect']; scopes: readonly Scope[] }>

  async function openTransfer() {
    const file = join(scratch, `${stores++}.db`)
    const store = await openSqliteStore({ file, create: true })
    closing.push(() => store.close())
    const { transfer, clock, rules } = transferring({ store: store as never })
    rules.of = () => ({
      name: 'week',
      keepMs: 7 * 86_400_000,
      graceMs: 86_400_000,
      afterwards: 'regenerate',
      held: false,
    })
    let scopes: readonly Scope[] = SCOPES
    const handler = handlerFor({
      routes: copyProtectionData({
        transfer,
        createdStatus: 200,
        identify: () => ({
          operator: OPERATOR,
          client: 'client',
          authorize: (intent) => authorize({ name: 'client', tenant: 'default', scopes }, intent),
          sees: undefined,
        }),
      }),
      checks: [],
      observe: () => {},
      now: () => 0,
    })
    const send = async (method: string, as: readonly Scope[], contentId = 'movie', xml = document(contentId)) => {
      scopes = as
      const withBody = method === 'POST' || method === 'PUT'
      const headers = {
        ...(withBody && { 'content-type': 'application/xml' }),
        ...(method === 'PUT' && { 'if-match': '*' }),
      }
      const bytes = Buffer.from(withBody ? xml : '')
      return (await handler(callOf(method, `/copyProtectionData/${contentId}`, { headers, bytes }))).status
    }
    assert.equal(await send('POST', SCOPES), 200)
    return { send, clock, rows: () => rowsOf(file) }
  }

  for (const [method, { effect, scopes }] of Object.entries(METHODS)) {
    test(`${method} ${effect}, with ${scopes.join(' or ')}`, async () => {
      const { send, rows } = await openTransfer()
      const start = rows()
      for (const other of SCOPES.filter((one) => !(scopes as readonly Scope[]).includes(one))) {
        assert.equal(await send(method, [other]), 403, other)
      }
      assert.deepEqual(rows(), start)
      const contentId = method === 'POST' ? 'another' : 'movie'
      const status = await send(method, [scopes[0]], contentId)
      assert.ok(status < 300, `${status}`)
      if (effect === 'reads') assert.deepEqual(rows(), start)
      else assert.notDeepEqual(rows(), start)
    })
  }

  for (const days of [7.5, 9]) {
    test(`GET changes nothing ${days} days after the last request`, async () => {
      const { send, clock, rows } = await openTransfer()
      clock.at += days * 86_400_000
      const start = rows()
      assert.equal(await send('GET', ['keys:issue']), 410)
      assert.deepEqual(rows(), start)
    })
  }
})

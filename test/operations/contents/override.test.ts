import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  addOverrideRule,
  listContentOverrides,
  overrideKey,
  removeOverrideKey,
  removeOverrideRule,
} from '../../../src/operations/contents/override-keys.ts'
import { importKeys } from '../../../src/operations/import/keys.ts'
import { kidOf, REF, wantedOf } from '../../keys/fixtures.ts'
import { ledgerRecord, managing, OPERATOR } from '../managing.ts'

const KEY = Buffer.alloc(16, 0xc1)
const ADDED = { contentId: 'movie', contentKeyClass: 'drm', kid: kidOf(1), key: KEY } as const
const RULE = { intendedTrackType: 'HD', periodIndex: undefined, kid: kidOf(5) }
const FORCE = { force: true, reason: 'the test server has a new key' }

const told = ({ entries }: ReturnType<typeof managing>) =>
  entries.map(({ action, outcome, kids, forced, reason, code }) => {
    return [`${action} ${outcome}`, kids?.[0], forced ?? false, reason, code]
  })

describe('a key for a kid', () => {
  test('is stored, issued and listed; the audit log and an event tell of it, not of the key', async () => {
    const world = managing()
    await overrideKey(world.management, OPERATOR, ADDED)
    const { keys } = await (await world.management.contentKeys.open(REF, [kidOf(1)])).issue([wantedOf(1)])
    assert.deepEqual(Buffer.from(keys[0]?.contentKey ?? []), KEY)
    assert.deepEqual(await listContentOverrides(world.management, OPERATOR, 'movie'), {
      overrides: [{ contentKeyClass: 'drm', kid: kidOf(1), psshSystemIds: [] }],
      kidOverrides: [],
    })
    assert.deepEqual(told(world), [
      ['override.add begun', kidOf(1), false, undefined, undefined],
      ['override.add ok', kidOf(1), false, undefined, undefined],
    ])
    assert.deepEqual(
      world.events.map(({ type, contentId, data }) => ({ type, contentId, data })),
      [{ type: 'key.imported', contentId: 'movie', data: { keys: 1, forced: false } }],
    )
    assert.doesNotMatch(JSON.stringify([world.entries, world.events]), /c1c1c1|wcHBw/)
  })

  test('by force is recorded with its reason', async () => {
    const world = managing()
    await world.create('movie')
    await overrideKey(world.management, OPERATOR, { ...ADDED, ...FORCE })
    assert.deepEqual(
      told(world).map(([, , ...rest]) => rest),
      [1, 2].map(() => [true, FORCE.reason, undefined]),
    )
  })

  test('that is rejected is recorded as refused, and nothing is told of', async () => {
    const world = managing()
    await world.create('movie')
    await assert.rejects(overrideKey(world.management, OPERATOR, ADDED), { code: 'ERR_OVERRIDE_EXISTS' })
    assert.deepEqual(told(world).at(-1), ['override.add refused', kidOf(1), false, undefined, 'ERR_OVERRIDE_EXISTS'])
    assert.deepEqual(world.events, [])
  })

  test('is not stored where it cannot be recorded', async () => {
    const world = managing()
    world.setAuditAway(true)
    await assert.rejects(overrideKey(world.management, OPERATOR, ADDED), { code: 'ERR_AUDIT_UNAVAILABLE' })
    assert.deepEqual(await world.store.listOverrides(REF), [])
  })

  test('is removed by force alone, with a record of it; of another tenant there is none', async () => {
    const world = managing()
    const { management } = world
    await overrideKey(management, OPERATOR, ADDED)
    await assert.rejects(removeOverrideKey(management, OPERATOR, ADDED), { code: 'ERR_OVERRIDE_EXISTS' })
    assert.equal(await removeOverrideKey(management, { ...OPERATOR, tenant: 'other' }, { ...ADDED, ...FORCE }), false)
    assert.equal(await removeOverrideKey(management, OPERATOR, { ...ADDED, ...FORCE }), true)
    assert.deepEqual(told(world).at(-1), ['override.remove ok', kidOf(1), true, FORCE.reason, undefined])
    assert.deepEqual(await world.store.listOverrides(REF), [])
  })
})

describe('a rule for kids', () => {
  test('is stored, listed and removed by force, each with its record', async () => {
    const world = managing()
    const { management } = world
    await addOverrideRule(management, OPERATOR, { contentId: 'movie', rule: RULE })
    assert.deepEqual((await listContentOverrides(management, OPERATOR, 'movie')).kidOverrides, [RULE])
    const named = { contentId: 'movie', rule: RULE }
    await assert.rejects(removeOverrideRule(management, OPERATOR, named), { code: 'ERR_OVERRIDE_EXISTS' })
    assert.equal(await removeOverrideRule(management, OPERATOR, { ...named, ...FORCE }), true)
    assert.equal(await removeOverrideRule(management, OPERATOR, { ...named, ...FORCE }), false)
    assert.deepEqual((await listContentOverrides(management, OPERATOR, 'movie')).kidOverrides, [])
    assert.deepEqual(
      told(world).map(([what]) => what),
      [
        'add begun',
        'add ok',
        'remove begun',
        'remove refused',
        'remove begun',
        'remove ok',
        'remove begun',
        'remove ok',
      ].map((what) => `override.${what}`),
    )
  })
})

test('keys that were issued of a secret that is derived, and stored nowhere, are changed by force alone', async () => {
  const { management, store } = managing({ rootSecret: new Uint8Array(32).fill(7) })
  const added = {
    contentId: 'channel',
    contentKeyClass: 'drm',
    kid: kidOf(1),
    key: new Uint8Array(16).fill(9),
  } as const
  const rule = { intendedTrackType: undefined, periodIndex: undefined, kid: kidOf(2) }
  const imported = {
    format: 'json',
    bytes: Buffer.from(JSON.stringify([{ contentId: 'channel', kid: kidOf(1), key: '09'.repeat(16) }])),
  }
  const refused = { code: 'ERR_OVERRIDE_EXISTS' }
  const ref = { tenant: 'default', contentId: 'channel' }
  await overrideKey(management, OPERATOR, { ...added, contentId: 'before' })
  await store.record([ledgerRecord()])
  await assert.rejects(overrideKey(management, OPERATOR, added), refused)
  await assert.rejects(addOverrideRule(management, OPERATOR, { contentId: 'channel', rule }), refused)
  await assert.rejects(importKeys(management, OPERATOR, imported), refused)
  assert.equal(await store.findContent(ref, []), undefined)
  const force = { force: true, reason: 'the wrong keys' }
  assert.equal((await importKeys(management, OPERATOR, { ...imported, ...force })).stored, 1)
  await overrideKey(management, OPERATOR, { ...added, ...force })
})

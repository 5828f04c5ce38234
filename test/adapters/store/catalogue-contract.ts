import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { ContentStore, LifeStore } from '../../../src/keys/ports/content-store.ts'
import type { ContentCatalogue, ContentQuery } from '../../../src/operations/ports/store.ts'
import { BIRTH, kidOf } from '../../keys/fixtures.ts'
import { openedWith } from './opened.ts'

type Store = ContentStore & LifeStore & ContentCatalogue

/** In the order of their UTF-8 bytes, which is not that of JavaScript: U+FF5E comes before an emoji. */
const NAMES = [
  ' ',
  '%',
  '../x',
  'A',
  'Z',
  '\\',
  '\\0',
  '\\\\',
  '_',
  'a',
  'a%',
  'a_b',
  'ab',
  'b',
  'e\u0301',
  'É',
  'é',
  '～',
  '🎬',
]

/** What every adapter of `ContentCatalogue` must do. */
export function catalogueContract(name: string, open: () => Promise<Store>): void {
  const opened = openedWith(open)
  /** Every page of a search, and how many there were. */
  const search = async (store: Store, query: Omit<ContentQuery, 'tenant'>) => {
    const found: string[] = []
    let pages = 0
    for (let after = query.after; ; ) {
      const { contents, next } = await store.searchContents({ tenant: 't', ...query, after })
      assert.ok(contents.length <= query.limit)
      found.push(...contents.map(({ contentId }) => contentId))
      pages++
      if (next === undefined) return { found, pages }
      after = next
    }
  }

  describe(`catalogue: ${name}`, () => {
    opened('contents are listed in the order of their bytes, in pages, each tenant alone', async (store) => {
      for (const contentId of NAMES.toReversed()) await put(store, contentId)
      await put(store, 'other', 'u')
      for (const limit of [1, 3, NAMES.length, 500]) {
        assert.deepEqual((await search(store, { limit })).found, NAMES, `pages of ${limit}`)
      }
      assert.equal((await search(store, { limit: NAMES.length })).pages, 1)
      assert.deepEqual((await search(store, { limit: 9, after: 'ab' })).found, NAMES.slice(NAMES.indexOf('ab') + 1))
      assert.deepEqual(await store.searchContents({ tenant: 'nobody', limit: 5 }), { contents: [], next: undefined })
    })

    opened('contents are found by how they start and by what they contain', async (store) => {
      for (const contentId of NAMES) await put(store, contentId)
      const found = async (query: Partial<ContentQuery>) => (await search(store, { limit: 2, ...query })).found
      assert.deepEqual(await found({ startsWith: 'a' }), ['a', 'a%', 'a_b', 'ab'])
      assert.deepEqual(await found({ startsWith: 'a_' }), ['a_b'])
      assert.deepEqual(await found({ startsWith: '\\' }), ['\\', '\\0', '\\\\'])
      assert.deepEqual(await found({ startsWith: 'a', after: 'a%' }), ['a_b', 'ab'])
      assert.deepEqual(await found({ startsWith: 'b', after: 'a' }), ['b'])
      assert.deepEqual(await found({ startsWith: 'zz' }), [])
      assert.deepEqual(await found({ contains: 'b' }), ['a_b', 'ab', 'b'])
      assert.deepEqual(await found({ contains: '%' }), ['%', 'a%'])
      assert.deepEqual(await found({ contains: 'é' }), ['é'])
      assert.deepEqual(await found({ startsWith: 'a', contains: 'b' }), ['a_b', 'ab'])
    })

    opened('a summary tells what is stored, and no key', async (store) => {
      const refOf = (contentId: string) => ({ tenant: 't', contentId })
      const override = { contentKeyClass: 'drm', sealed: Uint8Array.of(9), pssh: {} } as const
      const both = [1, 2].map((number) => ({ ...override, kid: kidOf(number) }))
      await store.putSecretIfAbsent(refOf('kept'), Uint8Array.of(1), [], { at: 5, expiresAt: 50 })
      await store.putOverridesIfAbsent(refOf('kept'), both, BIRTH)
      await store.putHold(refOf('kept'), 'court \\ é')
      await store.putOverridesIfAbsent(refOf('imported'), both, { at: 6, expiresAt: undefined })
      await store.putKidOverride(refOf('ruled'), { intendedTrackType: 'HD', periodIndex: 1, kid: kidOf(1) })
      await store.putTombstone(refOf('gone'), { at: 7, reason: 'why \\0', cause: 'deleted' })
      const life = { createdAt: undefined, expiresAt: undefined, hold: undefined, epoch: 0 }
      const nothing = { ...life, tombstone: undefined, hasSecret: false, overrides: 0, kidOverrides: 0 }
      const expected = [
        { ...nothing, contentId: 'gone', tombstone: { at: 7, reason: 'why \\0', cause: 'deleted' } },
        { ...nothing, contentId: 'imported', createdAt: 6, overrides: 2 },
        {
          ...nothing,
          contentId: 'kept',
          createdAt: 5,
          expiresAt: 50,
          hold: 'court \\ é',
          hasSecret: true,
          overrides: 2,
        },
        { ...nothing, contentId: 'ruled', kidOverrides: 1 },
      ]
      assert.deepEqual((await store.searchContents({ tenant: 't', limit: 9 })).contents, expected)
      for (const summary of expected) assert.deepEqual(await store.findSummary(refOf(summary.contentId)), summary)
      assert.equal(await store.findSummary(refOf('absent')), undefined)
    })

    opened('contents that come while a list is read neither repeat others nor hide them', async (store) => {
      const before = Array.from({ length: 20 }, (_, number) => `b${String(number).padStart(2, '0')}`)
      for (const contentId of before) await put(store, contentId)
      const [{ found }] = await Promise.all([
        search(store, { limit: 3 }),
        ...before.map((contentId) => put(store, `${contentId}x`)),
      ])
      assert.deepEqual(new Set(found).size, found.length)
      for (const contentId of before) assert.ok(found.includes(contentId))
    })
  })
}

/** What those adapters must do that read their rows one by one; it takes ten thousand contents. */
export function boundedSearchContract(name: string, open: () => Promise<Store>): void {
  const opened = openedWith(open)

  describe(`a long catalogue: ${name}`, () => {
    opened('a search looks at a bounded number of names for a page, and goes on', async (store) => {
      const last = 10_050
      const names = Array.from({ length: last + 1 }, (_, number) => `n${String(number).padStart(6, '0')}`)
      for (let at = 0; at < names.length; at += 500) {
        await Promise.all(names.slice(at, at + 500).map((contentId) => put(store, contentId)))
      }
      const query = { tenant: 't', contains: String(last), limit: 5 }
      const first = await store.searchContents(query)
      assert.deepEqual([first.contents, first.next], [[], 'n009999'])
      const second = await store.searchContents({ ...query, after: first.next })
      assert.deepEqual([second.contents.map(({ contentId }) => contentId), second.next], [['n010050'], undefined])
      const all = await store.searchContents({ tenant: 't', limit: 1_000_000 })
      assert.deepEqual([all.contents.length, all.next], [1_000, 'n000999'])
    })
  })
}

function put(store: Store, contentId: string, tenant = 't') {
  return store.putSecretIfAbsent({ tenant, contentId }, Uint8Array.of(1), [], BIRTH)
}

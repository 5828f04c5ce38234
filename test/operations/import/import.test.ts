import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { KeyProviderError } from '../../../src/core/errors.ts'
import { ImportDraft } from '../../../src/operations/import/draft.ts'
import { type ImportReport, importKeys, type KeyImport } from '../../../src/operations/import/keys.ts'
import { vectors } from '../../formats/drm/vectors.ts'
import { kidOf, REF, wantedOf } from '../../keys/fixtures.ts'
import { managing, OPERATOR } from '../managing.ts'

const KEY = Buffer.alloc(16, 0xc1)
const IV = Buffer.alloc(16, 0xc2)
const ZEROS = Buffer.alloc(16)
const OTHER_KEY = Buffer.alloc(16, 0xc3)
/** First three bytes of AES-ECB(KEY, 0): as `openssl enc -aes-128-ecb -nopad` has it. */
const CHECK_VALUE = '5627c4'
const LEAK = /c1c1c1|wcHBw|c2c2c2|wsLCw|c3c3c3|w8PDw/i
const FORCE = { force: true, reason: 'the wrong keys were imported' }

const row = (over: object = {}) => ({
  contentId: 'movie',
  kid: kidOf(1),
  key: KEY.toString('hex'),
  iv: IV.toString('base64'),
  ...over,
})
const json = (...rows: readonly object[]): KeyImport => ({ format: 'json', bytes: Buffer.from(JSON.stringify(rows)) })
const csv = (text: string): KeyImport => ({ format: 'csv', bytes: Buffer.from(text) })

async function keyOf(management: ReturnType<typeof managing>['management'], ref = REF, wanted = wantedOf(1)) {
  const content = await management.contentKeys.open(ref, [wanted.kid])
  const { keys } = await content.issue([wanted])
  return keys[0] ?? assert.fail('no key')
}

/** The refusal of an import; whatever it says, no key is in it. */
async function refusalOf(importing: Promise<ImportReport>): Promise<KeyProviderError> {
  const error = (await importing.then(
    () => assert.fail('imported'),
    (refusal: unknown) => refusal,
  )) as KeyProviderError
  assert.doesNotMatch(`${error.message} ${error.stack} ${error.cause}`, LEAK)
  return error
}

describe('imported keys', () => {
  test('are issued, with the IV that came with them, and the report has only their check value', async () => {
    const { management } = managing()
    const report = await importKeys(management, OPERATOR, json(row()))
    assert.deepEqual(report, {
      dryRun: false,
      stored: 1,
      same: 0,
      refused: 0,
      keys: [{ contentId: 'movie', kid: kidOf(1), contentKeyClass: 'drm', status: 'stored', checkValue: CHECK_VALUE }],
      notes: [],
    })
    const { contentKey, explicitIv } = await keyOf(management)
    assert.deepEqual([Buffer.from(contentKey), Buffer.from(explicitIv)], [KEY, IV])
  })

  test('without an IV get one that is derived', async () => {
    const { management } = managing()
    await importKeys(management, OPERATOR, json(row({ iv: undefined })))
    const { contentKey, explicitIv } = await keyOf(management)
    assert.deepEqual(Buffer.from(contentKey), KEY)
    assert.notDeepEqual(Buffer.from(explicitIv), KEY)
  })

  test('that are stored already are the same, however often they are imported', async () => {
    const { management, store } = managing()
    await importKeys(management, OPERATOR, json(row()))
    const before = await store.listOverrides(REF)
    const again = await importKeys(management, OPERATOR, json(row({ iv: undefined }), row({ kid: kidOf(2) })))
    assert.deepEqual(
      again.keys.map(({ status }) => status),
      ['same', 'stored'],
    )
    const after = await store.listOverrides(REF)
    assert.deepEqual(
      after.filter(({ kid }) => kid === kidOf(1)),
      before,
    )
  })

  test('that were issued as they are derived are the same', async () => {
    const { management } = managing()
    const { contentKey, explicitIv } = await keyOf(management)
    const same = row({ key: Buffer.from(contentKey).toString('hex'), iv: Buffer.from(explicitIv).toString('hex') })
    assert.equal((await importKeys(management, OPERATOR, json(same))).keys[0]?.status, 'same')
  })

  test('of a tenant are those of no other', async () => {
    const { management } = managing()
    await importKeys(management, { ...OPERATOR, tenant: 'studio' }, json(row()))
    assert.notDeepEqual(Buffer.from((await keyOf(management)).contentKey), KEY)
    const studio = await keyOf(management, { tenant: 'studio', contentId: 'movie' })
    assert.deepEqual(Buffer.from(studio.contentKey), KEY)
  })

  test('of both classes are stored side by side', async () => {
    const { management } = managing()
    const clear = row({ class: 'clear', key: OTHER_KEY.toString('hex') })
    await importKeys(management, OPERATOR, json(row(), clear))
    assert.deepEqual(Buffer.from((await keyOf(management)).contentKey), KEY)
    assert.deepEqual(Buffer.from((await keyOf(management, REF, wantedOf(1, 'clear'))).contentKey), OTHER_KEY)
  })

  test('take the class and the content that the import says where they name none', async () => {
    const { management } = managing()
    const bytes = Buffer.from(`kid,key\n${kidOf(1)},${KEY.toString('hex')}\n`)
    const wanted = { format: 'csv', bytes, contentId: 'movie', contentKeyClass: 'clear' } as const
    assert.equal((await importKeys(management, OPERATOR, wanted)).keys[0]?.contentKeyClass, 'clear')
    assert.deepEqual(Buffer.from((await keyOf(management, REF, wantedOf(1, 'clear'))).contentKey), KEY)
  })
})

describe('an import', () => {
  test('that would change a key which may have been issued is rejected whole, and says which', async () => {
    const { management, store } = managing()
    await importKeys(management, OPERATOR, json(row()))
    const changing = json(row({ kid: kidOf(2) }), row({ key: OTHER_KEY.toString('hex') }))
    const error = await refusalOf(importKeys(management, OPERATOR, changing))
    assert.equal(error.code, 'ERR_OVERRIDE_EXISTS')
    assert.match(error.message, new RegExp(`1 of 2 keys .*${kidOf(1)} of content "movie"`))
    assert.equal((await store.listOverrides(REF)).length, 1)
  })

  test('into a content that has keys already is rejected, unless forced with a reason', async () => {
    const { management, create } = managing()
    await create('movie')
    assert.equal((await refusalOf(importKeys(management, OPERATOR, json(row())))).code, 'ERR_OVERRIDE_EXISTS')
    const forced = { ...json(row()), force: true }
    assert.equal((await refusalOf(importKeys(management, OPERATOR, forced))).code, 'ERR_IMPORT_INVALID')
    await importKeys(management, OPERATOR, { ...json(row()), ...FORCE })
    assert.deepEqual(Buffer.from((await keyOf(management)).contentKey), KEY)
  })

  test('by force replaces a key and keeps its ready-made pssh boxes', async () => {
    const { management, store } = managing()
    await importKeys(management, OPERATOR, json(row()))
    const [standing = assert.fail()] = await store.listOverrides(REF)
    const pssh = { 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed': Uint8Array.of(1) }
    await store.replaceOverride(REF, { ...standing, pssh }, { at: 0, expiresAt: undefined })
    await importKeys(management, OPERATOR, { ...json(row({ key: OTHER_KEY.toString('hex') })), ...FORCE })
    assert.deepEqual(Buffer.from((await keyOf(management)).contentKey), OTHER_KEY)
    assert.deepEqual((await store.listOverrides(REF))[0]?.pssh, pssh)
  })

  test('into a content that was destroyed is rejected, by force too', async () => {
    const { management, store } = managing()
    await store.putTombstone(REF, { at: 1, reason: 'withdrawn', cause: 'deleted' })
    for (const force of [{}, FORCE]) {
      const error = await refusalOf(importKeys(management, OPERATOR, { ...json(row()), ...force }))
      assert.equal(error.code, 'ERR_CONTENT_GONE')
    }
  })

  test('that is tried says what would become of each key, and stores and records nothing', async () => {
    const { management, store, entries, events, create } = managing()
    await create('channel')
    const wanted = json(row(), row({ contentId: 'channel', kid: kidOf(3) }))
    const { keys, ...counts } = await importKeys(management, OPERATOR, { ...wanted, dryRun: true })
    assert.deepEqual(counts, { dryRun: true, stored: 1, same: 0, refused: 1, notes: [] })
    assert.match(keys[1]?.refusal ?? '', /has issued keys/)
    assert.deepEqual([await store.listOverrides(REF), entries, events], [[], [], []])
  })

  test('is recorded before and after, for each content, and emitted; neither holds a key', async () => {
    const { management, entries, events } = managing()
    await importKeys(management, OPERATOR, { ...json(row(), row({ contentId: 'show' })), ...FORCE })
    assert.deepEqual(
      entries.map(({ action, outcome, contentId, kids, keys, forced, reason }) => {
        return { action, outcome, contentId, kids, keys, forced, reason }
      }),
      ['movie', 'show'].flatMap((contentId) =>
        ['begun', 'ok'].map((outcome) => {
          return {
            action: 'key.import',
            outcome,
            contentId,
            kids: [kidOf(1)],
            keys: 1,
            forced: true,
            reason: FORCE.reason,
          }
        }),
      ),
    )
    assert.deepEqual(
      events.map(({ type, contentId, data }) => ({ type, contentId, data })),
      ['movie', 'show'].map((contentId) => ({ type: 'key.imported', contentId, data: { keys: 1, forced: true } })),
    )
    assert.doesNotMatch(JSON.stringify([entries, events]), LEAK)
  })

  test('stores nothing where it cannot be recorded', async () => {
    const { management, store, setAuditAway } = managing()
    setAuditAway(true)
    assert.equal((await refusalOf(importKeys(management, OPERATOR, json(row())))).code, 'ERR_AUDIT_UNAVAILABLE')
    assert.deepEqual(await store.listOverrides(REF), [])
  })

  test('asks for each content whether it may, before it stores anything', async () => {
    const { management, store } = managing()
    const asked: string[] = []
    const authorize = (contentId: string): void => {
      asked.push(contentId)
      if (contentId === 'show') throw new Error('not this one')
    }
    const wanted = { ...json(row(), row({ contentId: 'show' })), authorize }
    await assert.rejects(importKeys(management, OPERATOR, wanted), /not this one/)
    assert.deepEqual([asked, await store.listOverrides(REF)], [['movie', 'show'], []])
  })

  test('at the moment of the first request is taken back or issued, never both', async () => {
    for (let round = 0; round < 20; round++) {
      const { management } = managing()
      const [imported, issued] = await Promise.allSettled([
        importKeys(management, OPERATOR, json(row())),
        keyOf(management),
      ])
      assert.equal(issued.status, 'fulfilled')
      if (imported.status === 'rejected') assert.equal(imported.reason.code, 'ERR_OVERRIDE_EXISTS')
      const isOurs = Buffer.compare((await keyOf(management)).contentKey, KEY) === 0
      assert.equal(isOurs, imported.status === 'fulfilled')
    }
  })

  test('overwrites what it read of the keys', () => {
    const draft = new ImportDraft({ contentKeyClass: 'drm' })
    const derived = Buffer.from(KEY)
    draft.add({ contentId: 'movie', kid: kidOf(1), key: derived }, String)
    draft.add({ contentId: 'movie', kid: kidOf(2), key: KEY.toString('hex'), iv: IV.toString('hex') }, String)
    draft.wipe()
    for (const { key, iv } of draft.keys) {
      assert.deepEqual(Buffer.from(key), ZEROS)
      assert.deepEqual(Buffer.from(iv ?? ZEROS), ZEROS)
    }
    assert.deepEqual(derived, ZEROS)
  })
})

const wrong: Readonly<Record<string, { readonly wanted: KeyImport; readonly says: RegExp }>> = {
  'of an unknown format': {
    wanted: { format: 'xls', bytes: Buffer.of() },
    says: /^format: expected one of cpix, csv, json/,
  },
  'that is no JSON': {
    wanted: { format: 'json', bytes: Buffer.from(`{"keys": [${KEY.toString('hex')}`) },
    says: /^the file: expected JSON$/,
  },
  'that is not UTF-8': { wanted: { format: 'json', bytes: Buffer.of(0xff) }, says: /UTF-8/ },
  'without a list': { wanted: { format: 'json', bytes: Buffer.from('{"key": []}') }, says: /an array as "keys"/ },
  'of nothing': { wanted: json(), says: /at least one key/ },
  'with a short key': {
    wanted: json(row({ key: KEY.toString('hex').slice(2) })),
    says: /^keys\[0\]\.key: expected 16 bytes/,
  },
  'with a key that is a number': { wanted: json(row({ key: 5 })), says: /keys\[0\]\.key: expected text/ },
  'with a kid that is none': {
    wanted: json(row({ kid: `${KEY.toString('hex')}00` })),
    says: /^keys\[0\]\.kid: expected a UUID$/,
  },
  'with an IV that is the key': { wanted: json(row({ iv: KEY.toString('hex') })), says: /the IV equals the key/ },
  'with an unknown class': { wanted: json(row({ class: 'secret' })), says: /keys\[0\]\.class: expected drm or clear/ },
  'with an unknown member': {
    wanted: json(row({ [KEY.toString('hex')]: 1 })),
    says: /only the members contentId, kid/,
  },
  'of a content id that is too long': { wanted: json(row({ contentId: 'x'.repeat(257) })), says: /contentId/ },
  'of a content id that XML cannot write': { wanted: json(row({ contentId: 'a\u0001' })), says: /contentId/ },
  'with a key twice': { wanted: json(row(), row()), says: /keys\[1\]\.kid: keys\[0\]\.kid has the same/ },
  'with every problem at once': {
    wanted: json(row({ kid: '1', key: '2' }), []),
    says: /\.kid: .*\n.*\.key: .*\nkeys\[1\]: /,
  },
  'as an empty CSV': { wanted: csv(''), says: /expected a header row: contentId,kid,key/ },
  'as a CSV without its header': {
    wanted: csv(`movie,${kidOf(1)},${KEY.toString('hex')}`),
    says: /line 1, column 1: expected a column name/,
  },
  'as a CSV with a column twice': { wanted: csv('contentId,kid,key,kid\n'), says: /line 1, column 19: .* twice/ },
  'as a CSV with a row too short': {
    wanted: csv('contentId,kid,key\nmovie\n'),
    says: /line 2, column 1: expected 3 fields/,
  },
  'as a CSV with a bad field': {
    wanted: csv(`contentId,kid,key\r\n"mo\nvie",${kidOf(1)},x${KEY.toString('hex')}\r\n`),
    says: /^line 3, column 43 \(key\): expected 16 bytes/,
  },
  'as a CSV with an open quote': {
    wanted: csv('contentId,kid,key\n"movie,1,2'),
    says: /line 2, column 1: the quoted field/,
  },
  'as a CSV with text behind a quote': {
    wanted: csv('contentId,kid,key\n"movie"x,1,2'),
    says: /line 2, column 8: expected a comma/,
  },
  'of a reference server without a secret': {
    wanted: {
      format: 'reference-server',
      bytes: Buffer.from(JSON.stringify([{ contentId: 'movie', kids: [kidOf(1)] }])),
    },
    says: /contents\[0\]\.secret: expected the secret/,
  },
  'of a reference server without kids': {
    wanted: { format: 'reference-server', bytes: Buffer.from('[{"contentId":"movie","secret":"x"}]') },
    says: /contents\[0\]\.kids: expected an array of kids/,
  },
  'of a key seed that is too short': {
    wanted: { format: 'playready-seed', bytes: Buffer.from(`{"seed":"${'c1'.repeat(29)}","contents":[]}`) },
    says: /^seed: expected a key seed of at least 30 bytes/,
  },
}

for (const [name, { wanted, says }] of Object.entries(wrong)) {
  test(`an import ${name} is rejected with every place and no key`, async () => {
    const { management, store, entries } = managing()
    const error = await refusalOf(importKeys(management, OPERATOR, wanted))
    assert.equal(error.code, 'ERR_IMPORT_INVALID')
    assert.match(error.message, says)
    assert.deepEqual([await store.listOverrides(REF), entries], [[], []])
  })
}

test('a CSV may quote, have its columns in any order and end its lines either way', async () => {
  const { management } = managing()
  const text = `key,kid,contentId,class\r\n"${KEY.toString('base64')}",${kidOf(1)},"a ""quoted"", id",drm\n\n${OTHER_KEY.toString('hex')},${kidOf(2)},b,`
  const { keys } = await importKeys(management, OPERATOR, csv(text))
  assert.deepEqual(
    keys.map(({ contentId, kid, contentKeyClass }) => [contentId, kid, contentKeyClass]),
    [
      ['a "quoted", id', kidOf(1), 'drm'],
      ['b', kidOf(2), 'drm'],
    ],
  )
})

interface Pair {
  readonly kid: string
  readonly key: string
}
const reference = vectors<{ contents: readonly { secret: string; keys: readonly Pair[] }[] }>('reference-server.json')
const playready = vectors<{ seed: string; keys: readonly Pair[] }>('playready-key-seed.json')

describe('contents of the reference server', () => {
  // The second spelling of a kid has a key of its own there; here a kid is one kid.
  const contents = reference.contents.map(({ secret, keys }, i) => ({
    contentId: `old-${i}`,
    secret,
    keys: keys.filter(({ kid }) => kid === kid.toLowerCase()),
  }))

  async function assertKeys(management: ReturnType<typeof managing>['management']): Promise<void> {
    for (const { contentId, keys } of contents) {
      for (const { kid, key } of keys) {
        const ref = { tenant: 'default', contentId }
        const found = await keyOf(management, ref, { contentKeyClass: 'drm', kid: kid as ReturnType<typeof kidOf> })
        assert.equal(Buffer.from(found.contentKey).toString('hex'), key)
      }
    }
  }

  test('keep their keys, given as JSON', async () => {
    const { management } = managing()
    const given = { contents: contents.map(({ keys, ...one }) => ({ ...one, kids: keys.map(({ kid }) => kid) })) }
    await importKeys(management, OPERATOR, { format: 'reference-server', bytes: Buffer.from(JSON.stringify(given)) })
    await assertKeys(management)
  })

  test('keep their keys, given as CSV', async () => {
    const { management } = managing()
    const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`
    const rows = contents.flatMap(({ contentId, secret, keys }) =>
      keys.map(({ kid }) => [contentId, secret, kid].map(quoted).join(',')),
    )
    const bytes = Buffer.from(['contentId,secret,kid', ...rows].join('\n'))
    await importKeys(management, OPERATOR, { format: 'reference-server', bytes })
    await assertKeys(management)
  })
})

test('keys of a PlayReady key seed are those that its owner knows', async () => {
  const { management } = managing()
  const given = { seed: playready.seed, contents: [{ contentId: 'movie', kids: playready.keys.map(({ kid }) => kid) }] }
  await importKeys(management, OPERATOR, { format: 'playready-seed', bytes: Buffer.from(JSON.stringify(given)) })
  for (const { kid, key } of playready.keys) {
    const found = await keyOf(management, REF, { contentKeyClass: 'drm', kid: kid as ReturnType<typeof kidOf> })
    assert.equal(Buffer.from(found.contentKey).toString('hex'), key)
  }
})

test('a CSV with more rows than keys may come is read no further', async () => {
  const { management } = managing()
  const rejected = async (text: string, message: RegExp) => {
    const imported = importKeys(management, OPERATOR, csv(`contentId,kid,key\n${text}`))
    await assert.rejects(imported, { code: 'ERR_IMPORT_INVALID', message })
  }
  await rejected('a,b,c\n'.repeat(50_000), /and 19951 more$/)
  await rejected('a,b,'.repeat(50_000), /line 2, column 127: expected at most 64 fields in a row$/)
})

test('others get their turn while an import of many contents is planned', async () => {
  const { management } = managing()
  const rows = Array.from({ length: 500 }, (_, i) => `c${i},${kidOf(i + 1)},${KEY.toString('hex')}`)
  let turns = 0
  const others = setInterval(() => turns++, 0)
  const planned = { ...csv(`contentId,kid,key\n${rows.join('\n')}\n`), dryRun: true }
  assert.equal((await importKeys(management, OPERATOR, planned)).stored, 500)
  clearInterval(others)
  assert.ok(turns > 0)
})

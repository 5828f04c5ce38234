import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ErrorCode } from '../../../src/core/errors.ts'
import { attributeOf } from '../../../src/formats/xml/reader.ts'
import { SpekeError } from '../../../src/protocols/speke/error.ts'
import { answering, refusalOf } from './answering.ts'
import { documentOf, KID, partsOf, requestFor, WIDEVINE } from './documents.ts'

const E1: ErrorCode = 'ERR_SPEKE_CONTENT_ID_MISSING'
const E2: ErrorCode = 'ERR_SPEKE_CPIX_VERSION_MISSING'
const E3: ErrorCode = 'ERR_SPEKE_CPIX_VERSION_UNSUPPORTED'
const E7: ErrorCode = 'ERR_SPEKE_VERSION_UNSUPPORTED'

/** A document that is sound in every version: v1 looks at neither rules nor schemes. */
const withRoot = (root: string): string => documentOf({ ...partsOf({}), root })
const ids = 'id="movie" contentId="movie"'

type Row = readonly [header: string | undefined, root: string, outcome: ErrorCode | '1.0' | '2.0' | '2.1']

/** speke.md 1, the dispatch table, with. */
const DISPATCH: readonly Row[] = [
  [undefined, 'id="movie"', '1.0'],
  ['1.0', 'id="movie"', '1.0'],
  ['2.0', 'contentId="movie" version="2.3"', '2.0'],
  ['2.1', 'contentId="movie" version="2.4"', '2.1'],
  ['2.0', `${ids} version="2.3"`, '2.0'],

  ['2', 'contentId="movie" version="2.3"', E7],
  ['', 'contentId="movie" version="2.3"', E7],
  ['', 'id="movie"', E7],
  ['2.0, 2.0', 'contentId="movie" version="2.3"', E7],
  ['2.0,2.1', 'contentId="movie" version="2.3"', E7],
  ['2.2', 'contentId="movie" version="2.4"', E7],
  ['2.00', 'contentId="movie" version="2.3"', E7],
  ['02.0', 'contentId="movie" version="2.3"', E7],
  ['v2.0', 'contentId="movie" version="2.3"', E7],
  ['1.1', 'id="movie"', E7],
  ['1', 'id="movie"', E7],
  ['undefined', 'id="movie"', E7],
  ['__proto__', 'id="movie"', E7],

  ['2.0', 'contentId="movie"', E2],
  ['2.0', 'contentId="movie" version=""', E2],
  ['2.1', 'contentId="movie"', E2],
  ['2.1', 'contentId="movie" version=""', E2],
  ['2.0', 'id="movie"', E2],

  ['2.0', 'contentId="movie" version="2.4"', E3],
  ['2.1', 'contentId="movie" version="2.3"', E3],
  ['2.0', 'contentId="movie" version="2.3.1"', E3],
  ['2.0', 'contentId="movie" version=" 2.3"', E3],
  ['2.0', 'contentId="movie" version="2.2"', E3],
  ['2.0', 'contentId="movie" version="3.0"', E3],
  ['1.0', 'id="movie" version="2.3"', E3],

  ['2.0', 'version="2.3"', E1],
  ['2.0', 'contentId="" version="2.3"', E1],
  ['2.1', 'id="movie" version="2.4"', E1],

  [undefined, 'contentId="movie" version="2.3"', E7],
  [undefined, 'contentId="movie" version="2.4"', E7],
  [undefined, 'id="movie" version="2.3"', E7],
  [undefined, 'id="movie" version=""', E7],
  [undefined, 'id="movie" contentId="movie"', '1.0'],
  ['1.0', 'id="movie" contentId="movie"', '1.0'],
]

/** What differs where the operator has set "assume 2.0" for a header that was lost. */
const ASSUMED: readonly Row[] = [
  [undefined, 'contentId="movie" version="2.3"', '2.0'],
  [undefined, 'contentId="movie" version="2.4"', E3],
  [undefined, 'contentId="movie"', E2],
  [undefined, 'version="2.3"', E1],
  [undefined, 'id="movie"', '1.0'],
  ['1.0', 'id="movie"', '1.0'],
  ['1.0', 'contentId="movie" version="2.3"', E3],
  ['', 'contentId="movie" version="2.3"', E7],
  ['2.1', 'contentId="movie" version="2.4"', '2.1'],
]

for (const [policy, rows] of [
  ['refuse', DISPATCH],
  ['assume-2.0', ASSUMED],
] as const) {
  describe(`with missingVersionHeader ${policy}`, () => {
    for (const [header, root, outcome] of rows) {
      test(`X-Speke-Version ${JSON.stringify(header)} over <CPIX ${root}> is ${outcome}`, async () => {
        const answer = answering({ policy: { missingVersionHeader: policy } })(header, withRoot(root))
        if (outcome.startsWith('ERR')) assert.equal((await refusalOf(answer)).code, outcome)
        else assert.equal((await answer).records[0]?.spekeVersion, outcome)
      })
    }
  })
}

test('CPIX of a version that SPEKE does not have is sent to CPIX transfer, and no proxy is blamed', async () => {
  const detailOf = async (version: string): Promise<string> => {
    const error = await refusalOf(answering()(undefined, withRoot(`contentId="movie" version="${version}"`)))
    assert.ok(error instanceof SpekeError)
    return error.detail ?? ''
  }
  for (const version of ['1.0', '2.0', '2.2', '3.0', '']) {
    assert.match(await detailOf(version), /^CPIX\/@version: .*\/copyProtectionData\/\{contentId\}/)
  }
  for (const version of ['2.3', '2.4']) assert.match(await detailOf(version), /proxy/)
})

test('white space around the header, which HTTP does not count, is not looked at', async () => {
  assert.equal((await answering()('2.0 ', requestFor())).records[0]?.spekeVersion, '2.0')
})

test('an unknown version is refused before the body is looked at', async () => {
  for (const body of ['', '<', '<cpix/>', 'not XML at all', requestFor()]) {
    assert.equal((await refusalOf(answering()('3.0', body))).code, E7)
  }
})

test('contentId and version are echoed and CPIX@id is not in an answer of SPEKE 2', async () => {
  const { document } = await answering()('2.0', withRoot('id="x" contentId="movie" version="2.3"'))
  assert.equal(attributeOf(document.root, 'id'), undefined)
  assert.equal(attributeOf(document.root, 'contentId'), 'movie')
  assert.equal(attributeOf(document.root, 'version'), '2.3')
})

test('CPIX@id stays in an answer of SPEKE 1.0 and names the content', async () => {
  const { document, records } = await answering()(undefined, withRoot('id="movie 1"'))
  assert.equal(attributeOf(document.root, 'id'), 'movie 1')
  assert.equal(records[0]?.contentId, 'movie 1')
})

test('SPEKE 1.0 names an element at fault where SPEKE has no string', async () => {
  for (const root of ['', 'id=""']) {
    const { code, message } = await refusalOf(answering()(undefined, withRoot(root)))
    assert.equal(code, 'ERR_CPIX_INVALID')
    assert.match(message, /CPIX\/@id: /)
  }
})

describe('a contentId', () => {
  const outcome = (contentId: string) => answering()('2.0', requestFor({ contentId }))

  test('has up to 256 characters, counted as characters', async () => {
    for (const contentId of ['a', 'a'.repeat(256), '🔑'.repeat(256)]) {
      assert.equal((await outcome(contentId)).records[0]?.contentId, contentId)
    }
    for (const contentId of ['a'.repeat(257), '🔑'.repeat(257)]) {
      const { code, message } = await refusalOf(outcome(contentId))
      assert.equal(code, 'ERR_CPIX_INVALID')
      assert.match(message, /CPIX\/@contentId: /)
      assert.ok(!message.includes(contentId))
    }
  })

  test('may hold whatever XML can spell', async () => {
    const spelled = '../a&amp;b&lt;&quot;&#10;é'
    const { records, xml } = await outcome(spelled)
    assert.equal(records[0]?.contentId, '../a&b<"\né')
    assert.ok(xml.includes(`contentId="${spelled}"`))
  })
})

test('a kid is asked for in SPEKE 1.0 as in 2.0', async () => {
  const { issued } = await answering()(undefined, withRoot('id="movie"'))
  assert.deepEqual(issued, [{ kid: KID, contentKeyClass: 'drm' }])
  assert.ok(withRoot('').includes(WIDEVINE))
})

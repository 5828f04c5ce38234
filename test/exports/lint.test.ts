import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { lintCpix } from '../../src/exports/lint.ts'
import { PLAYREADY, requestFor, WIDEVINE } from '../protocols/speke/documents.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

test('a valid request has no error', () => {
  const request = bytesOf(requestFor({ systems: [WIDEVINE, PLAYREADY] }))
  assert.deepEqual(
    lintCpix({ request }).filter(({ severity }) => severity === 'error'),
    [],
  )
})

test('a finding has what, where, why and a fix', () => {
  const request = bytesOf(requestFor().replace('intendedTrackType="ALL"', ''))
  const [finding] = lintCpix({ request }, { as: 'mediapackage-v2' }).filter(({ severity }) => severity === 'error')
  assert.ok(finding?.what && finding.why && finding.fix)
  assert.equal(finding.side, 'request')
  assert.match(finding.path ?? '', /ContentKeyUsageRule/)
  assert.equal(finding.line, 1)
})

test('finds an answer that changes its request', () => {
  const answer = readFileSync(new URL('../protocols/speke/examples/v2.0-vod-response.xml', import.meta.url))
  const request = readFileSync(new URL('../protocols/speke/examples/v2.0-vod-request.xml', import.meta.url))
  const changed = bytesOf(answer.toString().replace('contentId="movie-42"', 'contentId="movie-43"'))
  const rulesOf = (document: Uint8Array) => new Set(lintCpix({ request, answer: document }).map(({ rule }) => rule))
  const added = [...rulesOf(changed)].filter((rule) => !rulesOf(answer).has(rule))
  assert.ok(added.length > 0)
})

test('an unreadable document is a finding, not an exception', () => {
  for (const bytes of [new Uint8Array(0), bytesOf('<'), bytesOf('<x/>'), Uint8Array.of(0xff, 0xfe, 0x3c, 0)]) {
    assert.ok(lintCpix({ request: bytes }).length > 0)
    assert.ok(lintCpix({ answer: bytes }).length > 0)
  }
})

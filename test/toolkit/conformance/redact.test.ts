import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Exchange } from '../../../src/toolkit/conformance/check.ts'
import { REDACTED, shownBody } from '../../../src/toolkit/conformance/report.ts'
import { BROKEN_ANSWERS } from '../rules/broken.ts'
import { pairOf } from '../rules/pairs.ts'

const exchangeWith = (body: string, built: Awaited<ReturnType<typeof pairOf>>['built']): Exchange => ({
  step: { xml: built.xml, version: built.version },
  reply: { status: 200, headers: {}, body: Buffer.from(body), milliseconds: 1 },
  failure: undefined,
})

test('a report contains no key, in whatever encoding an answer has it', async () => {
  for (const { rule, wish, break: damage } of BROKEN_ANSWERS) {
    const { built, answer } = await pairOf(wish)
    const broken = damage(answer, built.xml)
    const keys = [...answer.matchAll(/PlainValue>([^<]+)</g)].map(([, key = '']) => Buffer.from(key, 'base64'))
    const shown = shownBody(exchangeWith(broken, built), false)
    assertHolds(shown, keys, rule)
    if (keys.length > 0 && broken.includes('PlainValue')) assert.ok(shown.includes(REDACTED), rule)
    assert.equal(shownBody(exchangeWith(broken, built), true), broken)
  }
})

/** No spelling of a key, base64 inside base64 included. */
function assertHolds(text: string, keys: readonly Buffer[], rule: string, depth = 3): void {
  for (const key of keys) {
    for (const spelling of ['base64', 'hex', 'latin1'] as const) {
      assert.ok(!text.includes(key.toString(spelling)), `${rule}: ${spelling}`)
    }
  }
  if (depth === 0) return
  for (const [run] of text.matchAll(/[A-Za-z0-9+/]{24,}={0,2}/g)) {
    const bytes = Buffer.from(run, 'base64')
    assertHolds(bytes.toString('latin1'), keys, rule, depth - 1)
    assertHolds(bytes.toString('utf16le'), keys, rule, 0)
  }
}

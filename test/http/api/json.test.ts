import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readJson } from '../../../src/http/api/read-request.ts'

const read = (text: string) => readJson(Buffer.from(text))

describe('a JSON body', () => {
  test('is read like JSON.parse reads it', () => {
    for (const text of ['{"a":[1,"b",null]}', '"\\\\\\""', '[]', '{"[[[[[[[[[[[[[[[[[[[[":",,,,"}', '"\\\\"'])
      assert.deepEqual(read(text), { value: JSON.parse(text) })
  })

  test('that is not JSON in UTF-8 is a problem that does not quote it', () => {
    for (const bytes of [Buffer.from('{"secret'), Buffer.from('"'), Buffer.of(0x22, 0xff, 0x22), Buffer.of()])
      assert.deepEqual(readJson(bytes), { problem: 'expected JSON in UTF-8' })
  })

  for (const [what, text, problem] of [
    ['500 000 levels', '['.repeat(500_000), /at most 16 levels/],
    ['60 000 members', `{${Array.from({ length: 60_000 }, (_, i) => `"m${i}":1`).join()}}`, /at most 20000 values/],
    ['a million empty items', `[${',[]'.repeat(1_000_000).slice(1)}]`, /at most 20000 values/],
  ] as const) {
    test(`with ${what} is rejected before it is built`, () => {
      const startedAt = process.cpuUsage()
      assert.match(read(text).problem ?? '', problem)
      const { user, system } = process.cpuUsage(startedAt)
      assert.ok(user + system < 50_000, `${user + system} µs of CPU`)
    })
  }

  test('a string of escapes takes linear time', () => {
    const startedAt = process.cpuUsage()
    assert.deepEqual(read(`"${'\\"'.repeat(500_000)}"`).value, '"'.repeat(500_000))
    assert.ok(process.cpuUsage(startedAt).user < 1_000_000)
  })
})

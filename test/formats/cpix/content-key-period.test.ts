import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readContentKeyPeriods } from '../../../src/formats/cpix/content-key-period.ts'
import { readContentKeyUsageRule } from '../../../src/formats/cpix/content-key-usage-rule.ts'
import { readXml } from '../../../src/formats/xml/reader.ts'

const read = (...attributes: readonly string[]) =>
  readContentKeyPeriods(
    readXml(Buffer.from(`<l>${attributes.map((one) => `<ContentKeyPeriod ${one}/>`).join('')}</l>`)).root.children,
  )
const START = 'start="2026-10-01T12:00:00Z"'

describe('accepts each form of CPIX 2.4', () => {
  for (const [attributes, expected] of [
    ['id="p" index="1"', { id: 'p', index: 1, start: undefined, end: undefined, duration: undefined }],
    ['index="1"', { id: undefined, index: 1 }],
    [`id="p" ${START} end="2026-10-01T12:10:00Z"`, { start: '2026-10-01T12:00:00Z', end: '2026-10-01T12:10:00Z' }],
    [`id="p" ${START} duration="PT10M"`, { start: '2026-10-01T12:00:00Z', end: undefined, duration: 'PT10M' }],
    ['id="p" startOffset="PT0S" endOffset="PT10M"', { start: 'PT0S', end: 'PT10M' }],
    ['id="p" startOffset="PT5M" duration="PT0.0000000000001S"', { start: 'PT5M', duration: 'PT0.0000000000001S' }],
    ['id="p" index="1" label="x" startOffset="PT0S" duration="P1D"', { index: 1, duration: 'P1D' }],
    ['id=" p&#10;" index=" 7 "', { id: 'p', index: 7 }],
    ['id="p" index="18446744073709551615"', { index: undefined }],
    ['id="p" index="9007199254740993"', { index: undefined }],
    [`id="p" start="2026-10-01T12:00:00.0000000000001Z" end="2026-10-01T12:00:00.100000000000000000001Z"`, { id: 'p' }],
  ] as const) {
    test(attributes, () => assert.deepEqual({ ...read(attributes)[0], ...expected }, read(attributes)[0]))
  }

  test('several periods without an id', () => assert.equal(read('index="1"', 'index="2"').length, 2))
})

describe('rejects', () => {
  for (const [name, attributes, message] of [
    ['half an interval', [`id="p" ${START}`], /end is missing/],
    ['an end without a start', ['id="p" endOffset="PT1S"'], /startOffset is missing/],
    [
      'an end and a duration',
      [`id="p" ${START} end="2026-10-01T12:10:00Z" duration="PT10M"`],
      /end or duration, not both/,
    ],
    ['a duration alone', ['id="p" duration="PT10M"'], /duration requires start or startOffset/],
    ['a duration of zero', [`id="p" ${START} duration="PT0S"`], /longer than zero/],
    ['a duration that is none', [`id="p" ${START} duration="10"`], /duration such as PT10M/],
    ['both kinds of interval', [`id="p" ${START} endOffset="PT1S"`], /cannot be combined/],
    ['an interval that ends before it starts', ['id="p" startOffset="PT2S" endOffset="PT1S"'], /must come before/],
    ['an id that occurs twice, but for white space', ['id="p"', 'id=" p "'], /another ContentKeyPeriod has this id/],
    ['an index below 0', ['id="p" index="-1"'], /a whole number/],
    ['an empty id', ['id=" "'], /id of 1 to 256/],
  ] as const) {
    test(name, () => assert.throws(() => read(...attributes), { code: 'ERR_CPIX_INVALID', message }))
  }
})

test('ignores white space around periodId', () => {
  const { root } = readXml(
    Buffer.from('<r xmlns="urn:dashif:org:cpix"><KeyPeriodFilter periodId=" p "/><KeyPeriodFilter/></r>'),
  )
  assert.deepEqual(readContentKeyUsageRule(root).periodIds, ['p', undefined])
})

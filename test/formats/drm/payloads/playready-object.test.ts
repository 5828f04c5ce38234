import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { fillText, holeOf } from '../../../../src/core/template.ts'
import {
  decodePlayReadyObject,
  encodePlayReadyObject,
  playReadyObjectTemplate,
  WRMHEADER_RECORD,
} from '../../../../src/formats/drm/payloads/playready-object.ts'
import { fromBase64, type PlayReadyVectors, vectors } from '../vectors.ts'

const { origin, objects } = vectors<PlayReadyVectors>('playready.json')
const refused = { code: 'ERR_PLAYREADY_OBJECT_INVALID' }

for (const { version, header, object, sha256, size, record } of objects) {
  describe(`PlayReady Object vector: ${version} (${origin})`, () => {
    const bytes = fromBase64(object)
    const records = [{ type: WRMHEADER_RECORD, value: new Uint8Array(Buffer.from(header, 'utf16le')) }]

    test('has the published sizes and digest', () => {
      assert.deepEqual([bytes.length, records[0]?.value.length], [size, record])
      assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256)
    })
    test('encodes to the published bytes', () => assert.deepEqual(encodePlayReadyObject(records), bytes))
    test('decodes from the published bytes', () => assert.deepEqual(decodePlayReadyObject(bytes), records))
    test('a template with holes fills to the published bytes', () => {
      const template = playReadyObjectTemplate(holeOf(header.length, () => header))
      assert.deepEqual(Buffer.from(fillText(template, { memo: new Map() }), 'latin1'), Buffer.from(bytes))
    })
    test('rejects every truncation', () => {
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decodePlayReadyObject(bytes.slice(0, length)), refused)
      }
    })
    test('rejects a trailing byte', () => {
      assert.throws(() => decodePlayReadyObject(Uint8Array.of(...bytes, 0)), refused)
    })
  })
}

for (const [why, bytes] of [
  ['no record', [6, 0, 0, 0, 0, 0]],
  ['a record count above the records', [10, 0, 0, 0, 2, 0, 3, 0, 0, 0]],
  ['a record count below the records', [14, 0, 0, 0, 1, 0, 3, 0, 0, 0, 3, 0, 0, 0]],
  ['a record past the end', [10, 0, 0, 0, 1, 0, 3, 0, 1, 0]],
  ['a length that is not its own', [11, 0, 0, 0, 1, 0, 3, 0, 0, 0]],
  ['the layout of the MediaPackage guide, count before size', [1, 0, 0, 0, 4, 0, 0, 0, 1, 2]],
] as const) {
  test(`rejects ${why}`, () => assert.throws(() => decodePlayReadyObject(Uint8Array.from(bytes)), refused))
}

test('rejects to make an object larger than players take', () => {
  const tooLarge = { code: 'ERR_SIGNALING_INVALID' }
  for (const length of [15 * 1024 - 9, 0x10000, 0x20000]) {
    assert.throws(() => encodePlayReadyObject([{ type: 1, value: new Uint8Array(length) }]), tooLarge)
  }
  assert.equal(encodePlayReadyObject([{ type: 1, value: new Uint8Array(15 * 1024 - 10) }]).length, 15 * 1024)
})

test('decodePlayReadyObject inverts encodePlayReadyObject', () => {
  const record = fc.record({ type: fc.nat(0xffff), value: fc.uint8Array() }, { noNullPrototype: true })
  fc.assert(
    fc.property(fc.array(record, { minLength: 1 }), (records) => {
      assert.deepEqual(decodePlayReadyObject(encodePlayReadyObject(records)), records)
    }),
  )
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { fillText, holeOf } from '../../../../src/core/template.ts'
import { systemIdOf } from '../../../../src/formats/cenc.ts'
import { decodePssh, decodePsshBoxes, encodePssh, psshTemplate } from '../../../../src/formats/drm/payloads/pssh.ts'
import { anyKid, anySystemId, fromHex, kidOf, vectors } from '../vectors.ts'

interface Vector {
  readonly name: string
  readonly origin: string
  readonly hex: string
  readonly systemId: string
  readonly kids: readonly string[]
  readonly data: string
}

const refused = { code: 'ERR_PSSH_INVALID' }
const boxes = vectors<readonly Vector[]>('pssh.json')

for (const { name, origin, hex, systemId, kids, data } of boxes) {
  describe(`pssh vector: ${name} (${origin})`, () => {
    const bytes = fromHex(hex)
    const box = { systemId: systemIdOf(systemId), kids: kids.map(kidOf), data: fromHex(data) }

    test('encodes to the published bytes', () => assert.deepEqual(encodePssh(box), bytes))
    test('decodes from the published bytes', () => assert.deepEqual(decodePssh(bytes), box))
    test('decodes from the middle of a larger buffer', () => {
      assert.deepEqual(decodePssh(Uint8Array.of(1, 2, 3, ...bytes, 4).subarray(3, 3 + bytes.length)), box)
    })
    test('rejects every truncation', () => {
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decodePssh(bytes.slice(0, length)), refused)
        assert.throws(() => decodePsshBoxes(bytes.slice(0, length)), refused)
      }
    })
    test('rejects a trailing byte', () => {
      assert.throws(() => decodePssh(Uint8Array.of(...bytes, 0)), refused)
      assert.throws(() => decodePsshBoxes(Uint8Array.of(...bytes, 0)), refused)
    })
  })
}

test('reads boxes one after the other', () => {
  const all = boxes.map(({ hex }) => fromHex(hex))
  assert.deepEqual(
    decodePsshBoxes(new Uint8Array(Buffer.concat(all))),
    all.map((bytes) => decodePssh(bytes)),
  )
})

for (const [why, hex] of [
  ['another box type', '00000020707373690000000029701fe43cc74a348c5bae90c7439a4700000000'],
  ['box version 2', '00000020707373680200000029701fe43cc74a348c5bae90c7439a4700000000'],
  ['flags', '00000020707373680000000129701fe43cc74a348c5bae90c7439a4700000000'],
  ['size 0, to the end of the file', '00000000707373680000000029701fe43cc74a348c5bae90c7439a4700000000'],
  ['size 1, 64 bits', '00000001707373680000000000000000000000282970701fe43cc74a348c5bae90c7439a4700000000'],
  ['more kids than fit', '00000024707373680100000029701fe43cc74a348c5bae90c7439a47ffffffff00000000'],
  ['no room for a data size', `0000003070737368010000001077efecc0b24d02ace33c1e52e2fb4b00000001${'ab'.repeat(16)}`],
  ['a data size past the end', '00000020707373680000000029701fe43cc74a348c5bae90c7439a4700000001'],
  ['data shorter than the box', '00000021707373680000000029701fe43cc74a348c5bae90c7439a470000000000'],
] as const) {
  test(`rejects ${why}`, () => assert.throws(() => decodePssh(fromHex(hex)), refused))
}

const anyBox = fc.record(
  { systemId: anySystemId, kids: fc.array(anyKid), data: fc.uint8Array() },
  { noNullPrototype: true },
)

test('decodePssh inverts encodePssh', () => {
  fc.assert(fc.property(anyBox, (box) => assert.deepEqual(decodePssh(encodePssh(box)), box)))
})

test('decodePssh accepts or rejects any bytes', () => {
  const bytes = fc.tuple(anyBox.map(encodePssh), fc.nat(), fc.nat(255))
  fc.assert(
    fc.property(bytes, ([box, at, byte]) => {
      box[at % box.length] = byte
      try {
        decodePssh(box)
      } catch (error) {
        assert.equal((error as { code?: string }).code, refused.code)
      }
    }),
  )
})

test('a template with holes fills to the box that encodePssh makes', () => {
  const template = psshTemplate({
    systemId: systemIdOf(boxes[0]?.systemId ?? ''),
    kids: [],
    data: holeOf(3, () => 'abc'),
  })
  const box = { systemId: systemIdOf(boxes[0]?.systemId ?? ''), kids: [], data: Uint8Array.from(Buffer.from('abc')) }
  assert.deepEqual(Buffer.from(fillText(template, { memo: new Map() }), 'latin1'), Buffer.from(encodePssh(box)))
})

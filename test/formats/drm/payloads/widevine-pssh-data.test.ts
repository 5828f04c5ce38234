import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { COMMON_ENCRYPTION_SCHEMES } from '../../../../src/formats/cenc.ts'
import {
  decodeWidevinePsshData,
  encodeWidevinePsshData,
  fourCc,
} from '../../../../src/formats/drm/payloads/widevine-pssh-data.ts'
import { anyKid, fromHex, kidOf, vectors } from '../vectors.ts'

interface Vector {
  readonly name: string
  readonly origin: string
  readonly hex: string
  readonly data: { readonly keyIds: readonly string[] }
  readonly contentId?: string
}

const refused = { code: 'ERR_WIDEVINE_PSSH_DATA_INVALID' }

for (const { name, origin, hex, data: members, contentId } of vectors<readonly Vector[]>('widevine-pssh-data.json')) {
  describe(`WidevinePsshData vector: ${name} (${origin})`, () => {
    const bytes = fromHex(hex)
    const data = {
      ...members,
      keyIds: members.keyIds.map(kidOf),
      ...(contentId === undefined ? {} : { contentId: fromHex(contentId) }),
    }
    test('encodes to the published bytes', () => assert.deepEqual(encodeWidevinePsshData(data), bytes))
    test('decodes from the published bytes', () => assert.deepEqual(decodeWidevinePsshData(bytes), data))
    test('rejects every truncation inside a field', () => {
      const ends = new Set(fieldEnds(bytes))
      for (let length = 1; length < bytes.length; length++) {
        const cut = bytes.slice(0, length)
        if (ends.has(length)) assert.deepEqual(encodeWidevinePsshData(decodeWidevinePsshData(cut)), cut)
        else assert.throws(() => decodeWidevinePsshData(cut), refused)
      }
    })
  })
}

/** Where the fields of a message of short fields end: a message cut there is a message. */
function fieldEnds(bytes: Uint8Array): number[] {
  const ends: number[] = []
  for (let at = 0; at < bytes.length; ends.push(at)) {
    if ((bytes[at] ?? 0) % 8 === 2) at += 2 + (bytes[at + 1] ?? 0)
    else for (at += 1; (bytes[at++] ?? 0) >= 0x80; );
  }
  return ends
}

test('the four letters of a scheme are a big-endian number', () => {
  assert.deepEqual(COMMON_ENCRYPTION_SCHEMES.map(fourCc), [1667591779, 1667591795, 1667392305, 1667392371])
})

test('keeps fields it has no name for, where they belong', () => {
  // Fields 8 (bytes), 10 (varint), 11 (varint), 20 (fixed32), 21 (fixed64) around field 9.
  const bytes = fromHex(`42020102${'48e3dc959b06'}500a5801${'a50101020304'}${'a9010102030405060708'}`)
  const data = decodeWidevinePsshData(bytes)
  assert.deepEqual(
    data.otherFields?.map(({ number, type }) => [number, type]),
    [
      [8, 'bytes'],
      [10, 'varint'],
      [11, 'varint'],
      [20, 'fixed'],
      [21, 'fixed'],
    ],
  )
  assert.deepEqual(encodeWidevinePsshData(data), bytes)
})

for (const [why, hex] of [
  ['a key id of 15 bytes', `120f${'00'.repeat(15)}`],
  ['a key id that is a number', '1001'],
  ['a provider twice', '1a01611a0162'],
  ['a provider that is not UTF-8', '1a02c328'],
  ['a content id that is a number', '2001'],
  ['a scheme wider than 32 bits', '48808080808010'],
  ['a number without end', '48ffffffffffffffffffff01'],
  ['a group', '0b0c'],
  ['field 0', '0001'],
] as const) {
  test(`rejects ${why}`, () => assert.throws(() => decodeWidevinePsshData(fromHex(hex)), refused))
}

test('decodeWidevinePsshData inverts encodeWidevinePsshData', () => {
  const uint32 = fc.nat(0xffffffff)
  const text = fc.string({ unit: 'grapheme' })
  const data = fc.record(
    {
      algorithm: uint32,
      keyIds: fc.array(anyKid),
      provider: text,
      contentId: fc.uint8Array(),
      trackType: text,
      policy: text,
      cryptoPeriodIndex: uint32,
      protectionScheme: uint32,
    },
    { requiredKeys: ['keyIds'], noNullPrototype: true },
  )
  fc.assert(
    fc.property(data, (value) => assert.deepEqual(decodeWidevinePsshData(encodeWidevinePsshData(value)), value)),
  )
})

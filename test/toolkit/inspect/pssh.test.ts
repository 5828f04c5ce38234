import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { guidBytes, systemIdOf, uuidBytes } from '../../../src/formats/cenc.ts'
import { decodePssh, encodePssh } from '../../../src/formats/drm/payloads/pssh.ts'
import { encodeWidevinePsshData } from '../../../src/formats/drm/payloads/widevine-pssh-data.ts'
import { inspect } from '../../../src/toolkit/inspect/inspect.ts'
import { nodesIn } from '../../../src/toolkit/inspect/node.ts'
import { fromHex, kidOf, vectors } from '../../formats/drm/vectors.ts'
import { found, named, sound, values } from './looking.ts'

interface Vector {
  readonly name: string
  readonly origin: string
  readonly hex: string
  readonly systemId: string
  readonly kids: readonly string[]
}

const KID = kidOf('9eb4050d-e44b-4802-932e-27d75083e266')
const WIDEVINE =
  '0000003870737368 00000000edef8ba979d64acea3c827dcd51d21ed0000001812109eb4050de44b4802932e27d75083e26648f3c6899b06'

for (const { name, origin, hex, systemId, kids } of vectors<Vector[]>('pssh.json')) {
  describe(`pssh vector: ${name} (${origin})`, () => {
    const bytes = fromHex(hex)

    test('is explained without anything wrong, as bytes, hex and base64', () => {
      for (const [input, encodings] of [
        [bytes, []],
        [hex, ['hex']],
        [hex.toUpperCase(), ['hex']],
        [Buffer.from(bytes).toString('base64'), ['base64']],
        [Buffer.from(bytes).toString('base64url'), ['base64']],
        [`data:text/plain;base64,${Buffer.from(bytes).toString('base64')}`, ['data URI']],
      ] as const) {
        const inspection = sound(input, 'pssh')
        assert.deepEqual(inspection.encodings, encodings)
        assert.deepEqual(values(inspection, 'SystemID'), [systemId])
        assert.deepEqual(values(inspection, 'KID').slice(0, kids.length), kids)
      }
    })

    test('every place lies in the box, and its parts lie in order inside it', () => {
      for (const { place, children = [] } of nodesIn(inspect(bytes).nodes)) {
        if (place === undefined || !('offset' in place)) continue
        assert.ok(place.offset + place.length <= bytes.length)
        let from = place.offset
        for (const child of children) {
          if (child.place === undefined || !('offset' in child.place)) continue
          assert.ok(
            child.place.offset >= from && child.place.offset + child.place.length <= place.offset + place.length,
          )
          from = child.place.offset + child.place.length
        }
      }
    })

    test('every truncation is explained as far as it goes', () => {
      for (let length = 8; length < bytes.length; length++) {
        const inspection = inspect(bytes.subarray(0, length))
        assert.match(found(inspection).join('\n'), /breaks at byte \d+: box pssh says it has \d+ bytes/)
      }
    })
  })
}

test('a field is named with its bytes', () => {
  const inspection = sound(WIDEVINE, 'pssh')
  assert.deepEqual(named(inspection, 'SystemID')[0]?.place, { offset: 12, length: 16 })
  assert.deepEqual(named(inspection, 'SystemID')[0]?.meaning, 'Widevine')
  assert.deepEqual(named(inspection, 'key_ids')[0]?.place, { offset: 32, length: 18 })
  assert.deepEqual(named(inspection, 'protection_scheme')[0]?.value, 'cbcs')
})

test('a kid is shown in both byte orders', () => {
  const [keyId] = named(sound(WIDEVINE, 'pssh'), 'key_ids')
  assert.equal(keyId?.value, KID)
  assert.match(keyId?.meaning ?? '', /other byte order 0d05b49e-4be4-0248-932e-27d75083e266/)
})

test('several boxes in a row are explained one by one', () => {
  const box = fromHex(WIDEVINE.replaceAll(' ', ''))
  const inspection = inspect(Buffer.concat([box, box]))
  assert.deepEqual(found(inspection), ['warning: there are 2 pssh boxes of Widevine: many players use only the first'])
  assert.deepEqual(
    named(inspection, 'pssh').map(({ place }) => place),
    [
      { offset: 0, length: 56 },
      { offset: 56, length: 56 },
    ],
  )
})

test('a box whose list and data name the kid in different byte orders is reported', () => {
  const { systemId } = decodePssh(fromHex(WIDEVINE.replaceAll(' ', '')))
  const bytes = encodePssh({ systemId, kids: [KID], data: fromHex(`1210${guidBytes(KID).toString('hex')}`) })
  assert.match(found(inspect(bytes)).join('\n'), /wrong byte order: 0d05b49e.* here, 9eb4050d/)
})

test('a random kid whose bytes look swapped is noted', () => {
  const bytes = fromHex(`1210${guidBytes(KID).toString('hex')}`)
  assert.match(found(inspect(bytes), true).join('\n'), /was it swapped\?/)
  const right = fromHex(`1210${uuidBytes(KID).toString('hex')}`)
  assert.deepEqual(found(inspect(right), true), [])
})

test('data of an unknown system is shown', () => {
  const systemId = decodePssh(fromHex(WIDEVINE.replaceAll(' ', ''))).systemId.replace('e', 'f')
  const box = encodePssh({ systemId: systemId as never, kids: [], data: Uint8Array.of(1, 2, 250) })
  assert.deepEqual(values(sound(box, 'pssh'), 'Data'), ['0102fa'])
})

test('a box that says less than it holds shows what is left over', () => {
  const bytes = fromHex('0000002270737368 00000000edef8ba979d64acea3c827dcd51d21ed 00000000 abcd'.replaceAll(' ', ''))
  const inspection = inspect(bytes)
  assert.deepEqual(values(inspection, 'unknown bytes'), ['abcd'])
  assert.match(found(inspection).join('\n'), /2 bytes are left over/)
})

describe('a Widevine message', () => {
  test('is known without its box', () => {
    const inspection = sound('12109eb4050de44b4802932e27d75083e26648f3c6899b06', 'Widevine message')
    assert.deepEqual(values(inspection, 'key_ids'), [KID])
  })

  test('shows unknown fields', () => {
    const box = encodePssh({
      systemId: decodePssh(fromHex(WIDEVINE.replaceAll(' ', ''))).systemId,
      kids: [],
      data: encodeWidevinePsshData({
        keyIds: [KID],
        otherFields: [{ number: 99, type: 'bytes', value: Uint8Array.of(7) }],
      }),
    })
    const inspection = inspect(box)
    assert.deepEqual(values(inspection, 'unknown field'), ['07'])
    assert.match(found(inspection, true).join('\n'), /field 99 is not known/)
  })

  test('with wrapped keys of an entitlement is explained', () => {
    const entitled = `0a10${'11'.repeat(16)}1210${uuidBytes(KID).toString('hex')}1a04deadbeef`
    const data = fromHex(`580272${(entitled.length / 2).toString(16)}${entitled}2201ff`)
    const inspection = inspect(
      encodePssh({ systemId: decodePssh(fromHex(WIDEVINE.replaceAll(' ', ''))).systemId, kids: [], data }),
    )
    assert.deepEqual(values(inspection, 'type'), ['ENTITLED_KEY'])
    assert.deepEqual(values(inspection, 'key_id'), [KID])
  })

  test('breaks at a byte that is named', () => {
    const data = fromHex('12109eb4050d')
    const box = encodePssh({ systemId: decodePssh(fromHex(WIDEVINE.replaceAll(' ', ''))).systemId, kids: [], data })
    assert.match(found(inspect(box)).join('\n'), /breaks at byte 34: field 2 needs 16 bytes, 4 are there/)
  })
})

test('the XML of an Irdeto box is explained, with its kid', () => {
  const xml = `<CCARMHEADER version="1.0"><DATA><PROTECTINFO><KID value="${Buffer.from(KID).toString('base64')}"/></PROTECTINFO></DATA></CCARMHEADER>`
  const head = Buffer.from('010000000000010000', 'hex')
  head.writeUInt32BE(xml.length + 4, 1)
  head.writeUInt16BE(xml.length, 7)
  const systemId = systemIdOf('80a6be7e-1448-4c37-9e70-d5aebe04c8d2')
  const inspection = sound(encodePssh({ systemId, kids: [], data: Buffer.concat([head, Buffer.from(xml)]) }), 'pssh')
  assert.deepEqual(values(inspection, 'KID')[0], KID)
  assert.equal(values(inspection, 'CCARMHEADER').length, 1)
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { guidBytes, uuidBytes } from '../../../../src/formats/cenc.ts'
import { inspect, inspectSource } from '../../../../src/toolkit/inspect/inspect.ts'
import { fromBase64, kidOf, vectors } from '../../../formats/drm/vectors.ts'
import { found, named, sound, values } from '../looking.ts'

interface Packaged {
  readonly init: string
  readonly segment: string
  readonly mpd: string
  readonly playlist: string
}
const packaged = vectors<{ origin: string; kid: string; cbcs: Packaged; cenc: Packaged }>('packaged.json')
const KID = kidOf(packaged.kid)

describe(`files of ${packaged.origin}`, () => {
  for (const scheme of ['cbcs', 'cenc'] as const) {
    const init = fromBase64(packaged[scheme].init)
    const segment = fromBase64(packaged[scheme].segment)

    test(`an init segment of ${scheme} is walked down to tenc and pssh`, () => {
      const inspection = sound(init, 'ISO BMFF boxes')
      assert.deepEqual(values(inspection, 'scheme_type'), [scheme])
      assert.deepEqual(values(inspection, 'default_KID'), [KID])
      assert.deepEqual(values(inspection, 'default_Per_Sample_IV_Size'), [scheme === 'cbcs' ? '0' : '8'])
      assert.equal(named(inspection, 'pssh').length, 3)
      assert.deepEqual(values(inspection, 'protection_scheme'), [scheme])
      const [tenc] = named(inspection, 'default_KID')
      assert.ok(tenc?.place !== undefined && 'offset' in tenc.place)
      assert.deepEqual(init.subarray(tenc.place.offset, tenc.place.offset + 16), new Uint8Array(uuidBytes(KID)))
    })

    test(`a media segment of ${scheme} shows its senc`, () => {
      const inspection = sound(segment, 'ISO BMFF boxes')
      assert.deepEqual(values(inspection, 'sample_count'), ['40'])
    })

    test(`both together show the IVs that tenc gives the size of (${scheme})`, () => {
      const inspection = sound(Buffer.concat([init, segment]), 'ISO BMFF boxes')
      assert.equal(named(inspection, 'IV of sample 1').length, scheme === 'cenc' ? 1 : 0)
      assert.match(found(inspection, true).join('\n'), /the first 3 of 40 samples are shown/)
    })

    test(`no truncation of ${scheme} makes it fail`, () => {
      for (let length = 8; length < init.length; length += 3) {
        assert.doesNotThrow(() => inspect(init.subarray(0, length)))
      }
      assert.match(found(inspect(init.subarray(0, 200))).join('\n'), /breaks at byte 40: box moov says it has/)
    })

    test(`a pssh in the wrong byte order is reported (${scheme})`, () => {
      const bytes = Buffer.from(init)
      const last = bytes.lastIndexOf(uuidBytes(KID))
      guidBytes(KID).copy(bytes, last)
      assert.match(found(inspect(bytes)).join('\n'), /wrong byte order: 0d05b49e\S+ here, 9eb4050d\S+ in tenc/)
    })

    test(`a pssh of another key is reported (${scheme})`, () => {
      const bytes = Buffer.from(init)
      bytes.fill(0xaa, bytes.lastIndexOf(uuidBytes(KID)), bytes.lastIndexOf(uuidBytes(KID)) + 16)
      assert.match(found(inspect(bytes)).join('\n'), /names aaaaaaaa\S+, but tenc has 9eb4050d/)
    })
  }
})

test('the media of a large file is not read', () => {
  const head = Buffer.from('00000018667479706d703431000000006d70343169736f6d', 'hex')
  const size = 5_000_000_000
  const mdat = Buffer.alloc(16)
  mdat.writeUInt32BE(1, 0)
  mdat.write('mdat', 4, 'latin1')
  mdat.writeBigUInt64BE(BigInt(size - head.length), 8)
  const start = Buffer.concat([head, mdat])
  const inspection = inspectSource({
    size,
    read(offset, length) {
      assert.ok(length <= 24)
      return start.subarray(offset, offset + length)
    },
  })
  assert.deepEqual(found(inspection), [])
  assert.deepEqual(values(inspection, 'mdat'), [`${size - head.length} bytes`])
})

test('PIFF boxes are known by their ids', () => {
  const kid = uuidBytes(KID).toString('hex')
  const box = (type: string, content: string): string =>
    `${(8 + content.length / 2).toString(16).padStart(8, '0')}${Buffer.from(type).toString('hex')}${content}`
  const tenc = box('uuid', `8974dbce7be74c5184f97148f9882554 00000000 000001 08 ${kid}`.replaceAll(' ', ''))
  const inspection = sound(Buffer.from(box('moov', box('trak', tenc)), 'hex'), 'ISO BMFF boxes')
  assert.deepEqual(values(inspection, 'default_KID'), [KID])
})

test('keys that rotate are found in the groups of samples', () => {
  const kid = uuidBytes(KID).toString('hex')
  const sgpd = `01000000${Buffer.from('seig').toString('hex')}0000001400000001 00 19 01 08${kid}`.replaceAll(' ', '')
  const box = (type: string, content: string): string =>
    `${(8 + content.length / 2).toString(16).padStart(8, '0')}${Buffer.from(type).toString('hex')}${content}`
  const inspection = sound(Buffer.from(box('moof', box('traf', box('sgpd', sgpd))), 'hex'), 'ISO BMFF boxes')
  assert.deepEqual(values(inspection, 'KID'), [KID])
  assert.deepEqual(values(inspection, 'pattern'), ['1:9'])
})

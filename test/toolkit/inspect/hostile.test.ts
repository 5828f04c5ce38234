import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { inspect } from '../../../src/toolkit/inspect/inspect.ts'
import { nodesIn } from '../../../src/toolkit/inspect/node.ts'
import { renderInspection } from '../../../src/toolkit/inspect/render.ts'
import { rsaKeys } from '../../formats/cpix/certificates.ts'
import { fromBase64, fromHex, vectors } from '../../formats/drm/vectors.ts'
import { found } from './looking.ts'

const { privateKey } = rsaKeys(2048)
const EXAMPLES = new URL('../../protocols/speke/examples/', import.meta.url)
const packaged =
  vectors<Record<'cbcs' | 'cenc', Record<'init' | 'segment' | 'mpd' | 'playlist', string>>>('packaged.json')

/** Something of every kind, to damage. */
const SAMPLES: readonly Uint8Array[] = [
  ...readdirSync(EXAMPLES).map((name) => readFileSync(new URL(name, EXAMPLES))),
  ...vectors<{ hex: string }[]>('pssh.json').map(({ hex }) => fromHex(hex)),
  ...vectors<{ hex: string }[]>('pssh.json').map(({ hex }) => Buffer.from(hex)),
  ...vectors<{ objects: { object: string; header: string }[] }>('playready.json').objects.flatMap(
    ({ object, header }) => [fromBase64(object), Buffer.from(header), Buffer.from(header, 'utf16le')],
  ),
  ...Object.values(vectors<Record<string, string>>('signaling.json')).map((text) => Buffer.from(text)),
  ...[packaged.cbcs, packaged.cenc].flatMap(({ init, segment, mpd, playlist }) => [
    fromBase64(init),
    fromBase64(segment),
    Buffer.from(mpd),
    Buffer.from(playlist),
  ]),
]

/** A sample with bytes of it changed, taken out, doubled or cut off. */
const damaged = fc
  .record({
    sample: fc.constantFrom(...SAMPLES),
    changes: fc.array(fc.tuple(fc.nat(), fc.constantFrom('set', 'remove', 'double', 'cut'), fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    }),
  })
  .map(({ sample, changes }) => {
    let bytes = Buffer.from(sample)
    for (const [where, what, value] of changes) {
      const at = bytes.length === 0 ? 0 : where % bytes.length
      if (what === 'set' && bytes.length > 0) bytes.writeUInt8(value, at)
      else if (what === 'remove') bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + (value % 8))])
      else if (what === 'double')
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - value)), bytes.subarray(at)])
      else bytes = bytes.subarray(0, at)
    }
    return bytes
  })

/** Explains, in words and as JSON, and looks at every place. */
function explain(input: Uint8Array | string): void {
  const inspection = inspect(input, { privateKey, now: 0 })
  assert.equal(typeof renderInspection(inspection), 'string')
  JSON.stringify(inspection)
  for (const { place } of nodesIn(inspection.nodes)) {
    if (place === undefined) continue
    if ('offset' in place) assert.ok(place.offset >= 0 && place.length >= 0)
    else assert.ok(place.line >= 1 && place.column >= 1, JSON.stringify(place))
  }
}

describe('nothing makes it throw:', () => {
  test('any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), explain), { numRuns: 2000 })
  })

  test('any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), explain), { numRuns: 1000 })
  })

  test('what is damaged', () => {
    fc.assert(fc.property(damaged, explain), { numRuns: 3000 })
  })

  test('a document whose signalling is damaged', () => {
    const slots = [
      'PSSH',
      'ContentProtectionData',
      'HLSSignalingData',
      'SmoothStreamingProtectionHeaderData',
      'URIExtXKey',
    ].map((name) => `cpix:${name}`)
    const document = fc.tuple(fc.constantFrom(...slots, 'speke:ProtectionHeader'), damaged).map(([slot, bytes]) => {
      const kid = '9eb4050d-e44b-4802-932e-27d75083e266'
      const child = `<${slot}>${bytes.toString('base64')}</${slot}>`
      return `<cpix:CPIX xmlns:cpix="urn:dashif:org:cpix" xmlns:speke="urn:aws:amazon:com:speke"><cpix:ContentKeyList><cpix:ContentKey kid="${kid}"/></cpix:ContentKeyList><cpix:DRMSystemList><cpix:DRMSystem kid="${kid}" systemId="edef8ba9-79d6-4ace-a3c8-27dcd51d21ed">${child}</cpix:DRMSystem></cpix:DRMSystemList></cpix:CPIX>`
    })
    fc.assert(fc.property(document, explain), { numRuns: 1000 })
  })

  test('boxes of any content', () => {
    const types = fc.constantFrom(
      'moov',
      'stsd',
      'encv',
      'enca',
      'tenc',
      'senc',
      'sgpd',
      'sbgp',
      'schm',
      'pssh',
      'uuid',
      'tkhd',
      'hdlr',
      'ftyp',
    )
    const box = fc.tuple(types, types, fc.uint8Array({ maxLength: 120 })).map(([outer, inner, content]) => {
      const head = (type: string, size: number): Buffer => {
        const bytes = Buffer.alloc(8)
        bytes.writeUInt32BE(size + 8, 0)
        bytes.write(type, 4, 'latin1')
        return bytes
      }
      return Buffer.concat([
        head('moov', content.length + 16),
        head(outer, content.length + 8),
        head(inner, content.length),
        content,
      ])
    })
    fc.assert(fc.property(box, explain), { numRuns: 1000 })
  })
})

describe('hostile input is bounded:', () => {
  test('boxes very deep in each other', () => {
    const depth = 10_000
    const bytes = Buffer.alloc(depth * 8)
    for (let i = 0; i < depth; i++) {
      bytes.writeUInt32BE(bytes.length - i * 8, i * 8)
      bytes.write('moov', i * 8 + 4, 'latin1')
    }
    assert.match(found(inspect(bytes)).join('\n'), /more than 16 deep/)
  })

  test('a box with millions of kids', () => {
    const count = 500_000
    const bytes = Buffer.alloc(36 + 16 * count)
    bytes.writeUInt32BE(bytes.length, 0)
    bytes.write('pssh', 4, 'latin1')
    bytes.writeUInt8(1, 8)
    bytes.writeUInt32BE(count, 28)
    const inspection = inspect(bytes)
    assert.match(found(inspection).join('\n'), /has more parts than are shown here/)
    assert.ok([...nodesIn(inspection.nodes)].length < 60_000)
  })

  test('a message of millions of fields', () => {
    const data = Buffer.alloc(4_000_000, Buffer.of(0x60, 0x01))
    const head = Buffer.from(
      '00000000707373680000 0000edef8ba979d64acea3c827dcd51d21ed00000000'.replace(' ', ''),
      'hex',
    )
    const bytes = Buffer.concat([head, data])
    bytes.writeUInt32BE(bytes.length, 0)
    bytes.writeUInt32BE(data.length, 28)
    assert.match(found(inspect(bytes)).join('\n'), /has more parts than are shown here/)
  })

  test('many small boxes', () => {
    const bytes = Buffer.alloc(8 * 200_000, Buffer.from('0000000866726565', 'hex'))
    assert.ok([...nodesIn(inspect(bytes).nodes)].length < 2000)
  })

  test('a playlist of many lines', () => {
    const inspection = inspect(`#EXTM3U\n${'#EXT-X-KEY:METHOD=NONE\n'.repeat(50_000)}`)
    assert.ok([...nodesIn(inspection.nodes)].length < 5000)
  })

  test('an MPD of many elements on one line', () => {
    const mpd = `<MPD>${'<A><ContentProtection schemeIdUri="urn:x"/></A>'.repeat(20_000)}</MPD>`
    assert.ok([...nodesIn(inspect(mpd).nodes)].length < 2000)
  })

  test('comments before the root', () => {
    assert.equal(inspect(`${'<!-- -->'.repeat(50_000)}<!`).kind, 'XML')
  })

  test('base64 in base64 in base64', () => {
    let text = 'hello, hello'
    for (let i = 0; i < 12; i++) text = Buffer.from(text).toString('base64')
    assert.equal(inspect(text).kind, 'unknown')
  })

  test('a document type', () => {
    assert.match(found(inspect('<!DOCTYPE x [<!ENTITY a "a">]><CPIX/>')).join('\n'), /DOCTYPE is not allowed/)
  })
})

test('what a terminal would obey is shown as it is spelled', () => {
  const text = `#EXT-X-KEY:METHOD=AES-128,URI="https://k/\u001b[2J\u202e\u009b"`
  const shown = renderInspection(inspect(Buffer.from(text)))
  for (const character of ['\u001b', '\u202e', '\u009b']) assert.ok(!shown.includes(character))
  const key = renderInspection(inspect(`skd://\u202efilm`))
  assert.match(key, /skd:\/\/\\u202efilm/)
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from '../../../src/toolkit/inspect/inspect.ts'
import { fromBase64, vectors } from '../../formats/drm/vectors.ts'
import { found, named, sound, values } from './looking.ts'

interface Vectors {
  readonly origin: string
  readonly kid: string
  readonly laUrl: string
  readonly objects: readonly {
    readonly version: string
    readonly algid: string
    readonly header: string
    readonly object: string
  }[]
}

const { origin, kid, laUrl, objects } = vectors<Vectors>('playready.json')

for (const { version, algid, header, object } of objects) {
  describe(`PlayReady ${version} (${origin})`, () => {
    test('the object is explained down to its kid', () => {
      for (const input of [object, fromBase64(object), Buffer.from(object, 'base64').toString('hex')]) {
        const inspection = sound(input, 'PlayReady Object')
        assert.deepEqual(values(inspection, 'WRMHEADER'), [`version ${version}`])
        assert.ok(values(inspection, 'KID').includes(kid))
        assert.ok(values(inspection, 'ALGID').includes(algid))
        assert.deepEqual(values(inspection, 'LA_URL'), [laUrl])
      }
    })

    test('the header is explained as text, in UTF-8 and UTF-16', () => {
      assert.ok(values(sound(header, 'WRMHEADER'), 'KID').includes(kid))
      assert.deepEqual(sound(Buffer.from(header, 'utf16le'), 'WRMHEADER').encodings, ['UTF-16'])
      const bigEndian = Buffer.from(`\ufeff${header}`, 'utf16le').swap16()
      assert.ok(values(sound(bigEndian, 'WRMHEADER'), 'KID').includes(kid))
    })

    test('every truncation is explained as far as it goes', () => {
      const bytes = fromBase64(object)
      for (let length = 32; length < bytes.length; length += 7) {
        const inspection = inspect(bytes.subarray(0, length))
        assert.equal(inspection.kind, 'PlayReady Object')
        const text = found(inspection).join('\n')
        assert.match(text, new RegExp(`says that the object has ${bytes.length} bytes, it has ${length}`))
        assert.match(text, /breaks at byte 10: record needs \d+ bytes/)
      }
    })
  })
}

test('a KID is shown with its bytes, in both orders', () => {
  const [node] = named(sound(objects[0]?.object ?? '', 'PlayReady Object'), 'KID')
  assert.match(node?.meaning ?? '', /little-endian GUID; in the other byte order 0d05b49e-4be4-0248/)
  assert.deepEqual(node?.children?.[0]?.value, 'DQW0nkvkAkiTLifXUIPiZg==')
})

const header = objects[0]?.header ?? ''

test('reports a header that players reject', () => {
  assert.match(
    found(inspect(header.replace('4.0.0.0', '4.9.0.0'))).join('\n'),
    /players reject it: WRMHEADER: expected a version/,
  )
  assert.match(
    found(inspect(header.replace('DQW0nkvkAkiTLifXUIPiZg==', 'DQW0'))).join('\n'),
    /expected base64 of 16 bytes/,
  )
  assert.match(found(inspect(header.replace('<DATA>', '<DATA><X/>')), true).join('\n'), /not an element of a WRMHEADER/)
})

test('a header that is cut short breaks at a line and column', () => {
  assert.match(found(inspect(header.slice(0, 120))).join('\n'), /breaks at line 1, column 121: /)
})

test('a header with white space and comments between its elements is explained', () => {
  const spaced = header.replaceAll('><', '>\n <!-- here --> <')
  assert.deepEqual(values(sound(spaced, 'WRMHEADER'), 'KID'), [kid])
})

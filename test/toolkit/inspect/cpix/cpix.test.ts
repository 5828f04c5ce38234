import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { guidBytes, kidOfBytes } from '../../../../src/formats/cenc.ts'
import { inspect } from '../../../../src/toolkit/inspect/inspect.ts'
import { renderInspection } from '../../../../src/toolkit/inspect/render.ts'
import { certificateOf, rsaKeys } from '../../../formats/cpix/certificates.ts'
import { kidOf } from '../../../formats/drm/vectors.ts'
import { answering, NOW, VECTOR_KEY, VECTOR_KID } from '../../../protocols/speke/answering.ts'
import { PLAYREADY, requestFor, WIDEVINE } from '../../../protocols/speke/documents.ts'
import { found, named, sound, values } from '../looking.ts'

const EXAMPLES = new URL('../../../protocols/speke/examples/', import.meta.url)
const { publicKey, privateKey } = rsaKeys(2048)
const another = rsaKeys(2048)
const certificate = certificateOf({ publicKey }).toString('base64')
const deliveryData = `<cpix:DeliveryData><cpix:DeliveryKey><ds:X509Data xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Certificate>${certificate}</ds:X509Certificate></ds:X509Data></cpix:DeliveryKey></cpix:DeliveryData>`

const wish = { kids: [VECTOR_KID], systems: [WIDEVINE, PLAYREADY], scheme: 'cenc' }
const request = requestFor(wish)
const answer = (await answering()('2.0', request)).xml
const encrypted = (await answering()('2.0', requestFor(wish, { deliveryData }))).xml

for (const name of readdirSync(EXAMPLES)) {
  test(`the documented example ${name} is explained without anything wrong`, () => {
    const inspection = sound(readFileSync(new URL(name, EXAMPLES)), 'CPIX')
    assert.equal(named(inspection, name.includes('request') ? 'CPIX request' : 'CPIX answer').length, 1)
    assert.ok(named(inspection, 'ContentKey').length > 0)
  })
}

describe('an answer', () => {
  const inspection = sound(answer, 'CPIX')

  test('is explained by key: systems, rules, signalling', () => {
    assert.deepEqual(values(inspection, 'ContentKey'), [VECTOR_KID])
    assert.deepEqual(values(inspection, 'DRMSystem'), ['Widevine', 'PlayReady'])
    assert.ok(named(inspection, 'used for').length > 0)
    assert.ok(named(inspection, 'PSSH').every(({ children = [] }) => children[0]?.name === 'pssh'))
  })

  test('shows no key unless that is asked for', () => {
    const secrets = [VECTOR_KEY.toString('hex'), VECTOR_KEY.toString('base64'), VECTOR_KEY.toString('base64url')]
    const hidden = `${renderInspection(inspection)}${JSON.stringify(inspection)}`
    for (const secret of secrets) assert.ok(!hidden.includes(secret))
    assert.deepEqual(values(inspection, 'content key'), ['hidden, 16 bytes'])
    assert.deepEqual(values(inspect(answer, { showKeys: true }), 'content key'), [VECTOR_KEY.toString('hex')])
  })

  test('has its PlayReady checksum checked under its key', () => {
    assert.match(named(inspection, 'CHECKSUM')[0]?.meaning ?? '', /right for the key of this document/)
    const other = answer.replace(VECTOR_KEY.toString('base64'), Buffer.alloc(16, 1).toString('base64'))
    assert.match(found(inspect(other)).join('\n'), /does not belong to the key of this document/)
  })
})

describe('a contradiction is reported:', () => {
  const pssh = (xml: string): string => />([A-Za-z0-9+/=]+)<\/\w+:PSSH>/.exec(xml)?.[1] ?? assert.fail('no PSSH')
  const withBox = (change: (bytes: Buffer) => void): string => {
    const text = pssh(answer)
    const bytes = Buffer.from(text, 'base64')
    change(bytes)
    return answer.replace(text, bytes.toString('base64'))
  }
  const cases: readonly (readonly [title: string, document: () => string, message: RegExp])[] = [
    [
      'a kid in the wrong byte order',
      () => withBox((bytes) => void guidBytes(kidOf(VECTOR_KID)).copy(bytes, 34)),
      /wrong byte order: 0d05b49e\S+ here, 9eb4050d\S+ in DRMSystem\/@kid/,
    ],
    [
      'a pssh of another key',
      () => withBox((bytes) => void bytes.fill(7, 34, 50)),
      /names 07070707\S+, but DRMSystem\/@kid has/,
    ],
    [
      'a pssh that is not that of ContentProtectionData',
      () => withBox((bytes) => void bytes.writeUInt8(0, 55)),
      /the pssh in ContentProtectionData is not that of PSSH/,
    ],
    [
      'a box of another system',
      () => withBox((bytes) => void bytes.fill(9, 12, 28)),
      /the box is of unknown DRM system/,
    ],
    [
      'a scheme that the box does not name',
      () => answer.replace('commonEncryptionScheme="cenc"', 'commonEncryptionScheme="cbcs"'),
      /says cenc \(protection_scheme cenc\), the content key cbcs/,
    ],
    [
      'an IV that is the key',
      () =>
        answer.replace(
          'commonEncryptionScheme',
          `explicitIV="${VECTOR_KEY.toString('base64')}" commonEncryptionScheme`,
        ),
      /is the content key: an IV is public/,
    ],
    [
      'a system of a key that the document does not have',
      () =>
        answer.replace(
          `ContentKey kid="${VECTOR_KID}"`,
          `ContentKey kid="${kidOfBytes(guidBytes(kidOf(VECTOR_KID)))}"`,
        ),
      /no ContentKey has its kid/,
    ],
    [
      'a key that is too short',
      () => answer.replace(VECTOR_KEY.toString('base64'), Buffer.alloc(8).toString('base64')),
      /a content key has 16 bytes, this has 8/,
    ],
    [
      'signalling that is no base64',
      () => answer.replace(pssh(answer), `${pssh(answer).slice(0, 8)}*${pssh(answer).slice(8)}`),
      /not base64: breaks at character 9/,
    ],
    [
      'a list that stands twice',
      () => answer.replace('</cpix:CPIX>', '<cpix:ContentKeyList/></cpix:CPIX>'),
      /a document has one ContentKeyList/,
    ],
  ]
  for (const [title, document, message] of cases) {
    test(title, () => {
      const changed = document()
      assert.notEqual(changed, answer)
      assert.match(found(inspect(changed)).join('\n'), message)
    })
  }

  test('ContentProtectionData with an undeclared prefix', () => {
    const fragment = Buffer.from('<cenc:pssh>AAAA</cenc:pssh>').toString('base64')
    const changed = answer.replace(/(?<=ContentProtectionData>)[A-Za-z0-9+/=]+/, fragment)
    const text = found(inspect(changed), true).join('\n')
    assert.match(text, /the prefix "cenc" is not declared; an MPD with it is not well-formed/)
  })
})

describe('an encrypted answer', () => {
  test('without a private key names its recipients', () => {
    const inspection = sound(encrypted, 'CPIX', { now: NOW })
    assert.deepEqual(values(inspection, 'content key'), ['encrypted'])
    assert.deepEqual(values(inspection, 'ValueMAC'), ['not checked without the private key'])
    assert.equal(named(inspection, 'X.509 certificate').length, 1)
    assert.match(found(inspection, true).join('\n'), /--key PRIVATE-KEY\.pem decrypts it/)
  })

  test('with it has every MAC checked and its keys hidden all the same', () => {
    const inspection = sound(encrypted, 'CPIX', { privateKey })
    assert.deepEqual(values(inspection, 'content key'), ['hidden, 16 bytes'])
    assert.deepEqual(values(inspection, 'ValueMAC'), ['right'])
    assert.match(named(inspection, 'CHECKSUM')[0]?.meaning ?? '', /right for the key/)
    const shown = inspect(encrypted, { privateKey, showKeys: true })
    assert.deepEqual(values(shown, 'content key'), [VECTOR_KEY.toString('hex')])
  })

  test('with another key is for another recipient', () => {
    const inspection = inspect(encrypted, { privateKey: another.privateKey })
    assert.match(found(inspection, true).join('\n'), /is for another recipient/)
    assert.deepEqual(values(inspection, 'content key'), ['encrypted'])
  })

  test('with a MAC that is wrong is not decrypted', () => {
    const macs = [...encrypted.matchAll(/(?<=ValueMAC>)[^<]+/g)].map(([mac]) => mac)
    const changed = encrypted.replace(macs.at(-1) ?? '', randomBytes(64).toString('base64'))
    const inspection = inspect(changed, { privateKey })
    assert.deepEqual(values(inspection, 'ValueMAC'), ['WRONG'])
    assert.deepEqual(values(inspection, 'content key'), ['not decrypted'])
    assert.match(found(inspection).join('\n'), /do not use the key/)
  })

  test('without a MAC is not decrypted', () => {
    const last = encrypted.lastIndexOf('<pskc:ValueMAC>')
    const end = encrypted.indexOf('</pskc:ValueMAC>', last) + '</pskc:ValueMAC>'.length
    const inspection = inspect(encrypted.slice(0, last) + encrypted.slice(end), { privateKey })
    assert.deepEqual(values(inspection, 'ValueMAC'), ['missing'])
    assert.match(found(inspection).join('\n'), /ValueMAC is missing/)
  })

  test('whose document key is damaged names our certificate and does not open', () => {
    const cipher = /(?<=CipherValue>)[^<]+/.exec(encrypted)?.[0] ?? ''
    const inspection = inspect(encrypted.replace(cipher, randomBytes(256).toString('base64')), { privateKey })
    assert.match(found(inspection).join('\n'), /names your certificate, yet its keys .* do not open/)
  })
})

test('compares key periods by index or time, not by id', () => {
  const inspection = sound(readFileSync(new URL('v2.0-live-response.xml', EXAMPLES)), 'CPIX')
  assert.deepEqual(new Set(values(inspection, 'in key period')), new Set(['index 3']))
})

test('a document that is cut short breaks at a line and column', () => {
  assert.match(found(inspect(answer.slice(0, answer.indexOf('PSSH')))).join('\n'), /breaks at line \d+, column \d+: /)
})

test('a key in an unexpected place is hidden too', () => {
  const key = VECTOR_KEY.toString('base64')
  for (const document of [
    answer.replace('</cpix:CPIX>', '<cpix:ContentKeyList/></cpix:CPIX>'),
    answer.replaceAll('urn:ietf:params:xml:ns:keyprov:pskc', 'urn:other'),
    answer.replaceAll('cpix:ContentKey ', 'cpix:Key ').replaceAll('</cpix:ContentKey>', '</cpix:Key>'),
    answer.replaceAll('ContentKeyList', 'KeyList'),
    answer.replaceAll('urn:dashif:org:cpix', 'urn:other'),
    answer
      .replace('<cpix:DRMSystem ', `<cpix:DRMSystem key="${key}" `)
      .replace('<cpix:PSSH>', `<cpix:Key>${key}</cpix:Key><cpix:PSSH>`),
    answer.slice(0, -20),
  ]) {
    assert.ok(document.includes(key))
    assert.ok(!JSON.stringify(inspect(document)).includes(key))
  }
})

test('a document in UTF-16 is read', () => {
  const wide = Buffer.from(
    `\ufeff<?xml version="1.0" encoding="utf-16"?>${request.replace(/^<\?xml[^>]*>/, '')}`,
    'utf16le',
  )
  assert.deepEqual(sound(wide, 'CPIX').encodings, ['UTF-16'])
})

test('another document than CPIX by its namespace is not accepted', () => {
  assert.match(found(inspect('<CPIX xmlns="urn:other"/>')).join('\n'), /must be CPIX of the namespace/)
})

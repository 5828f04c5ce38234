import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from '../../../src/toolkit/inspect/inspect.ts'
import { certificateOf, rsaKeys, rsaPublicKey } from '../../formats/cpix/certificates.ts'
import { found, named, sound, values } from './looking.ts'

const KID = '9eb4050d-e44b-4802-932e-27d75083e266'
const IV = '00112233445566778899aabbccddeeff'

describe('a FairPlay URI', () => {
  const forms: readonly (readonly [title: string, uri: string, name: string])[] = [
    [
      'of AWS',
      `skd://${Buffer.from(JSON.stringify({ ContentId: 'film', KeyId: KID, IV: 'AAEC' })).toString('base64')}`,
      'KeyId',
    ],
    ['that is a kid', `skd://${KID}`, 'kid'],
    ['of Axinom', `skd://${KID}:${IV}`, 'kid'],
    ['of EZDRM', `skd://fps.ezdrm.com/;${KID}`, 'kid'],
    ['with a query', `skd://host?assetId=film&keyId=${KID}&iv=${IV}`, 'keyId'],
  ]
  for (const [title, uri, name] of forms) {
    test(`${title} has its kid found`, () => {
      assert.equal(named(sound(uri, 'FairPlay URI'), name)[0]?.kid, KID)
    })
  }

  test('that is longer than FairPlay takes is reported', () => {
    assert.match(found(inspect(`skd://${'x'.repeat(201)}`)).join('\n'), /takes 200 bytes of asset ID, this has 201/)
  })

  test('without an asset id is reported', () => {
    assert.match(found(inspect('skd://')).join('\n'), /has no asset ID/)
  })
})

describe('a certificate', () => {
  const { publicKey } = rsaKeys(2048)
  const der = certificateOf({ publicKey })
  const pem = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`

  test('is explained as DER, PEM and base64', () => {
    for (const input of [der, pem, der.toString('base64')]) {
      const inspection = sound(input, 'X.509 certificate', { now: Date.UTC(2026, 5, 1) })
      assert.match(values(inspection, 'public key')[0] ?? '', /^rsa, 2048 bits, exponent 65537$/)
      assert.deepEqual(values(inspection, 'valid to'), ['2027-01-01T00:00:00.000Z'])
    }
  })

  test('of a chain is one of several', () => {
    assert.equal(named(sound(pem + pem, 'X.509 certificate'), 'X.509 certificate').length, 2)
  })

  test('that is not valid at the moment is reported', () => {
    assert.match(found(inspect(der, { now: Date.UTC(2028, 0, 1) })).join('\n'), /expired/)
    assert.match(found(inspect(der, { now: Date.UTC(2020, 0, 1) })).join('\n'), /is not valid yet/)
  })

  test('whose key is too short is reported', () => {
    const weak = certificateOf({ publicKey: rsaPublicKey(1024) })
    assert.match(found(inspect(weak)).join('\n'), /2048 bits and more/)
  })

  test('that is cut short is damaged', () => {
    assert.match(found(inspect(pem.replace(/.{40}\n-----END/, '\n-----END'))).join('\n'), /cannot be read as X\.509/)
    assert.match(found(inspect('-----BEGIN CERTIFICATE-----\nAAAA')).join('\n'), /begins but does not end/)
  })
})

test('recognizes a private key and hides it', () => {
  const pem = rsaKeys(2048).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const inspection = sound(pem, 'private key')
  assert.ok(!JSON.stringify(inspection).includes(pem.slice(40, 80)))
})

test('shows a kid in both byte orders', () => {
  for (const text of [KID, KID.toUpperCase(), `urn:uuid:${KID}`, `{${KID}}`]) {
    assert.match(sound(text, 'KID').nodes[0]?.meaning ?? '', /0d05b49e-4be4-0248/)
  }
})

describe('unknown data', () => {
  test('is not shown, since it could be a key', () => {
    for (const input of [
      Buffer.from('166634c675823c235a4a9446fad52e4d', 'hex'),
      '166634c675823c235a4a9446fad52e4d',
      'FmY0xnWCPCNaSpRG+tUuTQ==',
    ]) {
      const inspection = inspect(input)
      assert.equal(inspection.kind, 'unknown')
      assert.doesNotMatch(JSON.stringify(inspection), /166634c6|FmY0xn/i)
      assert.match(JSON.stringify(inspect(input, { showKeys: true })), /[0-9a-f]{32}/)
    }
  })

  test('is an error when it is nothing at all, and a warning otherwise', () => {
    assert.match(found(inspect('')).join('\n'), /error: there is nothing to explain/)
    assert.match(found(inspect('hello')).join('\n'), /warning: is nothing that inspect knows/)
  })

  test('is named when it is XML', () => {
    assert.equal(sound('<html><body/></html>', 'XML').nodes[0]?.name, 'html')
  })

  test('reports the byte where XML stops being text', () => {
    assert.match(found(inspect(Buffer.from('3c61ff3e', 'hex'))).join('\n'), /breaks at byte 2: not UTF-8/)
  })

  test('is rejected when it is too large', () => {
    const bytes = Buffer.alloc(16 * 1024 * 1024 + 1, 'x')
    assert.match(found(inspect(bytes)).join('\n'), /is larger than 16777216 bytes/)
  })
})

test('hex that is cut inside a byte says so and is explained as far as it goes', () => {
  const inspection = inspect('000000387073736800000000edef8ba979d64acea3c827dcd51d21ed00000018121')
  assert.equal(inspection.kind, 'pssh')
  assert.match(found(inspection).join(), /the hex is cut: 67 digits/)
})

test('a part of a CPIX document is explained without its namespace', () => {
  const pssh = Buffer.from('000000207073736800000000edef8ba979d64acea3c827dcd51d21ed00000000', 'hex')
  const inspection = inspect(
    `<DRMSystem systemId="edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"><PSSH>${pssh.toString('base64')}</PSSH></DRMSystem>`,
  )
  assert.equal(inspection.kind, 'CPIX')
  assert.deepEqual(values(inspection, 'SystemID'), ['edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'])
})

test('a misspelt WRMHEADER is named', () => {
  for (const root of ['WRHEADER', 'wrmheader', 'WRMHEADRE', 'WMRHEADER', 'WRMHEDER']) {
    assert.match(
      found(inspect(`<${root} version="4.0.0.0"/>`)).join(),
      new RegExp(`the root is ${root}, .*write WRMHEADER`),
    )
  }
})

test('the keys of a ClearKey licence are explained without the object around them, and hidden', () => {
  const key = '{"kty":"oct","kid":"Ww46fJHUTFKPagwdLj9KUQ","k":"AAECAwQFBgcICQoLDA0ODw"}'
  for (const text of [key, `[${key}]`, ` [ ${key}, ${key} ]`]) {
    const inspection = sound(text, 'ClearKey licence')
    assert.equal(values(inspection, 'kid')[0], '5b0e3a7c-91d4-4c52-8f6a-0c1d2e3f4a51')
    assert.equal(values(inspection, 'k')[0], 'hidden, 16 bytes')
  }
  assert.equal(inspect('[{"name":"x"}]').kind, 'unknown')
})

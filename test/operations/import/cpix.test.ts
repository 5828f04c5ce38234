import assert from 'node:assert/strict'
import { constants, createCipheriv, createHmac, type KeyObject, publicEncrypt, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import type { KeyProviderError } from '../../../src/core/errors.ts'
import type { ImportKey } from '../../../src/operations/import/draft.ts'
import { importKeys, type KeyImport } from '../../../src/operations/import/keys.ts'
import { certificateOf, rsaKeys } from '../../formats/cpix/certificates.ts'
import { kidOf, REF, wantedOf } from '../../keys/fixtures.ts'
import { managing, OPERATOR } from '../managing.ts'

const KEY = Buffer.alloc(16, 0xc1)
const IV = Buffer.alloc(16, 0xc2)
const LEAK = /c1c1c1|wcHBw|c2c2c2|wsLCw/i
const ours = rsaKeys(2048)
const importKey: ImportKey = { certificate: certificateOf(ours), privateKey: ours.privateKey }
const stranger = rsaKeys(2048)

const NAMESPACES =
  'xmlns="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:enc="http://www.w3.org/2001/04/xmlenc#"'
const RSA = '<enc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/>'
const AES_URI = 'http://www.w3.org/2001/04/xmlenc#aes256-cbc'
const HMAC_URI = 'http://www.w3.org/2001/04/xmldsig-more#hmac-sha512'

const documentOf = (keys: string, deliveryData = '', root = 'contentId="movie"'): string =>
  `<CPIX ${root} ${NAMESPACES}>${deliveryData === '' ? '' : `<DeliveryDataList>${deliveryData}</DeliveryDataList>`}<ContentKeyList>${keys}</ContentKeyList></CPIX>`
const keyOf = (secret: string, kid = kidOf(1), more = ''): string =>
  `<ContentKey kid="${kid}" ${more}><Data><pskc:Secret>${secret}</pskc:Secret></Data></ContentKey>`
const plain = (key: Uint8Array = KEY): string =>
  `<pskc:PlainValue>${Buffer.from(key).toString('base64')}</pskc:PlainValue>`

/** Content key encryption as the texts of CPIX describe it, by other means than ours. */
function encryption(publicKey: KeyObject = ours.publicKey) {
  const [documentKey, macKey] = [randomBytes(32), randomBytes(64)]
  const cipherData = (bytes: Uint8Array): string =>
    `<enc:CipherData><enc:CipherValue>${Buffer.from(bytes).toString('base64')}</enc:CipherValue></enc:CipherData>`
  const wrap = (bytes: Uint8Array): string =>
    RSA + cipherData(publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING }, bytes))
  const macShapes = {
    'of the schema': `<pskc:MACKey>${wrap(macKey)}</pskc:MACKey>`,
    'of DASH-IF': `<Key>${wrap(macKey)}</Key>`,
    'of SPEKE': `<Key><pskc:EncryptedValue>${wrap(macKey)}</pskc:EncryptedValue><pskc:ValueMAC>AAAA</pskc:ValueMAC></Key>`,
  }
  return {
    macShapes,
    encrypted(key: Uint8Array = KEY, tamper = 0): string {
      const iv = randomBytes(16)
      const aes = createCipheriv('aes-256-cbc', documentKey, iv)
      const cipher = Buffer.concat([iv, aes.update(key), aes.final()])
      const mac = createHmac('sha512', macKey).update(cipher).digest()
      mac.writeUInt8(mac.readUInt8(0) ^ tamper, 0)
      return `<pskc:EncryptedValue><enc:EncryptionMethod Algorithm="${AES_URI}"/>${cipherData(cipher)}</pskc:EncryptedValue><pskc:ValueMAC>${mac.toString('base64')}</pskc:ValueMAC>`
    },
    deliveryData({
      certificate = importKey.certificate,
      mac = macShapes['of SPEKE'],
      documentKeyAttributes = '',
    } = {}): string {
      const x509 = `<ds:X509Data><ds:X509Certificate>${Buffer.from(certificate).toString('base64')}</ds:X509Certificate></ds:X509Data>`
      return `<DeliveryData><DeliveryKey>${x509}</DeliveryKey><DocumentKey ${documentKeyAttributes}><Data><pskc:Secret><pskc:EncryptedValue>${wrap(documentKey)}</pskc:EncryptedValue></pskc:Secret></Data></DocumentKey><MACMethod Algorithm="${HMAC_URI}">${mac}</MACMethod></DeliveryData>`
    },
  }
}

const importOf = (xml: string, more: Partial<KeyImport> = {}): KeyImport => ({
  format: 'cpix',
  bytes: Buffer.from(xml),
  importKey,
  ...more,
})

async function imported(xml: string, more: Partial<KeyImport> = {}) {
  const { management } = managing()
  await importKeys(management, OPERATOR, importOf(xml, more))
  const content = await management.contentKeys.open(REF, [kidOf(1)])
  return (await content.issue([wantedOf(1)])).keys[0] ?? assert.fail()
}

async function refusalOf(xml: string, more: Partial<KeyImport> = {}): Promise<KeyProviderError> {
  const { management, store } = managing()
  const error = (await importKeys(management, OPERATOR, importOf(xml, more)).then(
    () => assert.fail('imported'),
    (refusal: unknown) => refusal,
  )) as KeyProviderError
  assert.doesNotMatch(error.message, LEAK)
  assert.deepEqual(await store.listOverrides(REF), [])
  return error
}

describe('a CPIX document', () => {
  test('brings keys in the clear, and their IVs', async () => {
    const { contentKey, explicitIv } = await imported(
      documentOf(keyOf(plain(), kidOf(1), `explicitIV="${IV.toString('base64')}"`)),
    )
    assert.deepEqual([Buffer.from(contentKey), Buffer.from(explicitIv)], [KEY, IV])
  })

  for (const shape of ['of the schema', 'of DASH-IF', 'of SPEKE'] as const) {
    test(`brings keys encrypted to the import certificate, the MAC key in the shape ${shape}`, async () => {
      const { encrypted, deliveryData, macShapes } = encryption()
      const { contentKey } = await imported(documentOf(keyOf(encrypted()), deliveryData({ mac: macShapes[shape] })))
      assert.deepEqual(Buffer.from(contentKey), KEY)
    })
  }

  test('brings keys encrypted to an older certificate of the same key, beside other recipients', async () => {
    const { encrypted, deliveryData } = encryption()
    const renewed = certificateOf({ ...ours, validTo: Date.UTC(2028, 0, 1) })
    const others = encryption(stranger.publicKey).deliveryData({ certificate: certificateOf(stranger) })
    const damaged = deliveryData({ certificate: Buffer.from('damaged') })
    const xml = documentOf(keyOf(encrypted()), others + damaged + deliveryData({ certificate: renewed }))
    assert.deepEqual(Buffer.from((await imported(xml)).contentKey), KEY)
  })

  test('of CPIX 2.4 brings keys under several document keys', async () => {
    const [one, two] = [encryption(), encryption()]
    const attributes = (kid: string) => ({ documentKeyAttributes: `encryptsKey="${kid}"` })
    const first = one.deliveryData(attributes(kidOf(2)))
    const second = two.deliveryData(attributes(kidOf(1)))
    const documentKey = /<DocumentKey.*<\/DocumentKey>/.exec(first)?.[0] ?? ''
    const delivery = second.replace('<DocumentKey', () => `${documentKey}<DocumentKey`)
    // One MAC key is for the whole document: what the other document key encrypts has another, and is not read.
    const { contentKey } = await imported(documentOf(keyOf(two.encrypted()), delivery))
    assert.deepEqual(Buffer.from(contentKey), KEY)
  })

  test('takes the content from the import where it names none', async () => {
    const xml = documentOf(keyOf(plain()), '', 'id="x"')
    assert.deepEqual(Buffer.from((await imported(xml, { contentId: 'movie' })).contentKey), KEY)
    assert.match((await refusalOf(documentOf(keyOf(plain()), '', ''))).message, /CPIX\/@contentId: .*--content-id/)
  })

  test('of another content than the import names is rejected', async () => {
    const error = await refusalOf(documentOf(keyOf(plain())), { contentId: 'show' })
    assert.equal(error.code, 'ERR_IMPORT_INVALID')
    assert.match(error.message, /ContentKey\/@contentId: the document names another content/)
  })
})

describe('an encrypted CPIX document', () => {
  const { encrypted, deliveryData } = encryption()
  const foreign = encryption(stranger.publicKey)
  const broken: Readonly<Record<string, string>> = {
    'a MAC that does not fit': documentOf(keyOf(encrypted(KEY, 1)), deliveryData()),
    'document keys of somebody else under our certificate': documentOf(
      keyOf(foreign.encrypted()),
      foreign.deliveryData(),
    ),
    'a key under another document key': documentOf(keyOf(encryption().encrypted()), deliveryData()),
    'a document key that is no base64': documentOf(
      keyOf(encrypted()),
      deliveryData().replace(/<enc:CipherValue>[^<]*/, '<enc:CipherValue>?'),
    ),
  }
  for (const [name, xml] of Object.entries(broken)) {
    test(`with ${name} is rejected with the one opaque error`, async () => {
      const { code, message } = await refusalOf(xml)
      assert.equal(code, 'ERR_KEY_UNWRAP_FAILED')
      assert.equal(message, 'the encrypted keys cannot be read with this private key')
    })
  }

  const wrong: Readonly<Record<string, readonly [xml: string, says: RegExp, more?: Partial<KeyImport>]>> = {
    'where this server has no import certificate': [
      documentOf(keyOf(encrypted()), deliveryData()),
      /no import key is set/,
      { importKey: undefined },
    ],
    'for others alone': [
      documentOf(keyOf(foreign.encrypted()), foreign.deliveryData({ certificate: certificateOf(stranger) })),
      /encrypted for other recipients; .*SHA-256/,
    ],
    'without recipients': [documentOf(keyOf(encrypted())), /encrypted for other recipients/],
    'without a MAC key': [
      documentOf(keyOf(encrypted()), deliveryData().replace(/<MACMethod.*<\/MACMethod>/, '')),
      /MACMethod is missing/,
    ],
    'without a MAC': [
      documentOf(keyOf(encrypted().replace(/<pskc:ValueMAC>.*/, '')), deliveryData()),
      /Secret: ValueMAC is missing/,
    ],
    'of another algorithm': [
      documentOf(keyOf(encrypted()).replace('aes256-cbc', 'aes128-cbc'), deliveryData()),
      /Algorithm/,
    ],
    'with a key in the clear beside': [
      documentOf(keyOf(plain()), deliveryData()),
      /in the clear although a DeliveryDataList/,
    ],
    'with a key both ways': [
      documentOf(keyOf(plain() + encrypted()), deliveryData()),
      /either PlainValue or Encrypted/,
    ],
    'without a key': [documentOf(`<ContentKey kid="${kidOf(1)}"/>`), /no ContentKey holds a key/],
  }
  for (const [name, [xml, says, more]] of Object.entries(wrong)) {
    test(`${name} is rejected, and says why`, async () => {
      const { code, message } = await refusalOf(xml, more)
      assert.equal(code, 'ERR_CPIX_INVALID')
      assert.match(message, says)
    })
  }

  test('with a key of 32 bytes is rejected', async () => {
    const { code, message } = await refusalOf(documentOf(keyOf(encrypted(randomBytes(32))), deliveryData()))
    assert.equal(code, 'ERR_IMPORT_INVALID')
    assert.match(message, /Data\/Secret: expected 16 bytes/)
  })
})

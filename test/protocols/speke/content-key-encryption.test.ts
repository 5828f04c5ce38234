import assert from 'node:assert/strict'
import {
  constants,
  createDecipheriv,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
} from 'node:crypto'
import { describe, test } from 'node:test'
import { openDocumentEncryption } from '../../../src/formats/cpix/encryption.ts'
import { CPIX_NAMESPACE, PSKC_NAMESPACE, XMLENC_NAMESPACE } from '../../../src/formats/cpix/fields.ts'
import type { XmlDocument, XmlElement } from '../../../src/formats/xml/document.ts'
import { attributeOf, textOf } from '../../../src/formats/xml/reader.ts'
import { certificateOf, evenPublicKey, rsaKeys, rsaPublicKey } from '../../formats/cpix/certificates.ts'
import { answering, elementsOf, NOW, plainKeys, refusalOf } from './answering.ts'
import { FAIRPLAY, KID, KID_2, KIDS, type Parts, PLAYREADY, requestFor, WIDEVINE } from './documents.ts'

const recipient = rsaKeys(2048)
const certificate = certificateOf(recipient)
const DS = 'http://www.w3.org/2000/09/xmldsig#'
const deliveryData = (der: Uint8Array | string, id = 'origin-1'): string =>
  `<cpix:DeliveryData id="${id}"><cpix:DeliveryKey><ds:X509Data xmlns:ds="${DS}"><ds:X509Certificate>${typeof der === 'string' ? der : Buffer.from(der).toString('base64')}</ds:X509Certificate></ds:X509Data></cpix:DeliveryKey></cpix:DeliveryData>`
const requestTo = (list: string, changed: Parts = {}): string =>
  requestFor({ kids: [KID, KID_2], systems: [WIDEVINE, PLAYREADY] }, { deliveryData: list, ...changed })
const keysOf = async (xml: string) => plainKeys((await answering()('2.0', xml)).document)

/** An element by its path of local names below another. */
function at(element: XmlElement | undefined, path: string): XmlElement {
  let found = element
  for (const local of path.split('/')) found = found?.children.find((child) => child.local === local)
  return found ?? assert.fail(`no ${path}`)
}

/** What the holder of a private key makes of an answer, by the book (speke.md 9) and not by our own code. */
function readByHand(document: XmlDocument, privateKey: KeyObject, index = 0): Record<string, string> {
  const bytes = (element: XmlElement): Buffer => Buffer.from(textOf(document, element), 'base64')
  const rsa = (element: XmlElement): Buffer =>
    privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, bytes(element))
  const own = elementsOf(document, 'DeliveryData')[index]
  const secret = at(own, 'DocumentKey/Data/Secret')
  const method = at(own, 'MACMethod/Key')
  const documentKey = rsa(at(secret, 'EncryptedValue/CipherData/CipherValue'))
  const macKey = rsa(at(method, 'EncryptedValue/CipherData/CipherValue'))
  assert.deepEqual([documentKey.length, macKey.length], [32, 64])
  const verified = (holder: XmlElement): Buffer => {
    const cipher = bytes(at(holder, 'EncryptedValue/CipherData/CipherValue'))
    assert.deepEqual(bytes(at(holder, 'ValueMAC')), createHmac('sha512', macKey).update(cipher).digest())
    return cipher
  }
  verified(secret)
  verified(method)
  return Object.fromEntries(
    elementsOf(document, 'ContentKey').map((element) => {
      const cipher = verified(at(element, 'Data/Secret'))
      assert.equal(cipher.length, 48)
      const aes = createDecipheriv('aes-256-cbc', documentKey, cipher.subarray(0, 16))
      const key = Buffer.concat([aes.update(cipher.subarray(16)), aes.final()])
      return [attributeOf(element, 'kid'), key.toString('base64')]
    }),
  )
}

const METHOD = (name: string): string => `<enc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#${name}"/>`
const VALUE = (name: string): string =>
  `<pskc:EncryptedValue>${METHOD(name)}<enc:CipherData><enc:CipherValue>…</enc:CipherValue></enc:CipherData></pskc:EncryptedValue><pskc:ValueMAC>…</pskc:ValueMAC>`

describe('an answer to a request with DeliveryData', () => {
  test('has the shape of speke.md 13.7', async () => {
    const declared = requestTo(deliveryData(certificate)).replace(
      '<cpix:CPIX ',
      `<cpix:CPIX xmlns:enc="${XMLENC_NAMESPACE}" `,
    )
    const { xml } = await answering()('2.0', declared)
    const shape = xml
      .replaceAll(/<enc:CipherValue>[^<]+/g, '<enc:CipherValue>…')
      .replaceAll(/<pskc:ValueMAC>[^<]+/g, '<pskc:ValueMAC>…')
    const [list = ''] = /<cpix:DeliveryDataList>.*<\/cpix:ContentKeyList>/.exec(shape) ?? []
    const key = (kid: string): string =>
      `<cpix:ContentKey kid="${kid}" commonEncryptionScheme="cenc"><cpix:Data><pskc:Secret>${VALUE('aes256-cbc')}</pskc:Secret></cpix:Data></cpix:ContentKey>`
    const added =
      `<cpix:DocumentKey Algorithm="http://www.w3.org/2001/04/xmlenc#aes256-cbc"><cpix:Data><pskc:Secret>${VALUE('rsa-oaep-mgf1p')}</pskc:Secret></cpix:Data></cpix:DocumentKey>` +
      `<cpix:MACMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha512"><cpix:Key>${VALUE('rsa-oaep-mgf1p')}</cpix:Key></cpix:MACMethod>`
    const asked = deliveryData(certificate).replace('</cpix:DeliveryData>', '')
    assert.equal(
      list,
      `<cpix:DeliveryDataList>${asked}${added}</cpix:DeliveryData></cpix:DeliveryDataList><cpix:ContentKeyList>${key(KID)}${key(KID_2)}</cpix:ContentKeyList>`,
    )
  })

  for (const [header, root] of [
    ['2.0', 'contentId="movie" version="2.3"'],
    ['2.1', 'contentId="movie" version="2.4"'],
    [undefined, 'id="movie"'],
  ] as const) {
    test(`holds the keys of the clear answer, for the recipient alone (${header ?? 'SPEKE 1.0'})`, async () => {
      const parts = header === undefined ? { root, ...requestPartsV1 } : { root }
      const { document, xml } = await answering()(header, requestTo(deliveryData(certificate), parts))
      const clear = plainKeys((await answering()(header, requestTo('', parts))).document)
      assert.deepEqual(readByHand(document, recipient.privateKey), clear)
      assert.ok(!xml.includes('PlainValue'))
      for (const value of Object.values(clear)) assert.ok(!xml.includes(value))
    })
  }

  for (const size of [3072, 4096]) {
    test(`is read with RSA-${size}`, async () => {
      const keys = rsaKeys(size)
      const { document } = await answering()('2.0', requestTo(deliveryData(certificateOf(keys))))
      assert.deepEqual(readByHand(document, keys.privateKey), await keysOf(requestTo('')))
    })
  }

  test('is read by our own opener', async () => {
    const { document } = await answering()('2.0', requestTo(deliveryData(certificate)))
    const [documentKey = '', macKey = '', ...values] = elementsOf(document, 'CipherValue').map((one) =>
      textOf(document, one),
    )
    const macs = elementsOf(document, 'ValueMAC').map((one) => textOf(document, one))
    const opened = openDocumentEncryption({ documentKey, macKey }, recipient.privateKey)
    const keys = values.map((cipherValue, i) => opened.decrypt({ cipherValue, valueMac: macs[i + 2] ?? '' }))
    assert.deepEqual(
      keys.map((key) => Buffer.from(key).toString('base64')),
      Object.values(await keysOf(requestTo(''))),
    )
    assert.throws(() => opened.decrypt({ cipherValue: values[0] ?? '', valueMac: macs[3] ?? '' }), {
      code: 'ERR_KEY_UNWRAP_FAILED',
    })
  })

  test('is the clear answer but for the keys: signalling, explicitIV', async () => {
    const wish = { systems: [FAIRPLAY, WIDEVINE], scheme: 'cbcs' }
    const strip = (xml: string): string =>
      xml
        .replace(/<cpix:DeliveryDataList>.*<\/cpix:DeliveryDataList>/, '')
        .replaceAll(/<cpix:Data>.*?<\/cpix:Data>/g, '')
    const encrypted = await answering()('2.0', requestFor(wish, { deliveryData: deliveryData(certificate) }))
    const clear = await answering()('2.0', requestFor(wish))
    assert.equal(strip(encrypted.xml), strip(clear.xml))
    assert.match(encrypted.xml, / explicitIV="[A-Za-z0-9+/]{22}=="/)
  })

  test('is for every recipient, each with the same keys under its own', async () => {
    const others = [rsaKeys(2048), rsaKeys(3072)]
    const list = [recipient, ...others].map((keys, i) => deliveryData(certificateOf(keys), `r${i}`)).join('')
    const { document } = await answering()('2.0', requestTo(list))
    const clear = await keysOf(requestTo(''))
    for (const [i, { privateKey }] of [recipient, ...others].entries()) {
      assert.deepEqual(readByHand(document, privateKey, i), clear)
    }
    assert.throws(() => readByHand(document, recipient.privateKey, 1))
  })

  test('differs in every encrypted value from the one before, cached or not', async () => {
    const machine = answering()
    const seen = new Set<string>()
    let values = 0
    for (let i = 0; i < 4; i++) {
      const { document } = await machine('2.0', requestTo(deliveryData(certificate)))
      const texts = [...elementsOf(document, 'CipherValue'), ...elementsOf(document, 'ValueMAC')].map((one) =>
        textOf(document, one),
      )
      values += texts.length
      for (const text of texts) seen.add(text)
      assert.deepEqual(readByHand(document, recipient.privateKey), await keysOf(requestTo('')))
    }
    assert.deepEqual([seen.size, values], [32, 32])
  })

  test('is for 32 recipients and not for 33', async () => {
    const list = (count: number): string =>
      Array.from({ length: count }, (_, i) => deliveryData(certificate, `r${i}`)).join('')
    const { document } = await answering()('2.0', requestTo(list(32)))
    assert.equal(elementsOf(document, 'DocumentKey').length, 32)
    readByHand(document, recipient.privateKey, 31)
    const { code, message } = await refusalOf(answering()('2.0', requestTo(list(33))))
    assert.equal(code, 'ERR_CPIX_INVALID')
    assert.match(message, /CPIX\/DeliveryDataList\/DeliveryData\[33\]: /)
  })
})

const requestPartsV1: Parts = {
  contentKeys: `<cpix:ContentKey kid="${KID}"/>`,
  drmSystems: `<cpix:DRMSystem kid="${KID}" systemId="${WIDEVINE}"><cpix:PSSH/></cpix:DRMSystem>`,
  rules: '',
}

describe('where the names of an encrypted answer come from', () => {
  const declarations = ` xmlns:pskc="${PSKC_NAMESPACE}"`
  const asked = requestTo(deliveryData(certificate))
  const bare = asked.replace(declarations, '')
  const onDeliveryKey = (xml: string, declared: string): string =>
    xml.replace('<cpix:DeliveryKey>', `<cpix:DeliveryKey ${declared}>`)
  const ROWS: Readonly<Record<string, string>> = {
    'enc is not declared': asked,
    'neither is pskc': bare,
    'both are declared on the DeliveryKey, which ends before': onDeliveryKey(
      bare,
      `xmlns:pskc="${PSKC_NAMESPACE}" xmlns:enc="${XMLENC_NAMESPACE}"`,
    ),
    'both are hidden on the DeliveryKey': onDeliveryKey(asked, 'xmlns:pskc="urn:a" xmlns:enc="urn:b"'),
    'the DeliveryKey has a prefix of its own': asked.replace(
      /<cpix:DeliveryKey>(.*)<\/cpix:DeliveryKey>/,
      `<own:DeliveryKey xmlns:own="${CPIX_NAMESPACE}">$1</own:DeliveryKey>`,
    ),
    'the DeliveryKey has the default namespace': asked.replace(
      /<cpix:DeliveryKey>(.*)<\/cpix:DeliveryKey>/,
      `<DeliveryKey xmlns="${CPIX_NAMESPACE}">$1</DeliveryKey>`,
    ),
    'both are declared on the DeliveryData': bare.replace(
      '<cpix:DeliveryData ',
      `<cpix:DeliveryData xmlns:p="${PSKC_NAMESPACE}" xmlns:e="${XMLENC_NAMESPACE}" `,
    ),
    'enc is bound to pskc': bare.replace('<cpix:CPIX ', `<cpix:CPIX xmlns:enc="${PSKC_NAMESPACE}" `),
    'pskc is bound to enc': bare.replace('<cpix:CPIX ', `<cpix:CPIX xmlns:pskc="${XMLENC_NAMESPACE}" `),
    'cpix has the prefix enc': bare.replaceAll('cpix:', 'enc:').replace('xmlns:cpix=', 'xmlns:enc='),
    'cpix has the prefix pskc': bare.replaceAll('cpix:', 'pskc:').replace('xmlns:cpix=', 'xmlns:pskc='),
    'enc is the default namespace': asked.replace('<cpix:CPIX ', `<cpix:CPIX xmlns="${XMLENC_NAMESPACE}" `),
    'a child follows the DeliveryKey': asked.replace(
      '</cpix:DeliveryKey>',
      '</cpix:DeliveryKey>\n<cpix:Description>d</cpix:Description>',
    ),
  }
  const NAMESPACE_OF: Readonly<Record<string, string>> = {
    DocumentKey: CPIX_NAMESPACE,
    MACMethod: CPIX_NAMESPACE,
    Key: CPIX_NAMESPACE,
    Data: CPIX_NAMESPACE,
    Secret: PSKC_NAMESPACE,
    EncryptedValue: PSKC_NAMESPACE,
    ValueMAC: PSKC_NAMESPACE,
    EncryptionMethod: XMLENC_NAMESPACE,
    CipherData: XMLENC_NAMESPACE,
    CipherValue: XMLENC_NAMESPACE,
  }
  for (const [what, xml] of Object.entries(ROWS)) {
    test(what, async () => {
      const { document } = await answering()('2.0', xml)
      for (const [local, namespace] of Object.entries(NAMESPACE_OF)) {
        const found = elementsOf(document, local)
        assert.ok(found.length > 0)
        for (const element of found) assert.equal(element.namespace, namespace, element.name)
      }
      assert.deepEqual(
        elementsOf(document, 'DeliveryData')[0]
          ?.children.slice(0, 3)
          .map(({ local }) => local),
        ['DeliveryKey', 'DocumentKey', 'MACMethod'],
      )
      assert.deepEqual(readByHand(document, recipient.privateKey), await keysOf(requestTo('')))
    })
  }
})

const DAY = 86_400_000
const CERTIFICATE = 'CPIX/DeliveryDataList/DeliveryData/DeliveryKey/X509Data/X509Certificate'
const pem = `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----`

describe('a certificate that nothing can or may be encrypted for is refused, and never answered in the clear', () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ROWS: Readonly<Record<string, string | Buffer>> = {
    'RSA of 1024 bits': certificateOf(rsaKeys(1024)),
    'RSA of 2040 bits': certificateOf({ publicKey: rsaPublicKey(2040) }),
    'RSA of 8192 bits': certificateOf({ publicKey: rsaPublicKey(8192) }),
    'RSA of 16384 bits': certificateOf({ publicKey: rsaPublicKey(16384) }),
    'RSA with the exponent 1': certificateOf({ publicKey: rsaPublicKey(2048, Buffer.of(1)) }),
    'RSA with an even exponent': certificateOf({ publicKey: rsaPublicKey(2048, Buffer.of(4)) }),
    'RSA with an exponent of 1024 bits': certificateOf({ publicKey: rsaPublicKey(2048, Buffer.alloc(128, 0xff)) }),
    'RSA with an even modulus': certificateOf({ publicKey: evenPublicKey() }),
    'RSA for signatures only': certificateOf(generateKeyPairSync('rsa-pss', { modulusLength: 2048 })),
    'an elliptic curve': certificateOf(ec),
    Ed25519: certificateOf(generateKeyPairSync('ed25519')),
    garbage: Buffer.from('no certificate at all'),
    'a public key alone': recipient.publicKey.export({ type: 'spki', format: 'der' }),
    'no base64': '*** no base64 ***',
    base64url: Buffer.concat([certificate, Buffer.of(0xfb, 0xff)]).toString('base64url'),
    PEM: pem,
    'PEM in base64': Buffer.from(pem),
    nothing: '',
    'white space': ' \n ',
    'the first half': certificate.subarray(0, certificate.length / 2),
    'a byte less': certificate.subarray(0, -1),
    'a byte more': Buffer.concat([certificate, Buffer.of(0)]),
    'two in one': Buffer.concat([certificate, certificate]),
    'a very long text': 'A'.repeat(20_000),
    'one that has expired': certificateOf({ ...recipient, validTo: NOW - DAY }),
    'one that is not yet valid': certificateOf({ ...recipient, validFrom: NOW + DAY }),
  }
  for (const [what, der] of Object.entries(ROWS)) {
    test(what, async () => {
      const { code, message } = await refusalOf(answering()('2.0', requestTo(deliveryData(der))))
      assert.equal(code, 'ERR_RECIPIENT_INVALID')
      assert.ok(message.startsWith(`${CERTIFICATE}: `), message)
    })
  }

  test('the one at fault among several is named', async () => {
    const list = deliveryData(certificate, 'a') + deliveryData('', 'b')
    const { message } = await refusalOf(answering()('2.0', requestTo(list)))
    assert.match(message, /^CPIX\/DeliveryDataList\/DeliveryData\[2\]\/DeliveryKey\//)
  })

  for (const [what, validFrom, validTo] of [
    ['that has expired', NOW - 2 * DAY, NOW - DAY],
    ['that is not yet valid', NOW + DAY, NOW + 2 * DAY],
  ] as const) {
    test(`a certificate ${what} is taken with a warning where the operator says so`, async () => {
      const der = certificateOf({ ...recipient, validFrom, validTo })
      const machine = answering({ policy: { certificateValidity: 'warn' } })
      const { document, warnings } = await machine('2.0', requestTo(deliveryData(der)))
      assert.deepEqual(readByHand(document, recipient.privateKey), await keysOf(requestTo('')))
      assert.deepEqual(
        warnings.map((warning) => [warning.kind, 'path' in warning && warning.path]),
        [['certificate-validity', CERTIFICATE]],
      )
    })
  }

  test('a certificate that expires while its request is remembered is refused from then on', async () => {
    let now = NOW
    const machine = answering({ now: () => now })
    const xml = requestTo(deliveryData(certificateOf({ ...recipient, validTo: NOW + DAY })))
    for (let i = 0; i < 3; i++) await machine('2.0', xml)
    now += 2 * DAY
    assert.equal((await refusalOf(machine('2.0', xml))).code, 'ERR_RECIPIENT_INVALID')
  })

  test('white space in the base64 of a certificate means nothing', async () => {
    const lines = certificate.toString('base64').replaceAll(/.{64}/g, '$&\n      ')
    const { document } = await answering()('2.0', requestTo(deliveryData(`\n${lines}\n`)))
    assert.deepEqual(readByHand(document, recipient.privateKey), await keysOf(requestTo('')))
  })

  test('of several certificates the first is the recipient’s', async () => {
    const chain = certificateOf(rsaKeys(2048)).toString('base64')
    const list = deliveryData(certificate).replace(
      '</ds:X509Data>',
      `<ds:X509Certificate>${chain}</ds:X509Certificate></ds:X509Data>`,
    )
    const { document } = await answering()('2.0', requestTo(list))
    assert.deepEqual(readByHand(document, recipient.privateKey), await keysOf(requestTo('')))
  })
})

describe('a request that asks for encryption in a way that is not understood is refused', () => {
  const asked = requestTo(deliveryData(certificate))
  const LIST = 'CPIX/DeliveryDataList'
  const ROWS: Readonly<Record<string, readonly [path: string, xml: string]>> = {
    'an empty list': [LIST, requestTo(' ')],
    'a list of something else': [LIST, requestTo('<cpix:Recipient/>')],
    'a list of another namespace': [
      'CPIX/DeliveryDataList',
      asked
        .replaceAll('cpix:DeliveryDataList', 'o:DeliveryDataList')
        .replace('<cpix:CPIX ', '<cpix:CPIX xmlns:o="urn:o" '),
    ],
    'a list of no namespace': ['CPIX/DeliveryDataList', asked.replaceAll('cpix:DeliveryDataList', 'DeliveryDataList')],
    'a list in other letters': [
      'CPIX/deliverydatalist',
      asked.replaceAll('cpix:DeliveryDataList', 'cpix:deliverydatalist'),
    ],
    'a DeliveryData outside of the list': [
      'CPIX/DeliveryData',
      requestTo('').replace('</cpix:CPIX>', `${deliveryData(certificate)}</cpix:CPIX>`),
    ],
    'one DeliveryData of another namespace': [
      `${LIST}/DeliveryData[2]`,
      requestTo(`${deliveryData(certificate)}<o:DeliveryData xmlns:o="urn:o"/>`),
    ],
    'no DeliveryKey': [`${LIST}/DeliveryData`, requestTo('<cpix:DeliveryData id="a"/>')],
    'an empty DeliveryKey': [
      `${LIST}/DeliveryData/DeliveryKey`,
      requestTo('<cpix:DeliveryData><cpix:DeliveryKey/></cpix:DeliveryData>'),
    ],
    'two DeliveryKeys': [
      `${LIST}/DeliveryData/DeliveryKey[2]`,
      requestTo(deliveryData(certificate).replace(/<cpix:DeliveryKey>.*<\/cpix:DeliveryKey>/, '$&$&')),
    ],
    'a DocumentKey that is there already': [
      `${LIST}/DeliveryData/DocumentKey`,
      asked.replace('</cpix:DeliveryData>', '<cpix:DocumentKey/></cpix:DeliveryData>'),
    ],
    'a MACMethod that is there already': [
      `${LIST}/DeliveryData/MACMethod`,
      asked.replace('</cpix:DeliveryData>', '<cpix:MACMethod/></cpix:DeliveryData>'),
    ],
    'a key by its name only': [
      `${LIST}/DeliveryData/DeliveryKey`,
      requestTo(
        `<cpix:DeliveryData><cpix:DeliveryKey><ds:KeyName xmlns:ds="${DS}">k</ds:KeyName></cpix:DeliveryKey></cpix:DeliveryData>`,
      ),
    ],
  }
  for (const [what, [path, xml]] of Object.entries(ROWS)) {
    test(what, async () => {
      const { code, message } = await refusalOf(answering()('2.0', xml))
      assert.equal(code, 'ERR_CPIX_INVALID')
      assert.ok(message.startsWith(`Malformed CPIX document: ${path}: `), message)
    })
  }
})

test('a wide answer is encrypted as a narrow one is', async () => {
  const kids = [...KIDS]
  const { document } = await answering()('2.0', requestFor({ kids }, { deliveryData: deliveryData(certificate) }))
  assert.deepEqual(readByHand(document, recipient.privateKey), await keysOf(requestFor({ kids })))
})

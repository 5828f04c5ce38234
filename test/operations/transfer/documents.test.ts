import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openSqliteStore } from '../../../src/adapters/store/sqlite/store.ts'
import { attributeOf, textOf } from '../../../src/formats/xml/reader.ts'
import { certificateOf, rsaKeys } from '../../formats/cpix/certificates.ts'
import { elementsOf, plainKeys } from '../../protocols/speke/answering.ts'
import { AES_128, FAIRPLAY, KID, KID_2, PLAYREADY, requestFor, WIDEVINE } from '../../protocols/speke/documents.ts'
import { validate, WITH_SCHEMAS } from '../validating.ts'
import { ENCRYPTOR, get, post, READER, transferring } from './transferring.ts'

const EXAMPLES = new URL('../../protocols/speke/examples/', import.meta.url)
const scratch = mkdtempSync(join(tmpdir(), 'keyspring-transfer-'))
after(() => rmSync(scratch, { recursive: true }))

const certificate = certificateOf(rsaKeys(2048))
const KEY = Buffer.from('5d4f3e2c1b0a99887766554433221100', 'hex')
const DELIVERY = `<DeliveryDataList><DeliveryData><DeliveryKey><ds:X509Data xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Certificate>${certificate.toString('base64')}</ds:X509Certificate></ds:X509Data></DeliveryKey></DeliveryData></DeliveryDataList>`

/** A generic document in the order of the schema, its systems empty. */
function genericOf(version: '2.3' | '2.4', scheme = 'cbcs', delivery = ''): string {
  const systems = [WIDEVINE, PLAYREADY, FAIRPLAY].flatMap((systemId) =>
    [KID, KID_2].map((kid) => `<DRMSystem kid="${kid}" systemId="${systemId}"/>`),
  )
  const keys = [KID, KID_2].map((kid) => `<ContentKey kid="${kid}" commonEncryptionScheme="${scheme}"/>`)
  const rule = `<ContentKeyUsageRule kid="${KID}"><KeyPeriodFilter periodId="p1"/><LabelFilter label="main"/><VideoFilter hdr="1"/><BitrateFilter minBitrate="1"/></ContentKeyUsageRule>`
  return `<CPIX contentId="movie" version="${version}" xmlns="urn:dashif:org:cpix">${delivery}<ContentKeyList>${keys.join('')}</ContentKeyList><DRMSystemList>${systems.join('')}</DRMSystemList><ContentKeyPeriodList><ContentKeyPeriod id="p1" index="1"/></ContentKeyPeriodList><ContentKeyUsageRuleList>${rule}</ContentKeyUsageRuleList></CPIX>`
}

describe('a document that POST filled is valid under its schema', WITH_SCHEMAS, () => {
  for (const [version, folder] of [
    ['2.3', 'CPIX2.3.1'],
    ['2.4', 'CPIX2.4'],
  ] as const) {
    test(`CPIX ${version}, in the clear and encrypted`, async () => {
      for (const delivery of ['', DELIVERY]) {
        const { transfer, store } = transferring()
        const { xml } = await post(transfer, genericOf(version, 'cbcs', delivery))
        assert.equal(xml.includes('EncryptedValue'), delivery !== '')
        validate(xml, folder)
        assert.equal(
          (await store.findDocument({ tenant: 'default', contentId: 'movie' }))?.xml.includes('Data>'),
          delivery !== '',
        )
      }
    })
  }

  test('made from what was issued too', async () => {
    const { transfer, recorded, store, create } = transferring()
    await post(transfer, genericOf('2.3'), 'movie')
    await create('show')
    await store.record(
      recorded.map((entry) => ({
        ...entry,
        contentId: 'show',
        requests: 1,
        firstAt: 1,
        lastAt: 1,
        keepUntil: undefined,
      })),
    )
    validate((await get(transfer, 'show')).xml, 'CPIX2.3.1')
  })
})

describe('a SPEKE example sent to CPIX transfer', () => {
  for (const name of readdirSync(EXAMPLES).filter((file) => file.endsWith('-request.xml'))) {
    test(`${name} is filled, stored, and given out as it was filled`, async () => {
      const { transfer } = transferring()
      const request = readFileSync(new URL(name, EXAMPLES), 'utf8')
      const contentId = /contentId="([^"]*)"/.exec(request)?.[1] ?? 'movie'
      const created = await post(transfer, request, contentId)
      assert.equal(created.status, 'created')
      assert.equal(Object.values(plainKeys(created.document)).filter((key) => key).length, created.keys)
      const found = await get(transfer, contentId)
      assert.deepEqual(plainKeys(found.document), plainKeys(created.document))
      const systems = (of: typeof found) =>
        elementsOf(of.document, 'DRMSystem').map((one) => attributeOf(one, 'systemId'))
      assert.deepEqual(systems(found), systems(created))
    })
  }
})

test('a document keeps its comments, prefixes, order and unknown parts through POST, GET, PUT and GET', async () => {
  const { transfer } = transferring()
  const extension = '<!-- kept --><vendor:Hint xmlns:vendor="urn:example:vendor" since="3"><vendor:Deep/></vendor:Hint>'
  const xml = requestFor({ systems: [WIDEVINE], kids: [KID, KID_2] })
    .replace('</cpix:ContentKeyList>', `$&${extension}`)
    .replace('<cpix:VideoFilter/>', '<cpix:VideoFilter wcg="1" vendor="x"/><cpix:BitrateFilter maxBitrate="5"/>')
  const created = await post(transfer, xml)
  const found = await get(transfer)
  await transfer.put(ENCRYPTOR, 'movie', Buffer.from(found.xml), { ifMatch: found.etag })
  const again = await get(transfer)
  for (const document of [created, found, again]) {
    assert.ok(document.xml.includes(extension))
    assert.match(document.xml, /<cpix:VideoFilter wcg="1" vendor="x"\/><cpix:BitrateFilter maxBitrate="5"\/>/)
  }
  assert.equal(again.xml, created.xml)
})

test('no key, IV, document key or check value is in the file of the store, whatever was sent to it', async () => {
  const file = join(scratch, 'keys.db')
  const store = openSqliteStore({ file })
  const ours = rsaKeys(2048)
  const importKey = { certificate: certificateOf(ours), privateKey: ours.privateKey }
  // The contract of the memory store is that of every other.
  const { transfer } = transferring({ store: store as never, importKey })
  const iv = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
  const secrets: string[] = []
  const keep = (base64: string): void => {
    const bytes = Buffer.from(base64, 'base64')
    secrets.push(bytes.toString('hex'), bytes.toString('base64'), bytes.toString('base64url'), bytes.toString('latin1'))
  }
  keep(KEY.toString('base64'))
  keep(iv.toString('base64'))

  const given = `<ContentKey kid="${KID}" explicitIV="${iv.toString('base64')}"><Data><pskc:Secret xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc"><pskc:PlainValue>${KEY.toString('base64')}</pskc:PlainValue></pskc:Secret></Data></ContentKey>`
  const brought = `<CPIX contentId="brought" xmlns="urn:dashif:org:cpix"><ContentKeyList>${given}</ContentKeyList></CPIX>`
  await transfer.put(ENCRYPTOR, 'brought', Buffer.from(brought))
  assert.equal(plainKeys((await get(transfer, 'brought')).document)[KID], KEY.toString('base64'))

  const clear = await post(transfer, genericOf('2.3').replace('"movie"', '"clear"'), 'clear')
  for (const key of Object.values(plainKeys(clear.document))) keep(key)
  for (const element of elementsOf(clear.document, 'ContentKey')) keep(attributeOf(element, 'explicitIV') ?? '')
  // What GET gave, sent back: with keys, signalling and all.
  await transfer.put(ENCRYPTOR, 'clear', Buffer.from(clear.xml), { ifMatch: clear.etag })
  const encrypted = await post(transfer, genericOf('2.3', 'cbcs', DELIVERY).replace('"movie"', '"sealed"'), 'sealed')
  for (const element of elementsOf(encrypted.document, 'CipherValue')) {
    keep(encrypted.xml.slice(element.contentStart, element.contentEnd))
  }
  await get(transfer, 'sealed', READER)
  await post(transfer, requestFor({ systems: [AES_128], scheme: 'cbc1' }))
  await store.close()

  const bytes = readdirSync(scratch)
    .map((name) => readFileSync(join(scratch, name), 'latin1'))
    .join('')
  assert.ok(bytes.includes('brought') && bytes.includes('<ContentKeyList>'))
  const leaks = secrets.filter((secret) => secret !== '' && bytes.includes(secret))
  assert.deepEqual(leaks, [])
})

describe('the key periods of CPIX 2.4', () => {
  const START = '2026-11-21T00:00:00Z'
  const forms: Readonly<Record<string, readonly [attributes: string, id: string, start?: string, end?: string]>> = {
    'start and end': [`id="p" start="${START}" end="2026-11-21T01:00:00Z"`, 'p', START, '2026-11-21T01:00:00Z'],
    'start and duration': [`id="p" start="${START}" duration="PT1H"`, 'p', START, '2026-11-21T01:00:00.000Z'],
    offsets: ['id="p" startOffset="PT0S" endOffset="PT1H"', 'p', 'PT0S', 'PT1H'],
    'an offset and a duration': ['id="p" startOffset="PT1H" duration="PT30M"', 'p', 'PT1H', 'PT5400S'],
    'an index and no id': ['index="7"', 'index-7'],
    'a start, a duration and no id': [
      `start="${START}" duration="PT1H"`,
      'period-1',
      START,
      '2026-11-21T01:00:00.000Z',
    ],
  }
  for (const [name, [attributes, id, start, end]] of Object.entries(forms)) {
    test(`with ${name} come back as sent, and the ledger records their bounds`, async () => {
      const { transfer, recorded, store, create } = transferring()
      const rule = attributes.startsWith('id=')
        ? `<ContentKeyUsageRuleList><ContentKeyUsageRule kid="${KID}"><KeyPeriodFilter periodId="p"/></ContentKeyUsageRule></ContentKeyUsageRuleList>`
        : ''
      const period = `<ContentKeyPeriod ${attributes}/>`
      const xml = `<CPIX contentId="movie" version="2.4" xmlns="urn:dashif:org:cpix"><ContentKeyList><ContentKey kid="${KID}"/></ContentKeyList><DRMSystemList><DRMSystem kid="${KID}" systemId="${WIDEVINE}"/></DRMSystemList><ContentKeyPeriodList>${period}</ContentKeyPeriodList>${rule}</CPIX>`
      const posted = await post(transfer, xml)
      assert.ok(posted.xml.includes(period))
      assert.equal((await get(transfer)).xml, posted.xml)
      assert.deepEqual((await post(transfer, xml)).status, 'completed')
      const [entry] = recorded
      assert.deepEqual([entry?.periodId, entry?.periodStart, entry?.periodEnd], [id, start, end])

      // A content without a document gets one with the same periods.
      await create('show')
      await store.record(
        recorded.slice(0, 1).map((one) => {
          return { ...one, contentId: 'show', requests: 1, firstAt: 1, lastAt: 1, keepUntil: undefined }
        }),
      )
      const made = elementsOf((await get(transfer, 'show')).document, 'ContentKeyPeriod')[0] ?? assert.fail()
      assert.equal(attributeOf(made, 'id'), id)
      assert.equal(attributeOf(made, 'end') ?? attributeOf(made, 'endOffset'), end)
    })
  }

  test('of another duration are other key periods', async () => {
    const { transfer } = transferring()
    const xml = (duration: string) =>
      `<CPIX contentId="movie" version="2.4" xmlns="urn:dashif:org:cpix"><ContentKeyList><ContentKey kid="${KID}"/></ContentKeyList><ContentKeyPeriodList><ContentKeyPeriod id="p" start="${START}" duration="${duration}"/></ContentKeyPeriodList></CPIX>`
    await post(transfer, xml('PT1H'))
    await assert.rejects(post(transfer, xml('PT2H')), { code: 'ERR_DOCUMENT_EXISTS' })
  })
})

describe('the schemes of Widevine on CPIX transfer', () => {
  for (const scheme of ['cenc', 'cens', 'cbc1', 'cbcs']) {
    test(`${scheme} is named in the box`, async () => {
      const { transfer } = transferring()
      const xml = `<CPIX contentId="movie" version="2.3" xmlns="urn:dashif:org:cpix"><ContentKeyList><ContentKey kid="${KID}" commonEncryptionScheme="${scheme}"/></ContentKeyList><DRMSystemList><DRMSystem kid="${KID}" systemId="${WIDEVINE}"/></DRMSystemList></CPIX>`
      const { document } = await post(transfer, xml)
      const box = elementsOf(document, 'PSSH')[0] ?? assert.fail()
      assert.ok(Buffer.from(textOf(document, box), 'base64').includes(Buffer.from([0x48, ...varint(scheme)])))
      assert.equal((await get(transfer)).status, 'found')
    })
  }

  test('cens and cbc1 stay rejected for PlayReady', async () => {
    for (const scheme of ['cens', 'cbc1']) {
      const xml = `<CPIX contentId="movie" xmlns="urn:dashif:org:cpix"><ContentKeyList><ContentKey kid="${KID}" commonEncryptionScheme="${scheme}"/></ContentKeyList><DRMSystemList><DRMSystem kid="${KID}" systemId="${PLAYREADY}"/></DRMSystemList></CPIX>`
      await assert.rejects(post(transferring().transfer, xml), { code: 'ERR_SPEKE_SCHEME_DRM_SYSTEM' })
    }
  })
})

/** The four letters of a scheme as a protocol buffers varint. */
function varint(scheme: string): readonly number[] {
  const bytes: number[] = []
  let value = BigInt(Buffer.from(scheme, 'latin1').readUInt32BE())
  for (; value >= 0x80n; value >>= 7n) bytes.push(Number(value & 0x7fn) | 0x80)
  return [...bytes, Number(value)]
}

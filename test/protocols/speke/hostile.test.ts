import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { systemIdOf } from '../../../src/formats/cenc.ts'
import { readXml } from '../../../src/formats/xml/reader.ts'
import { certificateOf, rsaKeys } from '../../formats/cpix/certificates.ts'
import { answering, elementsOf, findBuiltIn, refusalOf } from './answering.ts'
import {
  CLEARKEY_DASH,
  COMMON_PSSH,
  documentOf,
  FAIRPLAY,
  KID,
  PLAYREADY,
  partsOf,
  requestFor,
  rule,
  SAMPLE_AES,
  WIDEVINE,
} from './documents.ts'

const SPEKE = 'urn:aws:amazon:com:speke'
const kidsOf = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${(i + 1).toString(16).padStart(8, '0')}-1111-4111-8111-111111111111`)
const rulesOf = (kids: readonly string[], filters = ''): string =>
  kids.map((kid, i) => rule(kid, `T${i}`, `${filters}<cpix:VideoFilter/>`)).join('')
const periodsOf = (count: number): string =>
  Array.from({ length: count }, (_, i) => `<cpix:ContentKeyPeriod id="p${i}" index="${i}"/>`).join('')
const atEnd = (content: string): string => requestFor().replace('</cpix:CPIX>', `${content}</cpix:CPIX>`)

describe('the largest documents that are allowed', () => {
  test('256 keys of six systems', async () => {
    const kids = kidsOf(256)
    const systems = [WIDEVINE, PLAYREADY, FAIRPLAY, SAMPLE_AES, COMMON_PSSH, CLEARKEY_DASH]
    const { document } = await answering()(
      '2.0',
      requestFor({ kids, systems, scheme: 'cbcs' }, { rules: rulesOf(kids) }),
    )
    assert.equal(elementsOf(document, 'PlainValue').length, 256)
    assert.ok(elementsOf(document, 'HLSSignalingData').every((data) => data.hasText))
  })

  test('256 keys of eight systems, which is as many as the policy allows', async () => {
    const kids = kidsOf(256)
    const ids = Array.from({ length: 8 }, (_, i) => `0000000${i}-2222-4222-8222-222222222222`)
    const drmSystems = ids
      .flatMap((systemId) =>
        kids.map((kid) => `<cpix:DRMSystem kid="${kid}" systemId="${systemId}"><cpix:PSSH/></cpix:DRMSystem>`),
      )
      .join('')
    const findDrmSystem: typeof findBuiltIn = (_, major) => findBuiltIn(systemIdOf(WIDEVINE), major)
    const request = requestFor({ kids }, { drmSystems, rules: rulesOf(kids) })
    const { document } = await answering({ findDrmSystem })('2.0', request)
    assert.equal(elementsOf(document, 'PSSH').filter((pssh) => pssh.hasText).length, 2048)
  })

  test('256 keys in each of 256 periods', async () => {
    const kids = kidsOf(256)
    const { records } = await answering()(
      '2.0',
      requestFor({ kids }, { rules: rulesOf(kids), periods: periodsOf(256) }),
    )
    assert.equal(records.length, 256)
    assert.ok(records.every(({ keys }) => keys.length === 256))
  })

  test('256 keys that share 40 periods, in a box for each', async () => {
    const kids = kidsOf(256)
    const filters = Array.from({ length: 40 }, (_, i) => `<cpix:KeyPeriodFilter periodId="p${i}"/>`).join('')
    const request = requestFor(
      { kids, systems: [COMMON_PSSH] },
      { rules: rulesOf(kids, filters), periods: periodsOf(40) },
    )
    assert.equal((await answering()('2.0', request)).records.length, 40)
  })

  for (const [what, xml] of [
    [
      'signatures beside unknown elements',
      atEnd('<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"/>'.repeat(9_900) + '<x/>'.repeat(9_900)),
    ],
    ['elements of SPEKE 1.0', atEnd(`<s:x xmlns:s="${SPEKE}"/>`.repeat(19_900))],
    ['elements of SPEKE 1.0, each on its line', atEnd(`\n<s:x xmlns:s="${SPEKE}"/>`.repeat(19_900))],
    ['unknown elements, nested', atEnd(`${'<a>'.repeat(25)}${'</a>'.repeat(25)}`.repeat(700))],
    [
      'KeyPeriodFilters',
      requestFor(
        {},
        {
          periods: periodsOf(256),
          rules: rule(
            KID,
            'T',
            `${Array.from({ length: 19_000 }, (_, i) => `<cpix:KeyPeriodFilter periodId="p${i % 256}"/>`).join('')}<cpix:VideoFilter/>`,
          ),
        },
      ),
    ],
    [
      'comments in an element that is filled',
      requestFor(
        {},
        {
          drmSystems: `<cpix:DRMSystem kid="${KID}" systemId="${WIDEVINE}"><cpix:PSSH>${'x<!---->'.repeat(100_000)}</cpix:PSSH></cpix:DRMSystem>`,
        },
      ),
    ],
    [
      'rules of one key',
      requestFor(
        {},
        { rules: Array.from({ length: 5_000 }, (_, i) => rule(KID, `T${i}`, '<cpix:VideoFilter/>')).join('') },
      ),
    ],
  ] as const) {
    test(`tens of thousands of ${what}`, async () => {
      assert.equal(elementsOf((await answering()('2.0', xml)).document, 'PlainValue').length, 1)
    })
  }

  for (const [what, xml, code] of [
    ['key periods', requestFor({}, { periods: periodsOf(15_000) }), 'ERR_CPIX_INVALID'],
    [
      'content keys',
      documentOf({
        ...partsOf({}),
        contentKeys: kidsOf(5_000)
          .map((kid) => `<cpix:ContentKey kid="${kid}"/>`)
          .join(''),
      }),
      'ERR_CPIX_INVALID',
    ],
    [
      'filters',
      requestFor({}, { rules: rule(KID, 'T', '<cpix:VideoFilter/>'.repeat(19_000)) }),
      'ERR_SPEKE_CONTRACT_MALFORMED',
    ],
    [
      'HLSSignalingData',
      requestFor(
        {},
        {
          drmSystems: `<cpix:DRMSystem kid="${KID}" systemId="${WIDEVINE}">${'<cpix:HLSSignalingData playlist="media"/>'.repeat(19_000)}</cpix:DRMSystem>`,
        },
      ),
      'ERR_CPIX_INVALID',
    ],
    [
      'CDATA sections in a certificate',
      requestFor(
        {},
        {
          deliveryData: `<cpix:DeliveryData><cpix:DeliveryKey><s:X509Data xmlns:s="http://www.w3.org/2000/09/xmldsig#"><s:X509Certificate>${'<![CDATA[ ]]>'.repeat(70_000)}</s:X509Certificate></s:X509Data></cpix:DeliveryKey></cpix:DeliveryData>`,
        },
      ),
      'ERR_RECIPIENT_INVALID',
    ],
    ['elements too many', atEnd('<x/>'.repeat(20_000)), 'ERR_XML_LIMIT'],
  ] as const) {
    test(`tens of thousands of ${what} are refused`, async () => {
      assert.equal((await refusalOf(answering()('2.0', xml))).code, code)
    })
  }
})

/** What could be put anywhere to make two edits of an answer meet, or a name mean something else. */
const INSERTED = [
  `<s:KeyFormat xmlns:s="${SPEKE}"/>`,
  `<s:x xmlns:s="${SPEKE}"><cpix:PSSH/><cpix:URIExtXKey/></s:x>`,
  `<x xmlns="${SPEKE}"><y/></x>`,
  '<cpix:URIExtXKey/>',
  '<cpix:URIExtXKey>old</cpix:URIExtXKey>',
  '<cpix:PSSH/>',
  '<cpix:ContentProtectionData><!-- c --></cpix:ContentProtectionData>',
  '<cpix:HDCPData><cpix:URIExtXKey/></cpix:HDCPData>',
  '<cpix:HDCPData/>',
  '<cpix:Data/>',
  `<cpix:DRMSystem kid="${KID}" systemId="${WIDEVINE}"><cpix:PSSH/></cpix:DRMSystem>`,
  `<cpix:ContentKey kid="${KID}"/>`,
  '<cpix:DRMSystemList/>',
  '<cpix:DeliveryData/>',
  `<d:Signature xmlns:d="http://www.w3.org/2000/09/xmldsig#"><s:x xmlns:s="${SPEKE}"/></d:Signature>`,
  '<__proto__/>',
  '<cpix:constructor/>',
  '<cpix:toString kid="x"/>',
  '<!-- comment -->',
  '\n  ',
  '<![CDATA[<x>]]>',
  'text',
]
const ATTRIBUTES = [
  ` xmlns:s="${SPEKE}" s:a="1"`,
  ` xmlns="${SPEKE}"`,
  ` xmlns:s='${SPEKE}'\n`,
  ' id="i"',
  ' __proto__="1"',
  ' constructor="2" hasOwnProperty="3"',
  ' robustness="old"',
  ' HLSAllowedCPC="old"',
  ' xmlns:pskc="urn:other"',
  ' xmlns:enc="urn:other"',
  ' playlist="media"',
  ' explicitIV="AAECAwQFBgcICQoLDA0ODw=="',
]

describe('documents that were put together to make an answer fail', () => {
  const certificate = certificateOf(rsaKeys(2048)).toString('base64')
  const deliveryData = `<cpix:DeliveryData><cpix:DeliveryKey><d:X509Data xmlns:d="http://www.w3.org/2000/09/xmldsig#"><d:X509Certificate>${certificate}</d:X509Certificate></d:X509Data></cpix:DeliveryKey></cpix:DeliveryData>`
  const wish = { scheme: 'cbcs', systems: [WIDEVINE, FAIRPLAY] }
  const periods = '<cpix:ContentKeyPeriod id="p" index="1"/>'
  const BASES = [
    ['2.0', requestFor(wish, { periods })],
    ['2.1', requestFor(wish, { root: 'contentId="movie" version="2.4"', periods })],
    ['2.0', requestFor(wish, { deliveryData })],
    [undefined, requestFor(wish, { root: `id="movie" xmlns:speke="${SPEKE}"`, periods })],
  ] as const
  const profile = {
    hdcp: { '*': { level: 'TYPE-1', version: '2.2' } },
    robustness: { [systemIdOf(WIDEVINE)]: { '*': 'HW' } },
    allowedCpc: { [systemIdOf(FAIRPLAY)]: 'a:b' },
  }
  const machine = answering({ profile })

  /** Answered as a document, or refused in our words: nothing else may come of any document. Whether it was answered. */
  async function isAnswered(header: string | undefined, xml: string): Promise<boolean> {
    try {
      const { xml: answer, document } = await machine(header, xml)
      if (header !== undefined) assert.doesNotMatch(answer, /urn:aws:amazon:com:speke/)
      const values = elementsOf(document, 'PlainValue').concat(elementsOf(document, 'EncryptedValue'))
      assert.ok(values.length > 0)
      return true
    } catch (error) {
      if (!(error instanceof KeyProviderError)) throw error
      assert.doesNotMatch(error.code, /STORE|SEAL|CONFIG/)
      return false
    }
  }

  for (const [i, [header, base]] of BASES.entries()) {
    const { root } = readXml(Buffer.from(base))
    const elements = [root]
    for (const element of elements) elements.push(...element.children)
    const places = elements
      .flatMap(({ start, contentStart, contentEnd, end }) => [start, contentStart, contentEnd, end])
      .filter((offset) => offset > root.start && offset < root.end)
    const tagEnds = elements.map(({ attributesEnd }) => attributesEnd)
    const insertAt = (offset: number, text: string, xml: string): string =>
      xml.slice(0, offset) + text + xml.slice(offset)

    test(`one thing put in at every place (${i})`, async () => {
      let answered = 0
      const insertions = [
        ...[...new Set(places)].flatMap((offset) => INSERTED.map((text) => ({ offset, text }))),
        ...tagEnds.flatMap((offset) => ATTRIBUTES.map((text) => ({ offset, text }))),
      ]
      for (const { offset, text } of insertions) {
        if (await isAnswered(header, insertAt(offset, text, base))) answered++
      }
      assert.ok(answered > insertions.length / 10, `${answered} of ${insertions.length}`)
    })

    test(`several things put in at once (${i})`, async () => {
      const insertion = fc.oneof(
        fc.record({ offset: fc.constantFrom(...places), text: fc.constantFrom(...INSERTED) }),
        fc.record({ offset: fc.constantFrom(...tagEnds), text: fc.constantFrom(...ATTRIBUTES) }),
      )
      await fc.assert(
        fc.asyncProperty(fc.array(insertion, { minLength: 2, maxLength: 6 }), async (insertions) => {
          const ordered = insertions.toSorted((left, right) => right.offset - left.offset)
          await isAnswered(
            header,
            ordered.reduce((xml, { offset, text }) => insertAt(offset, text, xml), base),
          )
        }),
        { numRuns: 300 },
      )
    })
  }
})

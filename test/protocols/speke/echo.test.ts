import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { CPIX_NAMESPACE, PSKC_NAMESPACE } from '../../../src/formats/cpix/fields.ts'
import type { XmlDocument, XmlElement } from '../../../src/formats/xml/document.ts'
import { readXml } from '../../../src/formats/xml/reader.ts'
import { answering, elementsOf } from './answering.ts'
import {
  AES_128_V1,
  ALL_RULE,
  COMMON_PSSH,
  documentOf,
  FAIRPLAY,
  KID,
  KID_2,
  PLAYREADY,
  partsOf,
  requestFor,
  SAMPLE_AES,
  WIDEVINE,
} from './documents.ts'

/** The elements that a key provider fills (speke.md 4). */
const FILLED = new Set([
  'PSSH',
  'ContentProtectionData',
  'HLSSignalingData',
  'SmoothStreamingProtectionHeaderData',
  'URIExtXKey',
  'ProtectionHeader',
  'KeyFormat',
  'KeyFormatVersions',
])
const ADDED_ELEMENTS = new Set(['Data', 'HDCPData', 'DocumentKey', 'MACMethod'])
const ADDED_ATTRIBUTES = new Set(['explicitIV', 'robustness', 'HLSAllowedCPC'])

/** The text of an answer without what the provider added to the request. */
function withoutAdditions(answer: XmlDocument, request: XmlDocument): string {
  const erase = (filled: XmlElement, asked: XmlElement): string => {
    const added = filled.attributes.filter(
      ({ name }) => ADDED_ATTRIBUTES.has(name) && !asked.attributes.some((own) => own.name === name),
    )
    let start = answer.source.slice(filled.start, filled.attributesEnd)
    for (const { start: from, end } of added.toReversed()) {
      start = start.slice(0, from - filled.start).trimEnd() + start.slice(end - filled.start)
    }
    const tagEnd = request.source.slice(asked.attributesEnd, asked.contentStart)
    const isFilled = FILLED.has(filled.local) && filled.parent?.local === 'DRMSystem'
    const content = isFilled ? '' : contentOf(filled, asked)
    if (asked.selfClosing) {
      assert.equal(content, '')
      return start + tagEnd
    }
    return start + tagEnd + content + answer.source.slice(filled.contentEnd, filled.end)
  }
  const contentOf = (filled: XmlElement, asked: XmlElement): string => {
    let text = ''
    let at = filled.contentStart
    let next = 0
    for (const child of filled.children) {
      text += answer.source.slice(at, child.start)
      at = child.end
      if (ADDED_ELEMENTS.has(child.local) && !asked.children.some(({ local }) => local === child.local)) continue
      const twin = asked.children[next++] ?? assert.fail(`${child.name} was not in the request`)
      text += erase(child, twin)
    }
    assert.equal(next, asked.children.length, `a child of ${asked.name} is gone`)
    return text + answer.source.slice(at, filled.contentEnd)
  }
  return (
    answer.source.slice(0, answer.root.start) + erase(answer.root, request.root) + answer.source.slice(answer.root.end)
  )
}

async function assertOnlyAdded(header: string | undefined, xml: string): Promise<void> {
  const { document } = await answering()(header, xml)
  const request = readXml(Buffer.from(xml))
  assert.equal(withoutAdditions(document, request), request.source)
}

const V1_SYSTEM = (kid: string, systemId: string): string =>
  `<cpix:DRMSystem kid="${kid}" systemId="${systemId}"><cpix:ContentProtectionData/><speke:KeyFormat/><speke:KeyFormatVersions/><speke:ProtectionHeader/><cpix:PSSH/><cpix:URIExtXKey/></cpix:DRMSystem>`
const v1Request = (systemId: string): string =>
  documentOf({
    ...partsOf({}),
    root: 'id="movie" xmlns:speke="urn:aws:amazon:com:speke"',
    contentKeys: `<cpix:ContentKey kid="${KID}"/>`,
    drmSystems: V1_SYSTEM(KID, systemId),
    rules: '',
  })

/** Ways to write the same document that a key provider has to return as it found them. */
const VARIANTS: Readonly<Record<string, (xml: string) => string>> = {
  'nothing changed': (xml) => xml,
  'an XML declaration': (xml) => `<?xml version="1.0" encoding="UTF-8"?>\n${xml}\n`,
  'an XML declaration in other quotes': (xml) => `<?xml version='1.0' encoding='utf-8' standalone='yes' ?>${xml}`,
  'comments around and inside': (xml) =>
    `<!-- before -->${xml.replaceAll('><cpix:D', '><!-- a comment, not </cpix:Data> --><cpix:D')}<!-- after -->`,
  'a comment inside each key': (xml) =>
    xml.replace(/<cpix:ContentKey ([^>]*)\/>/g, '<cpix:ContentKey $1><!-- <x> --></cpix:ContentKey>'),
  indentation: (xml) => xml.replaceAll('><', '>\n    <'),
  'carriage returns': (xml) => xml.replaceAll('><', '>\r\n\t<'),
  'white space in tags': (xml) => xml.replaceAll('/>', '\n  />').replaceAll('" ', '"\t\n '),
  'end tags with white space': (xml) => xml.replaceAll(/<\/([^>]+)>/g, '</$1 >'),
  apostrophes: (xml) => xml.replaceAll('"', "'"),
  'the cpix prefix renamed': (xml) => xml.replaceAll('cpix:', 'a:').replaceAll('xmlns:cpix=', 'xmlns:a='),
  'no cpix prefix': (xml) =>
    xml.replaceAll('<cpix:', '<').replaceAll('</cpix:', '</').replaceAll('xmlns:cpix=', 'xmlns='),
  'a prefix of other letters': (xml) => xml.replaceAll('cpix:', 'ключ:').replaceAll('xmlns:cpix=', 'xmlns:ключ='),
  'upper-case kids': (xml) => xml.replaceAll(KID, KID.toUpperCase()),
  'kids in different letters': (xml) => xml.replace(KID, KID.toUpperCase()),
  'upper-case system ids': (xml) => xml.replaceAll(WIDEVINE, WIDEVINE.toUpperCase()),
  'unknown attributes': (xml) =>
    xml
      .replaceAll('<cpix:ContentKey ', '<cpix:ContentKey Algorithm="x" dependsOnKey="y" future="&lt;&amp;" ')
      .replaceAll('<cpix:DRMSystem ', '<cpix:DRMSystem name="Žluťoučký 🔑" PSSH="attribute" '),
  'attributes of other namespaces': (xml) =>
    xml.replaceAll('<cpix:ContentKey ', '<cpix:ContentKey xmlns:o="urn:o" o:kid="not ours" xml:lang="en" '),
  'unknown elements': (xml) =>
    xml.replace(
      /<\/cpix:CPIX\s*>/,
      (end) => `<o:ext xmlns:o="urn:o"><o:PSSH>text</o:PSSH></o:ext><Plain xmlns=""/>${end}`,
    ),
  CDATA: (xml) => xml.replace(/<\/cpix:CPIX\s*>/, (end) => `<o xmlns="urn:o"><![CDATA[<&]]></o>${end}`),
  UpdateHistoryItemList: (xml) =>
    xml.replace(
      /<\/cpix:CPIX\s*>/,
      (end) =>
        `<cpix:UpdateHistoryItemList><cpix:UpdateHistoryItem updateVersion="1" index="1" source="s" date="2026-10-01T12:00:00Z"/></cpix:UpdateHistoryItemList>${end}`,
    ),
  'lists in another order': (xml) =>
    xml.replace(
      /(<cpix:ContentKeyList>.*<\/cpix:ContentKeyList>)(<cpix:DRMSystemList>.*<\/cpix:DRMSystemList>)/s,
      '$2$1',
    ),
  'pskc under a misspelt prefix': (xml) => xml.replaceAll('xmlns:pskc=', 'xmlns:pksc='),
  'pskc not declared': (xml) => xml.replaceAll(/ xmlns:pskc=["'][^"']*["']/g, ''),
}

describe('without what was added an answer is the request', () => {
  const BASES: readonly (readonly [name: string, header: string | undefined, xml: string])[] = [
    ['v2 cenc', '2.0', requestFor({ kids: [KID, KID_2], systems: [WIDEVINE, PLAYREADY, COMMON_PSSH] })],
    ['v2 cbcs', '2.0', requestFor({ scheme: 'cbcs', systems: [FAIRPLAY, WIDEVINE, SAMPLE_AES] })],
    ['v1 Widevine', undefined, v1Request(WIDEVINE)],
    ['v1 AES-128', undefined, v1Request(AES_128_V1)],
    ['v1 FairPlay', undefined, v1Request(FAIRPLAY)],
  ]
  for (const [name, header, xml] of BASES) {
    for (const [what, change] of Object.entries(VARIANTS)) {
      test(`${name}: ${what}`, () => assertOnlyAdded(header, change(xml)))
    }
  }

  test('any mixture of these', async () => {
    const changes = fc.shuffledSubarray(Object.values(VARIANTS), { maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...BASES), changes, async ([, header, xml], some) => {
        const changed = some.reduce((text, change) => change(text), xml)
        // Two of them may not go together (two XML declarations); what is no document proves nothing.
        try {
          readXml(Buffer.from(changed))
        } catch {
          fc.pre(false)
        }
        await assertOnlyAdded(header, changed)
      }),
      { numRuns: 150 },
    )
  })

  test('elements named as properties of objects', async () => {
    const named = '<cpix:constructor><x/></cpix:constructor><cpix:constructor/><cpix:__proto__/>'
    const request = requestFor()
      .replace('<cpix:PSSH/>', `<cpix:PSSH/>${named}`)
      .replaceAll('</cpix:CPIX>', `${named}</cpix:CPIX>`)
    await assertOnlyAdded('2.0', request)
  })

  test('a byte order mark is not text', async () => {
    const { xml } = await answering()('2.0', `\ufeff${requestFor()}`)
    assert.ok(xml.startsWith('<cpix:CPIX'))
  })

  test('signatures, which would be broken, are not in the answer of any version', async () => {
    const signature =
      '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><cpix:URIExtXKey/></ds:SignedInfo></ds:Signature>'
    for (const [header, xml] of [
      ['2.0', requestFor()],
      [undefined, v1Request(WIDEVINE)],
    ] as const) {
      const signed = xml.replace('</cpix:CPIX>', `${signature}${signature}</cpix:CPIX>`)
      const answer = await answering()(header, signed)
      assert.doesNotMatch(answer.xml, /Signature|xmldsig/)
      assert.equal(answer.xml, (await answering()(header, xml)).xml)
    }
  })
})

describe('where pskc names come from', () => {
  const PSKC = `xmlns:pskc="${PSKC_NAMESPACE}"`
  const base = requestFor()
  const unbound = base.replace(` ${PSKC}`, '')
  const ROWS: Readonly<Record<string, string>> = {
    'declared on the root': base,
    'under another prefix': base.replace('xmlns:pskc=', 'xmlns:pksc='),
    'not declared': unbound,
    'its prefix bound to something else': base.replace(PSKC, 'xmlns:pskc="urn:other"'),
    'declared on the key': unbound.replace('<cpix:ContentKey ', `<cpix:ContentKey ${PSKC.replace('pskc=', 'k=')} `),
    'hidden on the key': base.replace('<cpix:ContentKey ', '<cpix:ContentKey xmlns:pskc="urn:other" '),
    'two prefixes, the nearer hidden': base
      .replace(PSKC, `${PSKC} xmlns:q="${PSKC_NAMESPACE}"`)
      .replace('<cpix:ContentKey ', '<cpix:ContentKey xmlns:q="urn:other" '),
    'the default namespace': unbound.replace('<cpix:CPIX ', `<cpix:CPIX xmlns="${PSKC_NAMESPACE}" `),
    'the default namespace, hidden': unbound
      .replace('<cpix:CPIX ', `<cpix:CPIX xmlns="${PSKC_NAMESPACE}" `)
      .replace('<cpix:ContentKey ', '<cpix:ContentKey xmlns="" '),
    'its prefix is that of cpix': unbound.replaceAll('cpix:', 'pskc:').replace('xmlns:cpix=', 'xmlns:pskc='),
    'its prefix is that of cpix, its second choice too': unbound
      .replaceAll('cpix:', 'pskc1:')
      .replace('xmlns:cpix=', 'xmlns:pskc1='),
    'cpix is the default namespace': unbound
      .replaceAll('<cpix:', '<')
      .replaceAll('</cpix:', '</')
      .replace('xmlns:cpix=', 'xmlns='),
    'the key has a prefix of its own': base.replace(
      /<cpix:ContentKey ([^>]*)\/>/,
      `<z:ContentKey xmlns:z="${CPIX_NAMESPACE}" xmlns:cpix="urn:other" $1/>`,
    ),
  }
  for (const [what, xml] of Object.entries(ROWS)) {
    test(what, async () => {
      const { document } = await answering()('2.0', xml)
      const [data] = elementsOf(document, 'Data')
      const [secret] = data?.children ?? []
      const [plainValue] = secret?.children ?? []
      assert.deepEqual(
        [data, secret, plainValue].map((element) => [element?.local, element?.namespace]),
        [
          ['Data', CPIX_NAMESPACE],
          ['Secret', PSKC_NAMESPACE],
          ['PlainValue', PSKC_NAMESPACE],
        ],
      )
      assert.equal(data?.parent?.local, 'ContentKey')
    })
  }

  test('a declaration of the request is used, not repeated', async () => {
    const { xml } = await answering()('2.0', base)
    assert.equal(xml.split(PSKC_NAMESPACE).length, 2)
  })
})

describe('what is of SPEKE 1.0 is not in an answer of SPEKE 2', () => {
  const SPEKE = 'urn:aws:amazon:com:speke'
  const inSystem = (content: string, attributes = ''): string =>
    requestFor(
      {},
      {
        drmSystems: `<cpix:DRMSystem kid="${KID}" systemId="${WIDEVINE}"${attributes}>${content}<cpix:PSSH/></cpix:DRMSystem>`,
      },
    )
  const onRoot = (xml: string, declaration: string): string => xml.replace('<cpix:CPIX ', `<cpix:CPIX ${declaration} `)

  const ROWS: Readonly<Record<string, string>> = {
    'a declaration on the root': onRoot(requestFor(), `xmlns:speke="${SPEKE}"`),
    'a declaration under another prefix': onRoot(requestFor(), `xmlns:foo='${SPEKE}'`),
    'two declarations': onRoot(requestFor(), `xmlns:a="${SPEKE}" xmlns:b="${SPEKE}"`),
    'a declaration on a system': inSystem('', ` xmlns:speke="${SPEKE}"`),
    'the default namespace of a list': requestFor().replace(
      '<cpix:DRMSystemList>',
      `<cpix:DRMSystemList xmlns="${SPEKE}"><Unknown/>`,
    ),
    URIExtXKey: inSystem('<cpix:URIExtXKey/>'),
    'URIExtXKey on its own line': inSystem('\n  <cpix:URIExtXKey></cpix:URIExtXKey>\n'),
    'all four': onRoot(
      inSystem('<cpix:URIExtXKey/><speke:KeyFormat/><speke:KeyFormatVersions/><speke:ProtectionHeader/>'),
      `xmlns:speke="${SPEKE}"`,
    ),
    'an element that declares its own namespace': inSystem(`<KeyFormat xmlns="${SPEKE}"/>`),
    'an element with children': inSystem(`<s:X xmlns:s="${SPEKE}"><cpix:PSSH/><s:X/></s:X>`),
    'an attribute': onRoot(inSystem('', ' speke:x="1"'), `xmlns:speke="${SPEKE}"`),
    'an attribute that comes last in an empty element': onRoot(
      requestFor().replace('commonEncryptionScheme="cenc"/>', 'commonEncryptionScheme="cenc" speke:x="1"/>'),
      `xmlns:speke="${SPEKE}"`,
    ),
    'deep inside an element of another namespace': requestFor().replace(
      '</cpix:CPIX>',
      `<o xmlns="urn:o"><p><q xmlns:s="${SPEKE}"><s:KeyFormat/></q></p></o></cpix:CPIX>`,
    ),
    'in a period and a rule': requestFor().replace(
      ALL_RULE(KID),
      ALL_RULE(KID).replace('intendedTrackType', `xmlns:s="${SPEKE}" s:a="1" intendedTrackType`),
    ),
    'between the attributes of the root, CPIX@id too': onRoot(
      requestFor({}, { root: `id="x" contentId="movie" xmlns:s="${SPEKE}" version="2.3" s:y="z"` }),
      '',
    ),
  }
  for (const [what, xml] of Object.entries(ROWS)) {
    test(what, async () => {
      const { xml: answer, document } = await answering()('2.0', xml)
      assert.doesNotMatch(answer, /urn:aws:amazon:com:speke|URIExtXKey|speke:|KeyFormat|ProtectionHeader/)
      assert.ok(elementsOf(document, 'PSSH').every((pssh) => pssh.hasText))
      assert.equal(elementsOf(document, 'PlainValue').length, 1)
    })
  }

  test('the same element is filled in SPEKE 1.0', async () => {
    const { document } = await answering()(undefined, v1Request(FAIRPLAY))
    assert.ok(elementsOf(document, 'URIExtXKey')[0]?.hasText)
  })
})

import { SPEKE_2_0 } from '../../../protocols/speke/tables/versions.ts'
import type { BuiltRequest } from '../../encryptor/request/build.ts'
import { type Ask, attributes, beforeLists, type Change, changed } from '../asking.ts'
import type { Check, Step } from '../check.ts'

interface Unusual {
  readonly name: string
  readonly title: string
  readonly write: (xml: string, built: BuiltRequest) => string
}

const LIST_NAMES = 'ContentKeyList|DRMSystemList|ContentKeyUsageRuleList'
const changing =
  (...changes: readonly Change[]) =>
  (xml: string): string =>
    changed(xml, ...changes)

/** Valid documents in the style of other writers than AWS. */
const UNUSUAL: readonly Unusual[] = [
  { name: 'prefixes', title: 'other prefixes', write: (xml) => xml.replaceAll(/(<\/?|xmlns:)cpix\b/g, '$1c') },
  {
    name: 'default-namespace',
    title: 'CPIX as the default namespace',
    write: (xml) => xml.replaceAll(/(<\/?)cpix:/g, '$1').replace('xmlns:cpix=', 'xmlns='),
  },
  {
    name: 'misspelt-pskc',
    title: 'the PSKC namespace with the prefix pksc',
    write: (xml) => xml.replace('xmlns:pskc=', 'xmlns:pksc='),
  },
  {
    name: 'xml-declaration',
    title: 'an XML declaration',
    write: (xml) => `<?xml version="1.0" encoding="UTF-8"?>\n${xml}`,
  },
  { name: 'byte-order-mark', title: 'a byte order mark', write: (xml) => `\ufeff${xml}` },
  {
    name: 'single-quotes',
    title: 'attributes in single quotes',
    write: (xml) => xml.replaceAll(/="([^"']*)"/g, "='$1'"),
  },
  { name: 'one-line', title: 'no line breaks', write: (xml) => xml.replaceAll(/>\s+</g, '><') },
  { name: 'windows-lines', title: 'Windows line breaks', write: (xml) => xml.replaceAll('\n', '\r\n') },
  {
    name: 'comments',
    title: 'comments between elements',
    write: (xml) => xml.replaceAll(/(<cpix:(?:ContentKey|DRMSystem)[ >])/g, '<!-- a - comment -->$1'),
  },
  {
    name: 'list-order',
    title: 'lists in another order',
    write: (xml) => {
      const lists = [...xml.matchAll(new RegExp(`<cpix:(${LIST_NAMES})>[\\s\\S]*?</cpix:\\1>`, 'g'))].map(
        ([list]) => list,
      )
      return lists
        .reduce((text, list, i) => text.replace(list, `@${i}@`), xml)
        .replace(/@(\d)@/g, (_, i: string) => lists[lists.length - 1 - Number(i)] ?? '')
    },
  },
  {
    name: 'unknown-attributes',
    title: 'unknown attributes',
    write: changing(attributes('ContentKey', 'vendor', 'a'), attributes('DRMSystem', 'name', 'b')),
  },
  {
    name: 'ids',
    title: 'IDs on lists and elements',
    write: changing(attributes('ContentKeyList', 'id', 'keys'), attributes('DRMSystemList', 'id', 'systems')),
  },
  {
    name: 'upper-case-kids',
    title: 'kids in upper case',
    write: changing(
      ...['ContentKey', 'DRMSystem', 'ContentKeyUsageRule'].map((local) =>
        attributes(local, 'kid', (kid) => kid.toUpperCase()),
      ),
    ),
  },
  {
    name: 'upper-case-system-ids',
    title: 'system IDs in upper case',
    write: changing(attributes('DRMSystem', 'systemId', (id) => id.toUpperCase())),
  },
  {
    name: 'character-references',
    title: 'character references in contentId',
    write: (xml, { contentId }) =>
      xml.replace(`="${contentId}"`, `="&#${contentId.codePointAt(0)};${contentId.slice(1)}"`),
  },
  {
    name: 'content-id-with-markup',
    title: 'markup in contentId',
    write: (xml, { contentId }) => xml.replace(`="${contentId}"`, '="a &amp; b &lt;c&gt; ü"'),
  },
  {
    name: 'update-history',
    title: 'an UpdateHistoryItemList',
    write: (xml) =>
      xml.replace(
        '</cpix:CPIX>',
        '<cpix:UpdateHistoryItemList><cpix:UpdateHistoryItem updateVersion="1" index="1" source="a" date="2026-01-01T00:00:00Z"/></cpix:UpdateHistoryItemList></cpix:CPIX>',
      ),
  },
  {
    name: 'filter-order',
    title: 'filters in the order of AWS',
    write: (xml) => xml.replace(/(<cpix:VideoFilter\/>)(\s*)(<cpix:AudioFilter\/>)/, '$3$2$1'),
  },
  {
    name: 'non-canonical-iv',
    title: 'an explicitIV in base64 with unused bits set, as in AWS samples',
    write: changing(attributes('ContentKey', 'explicitIV', 'L6jzdXrXAFbCJGBuMrrKrG==')),
  },
]

const SECRET = 'resolved-by-your-reader'

interface Attack {
  readonly name: string
  readonly title: string
  readonly kind: 'bomb' | 'free'
  readonly write: (xml: string, built: BuiltRequest) => string
  readonly entityText?: string
}

const withDoctype =
  (subset: string, change: (xml: string) => string = (xml) => xml) =>
  (xml: string): string =>
    `<!DOCTYPE CPIX [${subset}]>\n${change(xml)}`
const entityInContentId = (xml: string): string => xml.replace(/ (contentId|id)="[^"]*"/, ' $1="&e;"')
const laughs = Array.from({ length: 9 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join('')

/** Attacks on an XML reader. A `free` one is well-formed: the key provider may answer it, but must keep running. */
const ATTACKS: readonly Attack[] = [
  { name: 'doctype', title: 'a DOCTYPE', kind: 'bomb', write: withDoctype('') },
  {
    name: 'entity',
    title: 'an internal entity',
    kind: 'bomb',
    write: withDoctype(`<!ENTITY e "${SECRET}">`, entityInContentId),
    entityText: SECRET,
  },
  {
    name: 'external-entity',
    title: 'an external entity',
    kind: 'bomb',
    write: withDoctype('<!ENTITY e SYSTEM "file:///etc/hostname">', (xml) =>
      xml.replace('<cpix:ContentKeyList>', '&e;<cpix:ContentKeyList>'),
    ),
  },
  {
    name: 'external-dtd',
    title: 'an external DTD',
    kind: 'bomb',
    write: (xml) => `<!DOCTYPE CPIX SYSTEM "http://127.0.0.1:9/none.dtd">\n${xml}`,
  },
  {
    name: 'parameter-entity',
    title: 'a parameter entity',
    kind: 'bomb',
    write: withDoctype('<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;'),
  },
  {
    name: 'billion-laughs',
    title: 'nested entities that multiply',
    kind: 'bomb',
    write: withDoctype(`<!ENTITY l0 "ha">${laughs}<!ENTITY e "&l9;">`, entityInContentId),
  },
  {
    name: 'deep',
    title: 'elements 5,000 deep',
    kind: 'free',
    write: (xml) => xml.replace('</cpix:CPIX>', `${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}</cpix:CPIX>`),
  },
  {
    name: 'many-attributes',
    title: '10,000 attributes on one element',
    kind: 'free',
    write: (xml) =>
      xml.replace(
        '<cpix:ContentKeyList',
        `<cpix:ContentKeyList ${Array.from({ length: 10_000 }, (_, i) => `a${i}=""`).join(' ')}`,
      ),
  },
  {
    name: 'long-name',
    title: 'a name of 100,000 letters',
    kind: 'free',
    write: (xml) => xml.replace('</cpix:CPIX>', `<${'a'.repeat(100_000)}/></cpix:CPIX>`),
  },
  {
    name: 'long-content-id',
    title: 'a contentId of 100,000 letters',
    kind: 'free',
    write: (xml, { contentId }) => xml.replace(`="${contentId}"`, `="${'a'.repeat(100_000)}"`),
  },
  {
    name: 'many-filters',
    title: '20,000 filters',
    kind: 'free',
    write: (xml) =>
      xml.replace('</cpix:ContentKeyUsageRule>', `${'<cpix:VideoFilter/>'.repeat(20_000)}</cpix:ContentKeyUsageRule>`),
  },
  {
    name: 'many-recipients',
    title: '2,000 recipients without a certificate',
    kind: 'bomb',
    write: changing(
      beforeLists(
        `<cpix:DeliveryDataList>${'<cpix:DeliveryData><cpix:DeliveryKey/></cpix:DeliveryData>'.repeat(2000)}</cpix:DeliveryDataList>`,
      ),
    ),
  },
]

interface NoDocument {
  readonly name: string
  readonly title: string
  readonly body: string
}

const NO_DOCUMENTS: readonly NoDocument[] = [
  { name: 'empty', title: 'an empty body', body: '' },
  { name: 'space', title: 'white space', body: ' \n' },
  { name: 'text', title: 'text', body: 'hello' },
  { name: 'json', title: 'JSON', body: '{"contentId":"a"}' },
  { name: 'other-root', title: 'another document', body: '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"/>' },
  { name: 'no-namespace', title: 'CPIX without a namespace', body: '<CPIX contentId="a" version="2.3"/>' },
  {
    name: 'nul',
    title: 'a NUL character',
    body: '<cpix:CPIX xmlns:cpix="urn:dashif:org:cpix" contentId="a\u0000" version="2.3"/>',
  },
]

/** Checks that the key provider answers unusual documents, rejects attacks, and keeps running after them. */
export function robustnessChecks(ask: Ask): readonly Check[] {
  const asked = { content: 'robustness', periods: 0, video: 'SHARED' } as const
  const built = ask({ ...asked, speke: '2.0' }) ?? ask({ ...asked, speke: '1.0', drm: ['widevine'] })
  if (built === undefined) return []
  const { version } = built
  const right: Step = { xml: built.xml, version }
  const noDocument = NO_DOCUMENTS.map(({ name, title, body }): Check => {
    const refusal = { kind: 'wrong', message: undefined } as const
    const steps: Step[] = [{ xml: body, version: SPEKE_2_0, refusal }, right]
    return { name: `robustness/no-document/${name}`, group: 'robustness', title: `rejects ${title}`, steps }
  })
  return [
    ...UNUSUAL.map(
      ({ name, title, write }): Check => ({
        name: `robustness/unusual/${name}`,
        group: 'robustness',
        title: `answers a request with ${title}`,
        steps: [{ xml: write(built.xml, built), version }],
      }),
    ),
    ...noDocument,
    ...truncated(right),
    ...ATTACKS.map(({ name, title, kind, write, entityText }): Check => {
      const refusal = { kind, message: undefined, ...(entityText !== undefined && { entityText }) }
      const steps: Step[] = [{ xml: write(built.xml, built), version, refusal }, right]
      const says = kind === 'bomb' ? `rejects ${title}` : `keeps running after ${title}`
      return { name: `robustness/attack/${name}`, group: 'robustness', title: says, steps }
    }),
  ]
}

/** Checks with truncated documents. */
function truncated(right: Step): readonly Check[] {
  return [0.25, 0.5, 0.9].map((share) => ({
    name: `robustness/truncated/${share * 100}`,
    group: 'robustness',
    title: `rejects a document that ends after ${share * 100} %`,
    steps: [
      {
        ...right,
        xml: right.xml.slice(0, Math.floor(right.xml.length * share)),
        refusal: { kind: 'wrong', message: undefined },
      },
    ],
  }))
}

import { KeyProviderError } from '../../core/errors.ts'
import { decodeUtf16le, encodeUtf16le } from '../../core/utf16.ts'
import type { Kid } from '../../formats/cenc.ts'
import { WRMHEADER_RECORD } from '../../formats/drm/payloads/playready-object.ts'
import { playReadyChecksum, readWrmHeader, WRMHEADER_NAMESPACE } from '../../formats/drm/payloads/wrm-header.ts'
import { type WrmHeaderProblem, wrmHeaderProblems } from '../../formats/drm/payloads/wrm-header-grammar.ts'
import type { XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import { attributeOf, childOf, textOf } from '../../formats/xml/reader.ts'
import { readStructure, toHex } from './byte-reader.ts'
import { kidNode, kidOf } from './kids.ts'
import {
  type Context,
  error,
  type InspectFinding,
  type InspectNode,
  node,
  note,
  warning,
  withFindings,
} from './node.ts'
import { decodeBase64 } from './text.ts'
import { placeOf, plainAttributes, plainElement, readXmlText } from './xml.ts'

/** A PlayReady Object: its records, and the WRMHEADER in them. @see PlayReady Header Specification */
export function explainPlayReadyObject(bytes: Uint8Array, base: number, context: Context): InspectNode[] {
  return readStructure(bytes, base, context, (reader) => {
    reader.number('length', 4, {
      endian: 'le',
      explain: (value) =>
        value === bytes.length
          ? { meaning: 'little-endian, of the whole object' }
          : { findings: [error(`says that the object has ${value} bytes, it has ${bytes.length}`)] },
    })
    const count = reader.number('record count', 2, { endian: 'le' })
    for (let i = 0; i < count; i++) {
      const type = reader.number('record type', 2, {
        endian: 'le',
        explain: (value) => ({ meaning: RECORD_TYPES.get(value) ?? 'unknown' }),
      })
      const length = reader.number('record length', 2, { endian: 'le' })
      reader.bytes('record', length, (value) =>
        type === WRMHEADER_RECORD ? explainHeaderRecord(value, context) : { value: toHex(value) },
      )
    }
  })
}

/** A WRMHEADER as text, with every rule of its version that it breaks. */
export function explainWrmHeader(text: string, context: Context): InspectNode[] {
  const read = readXmlText(text)
  if ('broken' in read) return [read.broken]
  const { document } = read
  const { root } = document
  const problems = Map.groupBy(wrmHeaderProblems(document), ({ element }) => element)
  const findings = [...headerFindings(root, text), ...brokenRules(problems.get(root))]
  const version = attributeOf(root, 'version')
  return [
    node(root.local, version === undefined ? undefined : `version ${version}`, {
      place: placeOf(document, root),
      meaning: VERSIONS.get(version ?? ''),
      findings,
      children: root.children.map((child) => explainElement({ document, problems, context }, child)),
    }),
  ]
}

/** Elements of a WRMHEADER that were copied out of it. */
export function explainWrmElements(
  document: XmlDocument,
  elements: readonly XmlElement[],
  context: Context,
): InspectNode[] {
  return elements.map((element) => explainElement({ document, problems: new Map(), context }, element))
}

/** Whether an element can be one of a WRMHEADER, by its local name. */
export function isWrmElement(local: string): boolean {
  return Object.hasOwn(ELEMENTS, local) || STRUCTURE.includes(local)
}

/** Whether a root is WRMHEADER, or a misspelling of it that people have written. */
export function isWrmHeaderName(local: string): boolean {
  return /^W\w{0,3}HEA?D\w{0,4}$/i.test(local)
}

function headerFindings({ local, namespace, attributes }: XmlElement, text: string): readonly InspectFinding[] {
  if (local !== 'WRMHEADER') {
    const isTypo = isWrmHeaderName(local)
    return [
      error(
        isTypo
          ? `the root is ${local}, which no player reads; write WRMHEADER`
          : `the root is ${local}, expected WRMHEADER`,
      ),
    ]
  }
  if (namespace !== WRMHEADER_NAMESPACE) return [error(`expected the namespace ${WRMHEADER_NAMESPACE}`)]
  if (!attributes.some(({ name }) => name === 'version')) return [error('the attribute version is missing')]
  try {
    readWrmHeader(encodeUtf16le(text))
  } catch (problem) {
    if (!(problem instanceof KeyProviderError)) throw problem
    return [warning(`players reject it: ${problem.message}`)]
  }
  return []
}

function brokenRules(problems: readonly WrmHeaderProblem[] = []): readonly InspectFinding[] {
  return problems.map(({ problem, clause }) => warning(`${problem} (PlayReady Header Specification, ${clause})`))
}

const RECORD_TYPES: ReadonlyMap<number, string> = new Map([
  [1, 'WRMHEADER in UTF-16LE'],
  [2, 'reserved'],
  [3, 'embedded licence store'],
])

const VERSIONS: ReadonlyMap<string, string> = new Map([
  ['4.0.0.0', 'one key, for every client'],
  ['4.1.0.0', 'one key, for PlayReady 2 and later'],
  ['4.2.0.0', 'any number of keys, for PlayReady 3 and later'],
  ['4.3.0.0', 'any number of keys and AESCBC, for PlayReady 4 and later'],
])

function explainHeaderRecord(bytes: Uint8Array, context: Context): Partial<InspectNode> {
  if (bytes.length % 2 !== 0)
    return { findings: [error(`UTF-16 has an even number of bytes, this has ${bytes.length}`)], value: toHex(bytes) }
  const text = decodeUtf16le(bytes)
  const mark = text.startsWith('\ufeff')
  const findings = mark ? [warning('begins with a byte order mark, which players reject')] : []
  return {
    meaning: 'UTF-16LE; places are lines and columns of its text',
    findings,
    children: explainWrmHeader(mark ? text.slice(1) : text, context),
  }
}

/** The header that an element belongs to. */
interface Header {
  readonly document: XmlDocument
  /** The broken rules of each element. */
  readonly problems: ReadonlyMap<XmlElement, readonly WrmHeaderProblem[]>
  readonly context: Context
}

type Explain = (header: Header, element: XmlElement) => InspectNode

/** The elements with a meaning of their own. */
const ELEMENTS: Readonly<Record<string, Explain>> = {
  KID: explainKid,
  CHECKSUM: ({ document, context }, element) =>
    explainChecksum(
      textOf(document, element).trim(),
      placeOf(document, element),
      headerKid(document, element),
      context,
    ),
  LA_URL: withMeaning('where players request a licence'),
  LUI_URL: withMeaning('a page for viewers who have no licence'),
  ALGID: withMeaning('the cipher: AESCTR is cenc, AESCBC is cbcs'),
  KEYLEN: withMeaning('bytes of the key'),
  DS_ID: explainDomain,
  DECRYPTORSETUP: withMeaning('ONDEMAND: players set up decryption before they have a licence (key rotation)'),
  CUSTOMATTRIBUTES: withMeaning('data of the licence service'),
}

const STRUCTURE: readonly string[] = ['DATA', 'PROTECTINFO', 'KIDS']

function explainElement(header: Header, element: XmlElement): InspectNode {
  const { document, problems, context } = header
  const explain = Object.hasOwn(ELEMENTS, element.local) ? ELEMENTS[element.local] : undefined
  const rules = brokenRules(problems.get(element))
  if (explain !== undefined) return withFindings(explain(header, element), rules)
  if (STRUCTURE.includes(element.local)) {
    return node(element.local, undefined, {
      place: placeOf(document, element),
      findings: rules,
      children: [
        ...plainAttributes(element, context),
        ...element.children.map((child) => explainElement(header, child)),
      ],
    })
  }
  const unknown = rules.length > 0 ? rules : [note('is not an element of the PlayReady Header Specification')]
  return withFindings(plainElement(document, element, context), unknown)
}

function withMeaning(meaning: string): Explain {
  return ({ document, context }, element) => ({ ...plainElement(document, element, context), meaning })
}

/** 4.0 has the kid as text, later versions as an attribute. */
function explainKid({ document, context }: Header, element: XmlElement): InspectNode {
  const place = placeOf(document, element)
  const read = readKid(document, element)
  if (read === undefined) {
    return node('KID', undefined, { place, findings: [error('expected base64 of 16 bytes, a little-endian GUID')] })
  }
  const { kid, text, bytes } = read
  const algid = attributeOf(element, 'ALGID')
  const checksum = attributeOf(element, 'CHECKSUM')
  return {
    ...kidNode('KID', kid, 'guid', place),
    children: [
      node('base64', text, { meaning: `bytes ${toHex(bytes)}` }),
      ...(algid === undefined ? [] : [node('ALGID', algid)]),
      ...(checksum === undefined ? [] : [explainChecksum(checksum, place, kid, context)]),
    ],
  }
}

/** DS_ID: the domain of the service, a GUID that is public. */
function explainDomain({ document }: Header, element: XmlElement): InspectNode {
  const place = placeOf(document, element)
  const text = textOf(document, element).trim()
  const decoded = decodeBase64(text)
  const isGuid = 'bytes' in decoded && decoded.bytes.length === 16
  return node('DS_ID', isGuid ? kidOf(decoded.bytes, 'guid') : undefined, {
    place,
    meaning: 'the domain of the service, a GUID',
    findings: isGuid ? [] : [error('expected base64 of 16 bytes, a little-endian GUID')],
  })
}

function readKid(document: XmlDocument, element: XmlElement) {
  const text = (attributeOf(element, 'VALUE') ?? textOf(document, element)).trim()
  const decoded = decodeBase64(text)
  if ('problem' in decoded || decoded.bytes.length !== 16) return undefined
  return { text, bytes: decoded.bytes, kid: kidOf(decoded.bytes, 'guid') }
}

function explainChecksum(
  text: string,
  place: InspectNode['place'],
  kid: Kid | undefined,
  context: Context,
): InspectNode {
  const meaning = 'eight bytes of the KID, encrypted with the key; players check their key with them'
  const key = kid && context.contentKeys.get(kid)
  if (key?.length !== 16 || kid === undefined) return node('CHECKSUM', text, { place, meaning })
  if (playReadyChecksum(key, kid) === text) {
    return node('CHECKSUM', text, { place, meaning: `${meaning}; right for the key of this document` })
  }
  const findings = [warning('does not belong to the key of this document: players reject the licence')]
  return node('CHECKSUM', text, { place, meaning, findings })
}

/** The one kid of a 4.0 header, for the checksum beside it. */
function headerKid(document: XmlDocument, checksum: XmlElement): Kid | undefined {
  const element = checksum.parent && childOf(checksum.parent, checksum.namespace, 'KID')
  return element && readKid(document, element)?.kid
}

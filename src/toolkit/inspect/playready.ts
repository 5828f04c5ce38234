import { KeyProviderError } from '../../core/errors.ts'
import { decodeUtf16le, encodeUtf16le } from '../../core/utf16.ts'
import type { Kid } from '../../formats/cenc.ts'
import { WRMHEADER_RECORD } from '../../formats/drm/payloads/playready-object.ts'
import { readWrmHeader } from '../../formats/drm/payloads/read-wrm-header.ts'
import { playReadyChecksum, WRMHEADER_NAMESPACE } from '../../formats/drm/payloads/wrm-header.ts'
import type { XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import { attributeOf, childOf, textOf } from '../../formats/xml/reader.ts'
import { decodeBase64 } from './base64.ts'
import { readStructure, toHex } from './byte-reader.ts'
import { kidNode, kidOf } from './kids.ts'
import { error, type InspectFinding, type InspectNode, node, note, warning, withFindings } from './node.ts'
import type { Context } from './options.ts'
import { placeOf, plainAttributes, plainElement, readXmlText } from './xml.ts'

/** A PlayReady Object: its records, and the WRMHEADER in them. @see PlayReady Header Specification */
export function explainPlayReadyObject(bytes: Uint8Array, base: number, context: Context): InspectNode[] {
  return readStructure(bytes, base, context, (reader) => {
    reader.number('length', 4, {
      endian: 'le',
      explain: (value) =>
        value === bytes.length
          ? { meaning: 'little-endian, of the whole object' }
          : { findings: [error(`says the object has ${value} bytes, it has ${bytes.length}`)] },
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

/** A WRMHEADER as text. */
export function explainWrmHeader(text: string, context: Context): InspectNode[] {
  const read = readXmlText(text)
  if ('broken' in read) return [read.broken]
  const { document } = read
  const { root } = document
  const findings: InspectFinding[] = []
  if (root.local !== 'WRMHEADER' || root.namespace !== WRMHEADER_NAMESPACE) {
    findings.push(error(`expected WRMHEADER of the namespace ${WRMHEADER_NAMESPACE}`))
  }
  try {
    readWrmHeader(encodeUtf16le(text))
  } catch (problem) {
    if (!(problem instanceof KeyProviderError)) throw problem
    findings.push(warning(`players refuse it: ${problem.message}`))
  }
  const version = attributeOf(root, 'version')
  return [
    node('WRMHEADER', version === undefined ? undefined : `version ${version}`, {
      place: placeOf(document, root),
      meaning: VERSIONS.get(version ?? ''),
      findings,
      children: root.children.map((child) => explainElement(document, child, context)),
    }),
  ]
}

const RECORD_TYPES: ReadonlyMap<number, string> = new Map([
  [1, 'WRMHEADER in UTF-16LE'],
  [2, 'reserved'],
  [3, 'embedded licence store'],
])

const VERSIONS: ReadonlyMap<string, string> = new Map([
  ['4.0.0.0', 'one key; every client reads it'],
  ['4.1.0.0', 'one key, for PlayReady 2 and later'],
  ['4.2.0.0', 'any number of keys, for PlayReady 3 and later'],
  ['4.3.0.0', 'any number of keys and AESCBC, for PlayReady 4 and later'],
])

function explainHeaderRecord(bytes: Uint8Array, context: Context): Partial<InspectNode> {
  if (bytes.length % 2 !== 0)
    return { findings: [error(`UTF-16 has an even number of bytes, this has ${bytes.length}`)], value: toHex(bytes) }
  const text = decodeUtf16le(bytes)
  const mark = text.startsWith('\ufeff')
  const findings = mark ? [warning('begins with a byte order mark, which players refuse')] : []
  return {
    meaning: 'UTF-16LE; places are lines and columns of its text',
    findings,
    children: explainWrmHeader(mark ? text.slice(1) : text, context),
  }
}

type Explain = (document: XmlDocument, element: XmlElement, context: Context) => InspectNode

/** What elements of a header mean; others are shown as they stand. */
const ELEMENTS: Readonly<Record<string, Explain>> = {
  KID: explainKid,
  CHECKSUM: (document, element, context) =>
    explainChecksum(
      textOf(document, element).trim(),
      placeOf(document, element),
      headerKid(document, element),
      context,
    ),
  LA_URL: withMeaning('where players ask for a licence'),
  LUI_URL: withMeaning('a page for people who have no licence'),
  ALGID: withMeaning('the cipher: AESCTR is cenc, AESCBC is cbcs'),
  KEYLEN: withMeaning('bytes of the key'),
  DS_ID: withMeaning('the domain of the service, a GUID'),
  DECRYPTORSETUP: withMeaning('ONDEMAND: decryption is set up before there is a licence (key rotation)'),
  CUSTOMATTRIBUTES: withMeaning('the service may put anything here'),
}

function explainElement(document: XmlDocument, element: XmlElement, context: Context): InspectNode {
  const explain = Object.hasOwn(ELEMENTS, element.local) ? ELEMENTS[element.local] : undefined
  if (explain !== undefined) return explain(document, element, context)
  if (element.local === 'DATA' || element.local === 'PROTECTINFO' || element.local === 'KIDS') {
    return node(element.local, undefined, {
      place: placeOf(document, element),
      children: [
        ...plainAttributes(element, context),
        ...element.children.map((child) => explainElement(document, child, context)),
      ],
    })
  }
  return withFindings(plainElement(document, element, context), [note('is no element of this specification')])
}

function withMeaning(meaning: string): Explain {
  return (document, element, context) => ({ ...plainElement(document, element, context), meaning })
}

/** 4.0 has the kid as text, later versions as an attribute. */
function explainKid(document: XmlDocument, element: XmlElement, context: Context): InspectNode {
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
  const meaning = 'eight bytes of the KID under the key: shows a player that its key is the right one'
  const key = kid && context.contentKeys.get(kid)
  if (key?.length !== 16 || kid === undefined) return node('CHECKSUM', text, { place, meaning })
  if (playReadyChecksum(key, kid) === text) {
    return node('CHECKSUM', text, { place, meaning: `${meaning}; right for the key of this document` })
  }
  const findings = [warning('is not that of the key of this document: players refuse the licence')]
  return node('CHECKSUM', text, { place, meaning, findings })
}

/** The one kid of a 4.0 header, for the checksum beside it. */
function headerKid(document: XmlDocument, checksum: XmlElement): Kid | undefined {
  const element = checksum.parent && childOf(checksum.parent, checksum.namespace, 'KID')
  return element && readKid(document, element)?.kid
}

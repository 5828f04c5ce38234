import { KeyProviderError } from '../../../core/errors.ts'
import { decodeUtf16le } from '../../../core/utf16.ts'
import { guidBytes, type Kid, kidOfBytes } from '../../cenc.ts'
import type { XmlDocument, XmlElement } from '../../xml/document.ts'
import { attributeOf, childOf, childrenOf, readXml, textOf } from '../../xml/reader.ts'
import { WRMHEADER_NAMESPACE } from './wrm-header.ts'

/** The keys and the licence URL of a WRMHEADER. */
export interface WrmHeader {
  readonly version: string
  /** Empty in headers for embedded licences. */
  readonly keys: readonly WrmHeaderKey[]
  readonly laUrl: string | undefined
}

export interface WrmHeaderKey {
  readonly kid: Kid
  readonly algid: string | undefined
  /** As written, base64. */
  readonly checksum: string | undefined
}

/**
 * Reads the value of a WRMHEADER record. Throws ERR_PLAYREADY_OBJECT_INVALID for anything else, and for an unknown version.
 *
 * @see https://learn.microsoft.com/en-us/playready/specifications/playready-header-specification
 */
export function readWrmHeader(value: Uint8Array): WrmHeader {
  const document = readUtf16Xml(value)
  const { root } = document
  if (root.local !== 'WRMHEADER' || root.namespace !== WRMHEADER_NAMESPACE) throw invalid('the root is not WRMHEADER')
  const version = attributeOf(root, 'version') ?? ''
  const readKeys = KEYS.get(version)
  if (readKeys === undefined) throw invalid(`expected a version of ${[...KEYS.keys()].join(', ')}`)
  const data = onlyChild(root, 'DATA')
  if (data === undefined) throw invalid('DATA is missing')
  const laUrl = onlyChild(data, 'LA_URL')
  return {
    version,
    keys: readKeys(document, data),
    laUrl: laUrl && textOf(document, laUrl),
  }
}

function readUtf16Xml(value: Uint8Array): XmlDocument {
  try {
    const text = decodeUtf16le(value)
    if (value.length % 2 !== 0 || !text.isWellFormed()) throw invalid('expected UTF-16LE')
    if (!text.startsWith('<WRMHEADER')) {
      const root = /^<([\w:.-]{1,64})/.exec(text)?.[1]
      throw invalid(
        root === undefined
          ? 'expected <WRMHEADER first: no byte order mark, no XML declaration'
          : `the root element is ${root}, expected WRMHEADER`,
      )
    }
    return readXml(Buffer.from(text))
  } catch (cause) {
    if (cause instanceof KeyProviderError && cause.code === 'ERR_PLAYREADY_OBJECT_INVALID') throw cause
    throw new KeyProviderError('ERR_PLAYREADY_OBJECT_INVALID', 'WRMHEADER: not well-formed XML in UTF-16LE', { cause })
  }
}

type ReadKeys = (document: XmlDocument, data: XmlElement) => readonly WrmHeaderKey[]

/** 4.0: one key, each part in its own element. */
const keyElements: ReadKeys = (document, data) => {
  const kid = onlyChild(data, 'KID')
  if (kid === undefined) throw invalid('KID is missing')
  const algid = textIn(document, onlyChild(data, 'PROTECTINFO'), 'ALGID')
  return [{ kid: kidOfGuid(textOf(document, kid)), algid, checksum: textIn(document, data, 'CHECKSUM') }]
}

/** From 4.1 on: KID elements with attributes. */
const kidElements: ReadKeys = (_document, data) => {
  const protection = onlyChild(data, 'PROTECTINFO')
  if (protection === undefined) return []
  const list = onlyChild(protection, 'KIDS') ?? protection
  return childrenOf(list, WRMHEADER_NAMESPACE, 'KID').map((element) => ({
    kid: kidOfGuid(attributeOf(element, 'VALUE') ?? ''),
    algid: attributeOf(element, 'ALGID'),
    checksum: attributeOf(element, 'CHECKSUM'),
  }))
}

const KEYS: ReadonlyMap<string, ReadKeys> = new Map([
  ['4.0.0.0', keyElements],
  ['4.1.0.0', kidElements],
  ['4.2.0.0', kidElements],
  ['4.3.0.0', kidElements],
])

function onlyChild(element: XmlElement, local: string): XmlElement | undefined {
  if (childrenOf(element, WRMHEADER_NAMESPACE, local).length > 1) throw invalid(`${local} occurs twice`)
  return childOf(element, WRMHEADER_NAMESPACE, local)
}

function textIn(document: XmlDocument, parent: XmlElement | undefined, local: string): string | undefined {
  const element = parent && onlyChild(parent, local)
  return element && textOf(document, element)
}

/** The kid of a little-endian GUID in base64. Swapping a GUID's bytes twice gives them back. */
function kidOfGuid(text: string): Kid {
  if (!/^[A-Za-z\d+/]{22}==$/.test(text)) throw invalid('a KID is not base64 of 16 bytes')
  return kidOfBytes(guidBytes(kidOfBytes(Buffer.from(text, 'base64'))))
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_PLAYREADY_OBJECT_INVALID', `WRMHEADER: ${problem}`)
}

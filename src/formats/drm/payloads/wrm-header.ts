import { createCipheriv, createSecretKey } from 'node:crypto'
import { KeyProviderError } from '../../../core/errors.ts'
import { concat, holeOf, type Part, type Template } from '../../../core/template.ts'
import { decodeUtf16le } from '../../../core/utf16.ts'
import { type CommonEncryptionScheme, guidBytes, type Kid, kidOfBytes } from '../../cenc.ts'
import type { XmlDocument, XmlElement } from '../../xml/document.ts'
import { escapeText } from '../../xml/markup.ts'
import { attributeOf, childOf, childrenOf, readXml, textOf } from '../../xml/reader.ts'
import type { SignalingSettings } from '../settings.ts'
import type { KeyFilling } from '../system.ts'

export const WRMHEADER_NAMESPACE = 'http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader'

type PlayReadySettings = SignalingSettings['playready']

/**
 * The WRMHEADER of `kids`, or undefined for a scheme that PlayReady does not know: one kid under cenc as version 4.0,
 * which every client reads, several as 4.2; cbcs is known from 4.3 on.
 *
 * @see https://learn.microsoft.com/en-us/playready/specifications/playready-header-specification
 */
export function wrmHeader(
  kids: readonly Kid[],
  commonEncryptionScheme: CommonEncryptionScheme,
  settings: PlayReadySettings,
): Template<KeyFilling> | undefined {
  const start = STARTS[settings.kids][commonEncryptionScheme]
  if (start === undefined) return undefined
  const { version, protection } = start
  return concat(
    `<WRMHEADER xmlns="${WRMHEADER_NAMESPACE}" version="${version}"><DATA>`,
    ...protection(kids),
    element('LA_URL', settings.laUrl, escapeText),
    element('LUI_URL', settings.luiUrl, escapeText),
    // This one is markup already.
    element('CUSTOMATTRIBUTES', settings.customAttributes, (xml) => xml),
    '</DATA></WRMHEADER>',
  )
}

/** What lets a client see that a key is the right one: base64 of eight bytes. AESCTR only. */
export function playReadyChecksum(contentKey: Uint8Array, kid: Kid): string {
  // Node 24 takes a raw key five times as long as a KeyObject made on the spot.
  const cipher = createCipheriv('aes-128-ecb', createSecretKey(contentKey), null)
  return cipher.update(guidBytes(kid)).toString('base64', 0, 8)
}

interface HeaderStart {
  readonly version: string
  protection(kids: readonly Kid[]): readonly Part<KeyFilling>[]
}

const ONE_KID: HeaderStart = {
  version: '4.0.0.0',
  protection: (kids) => [
    '<PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO>',
    ...kids.flatMap((kid) => [`<KID>${guid(kid)}</KID><CHECKSUM>`, checksumHole(kid), '</CHECKSUM>']),
  ],
}

const KIDS: HeaderStart = {
  version: '4.2.0.0',
  protection: (kids) => [
    '<PROTECTINFO><KIDS>',
    ...kids.flatMap((kid) => ['<KID ALGID="AESCTR" CHECKSUM="', checksumHole(kid), `" VALUE="${guid(kid)}"></KID>`]),
    '</KIDS></PROTECTINFO>',
  ],
}

const CBC_KIDS: HeaderStart = {
  version: '4.3.0.0',
  protection: (kids) => [
    '<PROTECTINFO><KIDS>',
    ...kids.map((kid) => `<KID ALGID="AESCBC" VALUE="${guid(kid)}"></KID>`),
    '</KIDS></PROTECTINFO>',
  ],
}

const STARTS: Readonly<
  Record<PlayReadySettings['kids'], Readonly<Partial<Record<CommonEncryptionScheme, HeaderStart>>>>
> = {
  own: { cenc: ONE_KID, cbcs: CBC_KIDS },
  document: { cenc: KIDS, cbcs: CBC_KIDS },
}

/** Empty elements are forbidden: what is not set is not written. */
function element(name: string, value: string | undefined, print: (value: string) => string): string {
  return value === undefined || value === '' ? '' : `<${name}>${print(value)}</${name}>`
}

function guid(kid: Kid): string {
  return guidBytes(kid).toString('base64')
}

function checksumHole(kid: Kid): Template<KeyFilling> {
  return holeOf(12, (filling) => playReadyChecksum(filling.keyAndIv(kid).contentKey, kid))
}

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

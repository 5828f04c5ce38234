import { type Kid, type SystemId, toSystemId } from '../../../formats/cenc.ts'
import { CPIX_NAMESPACE, SPEKE_NAMESPACE } from '../../../formats/cpix/fields.ts'
import { drmSystemName } from '../../../formats/drm/facts.ts'
import type { XmlDocument, XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, childrenOf, textOf } from '../../../formats/xml/reader.ts'
import { explainProtectionElements, explainPsshBoxes } from '../dash.ts'
import { explainHls } from '../hls/hls.ts'
import { disagreements, elementDisagreements, type Surroundings } from '../kids.ts'
import {
  type Context,
  error,
  type InspectFinding,
  type InspectNode,
  node,
  note,
  warning,
  withFindings,
} from '../node.ts'
import { payloadOf } from '../payload.ts'
import { explainPayload } from '../pssh.ts'
import { shownText } from '../secrets.ts'
import { explainSkd } from '../skd.ts'
import { decodeBase64, decodeCutBase64, textOfBytes } from '../text.ts'
import { placeOf, plainElement, readFragment } from '../xml.ts'

/** A DRMSystem: what each child says, and where they disagree with the key they are for. @see CPIX 2.3, DRMSystem */
export function explainDrmSystem(
  document: XmlDocument,
  element: XmlElement,
  { kid, scheme }: Pick<Expected, 'kid' | 'scheme'>,
  context: Context,
): InspectNode {
  const text = attributeOf(element, 'systemId') ?? ''
  const systemId = toSystemId(text)
  const children = element.children.map((child) => explainChild(document, child, { kid, scheme, systemId }, context))
  return node('DRMSystem', systemId === undefined ? text : drmSystemName(systemId), {
    place: placeOf(document, element),
    meaning: systemId,
    findings: [
      ...(systemId === undefined ? [error('systemId is not a UUID')] : []),
      ...compareChildren(document, element),
    ],
    children,
  })
}

interface Expected {
  /** Undefined for an element that was copied out of its document. */
  readonly kid: Kid | undefined
  readonly scheme: string | undefined
  readonly systemId: SystemId | undefined
}

type ExplainSlot = (bytes: Uint8Array, context: Context) => Pick<InspectNode, 'findings' | 'children'>

/** How the content of each child is explained, decoded from base64. */
const SLOTS: Readonly<Record<string, ExplainSlot>> = {
  PSSH: explainPsshBoxes,
  ContentProtectionData: explainContentProtectionData,
  HLSSignalingData: (bytes, context) => asText(bytes, (text) => explainHls(text, context)),
  SmoothStreamingProtectionHeaderData: (bytes, context) => explainPayload(bytes, 0, 'PlayReady Object', context),
  URIExtXKey: (bytes, context) => asText(bytes, (text) => [explainKeyUri(text, context)]),
  // The spelling of AWS's SPEKE 1.0 examples.
  UriExtXKey: (bytes, context) => asText(bytes, (text) => [explainKeyUri(text, context)]),
  ProtectionHeader: (bytes, context) => explainPayload(bytes, 0, 'PlayReady Object', context),
  KeyFormat: (bytes) => asText(bytes, (text) => [node('KEYFORMAT', text)]),
  KeyFormatVersions: (bytes) => asText(bytes, (text) => [node('KEYFORMATVERSIONS', text)]),
}

/** Whether an element is a child of DRMSystem, by its local name. */
export function isDrmSystemChild(local: string): boolean {
  return Object.hasOwn(SLOTS, local)
}

/** A child of DRMSystem. */
export function explainChild(
  document: XmlDocument,
  child: XmlElement,
  expected: Expected,
  context: Context,
): InspectNode {
  const isKnown = child.namespace === CPIX_NAMESPACE || child.namespace === SPEKE_NAMESPACE
  const explain = isKnown && Object.hasOwn(SLOTS, child.local) ? SLOTS[child.local] : undefined
  if (explain === undefined) return plainElement(document, child, context)
  const place = placeOf(document, child)
  const playlist = attributeOf(child, 'playlist')
  const name = playlist === undefined ? child.local : `${child.local} ${playlist}`
  const text = textOf(document, child).trim()
  if (text === '') return node(name, 'empty', { place })
  const decoded = decodeCutBase64(text)
  if ('problem' in decoded) return node(name, undefined, { place, findings: [error(decoded.problem)] })
  const { children = [], findings = [] } = explain(decoded.bytes, context)
  const meaning = `base64 of ${decoded.bytes.length} bytes`
  // An MPD has each element of a ContentProtectionData for itself.
  const compare = child.local === 'ContentProtectionData' ? elementDisagreements : disagreements
  return node(name, undefined, {
    place,
    meaning,
    findings: [
      ...(decoded.cut === undefined ? [] : [error(`not base64: ${decoded.cut}`)]),
      ...findings,
      ...compare(children, surroundingsOf(expected)),
    ],
    children,
  })
}

function explainKeyUri(text: string, context: Context): InspectNode {
  if (/^skd:/i.test(text)) return explainSkd(text, context)
  const shown = shownText(text, context)
  return node('URI', shown.text, { findings: shown.findings })
}

function asText(
  bytes: Uint8Array,
  explain: (text: string) => readonly InspectNode[],
): Pick<InspectNode, 'findings' | 'children'> {
  const text = textOfBytes(bytes)
  return text === undefined ? NOT_TEXT : { children: explain(text) }
}

const NOT_TEXT = { children: [node('text', undefined, { findings: [error('is not text in UTF-8')] })] }

function explainContentProtectionData(bytes: Uint8Array, context: Context): Pick<InspectNode, 'findings' | 'children'> {
  const payload = payloadOf(bytes)
  if (payload !== undefined) {
    const found = explainPayload(bytes, 0, payload.kind === 'pssh box' ? 'PlayReady Object' : 'pssh box', context)
    const what = payload.kind === 'base64' ? `base64 of a ${payload.inner}` : `a ${payload.kind}`
    const problem = error(
      `holds ${what} where XML belongs: players expect elements such as cenc:pssh or mspr:pro with it in base64`,
    )
    return { children: found.children ?? [], findings: [problem] }
  }
  const text = textOfBytes(bytes)
  if (text === undefined) return NOT_TEXT
  const read = readFragment(text)
  if ('broken' in read) return { children: [withFindings(read.broken, [note(BREAKS_MPD)])] }
  const { root } = read.document
  const findings: InspectFinding[] = []
  if (read.undeclared.length > 0) {
    const prefixes = read.undeclared.map((prefix) => `"${prefix}"`).join(', ')
    findings.push(error(`the prefix ${prefixes} is not declared; ${BREAKS_MPD}`))
  }
  if (root.children.some(({ local }) => local === 'ContentProtection'))
    findings.push(warning('holds a whole ContentProtection element; CPIX has only the content of that element here'))
  return { children: explainProtectionElements(read.document, root.children, context), findings }
}

const BREAKS_MPD = 'an MPD with it is not well-formed: it must declare each of its prefixes'

/** What signalling must agree on with the key it is for. */
function surroundingsOf({ kid, scheme, systemId }: Expected): Surroundings {
  return {
    kids: kid === undefined ? [] : [kid],
    kidsIn: 'DRMSystem/@kid',
    scheme,
    schemeIn: 'the content key',
    systemId,
  }
}

/** Differences between elements that must have the same content. */
function compareChildren(document: XmlDocument, element: XmlElement): readonly InspectFinding[] {
  const findings: InspectFinding[] = []
  const textIn = (child: XmlElement | undefined): string =>
    child === undefined ? '' : textOf(document, child).replaceAll(/\s/g, '')
  const pssh = textIn(childrenOf(element, CPIX_NAMESPACE, 'PSSH')[0])
  const data = decodeBase64(textIn(childrenOf(element, CPIX_NAMESPACE, 'ContentProtectionData')[0]))
  const fragment = 'bytes' in data ? readFragment(textOfBytes(data.bytes) ?? '') : undefined
  if (pssh !== '' && fragment !== undefined && 'document' in fragment) {
    const inner = fragment.document.root.children.find(({ local }) => local === 'pssh')
    if (inner !== undefined && textOf(fragment.document, inner).replaceAll(/\s/g, '') !== pssh) {
      findings.push(warning('the pssh in ContentProtectionData is not that of PSSH'))
    }
  }
  const lines = childrenOf(element, CPIX_NAMESPACE, 'HLSSignalingData').map((child) =>
    Buffer.from(textIn(child), 'base64').toString('utf8').trim(),
  )
  const attributes = lines.filter((line) => line !== '').map((line) => line.slice(line.indexOf(':')))
  if (new Set(attributes).size > 1) findings.push(note('the lines of HLSSignalingData differ in more than the tag'))
  return findings
}

import { type Kid, type SystemId, toSystemId } from '../../../formats/cenc.ts'
import { CPIX_NAMESPACE, SPEKE_NAMESPACE } from '../../../formats/cpix/names.ts'
import { DRM_SYSTEM_FACTS, drmSystemName } from '../../../formats/drm/facts.ts'
import type { XmlDocument, XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, childrenOf, textOf } from '../../../formats/xml/reader.ts'
import { decodeBase64 } from '../base64.ts'
import { explainProtectionElements } from '../dash.ts'
import { explainHls } from '../hls.ts'
import { disagreement } from '../kids.ts'
import { explainBoxes, sourceOf } from '../mp4/mp4.ts'
import { error, type InspectFinding, type InspectNode, kidsIn, node, nodesIn, note, warning } from '../node.ts'
import type { Context } from '../options.ts'
import { explainPlayReadyObject } from '../playready.ts'
import { explainSkd } from '../skd.ts'
import { textOfBytes } from '../text.ts'
import { placeOf, plainElement, readFragment } from '../xml.ts'

/** A DRMSystem: what each child says, and where they disagree with the key they are for. @see CPIX 2.3, DRMSystem */
export function explainDrmSystem(
  document: XmlDocument,
  element: XmlElement,
  { kid, scheme }: { readonly kid: Kid; readonly scheme: string | undefined },
  context: Context,
): InspectNode {
  const text = attributeOf(element, 'systemId') ?? ''
  const systemId = toSystemId(text)
  const children = element.children.map((child) => explainChild(document, child, { kid, scheme, systemId }, context))
  return node('DRMSystem', systemId === undefined ? text : drmSystemName(systemId), {
    place: placeOf(document, element),
    meaning: systemId,
    findings: [
      ...(systemId === undefined ? [error('systemId is no UUID')] : []),
      ...compareChildren(document, element),
    ],
    children,
  })
}

interface Expected {
  readonly kid: Kid
  readonly scheme: string | undefined
  readonly systemId: SystemId | undefined
}

type Explain = (bytes: Uint8Array, context: Context) => readonly InspectNode[]

/** What stands in each child, decoded from base64. */
const SLOTS: Readonly<Record<string, Explain>> = {
  PSSH: (bytes, context) => explainBoxes(sourceOf(bytes), context),
  ContentProtectionData: explainContentProtectionData,
  HLSSignalingData: (bytes, context) => asText(bytes, (text) => explainHls(text, context)),
  SmoothStreamingProtectionHeaderData: (bytes, context) => explainPlayReadyObject(bytes, 0, context),
  URIExtXKey: (bytes) => asText(bytes, (text) => [text.startsWith('skd://') ? explainSkd(text) : node('URI', text)]),
  ProtectionHeader: (bytes, context) => explainPlayReadyObject(bytes, 0, context),
  KeyFormat: (bytes) => asText(bytes, (text) => [node('KEYFORMAT', text)]),
  KeyFormatVersions: (bytes) => asText(bytes, (text) => [node('KEYFORMATVERSIONS', text)]),
}

function explainChild(document: XmlDocument, child: XmlElement, expected: Expected, context: Context): InspectNode {
  const isKnown = child.namespace === CPIX_NAMESPACE || child.namespace === SPEKE_NAMESPACE
  const explain = isKnown && Object.hasOwn(SLOTS, child.local) ? SLOTS[child.local] : undefined
  if (explain === undefined) return plainElement(document, child, context)
  const place = placeOf(document, child)
  const playlist = attributeOf(child, 'playlist')
  const name = playlist === undefined ? child.local : `${child.local} ${playlist}`
  const text = textOf(document, child).trim()
  if (text === '') return node(name, 'empty', { place })
  const decoded = decodeBase64(text)
  if ('problem' in decoded) return node(name, undefined, { place, findings: [error(decoded.problem)] })
  const children = explain(decoded.bytes, context)
  const meaning = `base64 of ${decoded.bytes.length} bytes`
  return node(name, undefined, { place, meaning, findings: agree(children, expected), children })
}

function asText(bytes: Uint8Array, explain: (text: string) => readonly InspectNode[]): readonly InspectNode[] {
  const text = textOfBytes(bytes)
  return text === undefined ? [node('text', undefined, { findings: [error('is no text in UTF-8')] })] : explain(text)
}

function explainContentProtectionData(bytes: Uint8Array, context: Context): readonly InspectNode[] {
  return asText(bytes, (text) => {
    const read = readFragment(text)
    if ('broken' in read) {
      return [
        {
          ...read.broken,
          findings: [
            ...(read.broken.findings ?? []),
            note('whoever puts it into an MPD breaks the MPD: each prefix must be declared in it'),
          ],
        },
      ]
    }
    return explainProtectionElements(read.document, read.document.root.children, context)
  })
}

/** What signalling must agree on with the key it is for. */
function agree(nodes: readonly InspectNode[], { kid, scheme, systemId }: Expected): readonly InspectFinding[] {
  const findings = [...disagreement([kid], kidsIn(nodes), 'DRMSystem/@kid')]
  for (const { name, value } of nodesIn(nodes)) {
    if (
      name === 'SystemID' &&
      value !== undefined &&
      systemId !== undefined &&
      value !== systemId &&
      value !== DRM_SYSTEM_FACTS.get(systemId)?.psshSystemId
    ) {
      findings.push(
        warning(`the box is of ${drmSystemName(toSystemId(value) ?? systemId)}, not of the system of this element`),
      )
    }
    const wanted = SCHEME_WORDS[`${name} ${value}`]
    if (wanted !== undefined && (scheme === 'cenc' || scheme === 'cbcs') && wanted !== scheme) {
      findings.push(warning(`says ${wanted} (${name} ${value}), the content key ${scheme}: players cannot decrypt`))
    }
  }
  return findings
}

/** Words of signalling that mean a scheme. HLS says SAMPLE-AES of both to encryptors that know no other word. */
const SCHEME_WORDS: Readonly<Record<string, 'cenc' | 'cbcs'>> = {
  'protection_scheme cenc': 'cenc',
  'protection_scheme cbcs': 'cbcs',
  'ALGID AESCTR': 'cenc',
  'ALGID AESCBC': 'cbcs',
  'METHOD SAMPLE-AES-CTR': 'cenc',
}

/** The same thing said twice must be the same. @see speke.md 4.2, 5.1 */
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

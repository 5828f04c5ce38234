import { CPIX_NAMESPACE } from '../../formats/cpix/fields.ts'
import type { XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import { explainCpix, explainCpixParts, isCpixPart } from './cpix/cpix.ts'
import { explainMpd, explainProtectionElements, explainSmooth, isProtectionElement } from './dash.ts'
import type { Inspection, Kind } from './inspection.ts'
import { type Context, type InspectNode, node, note, withFindings } from './node.ts'
import { explainWrmElements, explainWrmHeader, isWrmElement, isWrmHeaderName } from './playready.ts'
import { readFragment, readXmlText, rootNameOf } from './xml.ts'

const XML_KINDS: Readonly<Record<string, Kind>> = {
  CPIX: 'CPIX',
  MPD: 'DASH MPD',
  SmoothStreamingMedia: 'Smooth Streaming manifest',
  WRMHEADER: 'WRMHEADER',
  ContentProtection: 'ContentProtection elements',
  pssh: 'ContentProtection elements',
  pro: 'ContentProtection elements',
  Laurl: 'ContentProtection elements',
  laurl: 'ContentProtection elements',
  Protection: 'Smooth Streaming manifest',
  ProtectionHeader: 'Smooth Streaming manifest',
}

export function explainXml(text: string, context: Context): Omit<Inspection, 'encodings'> {
  const name = rootNameOf(text) ?? ''
  const kind = (Object.hasOwn(XML_KINDS, name) ? XML_KINDS[name] : undefined) ?? partKind(name)
  if (kind === 'WRMHEADER' && isWrmHeaderName(name)) return { kind, nodes: explainWrmHeader(text.trim(), context) }
  if (DOCUMENTS.includes(name)) {
    const read = readXmlText(text)
    if ('broken' in read) return { kind, nodes: [read.broken] }
    if (kind === 'CPIX') return { kind, nodes: explainCpix(read.document, context) }
    return {
      kind,
      nodes: kind === 'DASH MPD' ? explainMpd(read.document, context) : explainSmooth(read.document, context),
    }
  }
  const read = readFragment(text, kind === 'CPIX' ? CPIX_NAMESPACE : undefined)
  if ('broken' in read) return { kind, nodes: [read.broken] }
  const { document, undeclared } = read
  return { kind, nodes: withPrefixNote(explainParts(kind, document, document.root.children, context), undeclared) }
}

/** Documents of their own; every other element is a part of one. */
const DOCUMENTS: readonly string[] = ['CPIX', 'MPD', 'SmoothStreamingMedia']

/** The document that an element is a part of. */
function partKind(name: string): Kind {
  if (isCpixPart(name)) return 'CPIX'
  if (isProtectionElement(name)) return 'ContentProtection elements'
  if (isWrmElement(name) || isWrmHeaderName(name)) return 'WRMHEADER'
  return MPD_PARTS.includes(name) ? 'DASH MPD' : 'XML'
}

const MPD_PARTS: readonly string[] = [
  'Period',
  'AdaptationSet',
  'Representation',
  'SubRepresentation',
  'Preselection',
  'EmptyAdaptationSet',
]

function explainParts(
  kind: Kind,
  document: XmlDocument,
  parts: readonly XmlElement[],
  context: Context,
): readonly InspectNode[] {
  if (kind === 'CPIX') return explainCpixParts(document, parts, context)
  if (kind === 'DASH MPD') return explainMpd(document, context)
  if (kind === 'Smooth Streaming manifest') return explainSmooth(document, context)
  if (kind === 'ContentProtection elements') return explainProtectionElements(document, parts, context)
  if (kind === 'WRMHEADER') return explainWrmElements(document, parts, context)
  return parts.map((one) => node(one.name, undefined, { meaning: 'an element that is not known here' }))
}

function withPrefixNote(nodes: readonly InspectNode[], prefixes: readonly string[]): readonly InspectNode[] {
  const [first, ...rest] = nodes
  if (first === undefined || prefixes.length === 0) return nodes
  const finding = note(`the prefix ${prefixes.join(', ')} is not declared in this text; a whole document declares it`)
  return [withFindings(first, [finding]), ...rest]
}

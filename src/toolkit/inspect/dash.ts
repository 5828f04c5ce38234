import { type Kid, toKid, toSystemId } from '../../formats/cenc.ts'
import { drmSystemName, PLAYREADY_SWAPPED } from '../../formats/drm/facts.ts'
import type { XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import { attributeOf, pathOf, textOf } from '../../formats/xml/reader.ts'
import { decodeBase64 } from './base64.ts'
import { disagreement, kidNode } from './kids.ts'
import { explainBoxes, sourceOf } from './mp4/mp4.ts'
import { error, type InspectFinding, type InspectNode, kidsIn, node, warning, withFindings } from './node.ts'
import type { Context } from './options.ts'
import { explainPlayReadyObject } from './playready.ts'
import { placeOf, plainElement } from './xml.ts'

/** Every ContentProtection of an MPD, those of one element together. @see ISO/IEC 23009-1, 5.8.4.1; ISO/IEC 23001-7, 11 */
export function explainMpd(document: XmlDocument, context: Context): InspectNode[] {
  const owners = elementsIn(document.root).filter(({ children }) => children.some(isContentProtection))
  if (owners.length === 0)
    return [node('MPD', undefined, { meaning: 'no ContentProtection stands in it: what it lists is not encrypted' })]
  const shown = owners.slice(0, MAX_OWNERS).map((owner) => explainOwner(document, owner, context))
  if (owners.length > MAX_OWNERS)
    shown.push(node('more elements', undefined, { meaning: `only ${MAX_OWNERS} are shown` }))
  return shown
}

/** The ProtectionHeader elements of a Smooth Streaming manifest. @see MS-SSTR, 2.2.2.2 */
export function explainSmooth(document: XmlDocument, context: Context): InspectNode[] {
  const headers = elementsIn(document.root).filter(({ local }) => local === 'ProtectionHeader')
  if (headers.length === 0)
    return [node('SmoothStreamingMedia', undefined, { meaning: 'no ProtectionHeader stands in it' })]
  return headers.map((element) => {
    const id = attributeOf(element, 'SystemID')?.replace(/^\{|\}$/g, '')
    const systemId = id === undefined ? undefined : toSystemId(id)
    const name = node('SystemID', id, { meaning: systemId && drmSystemName(systemId) })
    return explainBase64(document, element, [name], (bytes) => explainPlayReadyObject(bytes, 0, context))
  })
}

/** The elements of a ContentProtectionData, or of anything else that stands inside a ContentProtection. */
export function explainProtectionElements(
  document: XmlDocument,
  elements: readonly XmlElement[],
  context: Context,
): InspectNode[] {
  return elements.map((element) => {
    if (isContentProtection(element)) return explainContentProtection(document, element, context)
    const explain = Object.hasOwn(ELEMENTS, element.local) ? ELEMENTS[element.local] : undefined
    return explain === undefined ? plainElement(document, element, context) : explain(document, element, context)
  })
}

type Explain = (document: XmlDocument, element: XmlElement, context: Context) => InspectNode

const NAMESPACES: Readonly<Record<string, string>> = { pssh: 'urn:mpeg:cenc:2013', pro: 'urn:microsoft:playready' }

/** What stands inside a ContentProtection. */
const ELEMENTS: Readonly<Record<string, Explain>> = {
  pssh: (document, element, context) =>
    explainBase64(document, element, [], (bytes) => explainBoxes(sourceOf(bytes), context)),
  pro: (document, element, context) =>
    explainBase64(document, element, [], (bytes) => explainPlayReadyObject(bytes, 0, context)),
  Laurl: withMeaning('where players ask for a licence'),
  laurl: withMeaning('where players ask for a licence, an older form'),
  Authzurl: withMeaning('where players get a token for the licence server'),
  Certurl: withMeaning('where players get the certificate of the service'),
}

const MAX_OWNERS = 500
const MP4_PROTECTION = 'urn:mpeg:dash:mp4protection:2011'

function explainOwner(document: XmlDocument, owner: XmlElement, context: Context): InspectNode {
  const children = explainProtectionElements(document, owner.children.filter(isContentProtection), context)
  const expected = defaultKidsOf(owner)
  return node(pathOf(owner), undefined, {
    place: placeOf(document, owner),
    children: children.map((child) => withFindings(child, disagreement(expected, kidsIn([child]), 'cenc:default_KID'))),
  })
}

/** cenc:default_KID of the element or of what it stands in: a Representation has that of its AdaptationSet. */
function defaultKidsOf(owner: XmlElement): readonly Kid[] {
  for (let at: XmlElement | undefined = owner; at !== undefined; at = at.parent) {
    const kids = at.children.filter(isContentProtection).flatMap(({ attributes }) =>
      attributes
        .filter(({ local }) => local === 'default_KID')
        .flatMap(({ value }) =>
          value
            .trim()
            .split(/\s+/)
            .flatMap((text) => toKid(text) ?? []),
        ),
    )
    if (kids.length > 0) return kids
  }
  return []
}

function explainContentProtection(document: XmlDocument, element: XmlElement, context: Context): InspectNode {
  const scheme = attributeOf(element, 'schemeIdUri') ?? ''
  const { meaning, findings } = explainScheme(scheme)
  return node('ContentProtection', scheme, {
    place: placeOf(document, element),
    meaning,
    findings,
    children: [
      ...element.attributes.flatMap(({ name, local, value, namespace }) => {
        if (local === 'default_KID')
          return value
            .trim()
            .split(/\s+/)
            .map((text) => explainDefaultKid(name, text))
        if (namespace.startsWith('http://www.w3.org/') || local === 'schemeIdUri') return []
        return [
          node(`@${name}`, value, {
            meaning: scheme === MP4_PROTECTION && name === 'value' ? 'the protection scheme' : undefined,
          }),
        ]
      }),
      ...explainProtectionElements(document, element.children, context),
    ],
  })
}

function explainScheme(scheme: string): { meaning: string; findings: readonly InspectFinding[] } {
  if (scheme.toLowerCase() === MP4_PROTECTION)
    return { meaning: 'how it is encrypted and with which key', findings: [] }
  const systemId = toSystemId(scheme.replace(/^urn:uuid:/i, ''))
  if (systemId === undefined) return { meaning: 'another descriptor', findings: [] }
  const findings =
    systemId === PLAYREADY_SWAPPED
      ? [warning('the id of PlayReady with its bytes in the wrong order: only old HbbTV devices read it')]
      : []
  return { meaning: drmSystemName(systemId), findings }
}

function explainDefaultKid(name: string, text: string): InspectNode {
  const kid = toKid(text)
  return kid === undefined
    ? node(`@${name}`, text, { findings: [error('expected a UUID')] })
    : kidNode(`@${name}`, kid, 'uuid')
}

function explainBase64(
  document: XmlDocument,
  element: XmlElement,
  first: readonly InspectNode[],
  explain: (bytes: Uint8Array) => readonly InspectNode[],
): InspectNode {
  const place = placeOf(document, element)
  const decoded = decodeBase64(textOf(document, element))
  const wanted = NAMESPACES[element.local]
  const findings =
    wanted === undefined || wanted === element.namespace
      ? []
      : [warning(`players look for it in the namespace ${wanted}`)]
  if ('problem' in decoded)
    return node(element.name, undefined, { place, findings: [...findings, error(decoded.problem)], children: first })
  if (decoded.bytes.length === 0) return node(element.name, 'empty', { place, findings, children: first })
  return node(element.name, undefined, {
    place,
    findings,
    meaning: `${decoded.bytes.length} bytes of base64; places are offsets in them`,
    children: [...first, ...explain(decoded.bytes)],
  })
}

function withMeaning(meaning: string): Explain {
  return (document, element, context) => ({ ...plainElement(document, element, context), meaning })
}

function isContentProtection({ local }: XmlElement): boolean {
  return local === 'ContentProtection'
}

function elementsIn(element: XmlElement): XmlElement[] {
  const found: XmlElement[] = []
  const left = [element]
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    found.push(at)
    for (const child of [...at.children].reverse()) left.push(child)
  }
  return found
}

import { COMMON_ENCRYPTION_SCHEMES, type Kid, type SystemId, toKid, toSystemId } from '../../formats/cenc.ts'
import { drmSystemName, PLAYREADY_SWAPPED } from '../../formats/drm/facts.ts'
import type { XmlAttribute, XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import { attributeOf, pathOf, textOf } from '../../formats/xml/reader.ts'
import { elementDisagreements, kidNode, kidOf, kidOfText } from './kids.ts'
import { explainBoxes, isBoxes, sourceOf } from './mp4/mp4.ts'
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
import { payloadOf } from './payload.ts'
import { explainPayload } from './pssh.ts'
import { shownText } from './secrets.ts'
import { decodeBase64, decodeCutBase64 } from './text.ts'
import { placeOf, plainElement } from './xml.ts'

/** Every ContentProtection of an MPD or a part of one, grouped by its parent. @see ISO/IEC 23009-1, 5.8.4.1; ISO/IEC 23001-7, 11 */
export function explainMpd(document: XmlDocument, context: Context): InspectNode[] {
  const owners = elementsIn(document.root).filter(({ children }) => children.some(isContentProtection))
  if (owners.length === 0)
    return [
      node(document.root.name, undefined, { meaning: 'has no ContentProtection, so it lists no encrypted media' }),
    ]
  const shown = owners.slice(0, MAX_OWNERS).map((owner) => explainOwner(document, owner, context))
  if (owners.length > MAX_OWNERS)
    shown.push(node('more elements', undefined, { meaning: `only ${MAX_OWNERS} are shown` }))
  return shown
}

/** The ProtectionHeader elements of a Smooth Streaming manifest. @see MS-SSTR, 2.2.2.2 */
export function explainSmooth(document: XmlDocument, context: Context): InspectNode[] {
  const headers = elementsIn(document.root).filter(({ local }) => local === 'ProtectionHeader')
  if (headers.length === 0) return [node('SmoothStreamingMedia', undefined, { meaning: 'has no ProtectionHeader' })]
  return headers.map((element) => {
    const id = attributeOf(element, 'SystemID')?.replace(/^\{|\}$/g, '')
    const systemId = id === undefined ? undefined : toSystemId(id)
    const name = node('SystemID', id, { meaning: systemId && drmSystemName(systemId) })
    return explainBase64(document, element, [name], (bytes) => explainPayload(bytes, 0, 'PlayReady Object', context))
  })
}

/** The elements of a ContentProtectionData, or other children of a ContentProtection. */
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

/** The children of a ContentProtection, by local name. */
const ELEMENTS: Readonly<Record<string, Explain>> = {
  pssh: (document, element, context) =>
    explainBase64(document, element, [], (bytes) => explainPsshBoxes(bytes, context)),
  pro: (document, element, context) =>
    explainBase64(document, element, [], (bytes) => explainPayload(bytes, 0, 'PlayReady Object', context)),
  kid: explainPlayReadyKid,
  Laurl: withMeaning('where players request a licence'),
  laurl: withMeaning('where players request a licence, an older form'),
  Authzurl: withMeaning('where players get a token for the licence server'),
  Certurl: withMeaning('where players get the certificate of the service'),
}

/** Whether an element can be a child of a ContentProtection, by its local name. */
export function isProtectionElement(local: string): boolean {
  return Object.hasOwn(ELEMENTS, local)
}

/** The root that is put around a part of a document. */
const FRAGMENT = 'fragment/'
const MAX_OWNERS = 500
const MP4_PROTECTION = 'urn:mpeg:dash:mp4protection:2011'
const CENC_NAMESPACE = 'urn:mpeg:cenc:2013'

/** The boxes of a cenc:pssh or a PSSH. */
export function explainPsshBoxes(bytes: Uint8Array, context: Context): Pick<InspectNode, 'findings' | 'children'> {
  return isBoxes(bytes, bytes.length)
    ? { children: explainBoxes(sourceOf(bytes), context) }
    : payloadOf(bytes) === undefined
      ? { children: explainBoxes(sourceOf(bytes), context) }
      : explainPayload(bytes, 0, 'pssh box', context)
}

function explainOwner(document: XmlDocument, owner: XmlElement, context: Context): InspectNode {
  const kids = defaultKidsOf(owner)
  const scheme = schemeOf(owner)
  const descriptors = owner.children.filter(isContentProtection)
  const path = pathOf(owner)
  const isPart = path.startsWith(FRAGMENT)
  return node(isPart ? path.slice(FRAGMENT.length) : path, undefined, {
    place: placeOf(document, owner),
    // What a part of an MPD lacks, the rest of the MPD can have.
    findings: ownerFindings(descriptors, kids, scheme, isPart ? note : warning),
    children: descriptors.map((descriptor) => explainDescriptor(document, descriptor, { kids, scheme }, context)),
  })
}

/** A descriptor with everything in it that differs from the key and the scheme of its owner, each child compared alone. */
function explainDescriptor(
  document: XmlDocument,
  descriptor: XmlElement,
  { kids, scheme }: { readonly kids: readonly Kid[]; readonly scheme: string | undefined },
  context: Context,
): InspectNode {
  const explained = explainContentProtection(document, descriptor, context)
  const systemId = systemIdOfScheme(attributeOf(descriptor, 'schemeIdUri') ?? '')
  const surroundings = { kids, kidsIn: 'cenc:default_KID', scheme, schemeIn: '@value', systemId }
  const children = explained.children ?? []
  return withFindings(explained, elementDisagreements(children, surroundings))
}

function ownerFindings(
  descriptors: readonly XmlElement[],
  kids: readonly Kid[],
  scheme: string | undefined,
  finding: (message: string) => InspectFinding,
): readonly InspectFinding[] {
  const findings: InspectFinding[] = []
  const isSystem = descriptors.some((one) => systemIdOfScheme(attributeOf(one, 'schemeIdUri') ?? '') !== undefined)
  const isMp4 = descriptors.some((one) => isMp4Protection(one))
  if (!isSystem && !isMp4) return []
  if (kids.length === 0)
    findings.push(finding('names no cenc:default_KID: players need it to know which key the media has'))
  if (scheme === undefined)
    findings.push(
      finding(`names no protection scheme: a ContentProtection with schemeIdUri="${MP4_PROTECTION}" and @value has it`),
    )
  return findings
}

function isMp4Protection(descriptor: XmlElement): boolean {
  return attributeOf(descriptor, 'schemeIdUri')?.toLowerCase() === MP4_PROTECTION
}

/** The kids of the nearest default_KID: a Representation has that of its AdaptationSet. */
function defaultKidsOf(owner: XmlElement): readonly Kid[] {
  for (let at: XmlElement | undefined = owner; at !== undefined; at = at.parent) {
    const kids = at.children
      .filter(isContentProtection)
      .flatMap(({ attributes }) => attributes)
      .filter(({ local }) => local === 'default_KID')
      .flatMap(({ value }) => value.trim().split(/\s+/))
      .flatMap((text) => kidOfText(text) ?? [])
    if (kids.length > 0) return kids
  }
  return []
}

/** The nearest protection scheme, in the same way. */
function schemeOf(owner: XmlElement): string | undefined {
  for (let at: XmlElement | undefined = owner; at !== undefined; at = at.parent) {
    const found = at.children.find((child) => isContentProtection(child) && isMp4Protection(child))
    const value = found && attributeOf(found, 'value')?.trim()
    if (value !== undefined && value !== '') return value.split(':')[0]?.toLowerCase()
  }
  return undefined
}

function explainContentProtection(document: XmlDocument, element: XmlElement, context: Context): InspectNode {
  const scheme = attributeOf(element, 'schemeIdUri') ?? ''
  const { meaning, findings } = explainScheme(scheme)
  return node('ContentProtection', scheme, {
    place: placeOf(document, element),
    meaning,
    findings,
    children: [
      ...element.attributes.flatMap((attribute) => explainAttribute(attribute, isMp4Protection(element), context)),
      ...explainProtectionElements(document, element.children, context),
    ],
  })
}

function explainAttribute(
  { name, local, value, namespace }: XmlAttribute,
  isMp4: boolean,
  context: Context,
): readonly InspectNode[] {
  if (local === 'default_KID') {
    const findings =
      namespace === CENC_NAMESPACE || namespace === ''
        ? []
        : [warning(`players look for default_KID in the namespace ${CENC_NAMESPACE}`)]
    if (namespace === '')
      findings.push(warning(`has no prefix: players look for default_KID in the namespace ${CENC_NAMESPACE}`))
    return value
      .trim()
      .split(/\s+/)
      .map((text) => withFindings(explainDefaultKid(name, text), findings))
  }
  if (namespace.startsWith('http://www.w3.org/') || local === 'schemeIdUri') return []
  if (isMp4 && name === 'value') {
    const isKnown = COMMON_ENCRYPTION_SCHEMES.some((scheme) => scheme === value)
    const findings = isKnown ? [] : [warning(`is none of ${COMMON_ENCRYPTION_SCHEMES.join(', ')}`)]
    return [node(`@${name}`, value, { meaning: 'the protection scheme', findings })]
  }
  const { text, findings } = shownText(value, context)
  return [node(`@${name}`, text, { findings })]
}

/** The system that a schemeIdUri names; undefined for another URI. */
function systemIdOfScheme(scheme: string): SystemId | undefined {
  return toSystemId(scheme.trim().replace(/^urn:uuid:/i, ''))
}

function explainScheme(scheme: string): { meaning: string; findings: readonly InspectFinding[] } {
  if (scheme.toLowerCase() === MP4_PROTECTION) return { meaning: 'the protection scheme and the key', findings: [] }
  const systemId = systemIdOfScheme(scheme)
  if (systemId === undefined) return { meaning: 'another descriptor', findings: [] }
  const findings =
    systemId === PLAYREADY_SWAPPED
      ? [warning("PlayReady's ID with its bytes in the wrong order: only old HbbTV devices read it")]
      : []
  return { meaning: drmSystemName(systemId), findings }
}

function explainDefaultKid(name: string, text: string): InspectNode {
  const kid = toKid(text)
  if (kid !== undefined) return kidNode(`@${name}`, kid, 'uuid')
  const other = kidOfText(text)
  const findings = [error('expected a UUID with hyphens')]
  return other === undefined
    ? node(`@${name}`, text, { findings })
    : withFindings(kidNode(`@${name}`, other, 'uuid'), findings)
}

/** mspr:kid: the kid in the byte order of PlayReady. It is public. */
function explainPlayReadyKid(document: XmlDocument, element: XmlElement): InspectNode {
  const place = placeOf(document, element)
  const decoded = decodeBase64(textOf(document, element))
  return 'bytes' in decoded && decoded.bytes.length === 16
    ? kidNode(element.name, kidOf(decoded.bytes, 'guid'), 'guid', place)
    : node(element.name, undefined, { place, findings: [error('expected base64 of 16 bytes, a little-endian GUID')] })
}

function explainBase64(
  document: XmlDocument,
  element: XmlElement,
  first: readonly InspectNode[],
  explain: (bytes: Uint8Array) => Pick<InspectNode, 'findings' | 'children'>,
): InspectNode {
  const place = placeOf(document, element)
  const decoded = decodeCutBase64(textOf(document, element))
  const wanted = NAMESPACES[element.local]
  const findings =
    wanted === undefined || wanted === element.namespace
      ? []
      : [warning(`players look for it in the namespace ${wanted}`)]
  if ('problem' in decoded)
    return node(element.name, undefined, { place, findings: [...findings, error(decoded.problem)], children: first })
  if (decoded.bytes.length === 0) return node(element.name, 'empty', { place, findings, children: first })
  const explained = explain(decoded.bytes)
  const cut = decoded.cut === undefined ? [] : [error(`not base64: ${decoded.cut}`)]
  return node(element.name, undefined, {
    place,
    findings: [...findings, ...cut, ...(explained.findings ?? [])],
    meaning: `${decoded.bytes.length} bytes of base64; places are offsets in them`,
    children: [...first, ...(explained.children ?? [])],
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

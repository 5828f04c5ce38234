import { KeyProviderError } from '../../../core/errors.ts'
import { type Kid, toKid } from '../../../formats/cenc.ts'
import { type ContentKeyUsageRule, readContentKeyUsageRule } from '../../../formats/cpix/content-key-usage-rule.ts'
import { type Cpix, entriesOf, isListName, readCpix } from '../../../formats/cpix/document.ts'
import { CPIX_NAMESPACE, collapse, SPEKE_NAMESPACE, XMLDSIG_NAMESPACE } from '../../../formats/cpix/fields.ts'
import { XMLNS_NAMESPACE, type XmlDocument, type XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf } from '../../../formats/xml/reader.ts'
import { toHex } from '../byte-reader.ts'
import { disagreement, kidNode } from '../kids.ts'
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
import { decodeBase64 } from '../text.ts'
import { placeOf, plainElement } from '../xml.ts'
import { type ReadKey, readDocumentKeys } from './keys.ts'
import { explainChild, explainDrmSystem, isDrmSystemChild } from './signaling.ts'

/** A CPIX document by its content keys: what each is for, and all that is said of it. @see CPIX 2.3 */
export function explainCpix(document: XmlDocument, context: Context): InspectNode[] {
  let cpix: Cpix
  try {
    cpix = readCpix(document)
  } catch (problem) {
    if (!(problem instanceof KeyProviderError)) throw problem
    return [{ ...plainElement(document, document.root, context), findings: [error(problem.message)] }]
  }
  const { recipients, read } = readDocumentKeys(document, cpix.lists.DeliveryDataList, context)
  const elements = entriesOf(cpix.lists.ContentKeyList, 'ContentKey')
  const keys = elements.map((element) => ({ element, kid: toKid(attributeOf(element, 'kid') ?? ''), ...read(element) }))
  const contentKeys = new Map(
    keys.flatMap(({ kid, contentKey }) => (kid && contentKey ? [[kid, contentKey] as const] : [])),
  )
  const known = { ...context, contentKeys }
  const parts = partsByKid(cpix)
  const kids = keys.flatMap(({ kid }) => kid ?? [])
  return [
    explainRoot(
      cpix,
      keys.some(({ contentKey, node: { value } }) => contentKey !== undefined || value !== 'none'),
    ),
    ...recipients,
    ...keys.map((key) => explainContentKey(document, key, parts, known)),
    ...entriesOf(cpix.lists.ContentKeyPeriodList, 'ContentKeyPeriod').map((element) =>
      explainPeriod(document, element),
    ),
    ...strangers(document, parts, kids, known),
    ...entriesOf(cpix.lists.UpdateHistoryItemList, 'UpdateHistoryItem').map((element) =>
      plainElement(document, element, context),
    ),
    ...cpix.element.children.flatMap((child) => explainOther(document, child, context)),
  ]
}

/** Elements that were copied out of a CPIX document. */
export function explainCpixParts(
  document: XmlDocument,
  elements: readonly XmlElement[],
  context: Context,
): InspectNode[] {
  return elements.flatMap((element) => explainPart(document, element, context))
}

/** Whether an element can be a part of a CPIX document, by its local name. */
export function isCpixPart(local: string): boolean {
  return isListName(local) || PARTS.includes(local) || isDrmSystemChild(local)
}

const PARTS: readonly string[] = [
  'ContentKey',
  'DRMSystem',
  'ContentKeyPeriod',
  'ContentKeyUsageRule',
  'DeliveryData',
  'UpdateHistoryItem',
]
const NO_PARTS: Parts = { systems: new Map(), rules: new Map(), periods: new Map() }

function explainPart(document: XmlDocument, element: XmlElement, context: Context): readonly InspectNode[] {
  const { local } = element
  if (isListName(local)) return element.children.flatMap((child) => explainPart(document, child, context))
  const kid = toKid(attributeOf(element, 'kid') ?? '')
  if (local === 'ContentKey') {
    const { read } = readDocumentKeys(document, undefined, context)
    return [explainContentKey(document, { element, kid, ...read(element) }, NO_PARTS, context)]
  }
  if (local === 'DRMSystem') {
    const explained = explainDrmSystem(document, element, { kid, scheme: undefined }, context)
    return [kid === undefined ? withFindings(explained, [error('@kid is not a UUID')]) : explained]
  }
  if (local === 'ContentKeyPeriod') return [explainPeriod(document, element)]
  if (local === 'ContentKeyUsageRule') return [explainRule(document, element, NO_PARTS, context)]
  if (isDrmSystemChild(local))
    return [explainChild(document, element, { kid: undefined, scheme: undefined, systemId: undefined }, context)]
  return [plainElement(document, element, context)]
}

function explainRoot({ element, document, id, contentId, version }: Cpix, isAnswer: boolean): InspectNode {
  const isV1 =
    contentId === undefined &&
    version === undefined &&
    element.attributes.some(({ namespace, value }) => namespace === XMLNS_NAMESPACE && value === SPEKE_NAMESPACE)
  const others = element.attributes.filter(
    ({ name, namespace }) => namespace !== XMLNS_NAMESPACE && !['id', 'contentId', 'version'].includes(name),
  )
  return node(isAnswer ? 'CPIX answer' : 'CPIX request', undefined, {
    place: placeOf(document, element),
    meaning: isV1
      ? 'SPEKE 1.0, by its namespace'
      : version === undefined
        ? 'CPIX, without a version'
        : `CPIX ${version}`,
    children: [
      ...(contentId === undefined ? [] : [node('contentId', contentId)]),
      ...(id === undefined
        ? []
        : [
            node('id', id, {
              meaning:
                contentId !== undefined
                  ? undefined
                  : isV1
                    ? 'of the content'
                    : 'of the document; in SPEKE 1.0 of the content',
            }),
          ]),
      ...(version === undefined ? [] : [node('version', version)]),
      ...others.map(({ name, value }) => node(`@${name}`, value)),
    ],
  })
}

interface Parts {
  readonly systems: ReadonlyMap<string, readonly XmlElement[]>
  readonly rules: ReadonlyMap<string, readonly XmlElement[]>
  readonly periods: ReadonlyMap<string, string>
}

/** The elements that are about a key, by its kid in lower case. */
function partsByKid({ lists }: Cpix): Parts {
  const byKid = (elements: readonly XmlElement[]) =>
    Map.groupBy(elements, (element) => (attributeOf(element, 'kid') ?? '').toLowerCase())
  const periods = entriesOf(lists.ContentKeyPeriodList, 'ContentKeyPeriod')
  return {
    systems: byKid(entriesOf(lists.DRMSystemList, 'DRMSystem')),
    rules: byKid(entriesOf(lists.ContentKeyUsageRuleList, 'ContentKeyUsageRule')),
    periods: new Map(periods.map((element) => [collapse(attributeOf(element, 'id') ?? ''), describePeriod(element)])),
  }
}

interface KeyOfDocument extends ReadKey {
  readonly element: XmlElement
  readonly kid: Kid | undefined
}

function explainContentKey(
  document: XmlDocument,
  { element, kid, node: keyNode, contentKey }: KeyOfDocument,
  parts: Parts,
  context: Context,
): InspectNode {
  const place = placeOf(document, element)
  if (kid === undefined)
    return node('ContentKey', undefined, { place, findings: [error('@kid is not a UUID')], children: [keyNode] })
  const scheme = attributeOf(element, 'commonEncryptionScheme')
  const children = [
    ...(scheme === undefined ? [] : [node('commonEncryptionScheme', scheme)]),
    ...explainIv(element, contentKey),
    keyNode,
    ...element.children.filter(({ local }) => local !== 'Data').map((child) => plainElement(document, child, context)),
    ...(parts.rules.get(kid) ?? []).map((rule) => explainRule(document, rule, parts, context)),
    ...(parts.systems.get(kid) ?? []).map((system) => explainDrmSystem(document, system, { kid, scheme }, context)),
  ]
  return { ...kidNode('ContentKey', kid, 'uuid', place), children }
}

function explainIv(element: XmlElement, contentKey: Uint8Array | undefined): readonly InspectNode[] {
  const text = attributeOf(element, 'explicitIV')
  if (text === undefined) return []
  const decoded = decodeBase64(text)
  if ('problem' in decoded || decoded.bytes.length !== 16)
    return [node('explicitIV', undefined, { findings: [error('expected base64 of 16 bytes')] })]
  if (contentKey !== undefined && Buffer.compare(contentKey, decoded.bytes) === 0) {
    return [node('explicitIV', 'hidden', { findings: [error('is the content key: an IV is public, so the key is')] })]
  }
  return [node('explicitIV', toHex(decoded.bytes))]
}

/** @see CPIX 2.3, ContentKeyUsageRule */
function explainRule(document: XmlDocument, element: XmlElement, { periods }: Parts, context: Context): InspectNode {
  const rule = readContentKeyUsageRule(element)
  const known = rule.unknown.filter(({ local, namespace }) => local === 'LabelFilter' && namespace === CPIX_NAMESPACE)
  const filters = [...rule.videoFilters, ...rule.audioFilters, ...rule.bitrateFilters, ...known]
  return node('used for', rule.intendedTrackType ?? tracksOf(rule, filters.length > 0), {
    place: placeOf(document, element),
    meaning: 'ContentKeyUsageRule',
    children: [
      ...rule.periodIds.map((id) => explainPeriodFilter(id, periods)),
      ...filters.map((filter) => plainElement(document, filter, context)),
      ...rule.unknown
        .filter((child) => !known.includes(child))
        .map((child) => withFindings(plainElement(document, child, context), [note('is not known here')])),
    ],
  })
}

/** The tracks of a rule without intendedTrackType: a filter restricts it to tracks of its type. @see CPIX 2.3, ContentKeyUsageRule */
function tracksOf({ videoFilters, audioFilters }: ContentKeyUsageRule, isFiltered: boolean): string {
  if (videoFilters.length > 0 && audioFilters.length > 0) return 'video and audio tracks that the filters fit'
  if (videoFilters.length > 0) return 'video tracks that the filters fit'
  if (audioFilters.length > 0) return 'audio tracks that the filters fit'
  return isFiltered ? 'tracks that the filters fit' : 'any track'
}

function explainPeriodFilter(id: string | undefined, periods: Parts['periods']): InspectNode {
  const period = periods.get(id ?? '')
  const findings = period === undefined ? [warning('no ContentKeyPeriod has this id')] : []
  return node('in key period', period ?? 'none', { meaning: id === undefined ? undefined : `periodId ${id}`, findings })
}

function explainPeriod(document: XmlDocument, element: XmlElement): InspectNode {
  return node('ContentKeyPeriod', describePeriod(element), {
    place: placeOf(document, element),
    meaning: `id ${attributeOf(element, 'id') ?? 'missing'}`,
  })
}

/** What a period is known by, apart from the id that only ties the document together. */
function describePeriod(element: XmlElement): string {
  const attributes = ['index', 'label', 'start', 'end', 'startOffset', 'endOffset', 'duration'].flatMap((name) => {
    const value = attributeOf(element, name)
    return value === undefined ? [] : [`${name} ${value}`]
  })
  return attributes.length === 0 ? 'without index or time' : attributes.join(', ')
}

/** Systems and rules of kids that the document has no key for. */
function strangers(
  document: XmlDocument,
  { systems, rules, periods }: Parts,
  kids: readonly Kid[],
  context: Context,
): readonly InspectNode[] {
  const known = new Set<string>(kids)
  const of = (groups: ReadonlyMap<string, readonly XmlElement[]>) => [...groups].filter(([kid]) => !known.has(kid))
  const why = (text: string): readonly InspectFinding[] => {
    const kid = toKid(text)
    return [
      error('no ContentKey has its kid'),
      ...(kid === undefined ? [error('@kid is not a UUID')] : disagreement(kids, [kid], 'ContentKeyList')),
    ]
  }
  return [
    ...of(systems).flatMap(([text, elements]) =>
      elements.map((element) => {
        const kid = toKid(text)
        const explained =
          kid === undefined
            ? plainElement(document, element, context)
            : explainDrmSystem(document, element, { kid, scheme: undefined }, context)
        return withFindings(explained, why(text))
      }),
    ),
    ...of(rules).flatMap(([text, elements]) =>
      elements.map((element) =>
        withFindings(explainRule(document, element, { systems, rules, periods }, context), why(text)),
      ),
    ),
  ]
}

function explainOther(document: XmlDocument, child: XmlElement, context: Context): readonly InspectNode[] {
  const place = placeOf(document, child)
  if (child.namespace === XMLDSIG_NAMESPACE && child.local === 'Signature')
    return [node('Signature', 'not verified', { place })]
  if (child.namespace === CPIX_NAMESPACE && isListName(child.local)) return []
  return [withFindings(plainElement(document, child, context), [note('is not known here')])]
}

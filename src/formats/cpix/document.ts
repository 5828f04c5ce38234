import type { XmlDocument, XmlElement } from '../xml/document.ts'
import { attributeOf } from '../xml/reader.ts'
import { CPIX_NAMESPACE, CpixError, elementError, XMLDSIG_NAMESPACE } from './fields.ts'

/** The lists of a CPIX document, each at most once, whatever their order. */
const LISTS = [
  'DeliveryDataList',
  'ContentKeyList',
  'DRMSystemList',
  'ContentKeyPeriodList',
  'ContentKeyUsageRuleList',
  'UpdateHistoryItemList',
] as const
export type ListName = (typeof LISTS)[number]

/** The root of a CPIX document. @see CPIX 2.3, CPIX */
export interface Cpix {
  readonly document: XmlDocument
  readonly element: XmlElement
  readonly id: string | undefined
  readonly contentId: string | undefined
  readonly version: string | undefined
  readonly lists: Readonly<Partial<Record<ListName, XmlElement>>>
  readonly signatures: readonly XmlElement[]
}

/** The typed view of a document's root. Throws ERR_CPIX_INVALID for a document that is not CPIX, or has a list twice or misplaced. */
export function readCpix(document: XmlDocument): Cpix {
  const element = document.root
  if (element.namespace !== CPIX_NAMESPACE || element.local !== 'CPIX') {
    throw new CpixError('/', `the root element must be CPIX of the namespace ${CPIX_NAMESPACE}`)
  }
  rejectMisplaced(element)
  const lists: Partial<Record<ListName, XmlElement>> = {}
  const signatures: XmlElement[] = []
  for (const child of element.children) {
    if (child.namespace === XMLDSIG_NAMESPACE && child.local === 'Signature') signatures.push(child)
    if (child.namespace !== CPIX_NAMESPACE || !isListName(child.local)) continue
    if (lists[child.local] !== undefined) throw elementError(child, `a document has one ${child.local}`)
    lists[child.local] = child
  }
  return {
    document,
    element,
    id: attributeOf(element, 'id'),
    contentId: attributeOf(element, 'contentId'),
    version: attributeOf(element, 'version'),
    lists,
    signatures,
  }
}

/** The parents of elements that must not be overlooked: recipients anywhere else would leave keys in the clear. */
const PARENTS: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(LISTS.map((list) => [list, ['CPIX']])),
  DeliveryData: ['DeliveryDataList'],
  DeliveryKey: ['DeliveryData'],
  DocumentKey: ['DeliveryData'],
  ContentKey: ['ContentKeyList'],
  DRMSystem: ['DRMSystemList'],
  ContentKeyPeriod: ['ContentKeyPeriodList'],
  ContentKeyUsageRule: ['ContentKeyUsageRuleList'],
}

/** Recipients in other letters or in another namespace: the sender wants encryption. */
const LOOKS_LIKE_DELIVERY_DATA = /^deliverydata/i

function misplaced(local: string, parents: readonly string[] = ['CPIX/DeliveryDataList']): string {
  return `expected ${local} only in ${parents.join(', ')}, in the CPIX namespace. Move it there.`
}

/** Throws ERR_CPIX_INVALID for a list or an entry of one that is not where CPIX has it, in whatever namespace. */
function rejectMisplaced(root: XmlElement): void {
  const left: XmlElement[] = [root]
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    for (const child of at.children) {
      const parents = Object.hasOwn(PARENTS, child.local) ? PARENTS[child.local] : undefined
      const isNamed = parents !== undefined && child.namespace === CPIX_NAMESPACE
      if (!isNamed && !LOOKS_LIKE_DELIVERY_DATA.test(child.local)) {
        if (child.children.length > 0) left.push(child)
        continue
      }
      const fits = isNamed && at.namespace === CPIX_NAMESPACE && parents.includes(at.local)
      const list = at.local === 'DeliveryData' ? at.parent : at
      if (!fits || (list !== root && list?.parent !== root)) throw elementError(child, misplaced(child.local, parents))
      if (child.children.length > 0) left.push(child)
    }
  }
}

/** The entries of a list that must exist and not be empty. */
export function requiredEntries(cpix: Cpix, list: ListName, entry: string): readonly XmlElement[] {
  const element = cpix.lists[list]
  if (element === undefined) throw elementError(cpix.element, `${list} is missing`)
  const entries = entriesOf(element, entry)
  if (entries.length === 0) throw elementError(element, `expected at least one ${entry}`)
  return entries
}

/** The entries of a list; none for an absent list. */
export function entriesOf(list: XmlElement | undefined, entry: string): readonly XmlElement[] {
  return (list?.children ?? []).filter((child) => child.namespace === CPIX_NAMESPACE && child.local === entry)
}

/** Whether an element of CPIX with this name is one of the lists. */
export function isListName(local: string): local is ListName {
  return (LISTS as readonly string[]).includes(local)
}

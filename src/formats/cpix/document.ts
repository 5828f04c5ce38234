import type { XmlDocument, XmlElement } from '../xml/document.ts'
import { attributeOf } from '../xml/reader.ts'
import { CpixError, elementError } from './error.ts'
import { CPIX_NAMESPACE, XMLDSIG_NAMESPACE } from './names.ts'

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

/** The typed view of a document's root. Refuses a document that is not CPIX or holds a list twice. */
export function readCpix(document: XmlDocument): Cpix {
  const element = document.root
  if (element.namespace !== CPIX_NAMESPACE || element.local !== 'CPIX') {
    throw new CpixError('/', `the root element must be CPIX of the namespace ${CPIX_NAMESPACE}`)
  }
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

/** The entries of a list that must be there and not be empty. */
export function requiredEntries(cpix: Cpix, list: ListName, entry: string): readonly XmlElement[] {
  const element = cpix.lists[list]
  if (element === undefined) throw elementError(cpix.element, `${list} is missing`)
  const entries = entriesOf(element, entry)
  if (entries.length === 0) throw elementError(element, `expected at least one ${entry}`)
  return entries
}

/** The entries of a list, none when the list is absent. */
export function entriesOf(list: XmlElement | undefined, entry: string): readonly XmlElement[] {
  return (list?.children ?? []).filter((child) => child.namespace === CPIX_NAMESPACE && child.local === entry)
}

/** Whether an element of CPIX with this name is one of the lists. */
export function isListName(local: string): local is ListName {
  return (LISTS as readonly string[]).includes(local)
}

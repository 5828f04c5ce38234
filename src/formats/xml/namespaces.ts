import { XML_NAMESPACE, XMLNS_NAMESPACE } from './document.ts'

/** A namespace name, once a document: two are the same namespace exactly when they are the same object. */
export interface Namespace {
  readonly name: string
  readonly id: number
}

/** The namespaces of prefixes at the place of the reader. `version` changes with each of them. */
export interface NamespaceScope {
  version: number
  readonly bindings: Map<string, Namespace>
  readonly known: Map<string, Namespace>
  readonly undo: { readonly prefix: string; readonly before: Namespace | undefined }[]
}

export function newScope(): NamespaceScope {
  const none = { name: '', id: 0 }
  const xml = { name: XML_NAMESPACE, id: 1 }
  return {
    version: 1,
    bindings: new Map([
      ['', none],
      ['xml', xml],
    ]),
    known: new Map([
      ['', none],
      [XML_NAMESPACE, xml],
    ]),
    undo: [],
  }
}

/** What forbids binding `prefix` ('' for the default) to the namespace `name`. @see Namespaces in XML 1.0, 3 */
export function bindingProblem(prefix: string, name: string): string | undefined {
  if (prefix === 'xmlns') return 'the prefix "xmlns" must not be declared'
  if (prefix === 'xml') return name === XML_NAMESPACE ? undefined : `the prefix "xml" must be bound to ${XML_NAMESPACE}`
  if (name === XML_NAMESPACE) return `only the prefix "xml" may be bound to ${XML_NAMESPACE}`
  if (name === XMLNS_NAMESPACE) return `nothing may be bound to ${XMLNS_NAMESPACE}`
  if (name === '' && prefix !== '') return 'a prefix must not be bound to an empty namespace name'
  return undefined
}

/** Binds `prefix` until the scope is restored to where `scope.undo` ended before. */
export function bind(scope: NamespaceScope, prefix: string, name: string): void {
  let namespace = scope.known.get(name)
  if (namespace === undefined) {
    namespace = { name, id: scope.known.size }
    scope.known.set(name, namespace)
  }
  scope.undo.push({ prefix, before: scope.bindings.get(prefix) })
  scope.bindings.set(prefix, namespace)
  scope.version++
}

/** Takes back every binding made since `scope.undo` had the length `mark`. */
export function restore(scope: NamespaceScope, mark: number): void {
  if (scope.undo.length === mark) return
  while (scope.undo.length > mark) {
    const last = scope.undo.pop()
    if (last?.before === undefined) scope.bindings.delete(last?.prefix ?? '')
    else scope.bindings.set(last.prefix, last.before)
  }
  scope.version++
}

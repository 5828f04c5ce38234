import { COLON, isNameChar, isNameStart, nameEnd } from './characters.ts'
import { malformed, overLimit } from './error.ts'
import type { Namespace, NamespaceScope } from './namespaces.ts'

/** A qualified name of a document, with the meaning its prefix had in the scope of that version. */
export interface QName {
  readonly name: string
  readonly prefix: string
  readonly local: string
  version: number
  namespace: Namespace | undefined
}

/** Names seen before, by hash: a name that recurs is neither copied nor split again. */
export type NameTable = (QName | undefined)[]

const SLOTS = 64

/** The qualified name that begins at `at`. @see Namespaces in XML 1.0, production 7 */
export function readName(source: string, at: number, known: NameTable, maxLength: number): QName {
  let end = at
  let hash = 0
  for (; end < source.length; end++) {
    const code = source.charCodeAt(end)
    if (code < 0x80 ? !isNameChar(code) : true) break
    hash = (Math.imul(hash, 31) + code) | 0
  }
  if (end < source.length && source.charCodeAt(end) >= 0x80) {
    end = nameEnd(source, end)
    hash = Math.imul(hash, 31) + (end - at) + source.charCodeAt(at) + source.charCodeAt(end - 1)
  }
  const length = end - at
  const slot = hash & (SLOTS - 1)
  const same = known[slot]
  if (same !== undefined && same.name.length === length && source.startsWith(same.name, at)) return same
  if (length > maxLength) throw overLimit(source, at, `a name is longer than ${maxLength} characters`)
  const qname = splitName(source, at, end)
  known[slot] = qname
  return qname
}

/** Whether text is a qualified name. @see Namespaces in XML 1.0, production 7 */
export function isQName(text: string): boolean {
  if (text === '' || nameEnd(text, 0) !== text.length) return false
  return text.split(':').length <= 2 && text.split(':').every(startsAsName)
}

/** The namespace `qname` has in `scope`; undefined where its prefix is not declared. */
export function resolve(qname: QName, scope: NamespaceScope): Namespace | undefined {
  if (qname.version !== scope.version) {
    qname.namespace = scope.bindings.get(qname.prefix)
    qname.version = scope.version
  }
  return qname.namespace
}

function splitName(source: string, at: number, end: number): QName {
  const name = source.slice(at, end)
  if (!startsAsName(name)) throw malformed(source, at, 'a name was expected')
  let colon = -1
  for (let i = 0; i < name.length; i++) {
    if (name.charCodeAt(i) !== COLON) continue
    if (colon !== -1) throw malformed(source, at + i, 'a name must not have two colons')
    colon = i
  }
  const local = colon === -1 ? name : name.slice(colon + 1)
  if (!startsAsName(local)) throw malformed(source, at + colon + 1, 'a local name was expected after the colon')
  return { name, prefix: colon === -1 ? '' : name.slice(0, colon), local, version: 0, namespace: undefined }
}

function startsAsName(text: string): boolean {
  return text !== '' && isNameStart(text.codePointAt(0) ?? 0)
}

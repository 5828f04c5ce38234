import type { KeyObject } from 'node:crypto'
import type { Kid } from '../../formats/cenc.ts'

/** One part of an input: its name, its value, the meaning of the value, and the parts inside it. */
export interface InspectNode {
  readonly name: string
  /** Absent if only the children have values, and for a hidden key. */
  readonly value?: string
  readonly meaning?: string
  readonly place?: InspectPlace
  /** Of a node that names a content key. */
  readonly kid?: Kid
  readonly findings?: readonly InspectFinding[]
  readonly children?: readonly InspectNode[]
}

/** A place: in bytes from the start of the last decoded data, or in lines and columns from 1. */
export type InspectPlace =
  | { readonly offset: number; readonly length: number }
  | { readonly line: number; readonly column: number }

/** An `error` makes the input unreadable, a `warning` makes it fail or unsafe, a `note` is information. */
export interface InspectFinding {
  readonly severity: 'error' | 'warning' | 'note'
  readonly message: string
}

/** A node without the members that are undefined. */
export function node(
  name: string,
  value?: string,
  more: { readonly [Name in keyof InspectNode]?: InspectNode[Name] | undefined } = {},
): InspectNode {
  const { meaning, place, kid, findings = [], children = [] } = more
  return {
    name,
    ...(value !== undefined && { value }),
    ...(meaning !== undefined && { meaning }),
    ...(place !== undefined && { place }),
    ...(kid !== undefined && { kid }),
    ...(findings.length > 0 && { findings }),
    ...(children.length > 0 && { children }),
  }
}

export function error(message: string): InspectFinding {
  return { severity: 'error', message }
}

export function warning(message: string): InspectFinding {
  return { severity: 'warning', message }
}

export function note(message: string): InspectFinding {
  return { severity: 'note', message }
}

/** `of` with more findings. */
export function withFindings(of: InspectNode, findings: readonly InspectFinding[]): InspectNode {
  return findings.length === 0 ? of : { ...of, findings: [...(of.findings ?? []), ...findings] }
}

/** Every node of the trees, parents first. */
export function* nodesIn(nodes: readonly InspectNode[]): Generator<InspectNode> {
  for (const one of nodes) {
    yield one
    yield* nodesIn(one.children ?? [])
  }
}

/** Every finding in the trees. */
export function findingsIn(nodes: readonly InspectNode[]): readonly InspectFinding[] {
  return [...nodesIn(nodes)].flatMap(({ findings = [] }) => findings)
}

/** The kids that the trees name, each once. */
export function kidsIn(nodes: readonly InspectNode[]): readonly Kid[] {
  return [...new Set([...nodesIn(nodes)].flatMap(({ kid }) => kid ?? []))]
}

/** How an inspection reads. */
export interface InspectOptions {
  /** Whether content keys are shown. Otherwise a node says only that there is one. */
  readonly showKeys?: boolean
  /** RSA: decrypts what is encrypted for it. */
  readonly privateKey?: KeyObject
  /** Milliseconds since 1970. Without it, inspect does not check the dates of certificates. */
  readonly now?: number
}

/** The same, with what one part of a document says about another. */
export interface Context extends InspectOptions {
  /** The content keys of the document, to check checksums. */
  readonly contentKeys: ReadonlyMap<Kid, Uint8Array>
  readonly budget: Budget
}

/** What an inspection may still do, so that hostile input fills neither the memory nor the stack. */
export interface Budget {
  /** Fields of binary structures. */
  left: number
  /** How deep the pssh box that is read is inside other boxes' data. */
  depth: number
}

/** The context of a document before any of it is read. */
export function newContext(options: InspectOptions): Context {
  return { ...options, contentKeys: new Map(), budget: { left: MAX_FIELDS, depth: 0 } }
}

const MAX_FIELDS = 50_000

/** The most bytes of a file whose parts are not read one by one. */
export const MAX_BYTES = 16 * 1024 * 1024

/** A key in hex, if keys are shown. */
export function shownKey(bytes: Uint8Array, { showKeys }: InspectOptions): string {
  return showKeys === true ? Buffer.from(bytes).toString('hex') : `hidden, ${bytes.length} bytes`
}

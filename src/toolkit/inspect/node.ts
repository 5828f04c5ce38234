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

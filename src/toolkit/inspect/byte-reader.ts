import { type Budget, error, type InspectNode, node, warning } from './node.ts'

/** Reads the fields of a structure one by one. Each becomes a node with its place. Throws Damage at the end of the bytes. */
export interface ByteReader {
  /** Adds nodes for bytes that were skipped. */
  add(...nodes: readonly InspectNode[]): void
  /** The offset of the next byte. */
  readonly at: number
  readonly left: number
  number(name: string, size: 1 | 2 | 3 | 4 | 8, options?: NumberOptions): number
  /** The next bytes, as the node that `explain` makes of them; without it, hex. */
  bytes(name: string, length: number, explain?: (bytes: Uint8Array, offset: number) => Partial<InspectNode>): Uint8Array
  /** The next bytes, at most `length`, without reading them. */
  peek(length: number): Uint8Array
  /** The fields inside bytes that were read, within the same limits. */
  inside(bytes: Uint8Array, base: number, read: (reader: ByteReader) => void): InspectNode[]
  /** Skips bytes without a node. */
  skip(length: number, name: string): Uint8Array
}

interface NumberOptions {
  readonly endian?: 'le'
  readonly explain?: (value: number) => Partial<InspectNode>
}

/** The structure breaks here. */
export class Damage extends Error {
  override readonly name = 'Damage'
  readonly offset: number

  constructor(offset: number, problem: string) {
    super(problem)
    this.offset = offset
  }
}

/**
 * The fields that `read` finds in `bytes`, the first of which is at `base`. After damage, the fields before it are returned with
 * the error. Bytes that are left over become a field of their own.
 */
export function readStructure(
  bytes: Uint8Array,
  base: number,
  { budget }: { readonly budget: Budget },
  read: (reader: ByteReader) => void,
): InspectNode[] {
  const nodes: InspectNode[] = []
  const reader = newReader(bytes, base, nodes, budget)
  try {
    read(reader)
  } catch (problem) {
    if (!(problem instanceof Damage)) throw problem
    const { at } = reader
    return [...nodes, damagedNode(problem, { offset: at, length: base + bytes.length - at }, bytes.subarray(at - base))]
  }
  const { at, left } = reader
  if (left === 0) return nodes
  const findings = [warning(`${left} bytes are left over`)]
  return [
    ...nodes,
    node('unknown bytes', toHex(bytes.subarray(at - base)), { place: { offset: at, length: left }, findings }),
  ]
}

/** The node of damaged bytes, from the damage to the end. */
export function damagedNode(
  { offset, message }: Damage,
  place: { readonly offset: number; readonly length: number },
  left: Uint8Array | undefined,
): InspectNode {
  const value = left === undefined || left.length === 0 ? undefined : toHex(left)
  return node('damaged', value, { place, findings: [error(`breaks at byte ${offset}: ${message}`)] })
}

function newReader(bytes: Uint8Array, base: number, nodes: InspectNode[], budget: Budget): ByteReader {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let next = 0
  const add = (...more: readonly InspectNode[]): void => {
    budget.left -= more.length
    if (budget.left < 0) throw new Damage(base + next, 'has more parts than are shown here')
    nodes.push(...more)
  }
  const take = (length: number, name: string): Buffer => {
    const left = view.length - next
    if (length > left) throw new Damage(base + next, `${name} needs ${length} bytes, ${left} are there`)
    next += length
    return view.subarray(next - length, next)
  }
  return {
    add,
    inside: (bytes, base, read) => readStructure(bytes, base, { budget }, read),
    get at() {
      return base + next
    },
    get left() {
      return view.length - next
    },
    number(name, size, { endian, explain } = {}) {
      const offset = base + next
      const taken = take(size, name)
      const value =
        size === 8
          ? Number(taken.readBigUInt64BE())
          : endian === 'le'
            ? taken.readUIntLE(0, size)
            : taken.readUIntBE(0, size)
      add({ name, value: String(value), place: { offset, length: size }, ...explain?.(value) })
      return value
    },
    bytes(name, length, explain) {
      const offset = base + next
      const taken = take(length, name)
      const value = length === 0 ? {} : { value: toHex(taken) }
      add({ name, place: { offset, length }, ...(explain?.(taken, offset) ?? value) })
      return taken
    },
    peek: (length) => view.subarray(next, next + length),
    skip: take,
  }
}

const SHOWN_BYTES = 64

/** Hexadecimal of the first bytes, with the number of bytes if there are more. */
export function toHex(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.subarray(0, SHOWN_BYTES)).toString('hex')
  return bytes.length > SHOWN_BYTES ? `${hex}… (${bytes.length} bytes)` : hex
}

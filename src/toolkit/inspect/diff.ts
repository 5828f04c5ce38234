import { KeyProviderError } from '../../core/errors.ts'
import { inspect } from './inspect.ts'
import { type InspectNode, type InspectOptions, nodesIn } from './node.ts'

/** Where two documents say different things. */
export interface Difference {
  /** From the document to the part, each step by what it is about: a kid, a system, a field. */
  readonly path: readonly string[]
  readonly kind: 'changed' | 'only in first' | 'only in second'
  /** What each says. Absent where it says nothing, and for a content key that is not to be shown. */
  readonly first?: string
  readonly second?: string
}

export interface CpixDiff {
  readonly differences: readonly Difference[]
  /** Parts that could not be compared: keys that are encrypted for another recipient. */
  readonly notCompared: readonly string[]
}

/**
 * Compares two CPIX documents by meaning: order, prefixes, spelling of kids and base64, ids of periods do not matter.
 * Throws ERR_CPIX_INVALID for a document that is not CPIX.
 */
export function diffCpix(
  first: Uint8Array | string,
  second: Uint8Array | string,
  options: InspectOptions = {},
): CpixDiff {
  // Keys are compared whether they are shown or not.
  const [a, b] = [treeOf(first, 'first', options), treeOf(second, 'second', options)]
  const differences: Difference[] = []
  compare(a, b, [], options.showKeys === true, differences)
  const notCompared = [
    ...new Set(
      [...nodesIn([...a, ...b])].flatMap(({ name, value }) =>
        name === CONTENT_KEY && value === 'encrypted' ? ['content keys: they are encrypted, and were not opened'] : [],
      ),
    ),
  ]
  return { differences, notCompared }
}

const CONTENT_KEY = 'content key'
/** Parts that only repeat the size of another part. */
const COUNTS: ReadonlySet<string> = new Set(['length', 'record length', 'DataSize', 'KID_count', 'ValueMAC', 'base64'])
/** Values that only repeat their children. */
const SPELLED: ReadonlySet<string> = new Set(['URI', 'skd URI', 'KID', 'key_ids'])

function treeOf(document: Uint8Array | string, which: string, options: InspectOptions): readonly InspectNode[] {
  const { kind, nodes } = inspect(document, { ...options, showKeys: true })
  if (kind !== 'CPIX') throw new KeyProviderError('ERR_CPIX_INVALID', `the ${which} document is not CPIX, but: ${kind}`)
  const broken = nodes.find(({ name }) => name === 'damaged')
  if (broken !== undefined) {
    throw new KeyProviderError(
      'ERR_CPIX_INVALID',
      `the ${which} document ${broken.findings?.[0]?.message ?? 'is damaged'}`,
    )
  }
  return nodes
}

function compare(
  first: readonly InspectNode[],
  second: readonly InspectNode[],
  path: readonly string[],
  showKeys: boolean,
  differences: Difference[],
): void {
  const [a, b] = [byMeaning(first), byMeaning(second)]
  for (const [step, one] of a) {
    const other = b.get(step)
    const here = [...path, step]
    if (other === undefined) {
      differences.push({ path: here, kind: 'only in first', ...said('first', one, showKeys) })
      continue
    }
    if (valueOfNode(one) !== valueOfNode(other)) {
      differences.push({
        path: here,
        kind: 'changed',
        ...said('first', one, showKeys),
        ...said('second', other, showKeys),
      })
    }
    compare(one.children ?? [], other.children ?? [], here, showKeys, differences)
  }
  for (const [step, other] of b) {
    if (!a.has(step))
      differences.push({ path: [...path, step], kind: 'only in second', ...said('second', other, showKeys) })
  }
}

function said(side: 'first' | 'second', { name, value }: InspectNode, showKeys: boolean): Partial<Difference> {
  const isHidden = name === CONTENT_KEY && !showKeys && /^[\da-f]+$/.test(value ?? '')
  return value === undefined ? {} : { [side]: isHidden ? 'hidden' : value }
}

/** Nodes by what they are about; where several are about the same, by their order too. */
function byMeaning(nodes: readonly InspectNode[]): ReadonlyMap<string, InspectNode> {
  const found = new Map<string, InspectNode>()
  for (const one of nodes) {
    if (COUNTS.has(one.name)) continue
    const step = stepOf(one)
    let unique = step
    for (let i = 2; found.has(unique); i++) unique = `${step} (${i})`
    found.set(unique, one)
  }
  return found
}

/** What a part is about. */
function stepOf(one: InspectNode): string {
  const { name, value, kid, meaning } = one
  if (name.startsWith('CPIX ')) return 'CPIX'
  if (name === 'ContentKey' && kid !== undefined) return `ContentKey ${kid}`
  if (name === 'DRMSystem') return `DRMSystem ${meaning ?? value ?? ''}`
  if (name === 'ContentKeyPeriod') return `ContentKeyPeriod ${value ?? ''}`
  if (name === 'KID' || name === 'key_ids') return `${name} ${kid ?? value ?? ''}`
  if (name === 'used for') return `used for ${value ?? ''}${periodsOf(one)}`
  if (name === 'recipient') return `recipient ${valueIn(one, 'SHA-256') ?? ''}`
  return name.replace(/^[\w.-]+:(?=\w)/, '')
}

function periodsOf(rule: InspectNode): string {
  const periods = (rule.children ?? []).flatMap(({ name, value }) => (name === 'in key period' ? [value ?? ''] : []))
  return periods.map((period) => ` in ${period}`).join('')
}

function valueIn(node: InspectNode, name: string): string | undefined {
  return [...nodesIn([node])].find((one) => one.name === name)?.value
}

/** What the comparison goes by: of what is only a spelling of its parts, the parts. */
function valueOfNode({ name, value, children, meaning }: InspectNode): string | undefined {
  if (name.startsWith('CPIX ')) return `${name} ${meaning ?? ''}`
  return SPELLED.has(name) && children !== undefined ? undefined : value
}

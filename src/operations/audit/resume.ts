import type { AuditHeads } from './heads.ts'
import { chainOf, NO_RECORD, readAuditLine } from './record.ts'
import type { AuditTail } from './sink.ts'

/** The last record of a node's log: the next one follows it. */
export interface Standing {
  readonly day: string
  readonly seq: number
  readonly hash: string
}

/** A head as far as it is known: the hash is undefined when it does not open. */
export type KnownHead = Omit<Standing, 'hash'> & { readonly hash: string | undefined }

/**
 * What the next record follows: what is in the file, unless the head tells of a later record, or another one at the same
 * place. Then the file was cut or edited, and going on from the head leaves a gap that shows for ever.
 */
export function standingOf(
  node: string,
  tail: AuditTail | undefined,
  head: KnownHead | undefined,
): { readonly standing: Standing; readonly isWhole: boolean } {
  const file = lastRecord(node, tail) ?? { day: '', seq: 0, hash: NO_RECORD }
  if (head === undefined || isLater(file, head)) return { standing: file, isWhole: true }
  const { day, seq, hash = file.hash } = head
  return { standing: { day, seq, hash }, isWhole: file.day === day && file.seq === seq && file.hash === hash }
}

/** The head of a node's newest chain. One that does not open is told to `onError`. */
export async function newestHead(
  node: string,
  heads: AuditHeads,
  onError: (error: unknown) => void,
): Promise<KnownHead | undefined> {
  const own = (await heads.list()).filter(({ chain }) => chain.startsWith(chainOf(node, '')))
  const newest = own.sort((a, b) => (a.chain < b.chain ? -1 : 1)).at(-1)
  if (newest === undefined) return undefined
  const day = newest.chain.slice(chainOf(node, '').length)
  try {
    const { seq, hash } = await heads.open(newest)
    return { day, seq, hash }
  } catch (error) {
    onError(error)
    return { day, seq: newest.seq, hash: undefined }
  }
}

function lastRecord(node: string, tail: AuditTail | undefined): Standing | undefined {
  if (tail?.last === undefined) return undefined
  const { day, line } = tail.last
  const record = readAuditLine(line)
  if (record === undefined || !record.holds || record.chain !== chainOf(node, day)) return undefined
  return { day, seq: record.seq, hash: record.hash }
}

function isLater(one: Standing, other: KnownHead): boolean {
  return one.day > other.day || (one.day === other.day && one.seq > other.seq)
}

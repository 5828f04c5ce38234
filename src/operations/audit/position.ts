import type { AuditHeads, MacKey } from './heads.ts'
import { chainOf, NO_RECORD, type ReadRecord, readAuditLine } from './record.ts'
import type { AuditTail } from './sink.ts'

/** The last record of a node's log: the next one follows it. */
export interface ChainPosition {
  readonly day: string
  readonly seq: number
  readonly hash: string
}

/** A head as far as it could be opened; the hash is undefined if it could not. */
interface KnownHead extends Omit<ChainPosition, 'hash'> {
  readonly hash: string | undefined
  readonly macKeys: readonly MacKey[]
}

/** Where a log continues. */
interface FoundPosition {
  readonly position: ChainPosition
  /** Whether the file ends with the sealed record, or with a later one. */
  readonly isWhole: boolean
  /** The last record in the file; undefined if there is none that can be read. */
  readonly last: ReadRecord | undefined
}

/**
 * The position after which the next record is written: the end of the file, unless the head names a later record, or
 * another record at the same place. Then the file was cut or edited. The log continues from the head, which leaves a gap
 * that every later verification finds.
 */
export function findPosition(
  node: string,
  tail: AuditTail | undefined,
  head: Pick<KnownHead, 'day' | 'seq' | 'hash'> | undefined,
): FoundPosition {
  const found = lastRecord(node, tail)
  const file: ChainPosition = found?.position ?? { day: '', seq: 0, hash: NO_RECORD }
  const last = found?.record
  if (head === undefined || isLater(file, head)) return { position: file, isWhole: true, last }
  const { day, seq, hash = file.hash } = head
  return { position: { day, seq, hash }, isWhole: file.day === day && file.seq === seq && file.hash === hash, last }
}

/** The head of a node's newest chain. Reports a head that does not open to `onError`. */
export async function newestHead(
  node: string,
  heads: Pick<AuditHeads, 'list' | 'open'>,
  onError: (error: unknown) => void,
): Promise<KnownHead | undefined> {
  const own = (await heads.list()).filter(({ chain }) => chain.startsWith(chainOf(node, '')))
  const newest = own.sort((a, b) => (a.chain < b.chain ? -1 : 1)).at(-1)
  if (newest === undefined) return undefined
  const day = newest.chain.slice(chainOf(node, '').length)
  try {
    const { seq, hash, macKeys } = await heads.open(newest)
    return { day, seq, hash, macKeys }
  } catch (error) {
    onError(error)
    return { day, seq: newest.seq, hash: undefined, macKeys: [] }
  }
}

function lastRecord(node: string, tail: AuditTail | undefined) {
  if (tail?.last === undefined) return undefined
  const { day, line } = tail.last
  const record = readAuditLine(line)
  if (record === undefined || !record.holds || record.chain !== chainOf(node, day)) return undefined
  return { record, position: { day, seq: record.seq, hash: record.hash } }
}

function isLater(one: ChainPosition, other: Pick<KnownHead, 'day' | 'seq'>): boolean {
  return one.day > other.day || (one.day === other.day && one.seq > other.seq)
}

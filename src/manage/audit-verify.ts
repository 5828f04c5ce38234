import { KeyProviderError } from '../errors.ts'
import type { OpenHead } from './audit-heads.ts'
import { chainOf, NO_RECORD } from './audit-record.ts'
import type { AuditFile } from './audit-sink.ts'
import { checkLines } from './audit-verify-lines.ts'
import type { AuditHead } from './store.ts'

/** What is wrong with a log. */
export type AuditFault =
  /** A line that is no record. */
  | 'unreadable'
  /** A record that is not as it was written, or follows another than the one before it. */
  | 'edited'
  /** Records, or a whole file, that are not there. */
  | 'missing'
  /** A record that comes a second time, or behind a later one. */
  | 'reordered'
  /** A record of another chain. */
  | 'misplaced'
  /** A chain that ends before its sealed head. */
  | 'truncated'
  /** A head that does not open. */
  | 'head-broken'
  /** A line that a crash left unfinished, as the record after it says; or the last line of the newest file. */
  | 'unfinished'
  /** Records behind the sealed head: the last second before a crash, or before now. */
  | 'unsealed'
  /** A chain without a head: a cut at its end would not show. */
  | 'no-head'

/** One thing that was found, and where. */
export interface AuditFinding {
  /** What a warning tells of happens without anybody's doing. */
  readonly severity: 'problem' | 'warning'
  readonly fault: AuditFault
  readonly chain: string
  /** Undefined for a file that is missing. */
  readonly file: string | undefined
  /** From 1; undefined for what concerns the whole file. */
  readonly line: number | undefined
  readonly seq: number | undefined
  readonly message: string
}

export interface AuditReport {
  readonly chains: number
  readonly records: number
  readonly problems: number
  readonly warnings: number
  /** The first of them. */
  readonly findings: readonly AuditFinding[]
}

export interface VerifyAuditOptions {
  /** By node, then by day. */
  readonly files: AsyncIterable<AuditFile> | Iterable<AuditFile>
  /** Read before the files: what is written meanwhile is behind them. */
  readonly heads: readonly AuditHead[]
  readonly openHead: (head: AuditHead) => Promise<OpenHead>
  /** YYYY-MM-DD: what is older is not looked at, since it may have been moved away. */
  readonly since?: string | undefined
  /** Only these nodes, where others keep their files elsewhere; undefined: all. */
  readonly nodes?: readonly string[] | undefined
  readonly maxFindings?: number
}

/** What a chain has to begin with; undefined: anything. */
interface Before {
  readonly node: string
  readonly prev: string | undefined
}

/** Reads a whole log once, a line at a time, and finds what was edited, deleted, reordered, inserted or cut. */
export async function verifyAudit(options: VerifyAuditOptions): Promise<AuditReport> {
  const { since = '', maxFindings = 1_000 } = options
  const isWanted = (node: string, day: string): boolean => day >= since && options.nodes?.includes(node) !== false
  const wanted = options.heads.filter(({ chain }) => isWanted(...splitChain(chain)))
  const heads = new Map(wanted.map((head) => [head.chain, head]))
  const findings: AuditFinding[] = []
  const counts = { problem: 0, warning: 0 }
  const report = (finding: AuditFinding): void => {
    counts[finding.severity]++
    if (findings.length < maxFindings) findings.push(finding)
  }
  let [chains, records] = [0, 0]
  let before: Before | undefined

  const check = async (file: AuditFile, isNewest: boolean): Promise<void> => {
    const chain = chainOf(file.node, file.day)
    const sealed = heads.get(chain)
    heads.delete(chain)
    const head = sealed && (await openHead(sealed, file, options, report))
    const prev = before?.node === file.node ? before.prev : since === '' ? NO_RECORD : undefined
    const found = await checkLines({ file, chain, prev, head, isSealed: sealed !== undefined, isNewest, report })
    chains++
    records += found.records
    before = { node: file.node, prev: found.last ?? prev }
  }

  let waiting: AuditFile | undefined
  for await (const file of options.files) {
    if (!isWanted(file.node, file.day)) continue
    if (waiting !== undefined) await check(waiting, waiting.node !== file.node)
    waiting = file
  }
  if (waiting !== undefined) await check(waiting, true)
  for (const { chain, seq } of heads.values()) {
    const message = `the file of the chain ${chain} is missing: its sealed head is record ${seq} (verify files that are kept elsewhere there)`
    report({ severity: 'problem', fault: 'missing', chain, file: undefined, line: undefined, seq, message })
  }
  return { chains, records, problems: counts.problem, warnings: counts.warning, findings }
}

async function openHead(
  head: AuditHead,
  file: AuditFile,
  options: VerifyAuditOptions,
  report: (finding: AuditFinding) => void,
): Promise<OpenHead | undefined> {
  const broken = (message: string): undefined => {
    const { chain, seq } = head
    report({ severity: 'problem', fault: 'head-broken', chain, file: file.name, line: undefined, seq, message })
  }
  try {
    const opened = await options.openHead(head)
    return opened.seq === head.seq ? opened : broken(`the head of the chain ${head.chain} was altered in the store`)
  } catch (error) {
    if (error instanceof KeyProviderError && error.code === 'ERR_SEAL_BROKEN') return broken(error.message)
    throw error
  }
}

function splitChain(chain: string): readonly [node: string, day: string] {
  const at = chain.lastIndexOf('/')
  return [chain.slice(0, at), chain.slice(at + 1)]
}

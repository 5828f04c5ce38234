import { KeyProviderError } from '../../core/errors.ts'
import type { AuditHead } from '../ports/store.ts'
import type { AuditHeads, OpenHead } from './heads.ts'
import { chainOf, NO_RECORD } from './record.ts'
import type { AuditFile } from './sink.ts'
import { type AuditFinding, checkFile } from './verify-file.ts'

export interface AuditReport {
  readonly chains: number
  readonly records: number
  readonly problems: number
  readonly warnings: number
  /** The first 1,000. */
  readonly findings: readonly AuditFinding[]
}

export interface VerifyAuditOptions {
  /** In the order of their nodes, then of their days. */
  readonly files: AsyncIterable<AuditFile> | Iterable<AuditFile>
  /** Read before the files are, so that records written meanwhile come after them. */
  readonly listed: readonly AuditHead[]
  readonly heads: Pick<AuditHeads, 'open' | 'findMacKey'>
  /** YYYY-MM-DD. Older files are not read: they may have been moved away. */
  readonly since?: string | undefined
  /** Only these nodes, where other nodes keep their files elsewhere; undefined: all. */
  readonly nodes?: readonly string[] | undefined
  readonly maxFindings?: number
}

/** What the chain of a node's next day must follow. */
interface Before {
  readonly node: string
  /** Undefined: any record. */
  readonly prev: string | undefined
  readonly hasMacs: boolean
}

/** Reads a whole log once, line by line, and finds what was edited, forged, deleted, reordered, inserted or cut. */
export async function verifyAudit(options: VerifyAuditOptions): Promise<AuditReport> {
  const { since = '', maxFindings = 1_000 } = options
  const isWanted = (node: string, day: string): boolean => day >= since && options.nodes?.includes(node) !== false
  const wanted = options.listed.filter(({ chain }) => isWanted(...splitChain(chain)))
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
    const hasMacs = before?.node === file.node && before.hasMacs
    const findMacKey = (generation: number) => options.heads.findMacKey(chain, generation)
    const isSealed = sealed !== undefined
    const found = await checkFile({ file, chain, prev, head, isSealed, isNewest, hasMacs, findMacKey, report })
    chains++
    records += found.records
    before = { node: file.node, prev: found.last ?? prev, hasMacs: found.hasMacs }
  }

  let waiting: AuditFile | undefined
  for await (const file of options.files) {
    if (!isWanted(file.node, file.day)) continue
    if (waiting !== undefined) await check(waiting, waiting.node !== file.node)
    waiting = file
  }
  if (waiting !== undefined) await check(waiting, true)
  for (const { chain, seq } of heads.values()) {
    const message = `the file of the chain ${chain} is missing: its sealed head is record ${seq} (verify files of other machines there)`
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
    const opened = await options.heads.open(head)
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

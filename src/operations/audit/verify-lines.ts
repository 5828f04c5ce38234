import type { AuditFault, AuditFinding } from './finding.ts'
import type { OpenHead } from './heads.ts'
import { type ReadRecord, readAuditLine, sha256 } from './record.ts'
import type { AuditFile } from './sink.ts'

export interface CheckLinesOptions {
  readonly file: AuditFile
  readonly chain: string
  /** What the first record must follow; undefined: anything. */
  readonly prev: string | undefined
  readonly head: OpenHead | undefined
  /** Whether there is a head at all, be it one that does not open. */
  readonly isSealed: boolean
  /** Whether it is the newest file of its node. */
  readonly isNewest: boolean
  readonly report: (finding: AuditFinding) => void
}

/** A line that is no record as it was written, until the next line tells whether a crash left it so. */
interface Suspect {
  readonly line: number
  readonly bytes: Uint8Array
  readonly record: ReadRecord | undefined
}

/** Checks the records of one file; how many there are, and the hash of the last. */
export async function checkLines(
  options: CheckLinesOptions,
): Promise<{ readonly records: number; readonly last: string | undefined }> {
  const { file, chain, head, isNewest } = options
  let line = 0
  let records = 0
  let isHeadSeen = false
  let next: { readonly seq: number; readonly prev: string | undefined } = { seq: 1, prev: options.prev }
  let suspect: Suspect | undefined
  let last: string | undefined

  const report = (fault: AuditFault, message: string, at: { line?: number; seq?: number | undefined } = {}): void => {
    const severity = WARNINGS.includes(fault) ? 'warning' : 'problem'
    options.report({ severity, fault, chain, file: file.name, line: at.line, seq: at.seq, message })
  }

  /** What cannot be excused is reported, and its record counts as it is written: one edit is one finding. */
  const condemn = ({ line, record }: Suspect): void => {
    if (record === undefined) {
      report('unreadable', 'this line is no record of an audit log', { line })
      next = { seq: next.seq + 1, prev: undefined }
    } else {
      report('edited', `record ${record.seq} was changed after it was written`, { line, seq: record.seq })
      follow(record, line)
    }
  }

  const follow = ({ seq, prev, hash, ...record }: ReadRecord, line: number): void => {
    const at = { line, seq }
    if (record.chain !== chain || record.node !== file.node) {
      report('misplaced', 'this record belongs to another chain', at)
    } else if (seq > next.seq) {
      report('missing', `record ${seq} stands where record ${next.seq} should: ${seq - next.seq} missing`, at)
    } else if (seq < next.seq) {
      report('reordered', `record ${seq} stands where record ${next.seq} should`, at)
    } else if (next.prev !== undefined && prev !== next.prev) {
      const [fault, what] =
        seq === 1
          ? (['missing', 'it does not follow the last record of the chain before: a file is missing'] as const)
          : (['edited', `record ${seq} does not follow the record before it`] as const)
      report(fault, what, at)
    }
    if (seq === head?.seq) {
      isHeadSeen = true
      if (hash !== head.hash) report('edited', `record ${seq} is not the one that was sealed`, at)
    }
    next = { seq: seq + 1, prev: hash }
    last = hash
    records++
  }

  for await (const { bytes, isWhole } of file.lines()) {
    line++
    if (!isWhole) {
      if (suspect !== undefined) condemn(suspect)
      suspect = undefined
      const message = 'the last line is not finished: it is being written, or the next start completes it'
      if (isNewest) report('unfinished', message, { line })
      else report('unreadable', 'the last line is not finished, although there are later files', { line })
      continue
    }
    const record = readAuditLine(bytes)
    const holds = record?.holds === true
    const torn = holds ? record.torn : undefined
    if (suspect !== undefined && isTornBy(suspect, torn)) {
      report('unfinished', 'a crash left this line unfinished, as the next record says', { line: suspect.line })
    } else {
      if (suspect !== undefined) condemn(suspect)
      if (torn !== undefined) {
        report('missing', 'it tells of an unfinished line before it, which is not there', { line, seq: record?.seq })
      }
    }
    suspect = holds ? undefined : { line, bytes, record }
    if (record !== undefined && holds) follow(record, line)
  }
  if (suspect !== undefined) condemn(suspect)

  const lastSeq = next.seq - 1
  if (head !== undefined && !isHeadSeen) {
    report('truncated', `the sealed head of the chain is record ${head.seq}, which is not there`, { seq: head.seq })
  } else if (head !== undefined && isNewest && lastSeq > head.seq) {
    report('unsealed', `${lastSeq - head.seq} records at the end are not sealed yet`, { seq: head.seq + 1 })
  } else if (!options.isSealed) {
    report('no-head', 'the chain has no sealed head: whether its end was cut cannot be told')
  }
  return { records, last }
}

const WARNINGS: readonly AuditFault[] = ['unfinished', 'unsealed', 'no-head']

function isTornBy({ bytes }: Suspect, torn: ReadRecord['torn']): boolean {
  return torn !== undefined && torn.bytes === bytes.length && torn.sha256 === sha256(bytes)
}

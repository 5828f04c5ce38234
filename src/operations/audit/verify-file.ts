import { isMacOf, type MacKey, type OpenHead } from './heads.ts'
import { type ReadRecord, readAuditLine, sha256 } from './record.ts'
import type { AuditFile } from './sink.ts'

/** What is wrong with a log. */
type AuditFault =
  /** A line that is not a record. */
  | 'unreadable'
  /** A record that was changed after it was written, or does not follow the one before it. */
  | 'edited'
  /** A record without the MAC that Keyspring gives each record: something else wrote it. */
  | 'forged'
  /** Missing records, or a missing file. */
  | 'missing'
  /** A record that comes a second time, or after a later one. */
  | 'reordered'
  /** A record of another chain. */
  | 'misplaced'
  /** A chain that ends before its sealed head. */
  | 'truncated'
  /** A head that does not open. */
  | 'head-broken'
  /** A line that a crash left unfinished, as the next record says; or the last line of the newest file. */
  | 'unfinished'
  /** Records after the sealed head: those of the last second, or of the last second before a crash. */
  | 'unsealed'
  /** A chain without a head: a cut at its end cannot be found. */
  | 'no-head'

/** One finding and its place. */
export interface AuditFinding {
  /** A warning has causes that are not an attack, such as a crash. */
  readonly severity: 'problem' | 'warning'
  readonly fault: AuditFault
  readonly chain: string
  /** Undefined for a missing file. */
  readonly file: string | undefined
  /** Counted from 1; undefined for a finding about the whole file. */
  readonly line: number | undefined
  readonly seq: number | undefined
  readonly message: string
}

interface CheckFileOptions {
  readonly file: AuditFile
  readonly chain: string
  /** The `prev` that the first record must have; undefined: any. */
  readonly prev: string | undefined
  readonly head: OpenHead | undefined
  /** Whether a head is stored, including one that does not open. */
  readonly isSealed: boolean
  /** Whether it is the newest file of its node. */
  readonly isNewest: boolean
  /** Whether an earlier record of the node has a MAC: then every later record has one. */
  readonly hasMacs: boolean
  /** The MAC key of the chain for a data key generation; undefined if that data key does not exist. */
  readonly findMacKey: (generation: number) => Promise<MacKey | undefined>
  readonly report: (finding: AuditFinding) => void
}

/** What the file of the next day needs to know of this one. */
interface CheckedFile {
  readonly records: number
  /** The hash of the last record. */
  readonly last: string | undefined
  readonly hasMacs: boolean
}

/** A line that is not an intact record, until the next line shows whether a crash caused that. */
interface Suspect {
  readonly line: number
  readonly bytes: Uint8Array
  readonly record: ReadRecord | undefined
}

/** Checks the records of one file. */
export async function checkFile(options: CheckFileOptions): Promise<CheckedFile> {
  const { file, chain, head, isNewest } = options
  const macKeys = new Map((head?.macKeys ?? []).map((key): [number, MacKey | undefined] => [key.generation, key]))
  let { hasMacs } = options
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

  /** Reports a suspect line. Its record counts as it is written, so that one edit is one finding. */
  const condemn = ({ line, record }: Suspect): void => {
    if (record === undefined) {
      report('unreadable', 'this line is not a record of an audit log', { line })
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
      report('missing', `found record ${seq}, expected record ${next.seq}: ${seq - next.seq} missing`, at)
    } else if (seq < next.seq) {
      report('reordered', `found record ${seq}, expected record ${next.seq}`, at)
    } else if (next.prev !== undefined && prev !== next.prev) {
      const [fault, what] =
        seq === 1
          ? (['missing', 'it does not follow the last record of the chain before: a file is missing'] as const)
          : (['edited', `record ${seq} does not follow the record before it`] as const)
      report(fault, what, at)
    }
    if (seq === head?.seq) {
      isHeadSeen = true
      if (hash !== head.hash) report('edited', `record ${seq} differs from the sealed record`, at)
    }
    next = { seq: seq + 1, prev: hash }
    last = hash
    records++
  }

  const checkMac = async ({ mac, hash, seq }: ReadRecord, line: number): Promise<void> => {
    const at = { line, seq }
    if (mac === undefined) {
      if (hasMacs) report('forged', `record ${seq} has no MAC, although records before it have one`, at)
      return
    }
    hasMacs = true
    const { generation } = mac
    if (!macKeys.has(generation)) macKeys.set(generation, await options.findMacKey(generation))
    const key = macKeys.get(generation)
    if (key === undefined) {
      report('forged', `record ${seq} has a MAC of data key generation ${generation}, which does not exist`, at)
    } else if (!isMacOf(mac, key, hash)) {
      report('forged', `record ${seq} was not written by Keyspring: its MAC is wrong`, at)
    }
  }

  for await (const { bytes, isWhole } of file.lines()) {
    line++
    if (!isWhole) {
      if (suspect !== undefined) condemn(suspect)
      suspect = undefined
      const message = 'the last line is unfinished: it is being written, or the next start completes it'
      if (isNewest) report('unfinished', message, { line })
      else report('unreadable', 'the last line is unfinished, although later files exist', { line })
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
        report('missing', 'it names an unfinished line before it, which is missing', { line, seq: record?.seq })
      }
    }
    suspect = holds ? undefined : { line, bytes, record }
    if (record !== undefined && holds) {
      follow(record, line)
      await checkMac(record, line)
    }
  }
  if (suspect !== undefined) condemn(suspect)

  const lastSeq = next.seq - 1
  if (head !== undefined && !isHeadSeen) {
    report('truncated', `the sealed head of the chain is record ${head.seq}, which is missing`, { seq: head.seq })
  } else if (head !== undefined && isNewest && lastSeq > head.seq) {
    report('unsealed', `${lastSeq - head.seq} records at the end are not sealed yet`, { seq: head.seq + 1 })
  } else if (!options.isSealed) {
    const unproven = hasMacs
      ? ''
      : ', and its records have no MAC: any program that can write the file can have made them'
    report('no-head', `the chain has no sealed head: a cut at its end cannot be found${unproven}`)
  }
  return { records, last, hasMacs }
}

const WARNINGS: readonly AuditFault[] = ['unfinished', 'unsealed', 'no-head']

function isTornBy({ bytes }: Suspect, torn: ReadRecord['torn']): boolean {
  return torn !== undefined && torn.bytes === bytes.length && torn.sha256 === sha256(bytes)
}

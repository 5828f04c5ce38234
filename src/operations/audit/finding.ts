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

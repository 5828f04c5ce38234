/** What is found of a node's log when it is opened. */
export interface AuditTail {
  /** The day of the newest file. */
  readonly day: string
  /** What follows the last whole line of that file. */
  readonly torn: Uint8Array | undefined
  /** The last whole line of all files, without its end, and the day of its file. */
  readonly last: { readonly day: string; readonly line: Uint8Array } | undefined
}

/** Where one node's records are written. One process at a time has it. */
export interface AuditSink {
  /** What messages call it. */
  readonly name: string
  /** Takes the log for this process if it is not taken yet, and finds its end; undefined when there is none. */
  open(): Promise<AuditTail | undefined>
  /** Adds lines to the file of a day; durable when it resolves. */
  append(day: string, text: string): Promise<void>
  /** Gives the log back. */
  close(): Promise<void>
}

/** One line of a file. */
export interface AuditFileLine {
  /** Without its end. */
  readonly bytes: Uint8Array
  /** Whether its end is there. */
  readonly isWhole: boolean
}

/** The file of one node and day, to be read. */
export interface AuditFile {
  readonly node: string
  readonly day: string
  /** What messages call it. */
  readonly name: string
  lines(): AsyncIterable<AuditFileLine>
}

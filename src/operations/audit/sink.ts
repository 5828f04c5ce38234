/** The end of a node's log. */
export interface AuditTail {
  /** The day of the newest file. */
  readonly day: string
  /** The bytes after the last whole line of that file. */
  readonly torn: Uint8Array | undefined
  /** The last whole line of all files, without its line end, and the day of its file. */
  readonly last: { readonly day: string; readonly line: Uint8Array } | undefined
}

/** The place where one node's records are written. One process at a time can use it. */
export interface AuditSink {
  /** Its name in messages. */
  readonly name: string
  /** Claims the log for this process unless it is claimed, and finds its end; undefined if there is no log yet. */
  open(): Promise<AuditTail | undefined>
  /** Adds lines to the file of a day. They are durable when it resolves. */
  append(day: string, text: string): Promise<void>
  /** Releases the log for other processes. */
  close(): Promise<void>
}

/** One line of a file. */
export interface AuditFileLine {
  /** Without the line end. */
  readonly bytes: Uint8Array
  /** Whether the line end is there. */
  readonly isWhole: boolean
}

/** The file of one node and day, for reading. */
export interface AuditFile {
  readonly node: string
  readonly day: string
  /** Its name in messages. */
  readonly name: string
  lines(): AsyncIterable<AuditFileLine>
}

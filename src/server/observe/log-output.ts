import { fstatSync, write, writeSync } from 'node:fs'

/** A stream that log lines go to, such as `process.stderr`. */
export interface LogStream {
  write(text: string): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  readonly writableLength: number
  readonly writable: boolean
}

interface LogOutputOptions {
  /** The destination: a file descriptor, or a stream for a pipe or a socket. */
  readonly to: number | LogStream
  /** Whether a line is written when `write` returns: for a process that is frozen between requests. */
  readonly sync: boolean
  /** The most bytes that wait to be written. Further lines are lost. */
  readonly maxBytes?: number
  /** Receives the number of lines that were lost. */
  readonly onLoss: (lines: number) => void
}

const MAX_WAITING_BYTES = 4 * 1024 * 1024
const BATCH_BYTES = 64 * 1024

/**
 * The destination of log lines. It never throws, never blocks the process on a slow reader, and holds a bounded number of bytes: a
 * line that a full disk, a stalled reader or a closed stream does not take is lost and counted.
 */
export class LogOutput {
  readonly #options: LogOutputOptions
  readonly #maxBytes: number
  #waiting: string[] = []
  #waitingBytes = 0
  #isWriting = false
  /** Whether the last written line has no end: a full disk took a part of it. */
  #isCut = false
  #lost = 0

  constructor(options: LogOutputOptions) {
    this.#options = options
    this.#maxBytes = options.maxBytes ?? MAX_WAITING_BYTES
    // Without a listener, an error of the stream would end the process.
    if (typeof options.to !== 'number') options.to.on('error', () => undefined)
  }

  /** Takes a line with its line end. */
  write(line: string): void {
    const text = escapeControls(line)
    const { to, sync } = this.#options
    if (typeof to !== 'number') this.#writeToStream(to, text)
    else if (sync) this.#writeNow(to, text, 1)
    else if (this.#waitingBytes + text.length > this.#maxBytes) this.#lose(1)
    else {
      this.#waiting.push(text)
      this.#waitingBytes += text.length
      if (!this.#isWriting) this.#writeBatch(to)
    }
  }

  /** Writes what waits for a file. What a stream has not taken is lost. */
  flush(): void {
    const { to } = this.#options
    if (typeof to !== 'number' || this.#waiting.length === 0) return
    const { text, lines } = this.#takeBatch(Number.POSITIVE_INFINITY)
    this.#writeNow(to, text, lines)
  }

  #writeToStream(stream: LogStream, text: string): void {
    if (!stream.writable || stream.writableLength + text.length > this.#maxBytes) {
      this.#lose(1)
      return
    }
    stream.write(this.#notice() + text)
  }

  #writeBatch(fd: number): void {
    const { text, lines } = this.#takeBatch(BATCH_BYTES)
    if (lines === 0) return
    const bytes = Buffer.from(this.#lineStart() + this.#notice() + text)
    this.#isWriting = true
    const writeFrom = (start: number): void => {
      write(fd, bytes, start, bytes.length - start, null, (error, written = 0) => {
        const end = start + written
        if (error === null && end < bytes.length) return writeFrom(end)
        this.#isWriting = false
        if (error === null) this.#isCut = false
        else this.#fail(lines, start > 0)
        this.#writeBatch(fd)
      })
    }
    writeFrom(0)
  }

  #writeNow(fd: number, text: string, lines: number): void {
    const bytes = Buffer.from(this.#lineStart() + this.#notice() + text)
    let start = 0
    try {
      while (start < bytes.length) start += writeSync(fd, bytes, start)
      this.#isCut = false
    } catch {
      // The log is the place for errors: there is no other for its own.
      this.#fail(lines, start > 0)
    }
  }

  #takeBatch(maxBytes: number): { readonly text: string; readonly lines: number } {
    let text = ''
    let lines = 0
    for (const line of this.#waiting) {
      if (lines > 0 && text.length + line.length > maxBytes) break
      text += line
      lines++
    }
    this.#waiting.splice(0, lines)
    this.#waitingBytes -= text.length
    return { text, lines }
  }

  #fail(lines: number, isCut: boolean): void {
    this.#isCut ||= isCut
    this.#lose(lines)
  }

  #lose(lines: number): void {
    this.#lost += lines
    this.#options.onLoss(lines)
  }

  #lineStart(): string {
    return this.#isCut ? '\n' : ''
  }

  /** The line that reports lost lines, once the output takes lines again. */
  #notice(): string {
    if (this.#lost === 0) return ''
    const lost = this.#lost
    this.#lost = 0
    return `${JSON.stringify({ level: 'warn', time: new Date().toISOString(), lost, msg: 'log lines were lost' })}\n`
  }
}

/** The output of standard output (1) or standard error (2). */
export function standardOutput(fd: 1 | 2, options: Omit<LogOutputOptions, 'to'>): LogOutput {
  return new LogOutput({
    ...options,
    to: options.sync || !isPipe(fd) ? fd : fd === 1 ? process.stdout : process.stderr,
  })
}

/** A pipe or a socket: a write to it can wait for its reader. False for a descriptor that is closed. */
function isPipe(fd: number): boolean {
  try {
    const stats = fstatSync(fd)
    return stats.isFIFO() || stats.isSocket()
  } catch {
    return false
  }
}

// DEL, C1 controls, line separators and directional marks: a terminal or a viewer would obey them.
const CONTROLS = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** A line of JSON with these characters as `\u` escapes: its meaning does not change. */
function escapeControls(line: string): string {
  return line.replace(CONTROLS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

import {
  closeSync,
  fchmodSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createColors } from 'picocolors'
import { KeyProviderError } from '../../core/errors.ts'
import { printable } from '../../toolkit/inspect/text.ts'
import { EXIT } from './errors.ts'

/** Everything outside that a command reads and writes: the process of `keyspring`, or what a test provides. */
export interface World {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: OutputWriter
  readonly stderr: OutputWriter
  /** Reads standard input to its end. */
  readonly readStdin: () => Buffer
  readonly signals: Signals
  /** What the command ends with unless it throws. */
  exitCode: number
}

/** The signals of a process, as `process` itself emits them. */
interface Signals {
  on(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown
  once(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown
  off(name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void): unknown
}

/** A stream that `OutputWriter` writes to. */
export interface OutputStream {
  write(content: string | Uint8Array, done: (error?: Error | null) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** Failures that mean that the reader has ended, as `head` does: nothing is wrong with the command. */
const READER_ENDED: readonly unknown[] = ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED', 'EOF']

/**
 * Standard output or standard error. A failed write never throws and never becomes an uncaught error: the output drops what
 * follows, and `flushed` reports the failure.
 */
export class OutputWriter {
  readonly #name: string
  readonly #stream: OutputStream
  readonly #closed = new AbortController()
  readonly #isDiscarded: boolean
  #failure: Error | undefined
  #written: Promise<void> = Promise.resolve()

  constructor(name: string, stream: OutputStream, isDiscarded = false) {
    this.#name = name
    this.#stream = stream
    this.#isDiscarded = isDiscarded
    stream.on('error', (error) => this.#fail(error))
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true
  }

  /** Characters in a line of the terminal. */
  get columns(): number {
    return this.#stream.columns ?? 80
  }

  /** Aborted once nothing more can be written: a command that runs for long ends early. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  write(content: string | Uint8Array): void {
    if (this.#failure !== undefined) return
    this.#written = new Promise((resolve) => {
      this.#stream.write(content, (error) => {
        if (error instanceof Error) this.#fail(error)
        resolve()
      })
    })
  }

  /** Writes one line, with characters that a terminal would obey escaped. */
  line(text: string): void {
    this.write(`${printable(text)}\n`)
  }

  /** Resolves once the system has everything written so far. Throws the system's error, except where the reader has ended. */
  async flushed(): Promise<void> {
    await this.#written
    if (this.#failure !== undefined && !this.#readerEnded()) throw this.#failure
  }

  /** Like `flushed`, but an ended reader and /dev/null are errors too: for output that must reach somebody. */
  async delivered(): Promise<void> {
    await this.#written
    if (this.#failure !== undefined) throw this.#failure
    if (this.#isDiscarded) throw new KeyProviderError('ERR_USAGE_INVALID', `${this.#name}: it is closed, or /dev/null`)
  }

  #readerEnded(): boolean {
    return this.#failure !== undefined && 'code' in this.#failure && READER_ENDED.includes(this.#failure.code)
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = Object.assign(error, { path: this.#name })
    this.#closed.abort()
  }
}

/** The world of this process. */
export function processWorld(): World {
  return {
    env: process.env,
    stdout: new OutputWriter('standard output', process.stdout, isNull(process.stdout.fd)),
    stderr: new OutputWriter('standard error', process.stderr),
    readStdin: () => readToEnd(0),
    signals: process,
    exitCode: EXIT.done,
  }
}

/** The bytes of a pipe or a file up to its end. The other end of a pipe can make it non-blocking, as Node.js does. */
function readToEnd(fd: number): Buffer {
  const chunks: Buffer[] = []
  const buffer = Buffer.allocUnsafe(65_536)
  const never = new Int32Array(new SharedArrayBuffer(4))
  for (;;) {
    try {
      const length = readSync(fd, buffer)
      if (length === 0) return Buffer.concat(chunks)
      chunks.push(Buffer.from(buffer.subarray(0, length)))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      Atomics.wait(never, 0, 0, 10)
    }
  }
}

/** Whether a file descriptor is /dev/null. Node.js opens it in place of a closed standard output. */
function isNull(fd: number): boolean {
  const { rdev } = statSync('/dev/null', { throwIfNoEntry: false }) ?? { rdev: undefined }
  const stats = fstatSync(fd)
  return stats.isCharacterDevice() && stats.rdev === rdev
}

/** The bytes of a file, or of standard input for `-`. */
export function readInput({ readStdin }: World, file: string): Buffer {
  return file === '-' ? readStdin() : readFileSync(file)
}

/** Writes a file, and sets its mode to 0600. */
export function writePrivateFile(path: string, content: string | Uint8Array): void {
  const file = openSync(path, 'w', 0o600)
  try {
    // An existing file would keep its mode. A device such as /dev/null must keep it.
    if (fstatSync(file).isFile()) fchmodSync(file, 0o600)
    writeFileSync(file, content)
  } catch (error) {
    throw error instanceof Error ? Object.assign(error, { path }) : error
  } finally {
    closeSync(file)
  }
}

/** Writes a new file of mode 0600. Throws EEXIST if it exists. On any other error, such as a full disk, deletes what it wrote. */
export function writeNewFile(file: string, content: string | Uint8Array): void {
  const opened = openSync(file, 'wx', 0o600)
  try {
    writeFileSync(opened, content)
  } catch (error) {
    rmSync(file, { force: true })
    throw error instanceof Error ? Object.assign(error, { path: file }) : error
  } finally {
    closeSync(opened)
  }
}

/** Whether to colour `output`: only a terminal that shows colours, unless NO_COLOR is set. @see https://no-color.org */
export function wantsColours(output: { readonly isTerminal: boolean }, env: World['env']): boolean {
  return output.isTerminal && env.TERM !== 'dumb' && (env.NO_COLOR ?? '') === ''
}

/** The colours for standard output. */
export function stdoutColours({ stdout, env }: World): ReturnType<typeof createColors> {
  return createColors(wantsColours(stdout, env))
}

/** Prints a result: as one JSON object, or as the lines that `lines` makes of it. */
export function printResult<T extends object>(
  { stdout }: World,
  json: boolean | undefined,
  result: T,
  lines: (result: T) => readonly string[],
): void {
  if (json === true) stdout.write(`${JSON.stringify(result, undefined, 2)}\n`)
  else for (const line of lines(result)) stdout.line(line)
}

/** Aborted by SIGINT, by SIGTERM, or once nobody reads standard output. `dispose` stops listening. */
export function interruption({ signals, stdout }: World): {
  readonly signal: AbortSignal
  readonly dispose: () => void
} {
  const interrupted = new AbortController()
  const abort = (): void => interrupted.abort()
  signals.once('SIGINT', abort)
  signals.once('SIGTERM', abort)
  return {
    signal: AbortSignal.any([interrupted.signal, stdout.closed]),
    dispose() {
      signals.off('SIGINT', abort)
      signals.off('SIGTERM', abort)
    },
  }
}

const LINES_EVERY = 10_000

/** Reports progress on standard error: on one line that is written over on a terminal, now and then elsewhere. */
export class ProgressLine {
  readonly #output: OutputWriter
  #isOpen = false
  #reported = 0

  constructor({ stderr }: World) {
    this.#output = stderr
  }

  report(done: number, text: string): void {
    if (this.#output.isTerminal) {
      this.#output.write(`\r${text}\u001b[K`)
      this.#isOpen = true
    } else if (done - this.#reported >= LINES_EVERY) {
      this.#reported = done
      this.#output.write(`${text}\n`)
    }
  }

  close(): void {
    if (this.#isOpen) this.#output.write('\n')
    this.#isOpen = false
  }
}

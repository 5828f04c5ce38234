import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { KeyProviderError } from '../../../core/errors.ts'
import { storeUnavailable, toEngineError } from './error.ts'
import type { Write, WriterData, WriterMessage, WriterVerbs, Written } from './writer.ts'

/** The connection to the writer thread. */
export interface SqliteQueue {
  /** Resolves when the write is durable. */
  write<V extends keyof WriterVerbs>(
    verb: V,
    ...values: Parameters<WriterVerbs[V]>
  ): Promise<ReturnType<WriterVerbs[V]>>
  /** Ends the thread once every waiting write is done. */
  close(): Promise<void>
}

interface SqliteQueueOptions {
  /** Starts the writer's thread. */
  readonly start?: (data: WriterData) => Worker
  /** Called with the reason why a writer thread died, when its successor starts. */
  readonly onRestart?: ((died: KeyProviderError) => void) | undefined
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number
}

interface Waiting extends Write {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: KeyProviderError) => void
}

/** Reports and maintenance. They give way to everything else. */
const PATIENT: ReadonlySet<keyof WriterVerbs> = new Set([
  'record',
  'prune',
  'reseal',
  'countSeals',
  'destroyExpired',
  'listUnlimited',
  'pruneWrites',
])
const MAX_GROUP = 512
/** The pause after a writer thread died. It doubles each time, until a thread has written. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 10_000

/**
 * Gathers the writes that come while a group is being committed into the next group: one message, one transaction, one wait for
 * the disk. A ledger write travels alone with the secrets of every second group at most. When the thread dies, what waits fails,
 * and a write that comes later starts another.
 */
export function openSqliteQueue(data: WriterData, options: SqliteQueueOptions = {}): SqliteQueue {
  const { start = startWriter, onRestart = () => {}, now = () => performance.now() } = options
  const urgent: Waiting[] = []
  const patient: Waiting[] = []
  let group: readonly Waiting[] = []
  let isScheduled = false
  let hadPatient = false
  let died: { readonly error: KeyProviderError; readonly retryAt: number } | undefined
  let pauseMs = FIRST_PAUSE_MS
  let closing: Promise<void> | undefined
  let whenIdle: (() => void) | undefined
  let writer = begin()

  function begin() {
    const worker = start(data)
    // Only writes in flight keep the process alive.
    worker.unref()
    const whileCurrent =
      <V>(act: (value: V) => void) =>
      (value: V): void => {
        if (worker === writer.worker && died === undefined) act(value)
      }
    worker.on('message', whileCurrent(settle))
    worker.on('messageerror', whileCurrent(end))
    worker.on('error', whileCurrent(end))
    worker.on('exit', whileCurrent(endByItself))
    return { worker, exited: new Promise<void>((resolve) => worker.once('exit', () => resolve())) }
  }

  function schedule(): void {
    if (isScheduled || group.length > 0) return
    isScheduled = true
    setImmediate(send)
  }

  function send(): void {
    isScheduled = false
    if (died !== undefined) return
    const next = urgent.splice(0, MAX_GROUP)
    const report = next.length === 0 || !hadPatient ? patient.shift() : undefined
    hadPatient = report !== undefined
    group = report === undefined ? next : [...next, report]
    if (group.length === 0) {
      writer.worker.unref()
      whenIdle?.()
      return
    }
    const message: WriterMessage = group.map(({ verb, values }) => ({ verb, values }))
    try {
      writer.worker.ref()
      writer.worker.postMessage(message)
    } catch (error) {
      settle(group.map((): Written => ({ failed: toEngineError(error) })))
    }
  }

  function settle(written: readonly Written[]): void {
    const settled = group
    group = []
    pauseMs = FIRST_PAUSE_MS
    schedule()
    for (const [index, { resolve, reject }] of settled.entries()) {
      const outcome = written[index] ?? { failed: { message: 'its writer thread did not answer', errcode: undefined } }
      if ('value' in outcome) resolve(outcome.value)
      else if ('refused' in outcome) reject(new KeyProviderError(outcome.refused.code, outcome.refused.message))
      else reject(storeUnavailable(data.file, outcome.failed))
    }
  }

  function endByItself(): void {
    end(new Error('its writer thread ended and restarts soon: retry'))
  }

  function end(cause: unknown): void {
    const error = storeUnavailable(data.file, toEngineError(cause), cause)
    died = { error, retryAt: now() + pauseMs }
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
    // A write that was being committed may be stored or not. A caller that retries finds out.
    const waiting = [...group, ...urgent.splice(0), ...patient.splice(0)]
    group = []
    for (const { reject } of waiting) reject(error)
    whenIdle?.()
    void writer.worker.terminate()
  }

  /**
   * The reason why writes are impossible now; undefined if a writer thread runs. Starts a new thread in place of a
   * dead one.
   */
  function obstacle(): KeyProviderError | undefined {
    if (closing !== undefined) return storeUnavailable(data.file, CLOSED)
    if (died === undefined) return undefined
    const { error, retryAt } = died
    if (now() < retryAt) return error
    try {
      writer = begin()
    } catch (cause) {
      end(cause)
      return error
    }
    died = undefined
    onRestart(error)
    return undefined
  }

  return {
    write(verb, ...values) {
      const refused = obstacle()
      if (refused !== undefined) return Promise.reject(refused)
      type Value = ReturnType<WriterVerbs[typeof verb]>
      return new Promise<Value>((resolve, reject) => {
        const queue = PATIENT.has(verb) ? patient : urgent
        queue.push({ verb, values, reject, resolve: (value) => resolve(value as Value) })
        schedule()
      })
    },

    close() {
      closing ??= drain()
      return closing
    },
  }

  async function drain(): Promise<void> {
    if (died === undefined) {
      await new Promise<void>((resolve) => {
        whenIdle = resolve
        schedule()
      })
      writer.worker.ref()
      writer.worker.postMessage('close' satisfies WriterMessage)
    }
    await writer.exited
  }
}

/** The thread runs the file beside this one: `.ts` in the source tree, `.js` when built. */
function startWriter(workerData: WriterData): Worker {
  return new Worker(new URL(`./writer${extname(import.meta.url)}`, import.meta.url), { workerData })
}

const CLOSED = { message: 'it was closed', errcode: undefined }

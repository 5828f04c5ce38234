import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { KeyProviderError } from '../errors.ts'
import { storeUnavailable, toEngineError } from './sqlite-error.ts'
import type { Write, WriterData, WriterMessage, Written } from './sqlite-writer.ts'
import type { SqliteWrites } from './sqlite-writes.ts'

/** The way to the writer's thread. */
export interface SqliteQueue {
  /** Resolves when the write is durable. */
  write<V extends keyof SqliteWrites>(
    verb: V,
    ...values: Parameters<SqliteWrites[V]>
  ): Promise<ReturnType<SqliteWrites[V]>>
  /** Ends the thread when everything that waits is written. */
  close(): Promise<void>
}

interface Waiting extends Write {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: KeyProviderError) => void
}

/** Reports and upkeep: they let everything else pass. */
const PATIENT: ReadonlySet<keyof SqliteWrites> = new Set(['record', 'prune', 'reseal', 'countSeals'])
const MAX_GROUP = 512

/**
 * Gathers the writes that come while a group is being committed into the next group: one message, one transaction, one wait for
 * the disk. A ledger write travels alone with the secrets of every second group at most.
 */
export function openSqliteQueue(data: WriterData, start: (data: WriterData) => Worker = startWriter): SqliteQueue {
  const worker = start(data)
  const urgent: Waiting[] = []
  const patient: Waiting[] = []
  let group: readonly Waiting[] = []
  let isScheduled = false
  let hadPatient = false
  let ended: KeyProviderError | undefined
  let closing: Promise<void> | undefined
  let whenIdle: (() => void) | undefined

  // Only writes under way keep the process alive.
  worker.unref()
  worker.on('message', settle)
  worker.on('messageerror', end)
  worker.on('error', end)
  worker.on('exit', () => end(new Error('its writer ended; restart keyspring')))

  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))

  function schedule(): void {
    if (isScheduled || group.length > 0) return
    isScheduled = true
    setImmediate(send)
  }

  function send(): void {
    isScheduled = false
    if (ended !== undefined) return
    const next = urgent.splice(0, MAX_GROUP)
    const report = next.length === 0 || !hadPatient ? patient.shift() : undefined
    hadPatient = report !== undefined
    group = report === undefined ? next : [...next, report]
    if (group.length === 0) {
      worker.unref()
      whenIdle?.()
      return
    }
    const message: WriterMessage = group.map(({ verb, values }) => ({ verb, values }))
    try {
      worker.ref()
      worker.postMessage(message)
    } catch (error) {
      settle(group.map((): Written => ({ failed: toEngineError(error) })))
    }
  }

  function settle(written: readonly Written[]): void {
    const settled = group
    group = []
    schedule()
    for (const [index, { resolve, reject }] of settled.entries()) {
      const outcome = written[index] ?? { failed: { message: 'its writer did not answer', errcode: undefined } }
      if ('value' in outcome) resolve(outcome.value)
      else if ('refused' in outcome) reject(new KeyProviderError(outcome.refused.code, outcome.refused.message))
      else reject(storeUnavailable(data.file, outcome.failed))
    }
  }

  function end(error: unknown): void {
    ended ??= storeUnavailable(data.file, toEngineError(error), error)
    const waiting = [...group, ...urgent.splice(0), ...patient.splice(0)]
    group = []
    for (const { reject } of waiting) reject(ended)
    whenIdle?.()
    void worker.terminate()
  }

  return {
    write(verb, ...values) {
      const refused = closing === undefined ? ended : storeUnavailable(data.file, CLOSED)
      if (refused !== undefined) return Promise.reject(refused)
      type Value = ReturnType<SqliteWrites[typeof verb]>
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
    if (ended === undefined) {
      await new Promise<void>((resolve) => {
        whenIdle = resolve
        schedule()
      })
      worker.ref()
      worker.postMessage('close' satisfies WriterMessage)
    }
    await exited
  }
}

/** The thread runs the file beside this one: `.ts` in the source tree, `.js` when built. */
function startWriter(workerData: WriterData): Worker {
  return new Worker(new URL(`./sqlite-writer${extname(import.meta.url)}`, import.meta.url), { workerData })
}

const CLOSED = { message: 'it was closed', errcode: undefined }

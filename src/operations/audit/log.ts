import { KeyProviderError } from '../../core/errors.ts'
import { type Schedule, scheduleTimeout } from '../../core/late-writes.ts'
import type { Actor, AuditAction, AuditEntry, AuditLog } from '../ports/audit.ts'
import { AUDIT_TENANT, type AuditHeads } from './heads.ts'
import { type AuditNote, auditLine, chainOf, sha256 } from './record.ts'
import { newestHead, type Standing, standingOf } from './resume.ts'
import { sealHeads } from './seal.ts'
import type { AuditSink, AuditTail } from './sink.ts'

/** An audit log that can be watched. */
export interface WatchedAuditLog extends AuditLog {
  /** Records that it was started, if that is not recorded yet. Rejects as `write` does. */
  start(): Promise<void>
  /** How many records wait. */
  queued(): number
}

export interface AuditLogOptions {
  readonly sink: AuditSink
  readonly node: string
  /** Undefined: a log that is cut at its end does not show it. */
  readonly heads: AuditHeads | undefined
  /** Who starts it: the server, or the user of the command line. */
  readonly startedBy: Actor
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How long a spooled record waits at most, and how long it is until a failed write is tried again. */
  readonly spoolMs?: number
  /** How many records may wait. */
  readonly maxWaiting?: number
  readonly onWritten?: (action: AuditAction, outcome: AuditEntry['outcome']) => void
  /** Told how many records were lost. */
  readonly onLoss?: (records: number) => void
  /** Told why a write failed, or a head could not be kept. */
  readonly onError?: (error: unknown) => void
  readonly schedule?: Schedule
}

interface Waiting {
  readonly entry: AuditEntry
  readonly at: number
  /** Undefined for what is spooled. */
  readonly settle: { readonly resolve: () => void; readonly reject: (error: KeyProviderError) => void } | undefined
}

/** A record in its place. */
interface Placed extends Standing {
  readonly one: Waiting
  readonly text: string
}

const HEADS_EVERY_MS = 1_000
/** Records that are made durable together: more would stop the event loop for milliseconds. */
const MAX_GROUP = 256

/** The audit log of one node: records that come while others are being made durable share the next wait for the disk. */
export function createAuditLog(options: AuditLogOptions): WatchedAuditLog {
  const { sink, node, now, spoolMs = 500, maxWaiting = 10_000, schedule = scheduleTimeout } = options
  const { onWritten = () => {}, onLoss = () => {}, onError = () => {} } = options
  const heads = sealHeads({ heads: options.heads, schedule, everyMs: HEADS_EVERY_MS, onError })
  let waiting: Waiting[] = []
  /** What the next record follows; undefined until the end of the log is found. */
  let standing: Standing | undefined
  /** The last record known to be durable. */
  let durable: Standing | undefined
  /** The records of a write that failed: some may be in the file. */
  let unsure: readonly Placed[] = []
  let isStarted = false
  let isClosed = false
  let lost = 0
  let running: Promise<KeyProviderError | undefined> | undefined
  let cancel: (() => void) | undefined

  const lose = (records: number): void => {
    lost += records
    onLoss(records)
  }

  const run = (): Promise<KeyProviderError | undefined> => {
    cancel?.()
    cancel = undefined
    running ??= Promise.resolve()
      .then(drain)
      .finally(() => {
        running = undefined
        // A write may have come after the last look at what waits; what failed to be written waits for its time.
        if (waiting.some(({ settle }) => settle !== undefined)) void run()
        else if (waiting.length > 0) runLater()
      })
    return running
  }

  const runLater = (): void => {
    if (isClosed || running !== undefined) return
    cancel ??= schedule(() => void run(), spoolMs)
  }

  /** Writes what waits. When that fails, only what was spooled waits on; the result says why. */
  const drain = async (): Promise<KeyProviderError | undefined> => {
    let group: readonly Waiting[] = []
    try {
      standing ??= await resume()
      while (waiting.length > 0) {
        const [first] = waiting
        const day = later(standing.day, first === undefined ? '' : dayOf(first.at))
        group = takeOfDay(day)
        standing = await append(standing, group, day)
        group = []
      }
      return undefined
    } catch (error) {
      standing = undefined
      const failed = unavailable(sink.name, error)
      onError(error)
      const all = [...group, ...waiting]
      waiting = all.filter(({ settle }) => settle === undefined)
      for (const { settle } of all) settle?.reject(failed)
      return failed
    }
  }

  /** The records that wait for one file. A clock that goes back does not open an older one again. */
  const takeOfDay = (day: string): readonly Waiting[] => {
    const end = waiting.findIndex((one) => dayOf(one.at) > day)
    return waiting.splice(0, Math.min(MAX_GROUP, end === -1 ? waiting.length : end))
  }

  /** Finds the end of the log, and records a start, or that a line was left unfinished. */
  const resume = async (): Promise<Standing> => {
    const tail = await sink.open()
    const head = durable ?? (options.heads && (await newestHead(node, options.heads, onError)))
    const { standing: found, isWhole } = standingOf(node, tail, head)
    if (!isWhole) onError(cutShort(sink.name))
    forgetWritten(found)
    const torn = tornOf(tail)
    const isOfTail = tail !== undefined && torn !== undefined && tail.day >= found.day
    if (isStarted && !isOfTail) return found
    const at = now()
    const entry = { ...START, actor: options.startedBy }
    const day = isOfTail ? tail.day : later(found.day, dayOf(at))
    const started = place(found, { entry, at, settle: undefined }, day, { torn: isOfTail ? torn : undefined })
    // What was left unfinished becomes a line of its own.
    await sink.append(day, isOfTail ? `\n${started.text}` : started.text)
    isStarted = true
    return settled([started]) ?? found
  }

  /** A failed write may have reached the file all the same: what is there is not written twice. */
  const forgetWritten = ({ hash }: Standing): void => {
    const last = unsure.findLastIndex((placed) => placed.hash === hash)
    const written = new Set(unsure.slice(0, last + 1).map(({ one }) => one))
    waiting = waiting.filter((one) => !written.has(one))
    unsure = []
  }

  const append = async (after: Standing, group: readonly Waiting[], day: string): Promise<Standing> => {
    const note: AuditNote = lost > 0 ? { lost } : {}
    const placed: Placed[] = []
    for (const one of group) placed.push(place(placed.at(-1) ?? after, one, day, placed.length === 0 ? note : {}))
    unsure = placed
    await sink.append(day, placed.map(({ text }) => text).join(''))
    unsure = []
    lost -= note.lost ?? 0
    return settled(placed) ?? after
  }

  const place = (after: Standing, one: Waiting, day: string, note: AuditNote): Placed => {
    const seq = day === after.day ? after.seq + 1 : 1
    return { one, day, seq, ...auditLine({ node, day, seq, prev: after.hash, at: one.at }, one.entry, note) }
  }

  const settled = (placed: readonly Placed[]): Standing | undefined => {
    for (const { one } of placed) {
      one.settle?.resolve()
      onWritten(one.entry.action, one.entry.outcome)
    }
    const last = placed.at(-1)
    if (last === undefined) return undefined
    const { day, seq, hash } = last
    heads.later({ chain: chainOf(node, day), seq, hash })
    durable = { day, seq, hash }
    return durable
  }

  return {
    async start() {
      const failed = isStarted ? undefined : await run()
      if (failed !== undefined) throw failed
    },
    write: (entry) =>
      new Promise((resolve, reject) => {
        if (isClosed) reject(unavailable(sink.name, 'it is closed'))
        else if (waiting.length >= maxWaiting) reject(unavailable(sink.name, `${maxWaiting} records wait already`))
        else {
          waiting.push({ entry, at: now(), settle: { resolve, reject } })
          void run()
        }
      }),
    spool(entry) {
      if (isClosed || waiting.length >= maxWaiting) return lose(1)
      waiting.push({ entry, at: now(), settle: undefined })
      runLater()
    },
    queued: () => waiting.length,
    async close() {
      isClosed = true
      while (running !== undefined) await running
      if (waiting.length > 0) await run()
      cancel?.()
      if (waiting.length > 0) lose(waiting.length)
      waiting = []
      await heads.close()
      await sink.close()
    },
  }
}

const START: Omit<AuditEntry, 'actor'> = {
  action: 'audit.start',
  outcome: 'ok',
  tenant: AUDIT_TENANT,
  requestId: 'start',
}

function tornOf(tail: AuditTail | undefined): AuditNote['torn'] {
  return tail?.torn && { bytes: tail.torn.length, sha256: sha256(tail.torn) }
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

function later(one: string, other: string): string {
  return one > other ? one : other
}

function cutShort(name: string): KeyProviderError {
  return new KeyProviderError(
    'ERR_AUDIT_BROKEN',
    `the audit log ${name} does not hold together: its file does not end with the record that was sealed last; ` +
      'keep the file and run keyspring audit verify',
  )
}

/** The one error of a record that cannot be written. A system's own message names no more than a path. */
function unavailable(name: string, problem: unknown): KeyProviderError {
  if (problem instanceof KeyProviderError && problem.code === 'ERR_AUDIT_UNAVAILABLE') return problem
  const why = problem instanceof Error ? problem.message : String(problem)
  return new KeyProviderError('ERR_AUDIT_UNAVAILABLE', `the audit log ${name} cannot be written: ${why}`, {
    cause: problem,
  })
}

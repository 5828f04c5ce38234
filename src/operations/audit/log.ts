import { KeyProviderError } from '../../core/errors.ts'
import { type Schedule, scheduleTimeout, WriteQueue } from '../../core/write-queue.ts'
import type { Actor, AuditAction, AuditEntry, AuditLog } from '../ports/audit.ts'
import { AUDIT_TENANT } from '../ports/store.ts'
import { type AuditHeads, headQueue, isMacOf, type MacKey, macOf, type OpenHead } from './heads.ts'
import { type ChainPosition, findPosition, newestHead } from './position.ts'
import { type AuditNote, auditLine, chainOf, type ReadRecord, type RecordMac, sha256 } from './record.ts'
import type { AuditSink, AuditTail } from './sink.ts'

/** An audit log that records its own start, and says how many records wait. */
export interface WatchedAuditLog extends AuditLog {
  /** Records that the log was started, unless that is recorded. Rejects as `write` does. */
  start(): Promise<void>
  /** How many records wait. */
  queued(): number
}

export interface AuditLogOptions {
  readonly sink: AuditSink
  readonly node: string
  /** Seals the ends of chains and gives records their MACs. Undefined: neither a cut nor a forged record can be found. */
  readonly heads: AuditHeads | undefined
  /** Who starts the log: the server, or the user of the command line. */
  readonly startedBy: Actor
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How long a spooled record waits at most, and how long the log waits after a failed write, in milliseconds. */
  readonly spoolMs?: number
  /** How many records may wait. */
  readonly maxWaiting?: number
  readonly onWritten?: (action: AuditAction, outcome: AuditEntry['outcome']) => void
  /** Receives how many records were lost. */
  readonly onLoss?: (records: number) => void
  /** Receives why a write failed, why a head could not be stored, and signs that the log was changed. */
  readonly onError?: (error: unknown) => void
  readonly schedule?: Schedule
}

interface Waiting {
  /** Undefined: opens the log, and writes nothing. */
  readonly entry: AuditEntry | undefined
  readonly at: number
  /** Undefined for spooled records: nobody waits for them. */
  readonly settle: { readonly resolve: () => void; readonly reject: (error: KeyProviderError) => void } | undefined
  /** Whether the record is in the file. */
  isWritten: boolean
}

interface WaitingRecord extends Waiting {
  readonly entry: AuditEntry
}

/** A waiting record with its text and its position. */
interface PlacedRecord extends ChainPosition {
  readonly one: WaitingRecord
  readonly text: string
}

type Sign = (hash: string) => RecordMac

const HEADS_EVERY_MS = 1_000
/** Records that are made durable together: more would block the event loop for milliseconds. */
const MAX_GROUP = 256

/** The audit log of one node. Records that arrive while others are being made durable share the next wait for the disk. */
export class ChainedAuditLog implements WatchedAuditLog {
  readonly #options: AuditLogOptions
  readonly #queue: WriteQueue<Waiting>
  readonly #heads: WriteQueue<OpenHead> | undefined
  /** What the next record follows; undefined until the end of the log is found. */
  #position: ChainPosition | undefined
  /** The last record known to be durable. */
  #durable: ChainPosition | undefined
  /** The keys of the current chain's MACs; the last one is for new records. */
  #macKeys: { readonly chain: string; readonly keys: readonly MacKey[] } | undefined
  /** The records of a failed write: some may be in the file. */
  #unsure: readonly PlacedRecord[] = []
  #isStarted = false
  #isClosed = false
  #lost = 0

  constructor(options: AuditLogOptions) {
    this.#options = options
    const { heads, schedule = scheduleTimeout, onError = () => {} } = options
    this.#heads = heads && headQueue(heads, { everyMs: HEADS_EVERY_MS, schedule, onError })
    this.#queue = new WriteQueue<Waiting>({
      write: (waiting) => this.#write(waiting),
      delayMs: options.spoolMs ?? 500,
      maxItems: options.maxWaiting ?? 10_000,
      maxBatch: MAX_GROUP,
      onFailure: (error, waiting) => this.#keepSpooled(error, waiting),
      onLoss: (waiting) => this.#lose(waiting.length),
      schedule,
    })
  }

  async start(): Promise<void> {
    if (!this.#isStarted) await this.#enqueue(undefined)
  }

  write(entry: AuditEntry): Promise<void> {
    return this.#enqueue(entry)
  }

  spool(entry: AuditEntry): void {
    this.#queue.add({ entry, at: this.#options.now(), settle: undefined, isWritten: false })
  }

  queued(): number {
    return this.#queue.size
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#queue.close()
    await this.#heads?.close()
    await this.#options.sink.close()
  }

  #enqueue(entry: AuditEntry | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const at = this.#options.now()
      if (this.#isClosed) reject(this.#unavailable('the log is closed'))
      else if (!this.#queue.hasRoom) reject(this.#unavailable(`${this.#queue.size} records wait already`))
      else this.#queue.addUrgent({ entry, at, settle: { resolve, reject }, isWritten: false })
    })
  }

  /** Only spooled records are tried again; the writers of the others get the error. */
  #keepSpooled(error: unknown, waiting: readonly Waiting[]): readonly Waiting[] {
    this.#position = undefined
    const failed = this.#unavailable(error)
    this.#options.onError?.(error)
    for (const { settle, isWritten } of waiting) if (!isWritten) settle?.reject(failed)
    return waiting.filter(({ settle, isWritten }) => settle === undefined && !isWritten)
  }

  #lose(records: number): void {
    this.#lost += records
    this.#options.onLoss?.(records)
  }

  async #write(waiting: readonly Waiting[]): Promise<void> {
    this.#position ??= await this.#resume()
    for (const { entry, settle } of waiting) if (entry === undefined) settle?.resolve()
    let left = waiting.filter((one): one is WaitingRecord => one.entry !== undefined && !one.isWritten)
    while (left.length > 0) {
      const day = later(this.#position.day, dayOf(left[0]?.at ?? 0))
      // A clock that is set back does not open an older file again.
      const end = left.findIndex(({ at }) => dayOf(at) > day)
      const group = end === -1 ? left : left.slice(0, end)
      this.#position = await this.#append(this.#position, group, day)
      left = left.slice(group.length)
    }
  }

  /** Finds the end of the log, and records a start, or that a line was left unfinished. */
  async #resume(): Promise<ChainPosition> {
    const { node, sink, heads, startedBy, now, onError = () => {} } = this.#options
    const tail = await sink.open()
    const head = this.#durable === undefined && heads ? await newestHead(node, heads, onError) : undefined
    const { position: found, isWhole, last } = findPosition(node, tail, this.#durable ?? head)
    if (!isWhole) onError(cutShort(sink.name))
    if (head !== undefined && this.#macKeys === undefined) {
      this.#macKeys = { chain: chainOf(node, head.day), keys: head.macKeys }
    }
    if (last !== undefined && (await this.#isForged(last))) onError(forged(sink.name, last))
    this.#markWritten(found)
    const torn = tornOf(tail)
    const isOfTail = tail !== undefined && torn !== undefined && tail.day >= found.day
    if (this.#isStarted && !isOfTail) return found
    const day = isOfTail ? tail.day : later(found.day, dayOf(now()))
    const entry = { ...START, actor: startedBy }
    const one: WaitingRecord = { entry, at: now(), settle: undefined, isWritten: false }
    const sign = await this.#signer(day)
    const started = this.#place(found, one, day, { torn: isOfTail ? torn : undefined }, sign)
    // The unfinished text becomes a line of its own.
    await sink.append(day, isOfTail ? `\n${started.text}` : started.text)
    this.#isStarted = true
    return this.#settle([started]) ?? found
  }

  /** Whether a record carries a MAC that its chain's key does not make. */
  async #isForged({ chain, mac, hash }: ReadRecord): Promise<boolean> {
    if (mac === undefined) return false
    const known = this.#macKeys?.chain === chain ? this.#macKeys.keys : []
    const key =
      known.find(({ generation }) => generation === mac.generation) ??
      (await this.#options.heads?.findMacKey(chain, mac.generation))
    return key !== undefined && !isMacOf(mac, key, hash)
  }

  /** A failed write may have reached the file: a record that is there is not written again. */
  #markWritten({ hash }: ChainPosition): void {
    const last = this.#unsure.findLastIndex((placed) => placed.hash === hash)
    for (const { one } of this.#unsure.slice(0, last + 1)) one.isWritten = true
    this.#unsure = []
  }

  async #append(after: ChainPosition, group: readonly WaitingRecord[], day: string): Promise<ChainPosition> {
    const sign = await this.#signer(day)
    const note: AuditNote = this.#lost > 0 ? { lost: this.#lost } : {}
    const placed: PlacedRecord[] = []
    for (const one of group) {
      placed.push(this.#place(placed.at(-1) ?? after, one, day, placed.length === 0 ? note : {}, sign))
    }
    this.#unsure = placed
    await this.#options.sink.append(day, placed.map(({ text }) => text).join(''))
    this.#unsure = []
    this.#lost -= note.lost ?? 0
    return this.#settle(placed) ?? after
  }

  /** Makes the MACs of a day's chain; undefined for a log without data keys. */
  async #signer(day: string): Promise<Sign | undefined> {
    const { heads, node } = this.#options
    if (heads === undefined) return undefined
    const chain = chainOf(node, day)
    const known = this.#macKeys?.chain === chain ? this.#macKeys.keys : []
    let key = known.at(-1)
    if (key === undefined || !this.#isStarted) {
      const current = await heads.currentMacKey(chain)
      key = current
      this.#macKeys = { chain, keys: [...known.filter(({ generation }) => generation !== current.generation), current] }
    }
    const macKey = key
    return (hash: string) => macOf(macKey, hash)
  }

  #place(after: ChainPosition, one: WaitingRecord, day: string, note: AuditNote, sign: Sign | undefined): PlacedRecord {
    const { node } = this.#options
    const seq = day === after.day ? after.seq + 1 : 1
    const { text, hash } = auditLine({ node, day, seq, prev: after.hash, at: one.at }, one.entry, note, sign)
    return { one, day, seq, text, hash }
  }

  #settle(placed: readonly PlacedRecord[]): ChainPosition | undefined {
    for (const { one } of placed) {
      one.isWritten = true
      one.settle?.resolve()
      this.#options.onWritten?.(one.entry.action, one.entry.outcome)
    }
    const last = placed.at(-1)
    if (last === undefined) return undefined
    const { day, seq, hash } = last
    const chain = chainOf(this.#options.node, day)
    this.#heads?.add({ chain, seq, hash, macKeys: this.#macKeys?.chain === chain ? this.#macKeys.keys : [] })
    this.#durable = { day, seq, hash }
    return this.#durable
  }

  /** The error of a record that cannot be written. A system's own message names at most a path. */
  #unavailable(problem: unknown): KeyProviderError {
    if (problem instanceof KeyProviderError && problem.code === 'ERR_AUDIT_UNAVAILABLE') return problem
    const why = problem instanceof Error ? problem.message : String(problem)
    return new KeyProviderError(
      'ERR_AUDIT_UNAVAILABLE',
      `the audit log ${this.#options.sink.name} cannot be written: ${why}`,
      { cause: problem },
    )
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
    `the audit log ${name} is broken: its file does not end with the record that was sealed last; ` +
      'keep the file and run keyspring audit verify',
  )
}

function forged(name: string, { seq, chain }: ReadRecord): KeyProviderError {
  return new KeyProviderError(
    'ERR_AUDIT_BROKEN',
    `the audit log ${name} is broken: record ${seq} of ${chain} carries a MAC that Keyspring did not make; ` +
      'keep the file and run keyspring audit verify',
  )
}

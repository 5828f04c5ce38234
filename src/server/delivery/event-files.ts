import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { AttemptDelivery, PendingEvent } from '../../operations/events/deliver.ts'
import { EVENT_TYPES, type EventType } from '../../operations/ports/events.ts'

/** The largest dead letter file. Further events are lost, and counted. */
const MAX_DEAD_LETTERS = 64 * 1024 * 1024

/** Adds each event to a file as a line. The file may be moved away at any time. */
export function appendEvents(file: string): AttemptDelivery {
  return async ({ json }) => {
    try {
      await appendLine(file, json, Infinity)
      return { kind: 'delivered' }
    } catch (error) {
      return { kind: 'failed', reason: `${file} cannot be written: ${codeOf(error) ?? 'no reason given'}` }
    }
  }
}

/** Adds an event that could not be delivered to a file, with the reason. */
export function deadLetters(file: string, receiver: string) {
  return async ({ id, json, attempts }: PendingEvent, reason: string): Promise<void> => {
    const at = new Date().toISOString()
    const event: unknown = JSON.parse(json)
    await appendLine(file, JSON.stringify({ at, id, receiver, attempts, reason, event }), MAX_DEAD_LETTERS)
  }
}

/** Writes the events that are not delivered yet; without any, deletes the file. */
export async function keepPending(file: string, events: readonly PendingEvent[]): Promise<void> {
  if (events.length === 0) return rm(file, { force: true })
  const draft = `${file}.new`
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await rm(draft, { force: true })
  {
    await using handle = await open(draft, 'wx', 0o600)
    await handle.writeFile(events.map((event) => `${JSON.stringify(event)}\n`).join(''))
    await handle.sync()
  }
  await rename(draft, file)
}

/** The events that a stop left. The file stays until the next stop: after a crash, delivered events are delivered again. */
export async function readPending(file: string): Promise<readonly PendingEvent[]> {
  try {
    const lines = (await readFile(file, 'utf8')).split('\n')
    return lines.filter((line) => line !== '').map((line) => toPending(JSON.parse(line) as unknown, file))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}

function toPending(value: unknown, file: string): PendingEvent {
  const { type, id, json, attempts } = Object(value) as Record<string, unknown>
  const isKnown = EVENT_TYPES.includes(type as EventType)
  if (!isKnown || typeof id !== 'string' || typeof json !== 'string' || typeof attempts !== 'number') {
    throw new Error(`${file} has a line that is no event`)
  }
  return { type: type as EventType, id, json, attempts }
}

async function appendLine(file: string, line: string, maxBytes: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await using handle = await open(file, 'a', 0o600)
  const { size } = await handle.stat()
  if (size + line.length > maxBytes) throw new Error(`${file} is full: it holds ${maxBytes} bytes`)
  await handle.appendFile(`${line}\n`)
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

/** A server that runs on this machine. */
export interface ServerRecord {
  readonly pid: number
  /** Tells the process from a later one with the same pid. */
  readonly identity: string
  readonly url: string
  /** How many reloads it has completed, and why it rejected the last one. */
  readonly reloads: number
  readonly problem?: string
}

/**
 * The file through which `keyspring server reload` finds a server: `run/HOST-PID.json` in the data directory. A server works
 * without it: a file that cannot be written is reported to `onProblem`, never thrown.
 */
export class ServerFile {
  readonly #data: string
  readonly #onProblem: (error: unknown) => void
  #record: ServerRecord

  constructor(data: string, url: string, onProblem: (error: unknown) => void) {
    this.#data = data
    this.#onProblem = onProblem
    this.#record = { pid: process.pid, identity: identityOf(process.pid) ?? '', url, reloads: 0 }
    this.#write()
  }

  /** Records a completed reload, with the problem for which the server rejected it. */
  reloaded(problem: string | undefined): void {
    const { pid, identity, url, reloads } = this.#record
    this.#record = { pid, identity, url, reloads: reloads + 1, ...(problem !== undefined && { problem }) }
    this.#write()
  }

  close(): void {
    try {
      rmSync(this.#path, { force: true })
    } catch (error) {
      this.#onProblem(error)
    }
  }

  get #path(): string {
    return join(directoryOf(this.#data), `${hostname()}-${process.pid}.json`)
  }

  #write(): void {
    // A server with its store elsewhere may have no data directory.
    if (!existsSync(this.#data)) return
    try {
      mkdirSync(directoryOf(this.#data), { recursive: true, mode: 0o700 })
      runningServers(this.#data)
      const unfinished = `${this.#path}.new`
      writeFileSync(unfinished, JSON.stringify(this.#record), { mode: 0o600 })
      renameSync(unfinished, this.#path)
    } catch (error) {
      this.#onProblem(error)
    }
  }
}

/** The servers of a data directory that run on this machine. Deletes the files of servers that crashed. */
export function runningServers(data: string): readonly ServerRecord[] {
  const directory = directoryOf(data)
  if (!existsSync(directory)) return []
  const files = readdirSync(directory).filter((name) => name.startsWith(`${hostname()}-`) && name.endsWith('.json'))
  return files.flatMap((name) => {
    const file = join(directory, name)
    const record = readRecord(file)
    if (record !== undefined && identityOf(record.pid) === record.identity) return [record]
    rmSync(file, { force: true })
    return []
  })
}

function directoryOf(data: string): string {
  return join(data, 'run')
}

function readRecord(file: string): ServerRecord | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ServerRecord
  } catch {
    // The server ended in this moment, or the machine stopped while it wrote.
    return undefined
  }
}

/** When a process started, in any form that is stable while it runs; undefined if there is no such process. */
function identityOf(pid: number): string | undefined {
  if (existsSync('/proc/self/stat')) {
    try {
      // Field 22 is the start time. Field 2, the name, is in parentheses and may contain spaces. @see proc_pid_stat(5)
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
    } catch {
      return undefined
    }
  }
  const { stdout, status } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

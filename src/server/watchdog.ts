import { execFile } from 'node:child_process'

/** Runs a program; rejects if it fails. */
type RunProgram = (file: string, args: readonly string[]) => Promise<void>

interface WatchdogOptions {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The process ID of this process. */
  readonly pid: number
  readonly run?: RunProgram
}

/**
 * Notifies systemd that the event loop runs, at half of the interval that WatchdogSec sets. If the process hangs, systemd restarts
 * it. Does nothing for a process that systemd does not watch.
 * @see https://www.freedesktop.org/software/systemd/man/latest/sd_watchdog_enabled.html
 */
export class Watchdog {
  readonly #run: RunProgram
  #timer: NodeJS.Timeout | undefined

  constructor({ environment, pid, run = runProgram }: WatchdogOptions) {
    this.#run = run
    const { WATCHDOG_USEC: interval, WATCHDOG_PID: watched, NOTIFY_SOCKET: socket } = environment
    const ms = Number(interval) / 1_000
    if (socket === undefined || !(ms > 0) || (watched !== undefined && Number(watched) !== pid)) return
    this.#timer = setInterval(() => void this.#notify(), ms / 2).unref()
    void this.#notify()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #notify(): Promise<void> {
    try {
      // Node.js has no datagram sockets of the Unix domain.
      await this.#run('systemd-notify', ['WATCHDOG=1'])
    } catch {
      // Without its notification, systemd restarts the process: that is what the watchdog is for.
    }
  }
}

function runProgram(file: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { timeout: 5_000 }, (error) => (error === null ? resolve() : reject(error)))
  })
}

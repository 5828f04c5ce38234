import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const BIN = fileURLToPath(new URL('../../bin/keyspring.js', import.meta.url))

/** A server that may be killed at any moment. */
export interface TorturedServer {
  readonly url: string
  readonly pid: number
  /** Milliseconds from its start until it listened. */
  readonly startMs: number
  kill(): Promise<void>
}

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a server in a process of its own; rejects when it ends before it listens. */
export async function startServer(environment: Readonly<Record<string, string>>): Promise<TorturedServer> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [BIN, 'serve', '--port', '0'], {
    env: { ...process.env, ...environment, KEYSPRING_LOG_LEVEL: 'silent' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  running.add(child)
  const exited = once(child, 'exit').then(() => running.delete(child))
  let said = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      said = (said + chunk).slice(-4_000)
      const [, found] = /listens on (\S+),/.exec(said) ?? []
      if (found !== undefined) resolve(found)
    })
    child.once('exit', () => reject(new Error(`the server did not start: ${said}`)))
  })
  return {
    url,
    pid: child.pid ?? 0,
    startMs: performance.now() - startedAt,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

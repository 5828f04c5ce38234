import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'

const BIN = fileURLToPath(new URL('../../bin/keyspring.js', import.meta.url))

/** One server after another on one port and one store. */
export interface SoakedServer {
  readonly url: string
  /** How many processes there have been. */
  lives(): number
  /** Ends the process, with a signal that lets it drain or one that does not, and starts the next. */
  restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  stop(): Promise<number | null>
}

/** Starts a server of this configuration. What it says that is no ordinary line goes to `onTrouble`. */
export async function soakedServer(config: string, onTrouble: (line: string) => void): Promise<SoakedServer> {
  const port = await freePort()
  let lives = 0
  let child: ChildProcess
  let exited: Promise<number | null>
  process.once('exit', () => child.kill('SIGKILL'))

  const start = async (): Promise<void> => {
    lives++
    child = spawn(
      process.execPath,
      ['--max-semi-space-size=16', BIN, 'serve', '--config', config, '--port', `${port}`],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    exited = once(child, 'exit').then(([code]) => code)
    await new Promise<void>((resolve, reject) => {
      let rest = ''
      child.stderr?.on('data', (chunk) => {
        const lines = `${rest}${chunk}`.split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          if (/listens on/.test(line)) resolve()
          if (/"level":"?(error|50)/.test(line)) onTrouble(line)
        }
      })
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
    })
  }

  await start()
  return {
    url: `http://127.0.0.1:${port}`,
    lives: () => lives,
    async restart(signal) {
      child.kill(signal)
      await exited
      await start()
    },
    stop() {
      child.kill('SIGTERM')
      return exited
    },
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const BIN = fileURLToPath(new URL('../../bin/keyspring.js', import.meta.url))

/** The Keyspring server of the demo. */
interface DemoServer {
  readonly url: string
  /** Creates a player token with `keyspring token mint`. */
  mintToken(contentId: string, ttl: string): Promise<string>
  close(): Promise<void>
}

/** Starts a server that requires player tokens and allows pages of `origin`. It stores nothing on disk. */
export async function startDemoServer(folder: string, origin: string, port: number): Promise<DemoServer> {
  const file = join(folder, 'keyspring.yaml')
  const config = {
    port,
    store: 'memory',
    playback: {
      access: 'jwt',
      jwt: { secret: randomBytes(32).toString('hex') },
      origins: [origin],
      // The demo has no licence services, so ClearKey serves DRM keys instead.
      serveDrmKeys: ['default/demo-*'],
    },
    signalingProfiles: { default: { playready: { laUrl: 'https://playready.example.com/rightsmanager.asmx' } } },
  }
  await writeFile(file, JSON.stringify(config), { mode: 0o600 })
  const child = spawn(process.execPath, [BIN, 'serve', '--config', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    let output = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text
      const listening = /listens on (\S+),/.exec(output)
      if (listening?.[1] !== undefined) resolve(listening[1])
    })
    child.once('close', () => reject(new Error(`keyspring did not start: ${output.trim()}`)))
  })
  return {
    url,
    async mintToken(contentId, ttl) {
      const args = ['token', 'mint', '--content-id', contentId, '--ttl', ttl, '--subject', 'demo', '--config', file]
      const { stdout } = await run(process.execPath, [BIN, ...args])
      return stdout.trim()
    },
    close() {
      child.kill('SIGTERM')
      return ended
    },
  }
}

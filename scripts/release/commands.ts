import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** Runs a program to its end; what it printed. Throws with all it said when it fails. */
export function run(program: string, args: readonly string[], cwd: string, env = process.env): string {
  try {
    return execFileSync(program, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }
    throw new Error(`${[program, ...args].join(' ')} failed:\n${stdout}${stderr}`, { cause })
  }
}

export interface Serving {
  readonly program: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly environment: Readonly<Record<string, string>>
  /** Whose rights it runs with; undefined: ours. */
  readonly uid?: number | undefined
}

/** Starts a server, asks it for keys with a sample request, and stops it as a service manager does. */
export async function serveOnce({ program, args, cwd, environment, uid }: Serving, sample: string): Promise<string> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:KEYSPRING_|NODE_|npm_)/.test(name))
  const child = spawn(program, args, {
    cwd,
    env: { ...Object.fromEntries(inherited), ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(uid !== undefined && { uid, gid: uid }),
  })
  const exited = once(child, 'exit')
  let said = ''
  try {
    const url = await new Promise<string>((resolve, reject) => {
      child.stderr.on('data', (chunk) => {
        said += chunk
        const [, found] = /listens on (http:\S+?),/.exec(said) ?? []
        if (found !== undefined) resolve(found.replace('0.0.0.0', '127.0.0.1'))
      })
      child.once('error', reject)
      exited.then(() => reject(new Error(`the server ended before it listened:\n${said}`)), reject)
    })
    const answer = await fetch(`${url}/copyProtection`, {
      method: 'POST',
      headers: { 'content-type': 'application/xml', 'x-speke-version': '2.0' },
      body: readFileSync(sample),
    })
    const text = await answer.text()
    if (answer.status !== 200 || !/<(?:\w+:)?PlainValue>[^<]{20,}</.test(text)) {
      throw new Error(`no keys: ${answer.status}`)
    }
    const ready = await fetch(`${url}/readyz`)
    if (ready.status !== 200) throw new Error(`not ready:\n${said}`)
    child.kill('SIGTERM')
    const [code] = await exited
    if (code !== 0) throw new Error(`it ended with ${code}:\n${said}`)
    return url
  } finally {
    child.kill('SIGKILL')
  }
}

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'

export const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))
const BIN = join(PACKAGE, 'bin/keyspring.js')

export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array
  readonly environment?: Readonly<Record<string, string>>
  readonly nodeOptions?: readonly string[]
}

/** A process of the command line, and what it said. */
export interface Running {
  readonly done: Promise<Run>
  /** What standard error says that fits `pattern`, as soon as it does. */
  stderr(pattern: RegExp): Promise<RegExpExecArray>
  signal(name: NodeJS.Signals): void
}

/** Starts `keyspring` with these arguments, in an environment without any setting. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  const { stdin = '', environment = {}, nodeOptions = [] } = options
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('KEYSPRING_'))
  const child = spawn(process.execPath, [...nodeOptions, BIN, ...args], {
    cwd: PACKAGE,
    env: { ...Object.fromEntries(inherited), ...environment },
  })
  let stdout = ''
  let stderr = ''
  let closed = false
  const waiting = new Set<() => void>()
  const tell = (): void => {
    for (const look of waiting) look()
  }
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => {
    stderr += chunk
    tell()
  })
  // One that refuses its arguments does not read what it is given.
  child.stdin.on('error', () => undefined)
  child.stdin.end(stdin)
  const done = new Promise<Run>((resolve) => {
    child.on('close', (code) => {
      closed = true
      tell()
      resolve({ code, stdout, stderr })
    })
  })
  return {
    done,
    signal: (name) => child.kill(name),
    stderr: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(stderr)
          if (found === null && !closed) return
          waiting.delete(look)
          if (found === null) reject(new Error(`ended without ${pattern}: ${stderr}`))
          else resolve(found)
        }
        waiting.add(look)
        look()
      }),
  }
}

/** Runs `keyspring` to its end. */
export function run(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  return start(args, options).done
}

/** A directory that is gone after the tests. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'keyspring-cli-'))
  after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

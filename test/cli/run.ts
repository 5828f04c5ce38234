import { spawn } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import { main } from '../../src/cli/main.ts'
import { type OutputStream, OutputWriter } from '../../src/cli/shared/world.ts'

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
}

export interface ProcessOptions extends RunOptions {
  readonly nodeOptions?: readonly string[]
}

/** A running command line. */
export interface Running {
  readonly done: Promise<Run>
  /** Resolves with the first match of `pattern` on standard error; rejects if the command ends without one. */
  stderr(pattern: RegExp): Promise<RegExpExecArray>
  signal(name: NodeJS.Signals): unknown
}

/** Runs `keyspring` with these arguments in this process, in an environment without settings. */
export function run(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  return start(args, options).done
}

/** Starts `keyspring` in this process. `keyspring serve` logs to standard error of this process, not to `stderr`, and only errors. */
export function start(args: readonly string[], { stdin = '', environment = {} }: RunOptions = {}): Running {
  const [stdout, stderr] = [new Captured(), new Captured()]
  const signals = new EventEmitter()
  const world = {
    env: environmentWith({ ...(args[0] === 'serve' && { KEYSPRING_LOG_LEVEL: 'error' }), ...environment }),
    stdout: new OutputWriter('standard output', stdout),
    stderr: new OutputWriter('standard error', stderr),
    readStdin: () => Buffer.from(stdin),
    signals,
    exitCode: 0,
  }
  const done = main(args, world).then(() => {
    stderr.end()
    return { code: world.exitCode, stdout: stdout.text, stderr: stderr.text }
  })
  const command = { done, stderr: (pattern: RegExp) => stderr.find(pattern), signal: signals.emit.bind(signals) }
  if (args[0] === 'serve') running.add(command)
  return command
}

/** The servers of this process. */
const running = new Set<Running>()

async function stopAll(): Promise<void> {
  for (const one of running) one.signal('SIGTERM')
  await Promise.all([...running].map(({ done }) => done))
}

/** Runs `keyspring` as a process of its own to its end. */
export function runProcess(args: readonly string[], options: ProcessOptions = {}): Promise<Run> {
  return startProcess(args, options).done
}

/** Starts `keyspring` as a process of its own, in an environment without settings. */
export function startProcess(args: readonly string[], options: ProcessOptions = {}): Running {
  const { stdin = '', environment = {}, nodeOptions = [] } = options
  const child = spawn(process.execPath, [...nodeOptions, BIN, ...args], {
    cwd: PACKAGE,
    env: environmentWith(environment),
  })
  const [stdout, stderr] = [new Captured(), new Captured()]
  child.stdout.on('data', (chunk) => stdout.write(chunk))
  child.stderr.on('data', (chunk) => stderr.write(chunk))
  // A command that rejects its arguments does not read its input.
  child.stdin.on('error', () => undefined)
  child.stdin.end(stdin)
  const done = new Promise<Run>((resolve) => {
    child.on('close', (code) => {
      stderr.end()
      resolve({ code, stdout: stdout.text, stderr: stderr.text })
    })
  })
  return { done, stderr: (pattern) => stderr.find(pattern), signal: (name) => child.kill(name) }
}

function environmentWith(environment: Readonly<Record<string, string>>): Readonly<Record<string, string | undefined>> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('KEYSPRING_'))
  return { ...Object.fromEntries(inherited), ...environment }
}

/** What is written to a stream, and who waits for it. */
class Captured implements OutputStream {
  readonly #chunks: Buffer[] = []
  readonly #waiting = new Set<() => void>()
  #ended = false

  get text(): string {
    return Buffer.concat(this.#chunks).toString()
  }

  write(chunk: string | Uint8Array, done?: (error?: Error | null) => void): void {
    this.#chunks.push(Buffer.from(chunk))
    done?.()
    for (const look of this.#waiting) look()
  }

  end(): void {
    this.#ended = true
    for (const look of this.#waiting) look()
  }

  on(): void {}

  find(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(this.text)
        if (found === null && !this.#ended) return
        this.#waiting.delete(look)
        if (found === null) reject(new Error(`ended without ${pattern}: ${this.text}`))
        else resolve(found)
      }
      this.#waiting.add(look)
      look()
    })
  }
}

/** A directory that is deleted after the tests. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'keyspring-cli-'))
  after(async () => {
    // A server must not write into a directory that is gone.
    await stopAll()
    rmSync(directory, { recursive: true, force: true })
  })
  return directory
}

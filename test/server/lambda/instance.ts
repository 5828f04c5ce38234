import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type BuiltLambda, buildLambda } from '../../../scripts/lambda/build.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const RUNTIME_FILE = 'runtime.mjs'
const RUNTIME = fileURLToPath(new URL('./runtime.ts', import.meta.url))

/** The bundle in a directory of its own, without any package. */
export interface Bundle extends BuiltLambda {
  remove(): void
}

export async function bundle(): Promise<Bundle> {
  const directory = mkdtempSync(join(tmpdir(), 'keyspring-lambda-'))
  // As JavaScript, so that no instance has to strip types when it starts.
  writeFileSync(join(directory, RUNTIME_FILE), stripTypeScriptTypes(readFileSync(RUNTIME, 'utf8')))
  const built = await buildLambda(directory)
  return { ...built, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

/** What a function on an emulated table and KMS is started with. */
export function environmentOn(
  dynamoDb: { readonly endpoint: string },
  table: string,
  kms: { readonly url: string },
): Readonly<Record<string, string>> {
  return {
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'eu-west-1',
    KEYSPRING_STORE: 'dynamodb',
    KEYSPRING_DYNAMODB_TABLE: table,
    KEYSPRING_DYNAMODB_ENDPOINT: dynamoDb.endpoint,
    KEYSPRING_ROOT_KEY_KIND: 'aws-kms',
    KEYSPRING_ROOT_KEY_AWS_KMS_KEY_ID: 'key-1',
    KEYSPRING_ROOT_KEY_AWS_KMS_ENDPOINT: kms.url,
  }
}

/** An instance of a function: a process with the bundle in it, and nothing else of this repository. */
export interface Instance {
  /** Until the bundle was loaded and its server started, in milliseconds since the process was started. */
  readonly ready: Promise<number>
  invoke(event: unknown): Promise<object>
  /** Everything that it wrote where a log would be. */
  output(): string
  stop(): Promise<void>
}

export function startInstance(file: string, environment: Readonly<Record<string, string>>): Instance {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [join(dirname(file), RUNTIME_FILE), file], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    // The SDK is where the runtime says, not beside the function.
    env: { PATH: process.env.PATH, NODE_PATH: join(ROOT, 'node_modules'), ...environment },
  })
  const exited = once(child, 'exit')
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const waiting: { resolve(value: object): void; reject(error: Error): void }[] = []
  let readyAt: (ms: number) => void = () => {}
  let failed: (error: Error) => void = () => {}
  const ready = new Promise<number>((resolve, reject) => {
    readyAt = resolve
    failed = reject
  })
  ready.catch(() => {})
  createInterface({ input: child.stdio[3] as Readable }).on('line', (line) => {
    const { isReady, result, error } = JSON.parse(line) as { isReady?: true; result?: object; error?: string }
    if (isReady === true) readyAt(performance.now() - startedAt)
    else if (error === undefined) waiting.shift()?.resolve(result ?? {})
    else waiting.shift()?.reject(new Error(error))
  })
  exited.then(() => {
    const error = new Error(`the instance ended: ${output}`)
    failed(error)
    for (const one of waiting.splice(0)) one.reject(error)
  })
  return {
    ready,
    output: () => output,
    invoke: (event) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject })
        child.stdin.write(`${JSON.stringify(event)}\n`)
      }),
    async stop() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { certificateOf, rsaKeys } from '../../test/formats/cpix/certificates.ts'
import type { Outcome } from './case.ts'

export const ARN = 'arn:aws:iam::123456789012:role/SpekeAccess'
export const ISSUER = 'https://issuer.example'

/** In bytes. */
export interface Memory {
  /** What the process has of the machine: V8 and malloc keep what they had once, for later. */
  readonly resident: number
  /** What is in use, and garbage that was not collected yet. */
  readonly live: number
}

/** A server that was started to be attacked, and what its clients know. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly secrets: Readonly<Record<'token' | 'password' | 'accessKeyId' | 'secretAccessKey' | 'gateway', string>>
  readonly jwtKeys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
  /** The DER of a client's certificate. */
  readonly certificate: Buffer
  /** A request over HTTP as node sends it. */
  post(
    body: string | Uint8Array,
    headers?: Readonly<Record<string, string | string[]>>,
    path?: string,
  ): Promise<Outcome>
  /** Whether it is there and serves the client that it should. */
  isAnswering(): Promise<boolean>
  /** Milliseconds that the log tells for a request. */
  serverTime(requestId: string): number | undefined
  /** What it wrote to standard error. */
  log(): string
  memory(): Promise<Memory>
  stop(): Promise<number | null>
}

const HEADERS_TIMEOUT_MS = 700
const REQUEST_TIMEOUT_MS = 1_500
let ids = 0

export const newRequestId = (): string => `attack-${++ids}`

/** Starts the server in `directory`, on a free port of this machine. */
export async function startTarget(directory: string, connections: number): Promise<Target> {
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
    return join(directory, name)
  }
  mkdirSync(directory, { recursive: true })
  const jwtKeys = generateKeyPairSync('ed25519')
  const certificate = certificateOf({ publicKey: rsaKeys(2048).publicKey })
  const secrets = {
    token: `ks_0123456789abcdef_${randomBytes(32).toString('base64url')}`,
    password: randomBytes(18).toString('base64url'),
    accessKeyId: 'KS0123456789ABCDEF01',
    secretAccessKey: randomBytes(30).toString('base64'),
    gateway: randomBytes(24).toString('base64url'),
  }
  const jwk = { ...jwtKeys.publicKey.export({ format: 'jwk' }), kid: 'one' }
  const passwordFile = file('password', secrets.password)
  const credentials = {
    token: [{ tokenFile: file('token', secrets.token) }],
    basic: [{ user: 'encoder', passwordFile }],
    digest: [{ user: 'encoder', passwordFile }],
    sigv4: [{ accessKeyId: secrets.accessKeyId, secretAccessKeyFile: file('secret', secrets.secretAccessKey) }],
    jwt: [{ subject: 'encoder' }],
    gateway: [{ caller: ARN }],
    certificate: [{ name: 'DNS:nobody.example' }],
  }
  const config = file(
    'keyspring.yaml',
    JSON.stringify({
      port: 0,
      data: join(directory, 'data'),
      // The attacks come by a proxy that is trusted, so that every method is within their reach.
      trustProxy: ['127.0.0.1'],
      playback: { access: 'open' },
      publicUrl: 'https://keys.example.com',
      auth: {
        jwt: { issuer: ISSUER, audience: 'keyspring', jwks: file('jwks.json', JSON.stringify({ keys: [jwk] })) },
        gateway: { secretHeader: 'X-Gateway-Secret', secretFiles: [file('gateway', secrets.gateway)] },
      },
      limits: { headersTimeoutMs: HEADERS_TIMEOUT_MS, requestTimeoutMs: REQUEST_TIMEOUT_MS, connections },
      clients: [{ name: 'encoder', scopes: ['keys:issue', 'admin'], credentials }],
    }),
  )
  // As it is started: with the flags of its first line.
  const child = spawn('bin/keyspring.js', ['serve', '--config', config, '--log-requests'])
  let log = ''
  child.stderr.on('data', (chunk) => (log += chunk))
  const url = new URL(await listening(child, () => log))
  const [host, port] = [url.hostname, Number(url.port)]
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  const post: Target['post'] = (body, headers = { 'x-api-key': secrets.token }, path = '/copyProtection') => {
    const requestId = newRequestId()
    const speke = { 'content-type': 'application/xml', 'x-speke-version': '2.0', 'x-request-id': requestId, ...headers }
    return new Promise((resolve) => {
      const asked = request({ host, port, path, method: 'POST', headers: speke, agent }, async (response) => {
        const text = Buffer.concat(await response.toArray()).toString()
        resolve({ status: response.statusCode ?? 0, text: `${response.rawHeaders.join('\n')}\n\n${text}`, requestId })
      })
      asked.on('error', () => resolve({ status: 0, text: '', requestId }))
      asked.end(body)
    })
  }
  let stopping: Promise<number | null> | undefined
  const request200 = readFileSync('docs/examples/widevine-playready-cenc.xml', 'utf8')
  return {
    host,
    port,
    secrets,
    jwtKeys,
    certificate,
    post,
    isAnswering: async () => (await post(request200)).status === 200,
    serverTime(requestId) {
      const at = log.indexOf(`"requestId":"${requestId}"`)
      const line = at < 0 ? '' : log.slice(log.lastIndexOf('\n', at) + 1, log.indexOf('\n', at))
      const ms = /"ms":([\d.]+)/.exec(line)?.[1]
      return ms === undefined ? undefined : Number(ms)
    },
    log: () => log,
    async memory() {
      const headers = { 'x-api-key': secrets.token }
      const metrics = await (await fetch(`http://${host}:${port}/metrics`, { headers })).text()
      const metricOf = (name: string): number => Number(new RegExp(`^keyspring_${name} (\\d+)`, 'm').exec(metrics)?.[1])
      return {
        resident: metricOf('process_resident_memory_bytes'),
        live: metricOf('nodejs_heap_size_used_bytes') + metricOf('nodejs_external_memory_bytes'),
      }
    },
    stop: () => {
      stopping ??= stop()
      return stopping
    },
  }

  async function stop(): Promise<number | null> {
    agent.destroy()
    child.kill('SIGTERM')
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
    const late = sleep(15_000, undefined, { ref: false }).then(() => {
      child.kill('SIGKILL')
      return null
    })
    return Promise.race([ended, late])
  }
}

async function listening(child: ChildProcess, log: () => string): Promise<string> {
  for (let i = 0; i < 200; i++) {
    const url = /listens on (\S+),/.exec(log())?.[1]
    if (url !== undefined) return url
    if (child.exitCode !== null) break
    await sleep(50)
  }
  throw new Error(`the server did not start: ${log()}`)
}

import { connect, type Socket } from 'node:net'

/** A request as it goes over the wire. */
export type MakeRequest = (count: number) => Buffer

export interface LoadOptions {
  readonly port: number
  readonly connections: number
  readonly seconds: number
  readonly make: MakeRequest
}

export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

const END_OF_HEAD = Buffer.from('\r\n\r\n')

/**
 * Drives a server on the loopback interface with keep-alive connections, one request at a time on each, for a bounded time.
 * Every answer must be a 200 of the length its head says; anything else ends the run with an error.
 */
export async function load({ port, connections, seconds, make }: LoadOptions): Promise<LoadResult> {
  const latencies: number[] = []
  const started = performance.now()
  const deadline = started + seconds * 1000
  let count = 0

  const drive = (socket: Socket): Promise<void> =>
    new Promise((resolve, reject) => {
      let sentAt = 0
      let missing = -1
      let pending: Buffer[] = []
      const send = (): void => {
        sentAt = performance.now()
        socket.write(make(count++))
      }
      const next = (): void => {
        const now = performance.now()
        latencies.push(now - sentAt)
        missing = -1
        if (now < deadline) send()
        else socket.end(() => resolve())
      }
      socket.on('error', reject)
      socket.on('close', () => reject(new Error('the server closed a connection')))
      socket.on('data', (chunk) => {
        if (missing >= 0) {
          missing -= chunk.length
        } else {
          pending.push(chunk)
          const bytes = pending.length === 1 ? chunk : Buffer.concat(pending)
          const end = bytes.indexOf(END_OF_HEAD)
          if (end < 0) return
          pending = []
          const head = bytes.toString('latin1', 0, end)
          const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
          if (!head.startsWith('HTTP/1.1 200') || length === undefined) {
            reject(new Error(`not a 200: ${bytes.toString('latin1', 0, Math.min(bytes.length, 400))}`))
            socket.destroy()
            return
          }
          missing = Number(length) - (bytes.length - end - END_OF_HEAD.length)
        }
        if (missing === 0) next()
      })
      send()
    })

  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)))
  await Promise.all(sockets.map(drive))
  const elapsed = (performance.now() - started) / 1000
  latencies.sort((a, b) => a - b)
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
  return { requests: latencies.length, seconds: elapsed, p50: at(0.5), p99: at(0.99) }
}

/** The bytes of a GET. */
export function getOf(path: string, headers: Readonly<Record<string, string>> = {}): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines.join('')}\r\n`)
}

/** The bytes of a POST. */
export function postOf(path: string, headers: Readonly<Record<string, string>>, body: string): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${lines.join('')}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`
  return Buffer.from(head + body)
}

/** One request, answered whole: to learn what the server says before it is driven. */
export async function ask(port: number, request: Buffer): Promise<{ readonly head: string; readonly body: Buffer }> {
  const socket = await open(port)
  const chunks: Buffer[] = []
  socket.write(request)
  for await (const chunk of socket) {
    chunks.push(chunk as Buffer)
    const bytes = Buffer.concat(chunks)
    const end = bytes.indexOf(END_OF_HEAD)
    const length = end < 0 ? undefined : /content-length: (\d+)/i.exec(bytes.toString('latin1', 0, end))?.[1]
    if (length === undefined || bytes.length < end + END_OF_HEAD.length + Number(length)) continue
    return { head: bytes.toString('latin1', 0, end), body: bytes.subarray(end + END_OF_HEAD.length) }
  }
  throw new Error('the server closed the connection before it had answered')
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => resolve(socket))
    socket.once('error', reject)
  })
}

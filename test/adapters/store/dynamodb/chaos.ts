import { once } from 'node:events'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** What can happen to a call on its way to a table and back. */
export type Fault =
  | 'throttled'
  | 'failed'
  /** It takes effect, and nobody learns of it. */
  | 'answer lost'
  | 'delayed'
  /** It takes effect, and once more, some time later: the network had kept a copy. */
  | 'repeated late'
  /** A batch of which a half is not done. */
  | 'half done'

/** Something between a client and a table. */
export interface ChaosProxy {
  readonly endpoint: string
  /** How often each fault was made. */
  readonly made: Map<Fault, number>
  /** When every repetition has arrived. */
  settled(): Promise<void>
  close(): Promise<void>
}

const LATE_MS = 60

/** Passes calls on; `faultOf` says what happens to each of them, by the name of its operation. */
export async function startChaosProxy(
  target: string,
  faultOf: (operation: string) => Fault | undefined,
): Promise<ChaosProxy> {
  const { hostname, port } = new URL(target)
  const made = new Map<Fault, number>()
  const late = new Set<Promise<unknown>>()

  const pass = async (headers: IncomingMessage['headers'], body: Buffer) => {
    const upstream = httpRequest({ hostname, port, method: 'POST', path: '/', headers, agent: false })
    upstream.end(body)
    const [response] = (await once(upstream, 'response')) as [IncomingMessage]
    return { response, bytes: await bytesOf(response) }
  }
  const refuse = (response: ServerResponse, status: number, type: string): void => {
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' })
    response.end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${type}`, message: 'made' }))
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const given = await bytesOf(request)
    const operation = String(request.headers['x-amz-target']).split('.').at(-1) ?? ''
    const fault = faultOf(operation)
    if (fault !== undefined) made.set(fault, (made.get(fault) ?? 0) + 1)
    if (fault === 'throttled') return refuse(response, 400, 'ProvisionedThroughputExceededException')
    if (fault === 'failed') return refuse(response, 500, 'InternalServerError')
    if (fault === 'delayed') await wait(20)
    const half = fault === 'half done' && operation === 'BatchGetItem' ? halved(given) : undefined
    const body = half?.body ?? given
    const headers = { ...request.headers, 'content-length': String(body.length) }
    const { response: upstream, bytes } = await pass(headers, body)
    if (fault === 'repeated late') {
      const again = wait(LATE_MS).then(() => pass(headers, body))
      late.add(again)
      again.finally(() => late.delete(again))
    }
    if (fault === 'answer lost') return void response.destroy()
    const sent = half === undefined ? bytes : half.complete(bytes)
    // The checksum is that of the whole answer.
    const { 'x-amz-crc32': _, ...rest } = upstream.headers
    response.writeHead(upstream.statusCode ?? 500, { ...rest, 'content-length': String(sent.length) })
    response.end(sent)
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    made,
    async settled() {
      await Promise.all(late)
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A batch with every other key, and what its answer has to say of the others. */
function halved(body: Buffer) {
  const asked = JSON.parse(body.toString())
  const [table = ''] = Object.keys(asked.RequestItems)
  const { Keys, ...rest } = asked.RequestItems[table]
  const isNow = (_: unknown, i: number): boolean => i % 2 === 0
  const later = Keys.filter((one: unknown, i: number) => !isNow(one, i))
  return {
    body: Buffer.from(JSON.stringify({ ...asked, RequestItems: { [table]: { ...rest, Keys: Keys.filter(isNow) } } })),
    complete(bytes: Buffer): Buffer {
      const answered = JSON.parse(bytes.toString())
      const UnprocessedKeys = later.length === 0 ? {} : { [table]: { ...rest, Keys: later } }
      return Buffer.from(JSON.stringify({ ...answered, UnprocessedKeys }))
    },
  }
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

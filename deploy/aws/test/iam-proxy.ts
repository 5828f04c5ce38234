import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Attempt, mayDo } from './iam.ts'
import { ACCOUNT, type Deployed, REGION } from './resolve.ts'

/** Stands between a function and AWS as IAM does: what the role may not do by the template's policies is refused. */
export interface IamProxy {
  readonly url: string
  /** The actions that were let through. */
  readonly done: ReadonlySet<string>
  /** What was put on buses: there is no emulator of them. */
  readonly published: readonly Published[]
  /** Those that were refused. */
  readonly refused: ReadonlySet<string>
  close(): Promise<void>
}

/** An event as it is put on a bus. */
export interface Published {
  readonly EventBusName: string
  readonly Source: string
  readonly DetailType: string
  readonly Detail: string
}

/** The emulators behind it. */
export interface Emulators {
  readonly dynamodb: string
  readonly kms: string
}

interface AwsRequest {
  readonly Entries?: readonly Published[]
  readonly KeyId?: string
  readonly TableName?: string
  readonly RequestItems?: Readonly<Record<string, unknown>>
  readonly EncryptionContext?: Readonly<Record<string, string>>
}

type Service = keyof Emulators | 'events'

const SERVICES: Readonly<Record<string, Service>> = {
  DynamoDB_20120810: 'dynamodb',
  TrentService: 'kms',
  AWSEvents: 'events',
}

export async function startIamProxy(deployed: Deployed, role: string, emulators: Emulators): Promise<IamProxy> {
  const done = new Set<string>()
  const refused = new Set<string>()
  const published: Published[] = []
  const server = createServer(async (request, response) => {
    const body = await bytesOf(request)
    const [prefix = '', name = ''] = String(request.headers['x-amz-target']).split('.')
    const service = SERVICES[prefix] ?? assert.fail(`no service ${prefix}`)
    const asked: AwsRequest = JSON.parse(body.toString())
    const attempts = attemptsOf(service, name, asked)
    if (!attempts.every((attempt) => mayDo(deployed, role, attempt))) {
      refused.add(`${service}:${name}`)
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' })
      response.end(JSON.stringify({ __type: 'AccessDeniedException', message: 'not authorized' }))
      return
    }
    done.add(`${service}:${name}`)
    if (service === 'events') {
      const entries = asked.Entries ?? []
      published.push(...entries)
      response.end(JSON.stringify({ FailedEntryCount: 0, Entries: entries.map((_, i) => ({ EventId: String(i) })) }))
      return
    }
    const { host: _host, connection: _connection, 'content-length': _length, ...headers } = request.headers
    const answer = await fetch(emulators[service], {
      method: 'POST',
      headers: headers as Record<string, string>,
      body: new Uint8Array(body),
    })
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' })
    response.end(Buffer.from(await answer.arrayBuffer()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, done, published, refused, close: () => closed(server) }
}

/** What a request does, to which resources: a batch may name several tables. */
function attemptsOf(service: Service, name: string, request: AwsRequest): readonly Attempt[] {
  if (service === 'kms') {
    const context = Object.fromEntries(
      Object.entries(request.EncryptionContext ?? {}).map(([key, value]) => [`kms:EncryptionContext:${key}`, value]),
    )
    return [{ action: `kms:${name}`, resource: request.KeyId ?? '', context }]
  }
  if (service === 'events') {
    return (request.Entries ?? []).map(({ EventBusName, Source }) => ({
      action: `events:${name}`,
      resource: `arn:aws:events:${REGION}:${ACCOUNT}:event-bus/${EventBusName}`,
      context: { 'events:source': Source },
    }))
  }
  const tables = request.TableName === undefined ? Object.keys(request.RequestItems ?? {}) : [request.TableName]
  return tables.map((table) => ({
    action: `dynamodb:${name}`,
    resource: `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${table}`,
  }))
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(() => resolve()))
}

import { OpenAPIHono } from '@hono/zod-openapi'
import { KeyProviderError } from '../../core/errors.ts'
import type { Call, Reply } from '../call.ts'
import { MethodNotAllowedError } from '../errors.ts'
import type { ApiCaller } from './caller.ts'
import { DOCS_HEADERS, docsPage } from './docs-page.ts'
import { documentOf, toRoute } from './document.ts'
import { writeOnce } from './idempotency.ts'
import type { ApiWorld, Operation } from './operation.ts'
import { OPERATIONS } from './operations/operations.ts'
import { API_HEADERS, DOCS_PATH } from './problem.ts'
import { readRequest } from './read-request.ts'

/** What a request comes with, and what became of it. */
interface Bindings {
  readonly call: Call
  readonly caller: ApiCaller
  reply: Reply | undefined
  failure: unknown
}

/** Answers a call of a known caller. Throws KeyProviderError for what it refuses. */
export type AnswerApi = (call: Call, caller: ApiCaller) => Promise<Reply>

/** The management API: every operation behind the router, and their description. */
export function createApi(world: ApiWorld, version: string): AnswerApi {
  const app = new OpenAPIHono<{ Bindings: Bindings }>()
  for (const operation of OPERATIONS) {
    app.openAPIRegistry.registerPath(toRoute(operation))
    app.on(operation.method.toUpperCase(), operation.path.replaceAll(/\{(\w+)\}/g, ':$1'), async (context) => {
      const { call, caller } = context.env
      const given = { params: context.req.param(), search: new URL(context.req.url).searchParams }
      context.env.reply = await perform(operation, world, call, caller, given)
      return context.body(null)
    })
  }
  const description = documentOf(app, version)
  const page = docsPage(description)
  app.get('/openapi.json', (context) => {
    context.env.reply = jsonReply(JSON.stringify(description))
    return context.body(null)
  })
  app.get(DOCS_PATH, (context) => {
    context.env.reply = { status: 200, headers: { ...API_HEADERS, ...DOCS_HEADERS }, body: page }
    return context.body(null)
  })
  app.notFound((context) => {
    context.env.failure = notServed(context.req.path, context.env.call.method)
    return context.body(null)
  })
  app.onError((error, context) => {
    context.env.failure = error
    return context.body(null)
  })

  return async (call, caller) => {
    const env: Bindings = { call, caller, reply: undefined, failure: undefined }
    await app.fetch(toRequest(call), env)
    if (env.failure !== undefined) throw env.failure
    if (env.reply === undefined) throw new TypeError('an operation without a reply')
    return env.reply
  }
}

async function perform(
  operation: Operation,
  world: ApiWorld,
  call: Call,
  caller: ApiCaller,
  given: Parameters<typeof readRequest>[2],
): Promise<Reply> {
  const { scope } = operation
  caller.authorize({ scope })
  const request = readRequest(operation, call, given)
  if (typeof request.path.content === 'string') caller.authorize({ scope, contentId: request.path.content })
  const handle = () => operation.handle({ ...request, caller }, world)
  if (operation.once !== true) return replyOf(operation, await handle())
  const { management } = world
  const { store, now } = management
  const write = { store, tenant: caller.operator.tenant, client: caller.client, call, now }
  const { body, replayed } = await writeOnce(write, async () => ({
    status: 200,
    body: JSON.stringify(await handle()),
  }))
  return jsonReply(body, replayed ? { 'idempotency-replayed': 'true' } : {})
}

function replyOf({ encode }: Operation, result: unknown): Reply {
  if (encode === undefined) return jsonReply(JSON.stringify(result))
  const { mediaType, bytes } = encode(result)
  return { status: 200, headers: { ...API_HEADERS, 'content-type': mediaType }, body: bytes }
}

function jsonReply(body: string, headers: Reply['headers'] = {}): Reply {
  return { status: 200, headers: { ...API_HEADERS, 'content-type': 'application/json', ...headers }, body }
}

/** For the router alone: what else is in the call stays there. */
function toRequest({ method, rawPath }: Call): Request {
  const path = rawPath.replace(/^https?:\/\/[^/?#]*/i, '')
  const known = METHODS.has(method) ? method : 'OPTIONS'
  return new Request(`http://keyspring${path.startsWith('/') ? '' : '/'}${path}`, {
    method: known === 'HEAD' ? 'GET' : known,
  })
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE'])
const DESCRIBED = ['/openapi.json', DOCS_PATH]

/** Nothing at this path, or nothing by this method. */
function notServed(path: string, method: string): KeyProviderError {
  const here = OPERATIONS.filter((operation) => pathPattern(operation.path).test(path))
  const methods = DESCRIBED.includes(path) ? ['GET'] : here.map((operation) => operation.method.toUpperCase())
  if (methods.length > 0 && !methods.includes(method)) {
    return new MethodNotAllowedError(methods.map((one) => (one === 'GET' ? 'GET, HEAD' : one)).join(', '))
  }
  return new KeyProviderError('ERR_ROUTE_NOT_FOUND', `nothing is served at this path: see ${DOCS_PATH}`)
}

function pathPattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`)
}

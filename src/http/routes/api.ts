import { AuthenticationError } from '../../auth/failure.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { DOCS_HEADERS, docsPage, loginHintPage } from '../api/docs-page.ts'
import { documentOf, type OpenApiDocument } from '../api/document.ts'
import { writeOnce } from '../api/idempotency.ts'
import type { ApiWorld, Operation } from '../api/operation.ts'
import { OPERATIONS } from '../api/operations/operations.ts'
import { API_HEADERS, DOCS_PATH, problemReply } from '../api/problem.ts'
import { readHead, readRequest } from '../api/read-request.ts'
import type { Call } from '../call.ts'
import type { ApiCaller, IdentifyOperator } from '../callers.ts'
import { rejectCrossSite } from '../listener/csrf.ts'
import type { Reply } from '../request.ts'
import type { Route } from '../route.ts'

export interface ApiOptions {
  readonly world: ApiWorld
  readonly identify: IdentifyOperator
  /** The version of the package, for the description. */
  readonly version: string
}

/** Longest body of a request that has none by its description, so that a problem can be reported. */
const NO_BODY_BYTES = 16 * 1024

/** The management API: one route for each operation, its description, and a 404 for every other path below `/api`. */
export function apiRoutes(options: ApiOptions): readonly Route[] {
  const { version } = options
  let described: OpenApiDocument | undefined
  const describe = (): OpenApiDocument => {
    described ??= documentOf(OPERATIONS, version)
    return described
  }
  return [
    ...OPERATIONS.map((operation) => operationRoute(operation, options)),
    apiRoute('GET', '/openapi.json', options, async () => jsonReply(JSON.stringify(describe()))),
    {
      ...apiRoute('GET', DOCS_PATH, options, async () => {
        return { status: 200, headers: { ...API_HEADERS, ...DOCS_HEADERS }, body: docsPage(describe()) }
      }),
      refuse: refuseDocs,
    },
    ...['/api', '/api/{...}'].map((path) =>
      apiRoute('any', path, options, async () => {
        throw new KeyProviderError('ERR_ROUTE_NOT_FOUND', `nothing is served at this path: see ${DOCS_PATH}`)
      }),
    ),
  ]
}

type AnswerApi = (call: Call, caller: ApiCaller, segments: readonly string[]) => Promise<Reply>

function apiRoute(method: Route['method'], path: string, { identify }: ApiOptions, answer: AnswerApi): Route {
  return {
    name: 'api',
    path,
    method,
    refuse: (call, error) => problemReply(error, call.requestId),
    async handle(call, segments) {
      rejectCrossSite(call)
      return answer(call, await identify(call), segments)
    },
  }
}

function operationRoute(operation: Operation, options: ApiOptions): Route {
  const method = operation.method.toUpperCase() as Uppercase<Operation['method']>
  const takesBody = operation.body !== undefined || operation.rawBodies !== undefined
  return {
    ...apiRoute(method, operation.path, options, (call, caller, segments) =>
      perform(operation, options.world, call, caller, segments),
    ),
    ...(!takesBody && { maxBodyBytes: NO_BODY_BYTES }),
  }
}

/** One operation: scope, head, content, body, function, reply. */
async function perform(
  operation: Operation,
  world: ApiWorld,
  call: Call,
  caller: ApiCaller,
  segments: readonly string[],
): Promise<Reply> {
  const { scope } = operation
  caller.authorize({ scope })
  const head = readHead(operation, call, segments)
  const { content } = head.path
  if (typeof content === 'string') caller.authorize({ scope, contentId: content })
  const bytes = await call.body()
  const request = { ...readRequest(operation, head, bytes), caller }
  if (operation.once !== true) return replyOf(operation, await operation.handle(request, world))
  const { store, now } = world.management
  const write = { store, tenant: caller.operator.tenant, client: caller.client, call, bytes, now }
  const { body, replayed } = await writeOnce(write, async () => ({
    status: 200,
    body: JSON.stringify(await operation.handle(request, world)),
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

/** A person with a browser reads how to log in; a program reads a problem. */
function refuseDocs(call: Call, error: unknown): Reply {
  const problem = problemReply(error, call.requestId)
  if (!(error instanceof AuthenticationError) || call.headers.accept?.includes('text/html') !== true) return problem
  const headers = { ...problem.headers, ...DOCS_HEADERS }
  return { status: problem.status, headers, body: loginHintPage(problem.status, error.message) }
}

import { type OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi'
import type { Env } from 'hono'
import type { ErrorCode } from '../../core/errors.ts'
import { STATUS } from '../errors.ts'
import type { Operation, RawBody } from './operation.ts'
import { titleOf } from './problem.ts'

/** How a client may prove itself; the operation names the scope it needs. */
const SECURITY_SCHEMES = {
  token: { type: 'http', scheme: 'bearer', description: 'A token of `keyspring client add`, or a JWT.' },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The same token.' },
  basic: { type: 'http', scheme: 'basic', description: 'Over TLS alone.' },
  digest: { type: 'http', scheme: 'digest' },
  certificate: { type: 'mutualTLS' },
  sigv4: { type: 'apiKey', in: 'header', name: 'Authorization', description: 'A signature of AWS, version 4.' },
} as const

const ProblemSchema = z
  .strictObject({
    type: z.string().openapi({ description: 'Where the code is described.' }),
    title: z.string(),
    status: z.int(),
    detail: z
      .string()
      .openapi({ description: 'What was expected, and how to mend it. A 5XX tells nothing of its cause.' }),
    code: z.string(),
    requestId: z.string().openapi({ description: 'As in X-Request-Id and the log.' }),
    problems: z
      .array(z.strictObject({ path: z.string(), problem: z.string() }))
      .optional()
      .openapi({ description: 'Everything that is wrong with the request, never a value of it.' }),
  })
  .openapi('Problem', { description: 'A refusal or failure. RFC 9457.' })

/** What may refuse any operation. */
const COMMON: readonly ErrorCode[] = [
  'ERR_API_REQUEST_INVALID',
  'ERR_UNAUTHENTICATED',
  'ERR_FORBIDDEN',
  'ERR_RATE_LIMITED',
  'ERR_STORE_UNAVAILABLE',
]
const OF_BODIES: readonly ErrorCode[] = ['ERR_BODY_TOO_LARGE', 'ERR_MEDIA_TYPE_UNSUPPORTED']
const OF_WRITES: readonly ErrorCode[] = ['ERR_IDEMPOTENCY_CONFLICT', 'ERR_AUDIT_UNAVAILABLE']

/** Why an operation may refuse. */
export function refusalsOf({ body, rawBodies, once, refusals }: Operation): readonly ErrorCode[] {
  const takesBody = body !== undefined || rawBodies !== undefined
  return [...COMMON, ...(takesBody ? OF_BODIES : []), ...(once === true ? OF_WRITES : []), ...refusals]
}

const IdempotencyKey = z.object({
  'Idempotency-Key': z.string().optional().openapi({
    description:
      'The same request with the same key within a day gets the same answer, with `Idempotency-Replayed: true`, and nothing is done again.',
    example: '6f1c2b0e-7a57-4b3e-9a34-0d3b7f0f6c11',
  }),
})

/** An operation as OpenAPI describes it. */
export function toRoute(operation: Operation): RouteConfig {
  const { id, method, path, tag, summary, description, scope, params, query, once } = operation
  const { answer, example, rawAnswers } = operation
  return {
    method,
    path,
    operationId: id,
    tags: [tag],
    summary,
    description: `${description} Scope: \`${scope}\`.`,
    // Without OAuth a list of scopes is one of roles. @see OpenAPI 3.1, Security Requirement Object
    security: Object.keys(SECURITY_SCHEMES).map((name) => ({ [name]: [scope] })),
    request: {
      ...(params !== undefined && { params }),
      ...(query !== undefined && { query }),
      ...(once === true && { headers: IdempotencyKey }),
      ...bodyOf(operation),
    },
    responses: {
      200: {
        description: 'Done.',
        content:
          rawAnswers === undefined ? { 'application/json': { schema: answer, example } } : rawContent(rawAnswers),
      },
      ...problemResponses(refusalsOf(operation)),
    },
  }
}

function bodyOf({ body, bodyExample, rawBodies }: Operation): Pick<NonNullable<RouteConfig['request']>, 'body'> {
  const json = body === undefined ? {} : { 'application/json': { schema: body, example: bodyExample } }
  const content = { ...json, ...rawContent(rawBodies ?? []) }
  return Object.keys(content).length === 0 ? {} : { body: { required: true, content } }
}

function rawContent(bodies: readonly RawBody[]) {
  return Object.fromEntries(
    bodies.map(({ mediaType, description, example }) => {
      const schema = mediaType === 'application/json' ? z.unknown() : z.string()
      return [mediaType, { schema: schema.openapi({ description }), example }]
    }),
  )
}

/** The codes by their status. */
function problemResponses(codes: readonly ErrorCode[]): RouteConfig['responses'] {
  const byStatus = Map.groupBy(new Set(codes), (code) => STATUS[code])
  const content = { 'application/problem+json': { schema: ProblemSchema } }
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => {
      return [status, { description: ofStatus.map((code) => `\`${code}\`: ${titleOf(code)}.`).join(' '), content }]
    }),
  )
}

/** The description of the whole API. @see https://spec.openapis.org/oas/v3.1.1.html */
export function documentOf<E extends Env>(app: OpenAPIHono<E>, version: string) {
  for (const [name, scheme] of Object.entries(SECURITY_SCHEMES)) {
    app.openAPIRegistry.registerComponent('securitySchemes', name, scheme)
  }
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Keyspring management API',
      version,
      description:
        'What an operator does with the keys of a tenant. The tenant comes from the credential alone. Every refusal is a problem of RFC 9457; unknown members and parameters are refused.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: [{ url: '/' }],
  })
}

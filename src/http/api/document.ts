import { z } from 'zod'
import type { ErrorCode } from '../../core/errors.ts'
import { STATUS } from '../errors.ts'
import type { Operation, RawBody } from './operation.ts'
import { titleOf } from './problem.ts'

/** How a client may authenticate; the operation names the scope it needs. */
const SECURITY_SCHEMES = {
  token: { type: 'http', scheme: 'bearer', description: 'A token from `keyspring client add`, or a JWT.' },
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The same token.' },
  basic: { type: 'http', scheme: 'basic', description: 'Over TLS only.' },
  digest: { type: 'http', scheme: 'digest' },
  certificate: { type: 'mutualTLS' },
  sigv4: { type: 'apiKey', in: 'header', name: 'Authorization', description: 'AWS Signature Version 4.' },
} as const

const ProblemSchema = z
  .strictObject({
    type: z.string().meta({ description: 'Where the code is described.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'What was expected, and how to correct it. A 5XX hides its cause.' }),
    code: z.string(),
    requestId: z.string().meta({ description: 'The same as in X-Request-Id and the log.' }),
    problems: z
      .array(z.strictObject({ path: z.string(), problem: z.string() }))
      .optional()
      .meta({ description: 'Every problem of the request, without its values.' }),
  })
  .meta({ id: 'Problem', description: 'An error. RFC 9457.' })

/** The error codes of every operation. */
const COMMON: readonly ErrorCode[] = [
  'ERR_API_REQUEST_INVALID',
  'ERR_UNAUTHENTICATED',
  'ERR_FORBIDDEN',
  'ERR_RATE_LIMITED',
  'ERR_STORE_UNAVAILABLE',
]
const OF_BODIES: readonly ErrorCode[] = ['ERR_BODY_TOO_LARGE', 'ERR_MEDIA_TYPE_UNSUPPORTED']
const OF_WRITES: readonly ErrorCode[] = ['ERR_IDEMPOTENCY_CONFLICT', 'ERR_AUDIT_UNAVAILABLE']

/** The error codes of an operation. */
export function refusalsOf({ body, rawBodies, once, refusals }: Operation): readonly ErrorCode[] {
  const takesBody = body !== undefined || rawBodies !== undefined
  return [...COMMON, ...(takesBody ? OF_BODIES : []), ...(once === true ? OF_WRITES : []), ...refusals]
}

const IdempotencyKey = z.object({
  'Idempotency-Key': z.string().optional().meta({
    description:
      'The same request with the same key within a day gets the same answer, with `Idempotency-Replayed: true`. Nothing is done twice.',
    example: '6f1c2b0e-7a57-4b3e-9a34-0d3b7f0f6c11',
  }),
})

/** The description of operations. @see https://spec.openapis.org/oas/v3.1.1.html */
export function documentOf(operations: readonly Operation[], version: string): OpenApiDocument {
  const schemas: Record<string, JsonSchema> = {}
  const toSchema = (schema: z.ZodType): JsonSchema => jsonSchemaOf(schema, schemas)
  const paths: Record<string, Record<string, OpenApiOperation>> = {}
  for (const operation of operations) {
    const ofPath = paths[operation.path] ?? {}
    paths[operation.path] = { ...ofPath, [operation.method]: describe(operation, toSchema) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Keyspring management API',
      version,
      description:
        'What an operator does with the keys of a tenant. The tenant comes from the credential. Every error is a problem of RFC 9457. Unknown members and parameters are rejected.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: { schemas, securitySchemes: SECURITY_SCHEMES },
  }
}

type JsonSchema = Readonly<Record<string, unknown>>
type ToSchema = (schema: z.ZodType) => JsonSchema

interface MediaDescription {
  readonly schema: JsonSchema
  readonly example?: unknown
}
type Content = Readonly<Record<string, MediaDescription>>

interface OpenApiParameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly schema: JsonSchema
  readonly description?: string
}

/** As much of an Operation Object as Keyspring writes. */
export interface OpenApiOperation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description: string
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly parameters?: readonly OpenApiParameter[]
  readonly requestBody?: { readonly required: true; readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: Content }>>
}

export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: {
    readonly title: string
    readonly version: string
    readonly description: string
    readonly license: { readonly name: string; readonly url: string }
  }
  readonly servers: readonly { readonly url: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>
    readonly securitySchemes: Readonly<Record<string, unknown>>
  }
}

function describe(operation: Operation, toSchema: ToSchema): OpenApiOperation {
  const { id, tag, summary, description, scope, params, query, once, answer, example, rawAnswers } = operation
  const parameters = [
    ...parametersOf('path', params, toSchema),
    ...parametersOf('query', query, toSchema),
    ...parametersOf('header', once === true ? IdempotencyKey : undefined, toSchema),
  ]
  const body = {
    ...(operation.body && { 'application/json': { schema: toSchema(operation.body), example: operation.bodyExample } }),
    ...rawContent(operation.rawBodies ?? []),
  }
  const content = rawAnswers === undefined ? { 'application/json': { schema: toSchema(answer), example } } : undefined
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: `${description} Scope: \`${scope}\`.`,
    // Without OAuth the list holds roles. OpenAPI 3.1, Security Requirement Object
    security: Object.keys(SECURITY_SCHEMES).map((name) => ({ [name]: [scope] })),
    ...(parameters.length > 0 && { parameters }),
    ...(Object.keys(body).length > 0 && { requestBody: { required: true as const, content: body } }),
    responses: {
      200: { description: 'Done.', content: content ?? rawContent(rawAnswers ?? []) },
      ...problemResponses(refusalsOf(operation), toSchema),
    },
  }
}

function parametersOf(
  place: OpenApiParameter['in'],
  schema: z.ZodObject | undefined,
  toSchema: ToSchema,
): readonly OpenApiParameter[] {
  if (schema === undefined) return []
  return Object.entries(schema.shape as Readonly<Record<string, z.ZodType>>).map(([name, field]) => {
    const described = toSchema(field)
    const { description } = described
    // A default or an optional field accepts undefined.
    const required = !field.safeParse(undefined).success
    return { name, in: place, required, schema: described, ...(typeof description === 'string' && { description }) }
  })
}

function rawContent(bodies: readonly RawBody[]): Content {
  return Object.fromEntries(
    bodies.map(({ mediaType, description, example }) => {
      const type = mediaType === 'application/json' ? {} : { type: 'string' }
      return [mediaType, { schema: { ...type, description }, example }]
    }),
  )
}

/** The error responses, with all codes of one status together. */
function problemResponses(codes: readonly ErrorCode[], toSchema: ToSchema): OpenApiOperation['responses'] {
  const byStatus = Map.groupBy(new Set(codes), (code) => STATUS[code])
  const content = { 'application/problem+json': { schema: toSchema(ProblemSchema) } }
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => {
      return [status, { description: ofStatus.map((code) => `\`${code}\`: ${titleOf(code)}.`).join(' '), content }]
    }),
  )
}

/** The JSON Schema of what a client sends or receives. Schemas with an `id` go to `named`, and are referred to. */
function jsonSchemaOf(schema: z.ZodType, named: Record<string, JsonSchema>): JsonSchema {
  // Inside an object, so that a schema with an ID is referred to like those below it.
  const { properties, $defs = {} } = z.toJSONSchema(z.object({ it: schema }), { io: 'input', unrepresentable: 'any' })
  for (const [id, definition] of Object.entries($defs)) named[id] ??= toComponent(definition)
  return toComponent(properties?.it)
}

/** A schema with its references changed to components, and without the keywords that only zod reads. */
function toComponent(schema: unknown): JsonSchema {
  const text = JSON.stringify(schema, (name, value: unknown) =>
    name === 'id' && typeof value === 'string' ? undefined : value,
  )
  return JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/'))
}

import { z } from '@hono/zod-openapi'
import { KeyProviderError } from '../../core/errors.ts'
import type { Call } from '../call.ts'
import type { Operation, OperationRequest } from './operation.ts'
import { ApiRequestError, problemsOf, type RequestProblem } from './request-error.ts'

type Read = Omit<OperationRequest<z.ZodObject, z.ZodObject, z.ZodType>, 'caller'>

const NOTHING = z.strictObject({})

/** What an operation is asked. Throws with every problem of path, query and body together. */
export function readRequest(
  { params = NOTHING, query = NOTHING, body, rawBodies = [] }: Operation,
  call: Call,
  given: { readonly params: Readonly<Record<string, string>>; readonly search: URLSearchParams },
): Read {
  const problems: RequestProblem[] = []
  const read = <T>(part: string, schema: z.ZodType<T>, value: unknown): T | undefined => {
    const result = schema.safeParse(value, { reportInput: true })
    if (!result.success) problems.push(...problemsOf(part, result.error.issues))
    return result.data
  }
  const mediaType = call.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const takes = [...(body === undefined ? [] : ['application/json']), ...rawBodies.map((raw) => raw.mediaType)]
  if (takes.length > 0 && !takes.includes(mediaType)) throw unsupported(takes)
  if (takes.length === 0 && call.bytes.length > 0) problems.push({ path: 'body', problem: 'expected none' })

  const request = {
    path: read('path', params, given.params),
    query: read('query', query, searchOf(given.search, problems)),
    body: body === undefined ? undefined : readBody(body, call.bytes, read, problems),
    bytes: call.bytes,
    mediaType,
  }
  if (problems.length > 0) throw new ApiRequestError(problems)
  // Each part was read by its schema: where one failed there is a problem.
  return request as Read
}

function readBody(
  schema: z.ZodType,
  bytes: Buffer,
  read: (part: string, schema: z.ZodType, value: unknown) => unknown,
  problems: RequestProblem[],
): unknown {
  try {
    return read('body', schema, JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch (error) {
    // What V8 says of it quotes the text.
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error
    problems.push({ path: 'body', problem: 'expected JSON in UTF-8' })
    return undefined
  }
}

/** Each parameter once. */
function searchOf(search: URLSearchParams, problems: RequestProblem[]): Readonly<Record<string, string>> {
  const values: Record<string, string> = Object.create(null)
  for (const [name, value] of search) {
    if (name in values) problems.push(...problemsOf('query', [repeated(name)]))
    values[name] = value
  }
  return { ...values }
}

function repeated(name: string): z.core.$ZodIssue {
  return { code: 'custom', path: [name], message: 'expected it once', input: undefined }
}

function unsupported(takes: readonly string[]): KeyProviderError {
  return new KeyProviderError('ERR_MEDIA_TYPE_UNSUPPORTED', `Content-Type: expected ${takes.join(' or ')}`)
}

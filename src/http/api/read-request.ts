import { z } from 'zod'
import { KeyProviderError } from '../../core/errors.ts'
import type { Call } from '../call.ts'
import { readJson } from './json.ts'
import type { Operation, OperationRequest } from './operation.ts'
import { ApiRequestError, problemsOf, type RequestProblem } from './problem.ts'

/** The part of a request that its head holds, checked. */
export interface ReadHead {
  readonly path: Readonly<Record<string, unknown>>
  readonly query: Readonly<Record<string, unknown>>
  /** Without its parameters; empty if absent. */
  readonly mediaType: string
  readonly problems: readonly RequestProblem[]
}

const NOTHING = z.strictObject({})

/** Reads path, query and media type. Throws ERR_MEDIA_TYPE_UNSUPPORTED; other problems wait for those of the body. */
export function readHead(operation: Operation, { headers, rawPath }: Call, segments: readonly string[]): ReadHead {
  const { params = NOTHING, query = NOTHING, body, rawBodies = [] } = operation
  const mediaType = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const accepted = [...(body === undefined ? [] : ['application/json']), ...rawBodies.map((raw) => raw.mediaType)]
  if (accepted.length > 0 && !accepted.includes(mediaType)) {
    throw new KeyProviderError('ERR_MEDIA_TYPE_UNSUPPORTED', `Content-Type: expected ${accepted.join(' or ')}`)
  }
  const problems: RequestProblem[] = []
  const given = Object.fromEntries(namesOf(operation.path).map((name, at) => [name, segments[at]]))
  return {
    path: read('path', params, given, problems) ?? {},
    query: read('query', query, searchOf(rawPath, problems), problems) ?? {},
    mediaType,
    problems,
  }
}

/** Adds the body. Throws ApiRequestError with every problem of path, query and body together. */
export function readRequest(
  { body, rawBodies = [] }: Operation,
  { path, query, mediaType, problems: ofHead }: ReadHead,
  bytes: Buffer,
): Omit<OperationRequest<z.ZodObject, z.ZodObject, z.ZodType>, 'caller'> {
  const problems = [...ofHead]
  if (body === undefined && rawBodies.length === 0 && bytes.length > 0) {
    problems.push({ path: 'body', problem: 'expected none' })
  }
  const value = body === undefined ? undefined : readBody(body, bytes, problems)
  if (problems.length > 0) throw new ApiRequestError(problems)
  return { path, query, body: value, bytes, mediaType }
}

function read<T>(part: string, schema: z.ZodType<T>, value: unknown, problems: RequestProblem[]): T | undefined {
  const result = schema.safeParse(value, { reportInput: true })
  if (!result.success) problems.push(...problemsOf(part, result.error.issues))
  return result.data
}

function readBody(schema: z.ZodType, bytes: Buffer, problems: RequestProblem[]): unknown {
  const { value, problem } = readJson(bytes)
  if (problem === undefined) return read('body', schema, value, problems)
  problems.push({ path: 'body', problem })
  return undefined
}

/** The names in a path such as `/api/contents/{content}`. */
function namesOf(path: string): readonly string[] {
  return Array.from(path.matchAll(/\{(\w+)\}/g), ([, name = '']) => name)
}

/** The parameters of the query, each once. */
function searchOf(rawPath: string, problems: RequestProblem[]): Readonly<Record<string, string>> {
  const at = rawPath.indexOf('?')
  const values: Record<string, string> = Object.create(null)
  for (const [name, value] of at < 0 ? [] : new URLSearchParams(rawPath.slice(at + 1).replace(/#.*$/s, ''))) {
    if (name in values) problems.push(...problemsOf('query', [repeated(name)]))
    values[name] = value
  }
  return { ...values }
}

function repeated(name: string): z.core.$ZodIssue {
  return { code: 'custom', path: [name], message: 'expected it once', input: undefined }
}

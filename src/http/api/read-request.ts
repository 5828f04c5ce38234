import { z } from 'zod'
import { KeyProviderError } from '../../core/errors.ts'
import type { Call } from '../call.ts'
import type { Operation, OperationRequest } from './operation.ts'
import { ApiRequestError, problemsOf, type RequestProblem } from './problem.ts'

/** The part of a request that its head holds, checked. */
interface ReadHead {
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

/** The deepest nesting of a JSON body. No operation needs more than 4. */
const MAX_DEPTH = 16
/** Values of a JSON body together: `kids` of an export may have 10 000. */
const MAX_VALUES = 20_000

const QUOTE = 0x22
const BACKSLASH = 0x5c
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT, COMMA] = [0x5b, 0x5d, 0x7b, 0x7d, 0x2c]

const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** The value of a JSON body, or what is wrong with it. Depth and count are checked before anything is built. */
export function readJson(bytes: Uint8Array): { readonly value?: unknown; readonly problem?: string } {
  const problem = sizeProblem(bytes)
  if (problem !== undefined) return { problem }
  try {
    return { value: JSON.parse(UTF8.decode(bytes)) }
  } catch (error) {
    // The message of V8 quotes the text.
    if (error instanceof SyntaxError || error instanceof TypeError) return { problem: 'expected JSON in UTF-8' }
    throw error
  }
}

/** Why a text of JSON is too deep or has too many values. One pass over the bytes; what is not JSON passes. */
function sizeProblem(bytes: Uint8Array): string | undefined {
  let depth = 0
  let values = 1
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) at = endOfString(bytes, at)
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      depth++
      values++
      if (depth > MAX_DEPTH) return `expected JSON with at most ${MAX_DEPTH} levels`
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth--
    else if (byte === COMMA) values++
    if (values > MAX_VALUES) return `expected JSON with at most ${MAX_VALUES} values`
  }
  return undefined
}

/** The index of the quote that ends the string whose first quote is at `at`. */
function endOfString(bytes: Uint8Array, at: number): number {
  let end = at
  do {
    end = bytes.indexOf(QUOTE, end + 1)
    if (end < 0) return bytes.length
  } while (isEscaped(bytes, end))
  return end
}

/** Whether an odd number of backslashes precedes the byte. */
function isEscaped(bytes: Uint8Array, at: number): boolean {
  let first = at
  while (first > 0 && bytes[first - 1] === BACKSLASH) first--
  return (at - first) % 2 === 1
}

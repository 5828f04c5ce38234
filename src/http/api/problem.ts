import type { z } from 'zod'
import { KeyProviderError } from '../../core/errors.ts'
import { toReply } from '../errors.ts'
import type { Reply } from '../request.ts'

/** The body of an error reply. @see RFC 9457, 3 */
interface ApiProblem {
  /** Where the code is described: a part of the page at `DOCS_PATH`. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly requestId: string
  readonly problems?: readonly RequestProblem[]
}

/** The path of the page that describes the API and its codes. */
export const DOCS_PATH = '/api/docs'

/** The reply to an error of the management API: a 4XX says why, a 5XX hides its cause from the caller. */
export function problemReply(error: unknown, requestId: string): Reply {
  const { status, headers, body } = toReply(error)
  const code = status < 500 || status === 503 ? codeOf(error) : 'INTERNAL_ERROR'
  const problem: ApiProblem = {
    type: `${DOCS_PATH}#${code}`,
    title: titleOf(code),
    status,
    detail: String(body),
    code,
    requestId,
    ...(error instanceof ApiRequestError && { problems: error.problems }),
  }
  return {
    status,
    headers: { ...headers, ...API_HEADERS, 'content-type': 'application/problem+json' },
    body: JSON.stringify(problem),
  }
}

/** Headers of every reply of the API. */
export const API_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** ERR_CONTENT_NOT_FOUND is "content not found". */
export function titleOf(code: string): string {
  return code.replace(/^ERR_/, '').replaceAll('_', ' ').toLowerCase()
}

function codeOf(error: unknown): string {
  return error instanceof KeyProviderError ? error.code : 'INTERNAL_ERROR'
}

/** One problem of a request. */
export interface RequestProblem {
  /** Where: `body.kids.0`, `query.limit`, `path.content`. */
  readonly path: string
  /** What was expected, never the value: it may be a key in the wrong place. */
  readonly problem: string
}

/** A request may have a hundred thousand problems. */
const MAX_REPORTED = 50

/** A request that does not fit its schema, with its problems. */
export class ApiRequestError extends KeyProviderError {
  override readonly name = 'ApiRequestError'
  readonly problems: readonly RequestProblem[]

  constructor(problems: readonly RequestProblem[]) {
    const reported = problems.slice(0, MAX_REPORTED)
    const more = problems.length - reported.length
    if (more > 0) reported.push({ path: 'request', problem: `and ${more} problems more` })
    super('ERR_API_REQUEST_INVALID', reported.map(({ path, problem }) => `${path}: ${problem}`).join('; '))
    this.problems = reported
  }
}

/** The problems of one part of a request. The texts of the library would quote the value. */
export function problemsOf(part: string, issues: readonly z.core.$ZodIssue[]): readonly RequestProblem[] {
  return issues.flatMap((issue) => {
    const path = [part, ...issue.path.map(shownName)].join('.')
    if (issue.code !== 'unrecognized_keys') return [{ path, problem: expectationOf(issue) }]
    return issue.keys.map((key) => ({ path: `${path}.${shownName(key)}`, problem: 'unknown member' }))
  })
}

/** A name if it can be one; anything else may be a key in the wrong place. */
function shownName(name: PropertyKey): string {
  const text = String(name)
  return /^\w{1,20}$/.test(text) ? text : '…'
}

function expectationOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? `is not set: expected ${issue.expected}` : `expected ${issue.expected}`
    case 'invalid_value':
      return `expected ${issue.values.map(String).join(' or ')}`
    case 'too_small':
      return `expected at least ${issue.minimum}${unitOf(issue.origin)}`
    case 'too_big':
      return `expected at most ${issue.maximum}${unitOf(issue.origin)}`
    case 'custom':
      return issue.message
    default:
      return 'does not fit its description'
  }
}

function unitOf(origin: string): string {
  return { string: ' characters', array: ' items' }[origin] ?? ''
}

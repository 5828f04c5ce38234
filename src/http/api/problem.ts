import { KeyProviderError } from '../../core/errors.ts'
import type { Reply } from '../call.ts'
import { toReply } from '../errors.ts'
import { ApiRequestError, type RequestProblem } from './request-error.ts'

/** What is told of a refusal or failure. @see RFC 9457, 3 */
export interface ApiProblem {
  /** Where the code is described. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly requestId: string
  readonly problems?: readonly RequestProblem[]
}

/** Where the described codes are. */
export const DOCS_PATH = '/api/docs'

/** The reply to a failure of the management API: a 4XX says why, a 5XX tells nothing of its cause. */
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

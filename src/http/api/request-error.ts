import type { z } from '@hono/zod-openapi'
import { KeyProviderError } from '../../core/errors.ts'

/** One thing that is wrong with a request. */
export interface RequestProblem {
  /** Where: `body.kids.0`, `query.limit`, `path.content`. */
  readonly path: string
  /** What was expected, never what was got. */
  readonly problem: string
}

/** Nobody mends more at a time, and a request may have a hundred thousand. */
const MAX_TOLD = 50

/** A request that does not fit its schema: what is wrong with it. */
export class ApiRequestError extends KeyProviderError {
  override readonly name = 'ApiRequestError'
  readonly problems: readonly RequestProblem[]

  constructor(problems: readonly RequestProblem[]) {
    const told = problems.slice(0, MAX_TOLD)
    const more = problems.length - told.length
    if (more > 0) told.push({ path: 'request', problem: `and ${more} problems more` })
    super('ERR_API_REQUEST_INVALID', told.map(({ path, problem }) => `${path}: ${problem}`).join('; '))
    this.problems = told
  }
}

/** The problems of one part of a request, in our own words: those of the library quote what was given. */
export function problemsOf(part: string, issues: readonly z.core.$ZodIssue[]): readonly RequestProblem[] {
  return issues.flatMap((issue) => {
    const path = [part, ...issue.path.map(shownName)].join('.')
    if (issue.code !== 'unrecognized_keys') return [{ path, problem: expectationOf(issue) }]
    return issue.keys.map((key) => ({ path: `${path}.${shownName(key)}`, problem: 'unknown member' }))
  })
}

/** A name as far as it can be one; something else may be a key that slipped into the wrong place. */
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
      return 'is not as its description says'
  }
}

function unitOf(origin: string): string {
  return { string: ' characters', array: ' items' }[origin] ?? ''
}

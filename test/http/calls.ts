import { KeyProviderError } from '../../src/core/errors.ts'
import type { Call, Handler } from '../../src/http/call.ts'
import { onlyLocalCalls } from '../../src/http/listener/loopback.ts'
import type { Issued } from '../../src/http/route.ts'
import type { AdmitOperator } from '../../src/http/routes/metrics.ts'
import { createHandler, routes } from '../../src/http/routes/routes.ts'
import type { SpekeAnswerer } from '../../src/protocols/speke/answer.ts'

/** A call as the listener would make it, local and without a body unless `overrides` says otherwise. */
export function callOf(method: string, rawPath: string, overrides: Partial<Call> = {}): Call {
  const { headers, ...rest } = overrides
  return {
    method,
    rawPath,
    headers: { host: '127.0.0.1:8080', ...headers },
    bytes: Buffer.alloc(0),
    peer: '127.0.0.1',
    secure: false,
    requestId: 'test-1',
    ...rest,
  }
}

/** A CPIX document as far as HTTP is concerned. */
export const DOCUMENT = Buffer.from('<CPIX/>')

/** Answers with the request's own bytes, as content `movie`. */
export const echo: SpekeAnswerer['answer'] = async ({ bytes, tenant, client }) => ({
  body: bytes,
  tenant,
  client,
  contentId: 'movie',
  spekeVersion: '1.0',
  keys: 2,
  first: true,
  records: [],
})

/** An answer to SPEKE requests that rejects with `code`. */
export function refusing(code: KeyProviderError['code'], message: string): SpekeAnswerer['answer'] {
  return () => Promise.reject(new KeyProviderError(code, message))
}

export interface Observed {
  readonly route: string | undefined
  readonly status: number
  readonly error: unknown
  readonly issued: Issued | undefined
}

/** The handler of all routes over `answer`, and what it told of each call. */
export function handlerOf(
  answer: SpekeAnswerer['answer'],
  options: {
    basePaths?: string[]
    isReady?: () => Promise<boolean>
    admitOperator?: AdmitOperator
    maxConcurrent?: number
  } = {},
): { readonly handler: Handler; readonly observed: Observed[] } {
  const observed: Observed[] = []
  const handler = createHandler({
    routes: routes({
      speke: { answer },
      identify: () => ({ tenant: 'default', client: 'anonymous', method: 'anonymous', authorize: () => undefined }),
      userAgent: 'keyspring/9.9.9',
      basePaths: options.basePaths ?? [],
      isReady: options.isReady ?? (async () => true),
      metrics: {
        render: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'keyspring_up 1\n' }),
        admit: options.admitOperator ?? (() => undefined),
      },
    }),
    checks: [onlyLocalCalls([])],
    ...(options.maxConcurrent !== undefined && { maxConcurrent: options.maxConcurrent }),
    observe: (_call, route, { status, issued }, error) => observed.push({ route: route?.name, status, error, issued }),
    now: () => 0,
  })
  return { handler, observed }
}

import { KeyProviderError } from '../../src/core/errors.ts'
import { BodyBudget, Call } from '../../src/http/call.ts'
import { type HandlerOptions, RequestHandler } from '../../src/http/handler.ts'
import { requireLocalCall } from '../../src/http/listener/private-listener.ts'
import { ProxyTrust } from '../../src/http/listener/proxy-trust.ts'
import { bodyTooLarge, type Handler, type IncomingRequest } from '../../src/http/request.ts'
import type { Issued } from '../../src/http/route.ts'
import type { MetricsOptions } from '../../src/http/routes/metrics.ts'
import { routes } from '../../src/http/routes/routes.ts'
import type { SpekeAnswerer } from '../../src/protocols/speke/answer.ts'

/** A request, with its body as bytes. */
export interface CallOverrides extends Partial<IncomingRequest> {
  readonly bytes?: Buffer
}

/** A request as the listener would make it, local and without a body unless `overrides` says otherwise. */
export function callOf(method: string, rawPath: string, overrides: CallOverrides = {}): IncomingRequest {
  const { headers, bytes = Buffer.alloc(0), ...rest } = overrides
  return {
    method,
    rawPath,
    headers: { host: '127.0.0.1:8080', ...headers },
    peer: '127.0.0.1',
    secure: false,
    requestId: 'test-1',
    async readBody(maxBytes, onBytes) {
      if (bytes.length > maxBytes) throw bodyTooLarge(maxBytes)
      onBytes(bytes.length)
      return bytes
    },
    ...rest,
  }
}

/** The call of a request without trusted proxies, as routes get it. */
export function toCall(request: IncomingRequest): Call {
  return new Call(request, {
    proxies: new ProxyTrust([]),
    maxBodyBytes: 1024 * 1024,
    budget: new BodyBudget(1024 * 1024),
    now: () => 0,
  })
}

/** A handler of these routes, without checks, proxies and observer unless `options` has them. */
export function handlerFor(options: Pick<HandlerOptions, 'routes'> & Partial<HandlerOptions>): Handler {
  const handler = new RequestHandler({
    checks: [],
    proxies: new ProxyTrust([]),
    maxBodyBytes: 1024 * 1024,
    observe: () => undefined,
    now: () => 0,
    ...options,
  })
  return (request) => handler.handle(request)
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
  emptySystems: 0,
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
    admitOperator?: MetricsOptions['admit']
    maxConcurrent?: number
    maxBodyBytes?: number
  } = {},
): { readonly handler: Handler; readonly observed: Observed[] } {
  const observed: Observed[] = []
  const handler = new RequestHandler({
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
    checks: [requireLocalCall],
    proxies: new ProxyTrust([]),
    maxBodyBytes: options.maxBodyBytes ?? 1024 * 1024,
    ...(options.maxConcurrent !== undefined && { maxConcurrent: options.maxConcurrent }),
    observe: (_call, route, { status, issued }, error) => observed.push({ route: route?.name, status, error, issued }),
    now: () => 0,
  })
  return { handler: (request) => handler.handle(request), observed }
}

import { readFileSync } from 'node:fs'
import type { Fields } from '../../../src/server/lambda/event-kind.ts'

/** An event as AWS documents it. */
export interface RecordedEvent {
  readonly origin: string
  readonly event: Fields
}

export const EVENTS = ['rest-api', 'http-api', 'function-url', 'load-balancer', 'load-balancer-multi-value'] as const
export type EventName = (typeof EVENTS)[number]

export function recorded(name: EventName | 'schedule'): RecordedEvent {
  return JSON.parse(
    readFileSync(new URL(`../../vectors/lambda/${name}.json`, import.meta.url), 'utf8'),
  ) as RecordedEvent
}

export interface AskedByEvent {
  readonly method?: string
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Whom IAM found the caller to be; undefined: nobody was asked. */
  readonly caller?: string | undefined
}

/** The recorded event of a kind with another request in it. */
export function eventOf(name: EventName, asked: AskedByEvent): Fields {
  const { method = 'GET', path, query = {}, headers = {}, body = '', caller } = asked
  const { event } = recorded(name)
  const context = event.requestContext as Fields
  const given =
    event.headers ??
    Object.fromEntries(
      Object.entries(event.multiValueHeaders as Fields).map(([key, all]) => [key, (all as string[])[0]]),
    )
  // What a request says of itself is the test's.
  const own = ['content-type', 'x-speke-version', 'origin']
  const basic = Object.entries(given as Record<string, string>).filter(([key]) => !own.includes(key.toLowerCase()))
  const isLower = name === 'http-api' || name === 'function-url'
  const asSent = Object.entries(headers).map(([key, value]) => [isLower ? key.toLowerCase() : key, value] as const)
  const all = Object.fromEntries([...basic, ...asSent])
  const listed = Object.fromEntries(Object.entries(all).map(([key, value]) => [key, [value]]))
  const text = new URLSearchParams(query).toString()
  const encoded = Buffer.from(body).toString('base64')
  const account = '111122223333'
  if (name === 'rest-api') {
    const identity = {
      ...(context.identity as Fields),
      userArn: caller ?? null,
      accountId: caller === undefined ? null : account,
    }
    const requestContext = { ...context, httpMethod: method, path: `/EkeStage${path}`, identity }
    const parameters = {
      multiValueQueryStringParameters: Object.fromEntries(Object.entries(query).map(([key, value]) => [key, [value]])),
    }
    return {
      ...event,
      ...parameters,
      httpMethod: method,
      path,
      pathParameters: { proxy: path.slice(1) },
      headers: all,
      multiValueHeaders: listed,
      requestContext,
      body: encoded,
      isBase64Encoded: true,
    }
  }
  if (name === 'http-api' || name === 'function-url') {
    const rawPath = name === 'http-api' ? `/prod${path}` : path
    const http = { ...(context.http as Fields), method, path: rawPath }
    const authorizer = caller === undefined ? undefined : { iam: { userArn: caller, accountId: account } }
    const requestContext = { ...context, http, authorizer }
    return {
      ...event,
      rawPath,
      rawQueryString: text,
      cookies: undefined,
      headers: all,
      requestContext,
      body: encoded,
      isBase64Encoded: true,
    }
  }
  const isMulti = name === 'load-balancer-multi-value'
  const parameters = Object.fromEntries(new URLSearchParams(text))
  return {
    ...event,
    httpMethod: method,
    path,
    ...(isMulti
      ? {
          multiValueHeaders: listed,
          multiValueQueryStringParameters: Object.fromEntries(
            Object.entries(parameters).map(([key, value]) => [key, [encodeURIComponent(value)]]),
          ),
        }
      : {
          headers: all,
          queryStringParameters: Object.fromEntries(
            Object.entries(parameters).map(([key, value]) => [key, encodeURIComponent(value)]),
          ),
        }),
    body,
    isBase64Encoded: false,
  }
}

/** What a result says, whatever kind of event it answers. */
export interface ReadResult {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Buffer
}

export function readResult(result: object): ReadResult {
  const { statusCode, headers, multiValueHeaders, body, isBase64Encoded } = result as Record<string, unknown>
  const all = Object.entries((headers ?? multiValueHeaders ?? {}) as Record<string, string | string[]>)
  return {
    status: Number(statusCode),
    headers: Object.fromEntries(all.map(([name, value]) => [name.toLowerCase(), [value].flat().join(', ')])),
    bytes: Buffer.from(String(body ?? ''), isBase64Encoded === true ? 'base64' : 'utf8'),
  }
}

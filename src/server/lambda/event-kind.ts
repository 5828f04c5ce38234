import type { Reply } from '../../http/request.ts'

/** A request of HTTP as an event tells it, whatever the gateway calls its parts. */
export interface EventRequest {
  readonly method: string
  /** Path and query as the caller sent them, as far as the gateway keeps them. */
  readonly rawPath: string
  /** Without what the gateway serves the function below; undefined where that is nothing. */
  readonly routePath: string | undefined
  /** Names of any letter case and values in turn, as received. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
  readonly isBase64: boolean
  /** The address that connected to the gateway, as it saw it. */
  readonly peer: string
  readonly secure: boolean
  /** Whom IAM found the caller to be, where the gateway asked it to. */
  readonly caller: { readonly arn: string; readonly account: string | undefined } | undefined
  readonly requestId: string | undefined
  /** Where the gateway is reached, as it says itself. */
  readonly foundAt: string | undefined
}

/** One kind of event. To add one, write one file that makes this and one line in `event-kinds.ts`. */
export interface EventKind {
  readonly name: string
  recognizes(event: Fields): boolean
  /** What is asked, or undefined for an event that asks nothing and only says that it is time. */
  toRequest(event: Fields): EventRequest | undefined
  toResult(reply: EncodedReply, event: Fields): object
  /** The most bytes of a result, as JSON, that reach the caller. */
  readonly maxResultBytes: number
}

/** A reply whose body is text: its own, or base64 of its bytes. */
export interface EncodedReply extends Pick<Reply, 'status'> {
  /** A header that is sent more than once is there more than once. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
  readonly isBase64: boolean
}

/** What Lambda itself takes from a function. @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const LAMBDA_RESULT_BYTES = 6 * 1_024 * 1_024

/** An object of which nothing is known. */
export type Fields = Readonly<Record<string, unknown>>

/** The member as an object; an empty one where it is none. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** Names and values of a member in which each name has one value, or a list of them. */
export function pairsOf(value: unknown): readonly (readonly [name: string, value: string])[] {
  return Object.entries(fieldsOf(value)).flatMap(([name, one]) => {
    const values: readonly unknown[] = Array.isArray(one) ? one : [one]
    return values.flatMap((text) => (typeof text === 'string' ? [[name, text] as const] : []))
  })
}

/** Headers with one value for a name; lists are joined as HTTP allows. @see RFC 9110, 5.3 */
export function joinedHeaders(headers: EncodedReply['headers']): Readonly<Record<string, string>> {
  const joined: Record<string, string> = {}
  for (const [name, value] of headers) joined[name] = name in joined ? `${joined[name]}, ${value}` : value
  return joined
}

/** Headers with a list of values for each name. */
export function listedHeaders(headers: EncodedReply['headers']): Readonly<Record<string, readonly string[]>> {
  const listed: Record<string, string[]> = {}
  for (const [name, value] of headers) listed[name] = [...(listed[name] ?? []), value]
  return listed
}

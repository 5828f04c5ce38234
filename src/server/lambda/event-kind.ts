import type { Reply } from '../../http/request.ts'

/** The HTTP request in an event, for every gateway. */
export interface EventRequest {
  readonly method: string
  /** Path and query as the caller sent them, if the gateway keeps them. */
  readonly rawPath: string
  /** The path without the prefix of the gateway, such as its stage; undefined if there is no prefix. */
  readonly routePath: string | undefined
  /** Names, in any letter case, and values, as received. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
  readonly isBase64: boolean
  /** The address that connected to the gateway, as it saw it. */
  readonly peer: string
  readonly secure: boolean
  /** The caller's identity from IAM, if the gateway uses IAM. */
  readonly caller: { readonly arn: string; readonly account: string | undefined } | undefined
  readonly requestId: string | undefined
  /** The address of the gateway, from the event. */
  readonly foundAt: string | undefined
}

/** One kind of event. To add one, write one file that exports this and add it to `EVENT_KINDS`. */
export interface EventKind {
  readonly name: string
  recognizes(event: Fields): boolean
  /** The request; undefined for an event of a schedule. */
  toRequest(event: Fields): EventRequest | undefined
  toResult(reply: EncodedReply, event: Fields): object
  /** The largest result, in bytes of JSON, that reaches the caller. */
  readonly maxResultBytes: number
}

/** A reply whose body is text: unchanged, or the base64 of its bytes. */
export interface EncodedReply extends Pick<Reply, 'status'> {
  /** A repeated header is listed more than once. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
  readonly isBase64: boolean
}

/** The largest result of a function, in bytes. @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
export const LAMBDA_RESULT_BYTES = 6 * 1_024 * 1_024

/** An object with unknown members. */
export type Fields = Readonly<Record<string, unknown>>

/** The member as an object; an empty object if it is none. */
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

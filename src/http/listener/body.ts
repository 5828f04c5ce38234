import type { IncomingMessage } from 'node:http'
import { KeyProviderError } from '../../core/errors.ts'

const EMPTY = Buffer.alloc(0)

/** Takes a body, or the reason there is none. Not called for a request that its sender gave up. */
export type TakeBody = (bytes: Buffer, fault: KeyProviderError | undefined) => void

/**
 * Reads the body of a request up to `maxBytes`, without a copy when it came in one piece. A body announced as larger is
 * refused unread, one that turns out larger at the byte that is too much; the rest is left to the caller to discard.
 */
export function readBody(request: IncomingMessage, maxBytes: number, take: TakeBody): void {
  const announced = request.headers['content-length']
  if (announced === undefined && request.headers['transfer-encoding'] === undefined) {
    take(EMPTY, undefined)
    return
  }
  if (announced !== undefined && Number(announced) > maxBytes) {
    take(EMPTY, tooLarge(maxBytes))
    return
  }

  let first: Buffer | undefined
  let more: Buffer[] | undefined
  let length = 0
  const onData = (chunk: Buffer): void => {
    length += chunk.length
    if (length > maxBytes) {
      request.off('data', onData).off('end', onEnd)
      take(EMPTY, tooLarge(maxBytes))
    } else if (first === undefined) first = chunk
    else if (more === undefined) more = [first, chunk]
    else more.push(chunk)
  }
  const onEnd = (): void => take(more === undefined ? (first ?? EMPTY) : Buffer.concat(more, length), undefined)
  request.on('data', onData).on('end', onEnd)
}

/** The refusal of a body. */
export function tooLarge(maxBytes: number): KeyProviderError {
  return new KeyProviderError('ERR_BODY_TOO_LARGE', `the body is too large: expected at most ${maxBytes} bytes`)
}

import type { IncomingMessage } from 'node:http'
import { bodyTooLarge, RequestAbortedError } from '../request.ts'

const EMPTY = Buffer.alloc(0)

/** Whether the head announces a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
}

/**
 * Reads the body of a request up to `maxBytes`, without a copy if it came in one piece. It stops at the first byte above
 * the limit, or when `onBytes` throws; the remaining bytes flow on and are not kept.
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  onBytes: (count: number) => void,
): Promise<Buffer> {
  if (!hasBody(request)) return Promise.resolve(EMPTY)
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    let length = 0
    const stop = (): void => {
      request.off('data', onData).off('end', onEnd).off('close', onClose)
    }
    const fail = (error: unknown): void => {
      stop()
      reject(error)
    }
    const onData = (piece: Buffer): void => {
      length += piece.length
      try {
        if (length > maxBytes) throw bodyTooLarge(maxBytes)
        onBytes(piece.length)
        pieces.push(piece)
      } catch (error) {
        fail(error)
      }
    }
    const onEnd = (): void => {
      stop()
      const [first = EMPTY] = pieces
      resolve(pieces.length > 1 ? Buffer.concat(pieces, length) : first)
    }
    const onClose = (): void => fail(new RequestAbortedError('the sender closed the connection inside the body'))
    request.on('data', onData).on('end', onEnd).on('close', onClose)
  })
}

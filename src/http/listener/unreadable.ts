import type { Socket } from 'node:net'

/** The text of a 400 for bytes that are not a request. */
export const NOT_HTTP = 'not an HTTP request'

/** What a peer is answered whose bytes did not become a request, by the code of Node's error. */
const UNREADABLE: Readonly<Record<string, { readonly status: string; readonly text: string }>> = {
  HPE_HEADER_OVERFLOW: { status: '431 Request Header Fields Too Large', text: 'the headers are too large' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', text: 'the request took too long to arrive' },
}

/** Answers bytes that are not HTTP, headers that are too large or a request that is too slow, and closes; the status. */
export function refuseBytes({ code = '' }: NodeJS.ErrnoException, socket: Socket, requestId: string): number {
  const { status, text } = UNREADABLE[code] ?? { status: '400 Bad Request', text: NOT_HTTP }
  // A failed TLS handshake leaves no connection to answer on.
  if (!code.startsWith('HPE_') && UNREADABLE[code] === undefined) socket.destroy()
  else {
    socket.end(
      `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${text.length}\r\nConnection: close\r\nX-Request-Id: ${requestId}\r\n\r\n${text}`,
      () => socket.destroy(),
    )
  }
  return Number.parseInt(status, 10)
}

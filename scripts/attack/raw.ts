import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Outcome } from './case.ts'
import { newRequestId, type Target } from './target.ts'

/** Bytes as they are, in parts with a pause between; what comes back until the server closes, or `ms` have passed. */
export async function sendRaw(
  { host, port }: Target,
  parts: readonly (string | Uint8Array)[],
  { ms = 4_000, pauseMs = 0, half = false }: { ms?: number; pauseMs?: number; half?: boolean } = {},
): Promise<Outcome & { readonly closed: boolean; readonly answers: number }> {
  const socket: Socket = connect({ host, port, allowHalfOpen: true })
  let text = ''
  let closed = false
  const ended = new Promise<void>((resolve) => {
    socket.on('end', () => resolve())
    socket.on('close', () => {
      closed = true
      resolve()
    })
  })
  socket.on('error', () => undefined)
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  const writing = (async () => {
    for (const part of parts) {
      if (socket.destroyed || closed) return
      socket.write(part)
      if (pauseMs > 0) await sleep(pauseMs)
    }
    if (half) socket.end()
  })()
  await Promise.race([ended.then(() => (closed = true)), sleep(ms)])
  socket.destroy()
  await writing
  const answers = text.match(/HTTP\/1\.1 (?!100)\d{3} /g) ?? []
  const requestId = /^x-request-id: (\S+)/im.exec(text)?.[1]
  return { status: Number(answers[0]?.slice(9, 12) ?? 0), text, closed, answers: answers.length, requestId }
}

/** The head of a POST by the client, with these lines more. */
export function headOf({ secrets }: Target, lines: readonly string[] = [], path = '/copyProtection'): string {
  return [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Content-Type: application/xml',
    'X-Speke-Version: 2.0',
    `X-API-Key: ${secrets.token}`,
    `X-Request-Id: ${newRequestId()}`,
    ...lines,
    '',
    '',
  ].join('\r\n')
}

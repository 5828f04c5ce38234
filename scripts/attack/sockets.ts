import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attack, Group, Outcome } from './case.ts'
import { SOUND } from './documents.ts'
import { headOf, sendRaw } from './raw.ts'
import type { Target } from './target.ts'

const length = Buffer.byteLength(SOUND)
const bytewise = (text: string): readonly string[] => text.split('')
const slow = (name: string, expected: readonly number[], send: Attack['send']): Attack => ({
  name,
  expected,
  send,
  slow: true,
})

/** Many connections that do the same; the server has to answer a client meanwhile and to be rid of them afterwards. */
const crowd = (name: string, count: number, first: string, then?: (socket: Socket) => void): Attack =>
  slow(`${count} × ${name}`, [200], async (target) => {
    const sockets = await openMany(target, count, first)
    const timers = then === undefined ? [] : sockets.map((socket) => setInterval(then, 100, socket))
    const isAnswering = await target.isAnswering()
    // Longer than any of them may take.
    const deadline = Date.now() + 8_000
    while (Date.now() < deadline && sockets.some((socket) => !socket.destroyed)) await sleep(50)
    for (const timer of timers) clearInterval(timer)
    const open = sockets.filter((socket) => !socket.destroyed).length
    for (const socket of sockets) socket.destroy()
    const problem = isAnswering
      ? open > 0
        ? `${open} connections were left open`
        : ''
      : 'a client was not answered meanwhile'
    return { status: problem === '' ? 200 : 0, text: problem }
  })

/** Opens connections, a few hundred at a time, and says this on each. */
export async function openMany({ host, port }: Target, count: number, first: string): Promise<readonly Socket[]> {
  const sockets: Socket[] = []
  for (let from = 0; from < count; from += 500) {
    const batch = Array.from({ length: Math.min(500, count - from) }, () => {
      const socket = connect({ host, port })
      socket.on('error', () => socket.destroy())
      socket.on('data', () => undefined)
      socket.on('end', () => socket.destroy())
      return new Promise<Socket>((resolve) => {
        socket.once('connect', () => resolve(socket))
        socket.once('close', () => resolve(socket))
      })
    })
    sockets.push(...(await Promise.all(batch)))
  }
  if (first !== '') for (const socket of sockets) socket.write(first)
  return sockets
}

/** How many connections a process may have, with room for its other files. */
export function socketsFor(limit: number): number {
  return Math.max(100, Math.min(10_000, limit - 500))
}

export function sockets(idle: number): Group {
  const closedIn =
    (ms: number) =>
    async (target: Target, parts: readonly string[], pauseMs: number): Promise<Outcome> => {
      const outcome = await sendRaw(target, parts, { ms, pauseMs })
      return outcome.closed ? outcome : { status: -1, text: 'the connection was left open' }
    }
  return {
    name: 'slow and idle',
    attacks: [
      slow('headers a byte at a time', [408, 0], (target) => closedIn(4_000)(target, bytewise(headOf(target)), 60)),
      slow('headers that never end', [408, 0], (target) =>
        closedIn(4_000)(target, ['GET /livez HTTP/1.1\r\nHost: a\r\n'], 0),
      ),
      slow('a body a byte at a time', [408, 0], (target) =>
        closedIn(6_000)(target, [headOf(target, [`Content-Length: ${length}`]), ...bytewise(SOUND)], 40),
      ),
      slow('a body that never comes', [408, 0], (target) =>
        closedIn(6_000)(target, [headOf(target, [`Content-Length: ${length}`])], 0),
      ),
      slow('chunks that never end', [408, 0], (target) =>
        closedIn(6_000)(
          target,
          [headOf(target, ['Transfer-Encoding: chunked']), ...Array.from({ length: 100 }, () => '1\r\n \r\n')],
          60,
        ),
      ),
      slow('half-closed in the headers', [400, 408, 0], (target) =>
        sendRaw(target, [headOf(target).slice(0, 60)], { half: true }),
      ),
      slow('half-closed in the body', [400, 408, 0], (target) =>
        sendRaw(target, [headOf(target, [`Content-Length: ${length}`]) + SOUND.slice(0, 20)], { half: true }),
      ),
      slow('closed right after the headers, 200 times', [200], async (target) => {
        for (let i = 0; i < 200; i++) {
          const socket = connect({ host: target.host, port: target.port })
          socket.on('error', () => undefined)
          await new Promise((resolve) => socket.once('connect', resolve))
          socket.write(headOf(target, [`Content-Length: ${length}`]))
          socket.resetAndDestroy()
        }
        return { status: (await target.isAnswering()) ? 200 : 0, text: '' }
      }),
      slow('500 requests at once on one connection', [200], async (target) => {
        const head = headOf(target, [`Content-Length: ${length}`]) + SOUND
        const last = headOf(target, [`Content-Length: ${length}`, 'Connection: close']) + SOUND
        const outcome = await sendRaw(target, [head.repeat(499) + last], { ms: 10_000 })
        return {
          status: outcome.answers === 500 ? 200 : 0,
          text: outcome.answers === 500 ? '' : `${outcome.answers} answers`,
        }
      }),
      slow('an answer that nobody reads, 100 times', [200], async (target) => {
        const head = headOf(target, [`Content-Length: ${length}`]) + SOUND
        const deaf = Array.from({ length: 100 }, () => {
          const socket = connect({ host: target.host, port: target.port })
          socket.on('error', () => undefined)
          socket.pause()
          socket.write(head.repeat(20))
          return socket
        })
        const isAnswering = await target.isAnswering()
        for (const socket of deaf) socket.destroy()
        return { status: isAnswering ? 200 : 0, text: '' }
      }),
      crowd(
        'slowloris',
        500,
        'GET /livez HTTP/1.1\r\nHost: a\r\n',
        (socket) => socket.destroyed || socket.write('X-A: b\r\n'),
      ),
      crowd(
        'slow body',
        500,
        'POST /copyProtection HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n',
        (socket) => socket.destroyed || socket.write(' '),
      ),
      crowd('connected and silent', idle, ''),
    ],
  }
}

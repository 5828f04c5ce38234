import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { Listener } from '../../../src/http/listener/listener.ts'
import type { Handler } from '../../../src/http/request.ts'
import { echo, handlerOf } from '../calls.ts'

const open: Listener[] = []
after(() => Promise.all(open.map((listener) => listener.close(0))))

const errors: unknown[] = []
const unreadable: number[] = []

async function serve(
  handler: Handler,
  limits: Partial<Parameters<typeof Listener.open>[0]['limits']> = {},
): Promise<Listener> {
  const listener = await Listener.open({
    host: '127.0.0.1',
    port: 0,
    handler,
    limits: { bodyBytes: 100, connections: 100, headersTimeoutMs: 5_000, requestTimeoutMs: 10_000, ...limits },
    onError: (error) => errors.push(error),
    onUnreadable: ({ status }) => unreadable.push(status),
  })
  open.push(listener)
  return listener
}

/** Everything the server says to `bytes`, until it closes the connection. */
function exchange({ address }: Listener, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(address.port, address.host)
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString('latin1')))
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
    socket.write(bytes)
  })
}

const post = (length: number, more = ''): string =>
  `POST /copyProtection HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n${more}\r\n`

test('answers with the bytes, their length and the request id of the caller', async () => {
  const server = await serve(handlerOf(echo).handler)
  const text = await exchange(server, `${post(7, 'X-Request-Id: mine.1\r\nConnection: close\r\n')}<CPIX/>`)
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/)
  assert.match(text, /\r\nx-request-id: mine\.1\r\n/)
  assert.match(text, /\r\ncontent-length: 7\r\n/)
  assert.ok(text.endsWith('\r\n\r\n<CPIX/>'))
})

test('what node lets through and RFC 9112 does not is rejected: two Hosts, and HTTP/0.9', async () => {
  const server = await serve(handlerOf(echo).handler)
  for (const head of ['GET /livez HTTP/1.1\r\nHost: localhost\r\nhOST: localhost\r\n\r\n', 'GET /livez\r\n\r\n']) {
    assert.match(await exchange(server, head), /^HTTP\/1\.1 400 Bad Request\r\n/)
  }
})

test('a connection is closed after as many requests as it may have', async () => {
  const server = await serve(handlerOf(echo).handler, { requestsPerSocket: 2 })
  const text = await exchange(server, `${post(7)}<CPIX/>${post(7)}<CPIX/>`)
  assert.equal((text.match(/HTTP\/1\.1 200/g) ?? []).length, 2)
  assert.match(text, /connection: close/i)
})

test('a body that comes in pieces is put together', async () => {
  const server = await serve(handlerOf(echo).handler)
  const chunked =
    'POST /copyProtection HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n'
  assert.ok((await exchange(server, `${chunked}3\r\n<CP\r\n2\r\nIX\r\n2\r\n/>\r\n0\r\n\r\n`)).endsWith('<CPIX/>'))
})

test('a body announced as too large is rejected unread', async () => {
  const { handler, observed } = handlerOf(() => assert.fail('answered'), { maxBodyBytes: 100 })
  const text = await exchange(await serve(handler), `${post(101)}${'x'.repeat(101)}`)
  assert.match(text, /^HTTP\/1\.1 413 /)
  assert.match(text, /at most 100 bytes/)
  assert.match(text, /connection: close/)
  assert.equal(observed[0]?.status, 413)
})

test('a body that turns out too large is rejected on the way, and the refusal arrives', async () => {
  const server = await serve(handlerOf(() => assert.fail('answered')).handler)
  const chunk = `40000\r\n${'x'.repeat(0x40000)}\r\n`
  const head = 'POST /copyProtection HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n'
  assert.match(await exchange(server, `${head}${chunk.repeat(8)}0\r\n\r\n`), /^HTTP\/1\.1 413 /)
})

test('a body that waits to be asked for is not asked for when it is too large', async () => {
  const server = await serve(handlerOf(echo, { maxBodyBytes: 100 }).handler)
  const text = await exchange(server, `${post(101, 'Expect: 100-continue\r\n')}${'x'.repeat(101)}`)
  assert.match(text, /^HTTP\/1\.1 413 /)
  assert.match(
    await exchange(server, `${post(7, 'Expect: 100-continue\r\nConnection: close\r\n')}<CPIX/>`),
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /,
  )
})

for (const [what, bytes, status] of [
  ['garbage', 'hello\r\n\r\n', 400],
  ['two lengths', 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
  [
    'a length and chunks',
    'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    400,
  ],
  ['a header of 20 KB', `GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
] as const) {
  test(`${what} is answered ${status} and the connection is closed`, async () => {
    unreadable.length = 0
    const text = await exchange(await serve(handlerOf(echo).handler), bytes)
    assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `))
    assert.match(text, /\r\nX-Request-Id: [a-z0-9-]+\r\n/)
    assert.deepEqual(unreadable, [status])
  })
}

test('headers that come too slowly are answered 408', async () => {
  const server = await serve(handlerOf(echo).handler, { headersTimeoutMs: 100, requestTimeoutMs: 200 })
  assert.match(await exchange(server, 'GET / HTTP/1.1\r\nHost: loc'), /^HTTP\/1\.1 408 /)
})

test('a body that comes too slowly is answered 408', async () => {
  const server = await serve(handlerOf(echo).handler, { headersTimeoutMs: 100, requestTimeoutMs: 200 })
  assert.match(await exchange(server, `${post(7)}<`), /^HTTP\/1\.1 408 /)
})

test('a connection serves one request after the other', async () => {
  const server = await serve(handlerOf(echo).handler)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const sockets = new Set<Socket>()
  for (let i = 0; i < 3; i++) {
    await new Promise<void>((resolve, reject) => {
      const sent = request({ ...server.address, agent, path: '/livez' }, (response) => {
        sockets.add(response.socket)
        response.resume().on('end', resolve)
      })
      sent.on('error', reject).end()
    })
  }
  agent.destroy()
  assert.equal(sockets.size, 1)
})

test('requests sent at once on one connection are answered in order', async () => {
  const server = await serve(handlerOf(echo).handler)
  const text = await exchange(server, `${post(3)}one${post(3)}two${post(5, 'Connection: close\r\n')}three`)
  assert.deepEqual(
    [...text.matchAll(/\r\n\r\n(one|two|three)/g)].map(([, body]) => body),
    ['one', 'two', 'three'],
  )
})

test('a handler that throws gives an internal error, reported once, and the server keeps running', async () => {
  const server = await serve(() => {
    throw new Error('lost')
  })
  errors.length = 0
  assert.match(await exchange(server, `${post(0, 'Connection: close\r\n')}`), /^HTTP\/1\.1 500 .*internal error$/s)
  assert.equal(errors.length, 1)
  assert.match(await exchange(server, `${post(0, 'Connection: close\r\n')}`), /^HTTP\/1\.1 500 /)
})

test('a reply with a header that cannot be sent closes the connection, and the server stays', async () => {
  const server = await serve(() => ({ status: 200, headers: { 'x-a': 'a\r\nb' }, body: '' }))
  errors.length = 0
  assert.equal(await exchange(server, post(0)), '')
  assert.equal(errors.length, 1)
})

test('a sender that leaves before its answer does no harm', async () => {
  let finish: (() => void) | undefined
  const arrived = Promise.withResolvers<void>()
  const server = await serve(() => {
    arrived.resolve()
    return new Promise((resolve) => {
      finish = () => resolve({ status: 200, headers: {}, body: 'x'.repeat(1 << 20) })
    })
  })
  const socket = connect(server.address.port, server.address.host)
  socket.write(post(0))
  await arrived.promise
  socket.destroy()
  await new Promise((resolve) => socket.once('close', resolve))
  finish?.()
  errors.length = 0
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(errors, [])
})

test('a sender that leaves inside its body is no call, and the server stays', async () => {
  const { handler, observed } = handlerOf(echo)
  const server = await serve(handler)
  const socket = connect(server.address.port, server.address.host)
  await new Promise((resolve) => socket.write(`${post(9)}half`, resolve))
  socket.destroy()
  await new Promise((resolve) => socket.once('close', resolve))
  assert.match(await exchange(server, `${post(7, 'Connection: close\r\n')}<CPIX/>`), /^HTTP\/1\.1 200 /)
  assert.equal(observed.length, 1)
})

test('closing finishes the request in flight, closes idle connections and accepts no more', async () => {
  const arrived = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const server = await serve(async () => {
    arrived.resolve()
    await go.promise
    return { status: 200, headers: {}, body: 'done' }
  })
  const idle = connect(server.address.port, server.address.host)
  const idleClosed = new Promise((resolve) => idle.once('close', resolve))
  await new Promise((resolve) => idle.once('connect', resolve))
  const inFlight = exchange(server, post(0))
  await arrived.promise
  const closed = server.close(10_000)
  await idleClosed
  await assert.rejects(exchange(server, post(0)), { code: 'ECONNREFUSED' })
  go.resolve()
  assert.match(await inFlight, /connection: close\r\n.*\r\n\r\ndone$/s)
  await closed
})

test('closing waits for a limited time', async () => {
  const arrived = Promise.withResolvers<void>()
  const server = await serve(() => {
    arrived.resolve()
    return new Promise(() => undefined)
  })
  const stuck = exchange(server, post(0))
  await arrived.promise
  await server.close(20)
  assert.equal(await stuck, '')
})

test('rejects an address that is in use', async () => {
  const { address } = await serve(handlerOf(echo).handler)
  const limits = { bodyBytes: 1, connections: 1, headersTimeoutMs: 1_000, requestTimeoutMs: 1_000 }
  await assert.rejects(Listener.open({ ...address, handler: handlerOf(echo).handler, limits }), { code: 'EADDRINUSE' })
})

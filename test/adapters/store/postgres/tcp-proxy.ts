import { connect, createServer, type Socket } from 'node:net'

/** Something between a client and a server that can hold everything back, as a network does that drops packets. */
export interface TcpProxy {
  readonly port: number
  /** Holds back, or lets through, what the server says; new connections too. */
  stall(stalled: boolean): void
  close(): Promise<void>
}

export async function startTcpProxy(target: number): Promise<TcpProxy> {
  let isStalled = false
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (chunk) => upstream.write(chunk))
    upstream.on('data', (chunk) => client.write(chunk))
    if (isStalled) upstream.pause()
    upstreams.add(upstream)
    upstream.on('close', () => upstreams.delete(upstream))
  })
  const upstreams = new Set<Socket>()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    stall(stalled) {
      isStalled = stalled
      for (const upstream of upstreams) {
        if (stalled) upstream.pause()
        else upstream.resume()
      }
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

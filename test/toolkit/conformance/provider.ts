import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import { performance } from 'node:perf_hooks'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { toReply } from '../../../src/http/errors.ts'
import { MEDIAPACKAGE_V2_PROFILE } from '../../../src/protocols/speke/profile.ts'
import type { EncryptorName } from '../../../src/protocols/speke/tables/presets.ts'
import { PlayerUrls } from '../../../src/protocols/speke/urls.ts'
import { SHAPES } from '../../../src/toolkit/encryptor/request/shapes.ts'
import { connect } from '../../../src/toolkit/encryptor/send.ts'
import type { JudgedReply } from '../../../src/toolkit/rules/rule.ts'
import { answering } from '../../protocols/speke/answering.ts'

/** A request as a broken key provider sees it. */
export interface Received {
  readonly body: string
  readonly version: string | undefined
}

/** What a key provider makes of its own right reply. */
export type Damage = (reply: JudgedReply, received: Received) => JudgedReply | Promise<JudgedReply>

export interface Provider {
  readonly url: string
  close(): void
}

/** A small key provider on a free port: answers of this project, with whatever damage. */
export async function startProvider(damage: Damage = (reply) => reply, as: EncryptorName = 'spec'): Promise<Provider> {
  const profile = as === 'mediapackage-v2' ? MEDIAPACKAGE_V2_PROFILE : {}
  // Of now: its certificates are of now.
  const answer = answering({ profile, urls: new PlayerUrls('https://keys.example.com'), now: () => Date.now() })
  const reply = async ({ body, version }: Received): Promise<JudgedReply> => {
    const headers = {
      [version === undefined ? 'speke-user-agent' : 'x-speke-user-agent']: 'broken/1',
      ...(version !== undefined && { 'x-speke-version': version }),
    }
    try {
      const { xml } = await answer(version, body)
      return { status: 200, headers: { ...headers, 'content-type': 'application/xml' }, body: Buffer.from(xml) }
    } catch (error) {
      if (!(error instanceof KeyProviderError)) throw error
      const refusal = toReply(error)
      return {
        status: refusal.status,
        headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' },
        body: Buffer.from(refusal.body),
      }
    }
  }
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const version = incoming.headers['x-speke-version']
      const received = {
        body: (await bodyOf(incoming)).toString(),
        version: typeof version === 'string' ? version : undefined,
      }
      const damaged = await damage(await reply(received), received)
      if (damaged.status === 0) outgoing.destroy()
      else outgoing.writeHead(damaged.status, damaged.headers).end(damaged.body)
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}/copyProtection`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** How `verify` connects, for tests. */
export function connector(url: string, as: EncryptorName = 'spec') {
  return (headers: Readonly<Record<string, string>>) =>
    connect({
      url,
      shape: SHAPES[as],
      credentials: { kind: 'none' },
      headers,
      timeoutMs: 10_000,
      tls: {},
      allowClearText: false,
      now: Date.now,
      ticks: () => performance.now(),
      randomBytes,
    })
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after } from 'node:test'
import { issueToken } from '../../src/auth/methods/bearer-token.ts'
import { assemble } from '../../src/server/assemble/assemble.ts'
import type { KeyProvider } from '../../src/server/assemble/key-provider.ts'
import { requestHandlers } from '../../src/server/assemble/request-handlers.ts'
import { readConfig } from '../../src/server/config/config.ts'
import { temporaryDirectory } from '../cli/run.ts'
import { callOf } from '../http/calls.ts'
import { requestFor } from '../protocols/speke/documents.ts'
import { keptLog, keptMetrics } from '../server/fakes.ts'

export const directory = temporaryDirectory()
const open: KeyProvider[] = []
after(() => Promise.all(open.map((one) => one.close())))
let files = 0

/** A whole server without a port: its handlers, and tokens of its clients by name. */
export async function serverOf(clients: Readonly<Record<string, object>>, yaml = '', host = '127.0.0.1') {
  const tokens: Record<string, string> = {}
  const written = Object.entries(clients).map(([name, more]) => {
    const { token, credential } = issueToken(randomBytes)
    tokens[name] = token.reveal()
    const sha256 = Buffer.from(credential.sha256).toString('hex')
    return { name, credentials: { token: [{ id: credential.id, sha256 }] }, ...more }
  })
  const file = join(directory, `${files++}.yaml`)
  writeFileSync(file, `store: memory\n${yaml}\nclients: ${JSON.stringify(written)}\n`)
  const config = readConfig({ file, environment: {}, flags: { host } })
  const { log, lines } = keptLog()
  const { metrics } = keptMetrics()
  const keyProvider = await assemble(config, log, metrics)
  open.push(keyProvider)
  const callers = await keyProvider.callers.load(config)
  keyProvider.callers.enforce(callers)
  const publicUrl = 'https://keys.example.com'
  const parts = { keyProvider, metrics, version: '9.9.9', publicUrl, isReady: async () => true }
  const handlers = requestHandlers({ config, callers, ...parts })
  const post = async (name: string | undefined, xml = requestFor(), more: object = {}) => {
    const headers = { 'x-speke-version': '2.0', ...(name !== undefined && { 'x-api-key': tokens[name] ?? name }) }
    const reply = await handlers.main(callOf('POST', '/copyProtection', { headers, bytes: Buffer.from(xml), ...more }))
    const text = Buffer.from(reply.body).toString()
    return { ...reply, text, keys: [...text.matchAll(/PlainValue>([^<]+)</g)].map(([, key]) => key) }
  }
  return { handlers, tokens, post, lines, flush: () => keyProvider.flush() }
}

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assemble } from '../../src/server/assemble/assemble.ts'
import { readConfig } from '../../src/server/config/config.ts'
import { createMetrics } from '../../src/server/observe/metrics.ts'
import { RunningServer } from '../../src/server/start.ts'
import { PACKAGE } from '../cli/run.ts'
import { keptLog } from '../server/fakes.ts'

const REQUEST = readFileSync(join(PACKAGE, 'docs/examples/hls-aes-128-v1.xml'))
const CONTENT = 'sample-channel'
const KID = 'a86b3d17-50e2-4f94-b7c1-2d9e6f0a8b31'
const base64url = (kid: string): string => Buffer.from(kid.replaceAll('-', ''), 'hex').toString('base64url')

const TOKEN = 'ks_0123456789abcdef_0123456789012345678901'
const OTHER_TOKEN = 'ks_0123456789abcdee_0123456789012345678901'
const CLIENTS = (directory: string): string => `
limits: { clientRequestsPerSecond: 1, clientBurst: 1 }
clients:
  - { name: packager, contentIds: [other-*], credentials: { token: [{ tokenFile: ${directory}/token }] } }
`

/** What a server answered to requests of every kind, by status, and the text of its `/metrics` then. */
export async function driveServer(): Promise<{ readonly statuses: readonly number[]; readonly metrics: string }> {
  const data = mkdtempSync(join(tmpdir(), 'keyspring-driven-'))
  const { log } = keptLog()
  const metrics = await createMetrics('0.0.0')
  const statuses: number[] = []
  const serve = async (
    more: Record<string, string>,
    drive: (ask: Ask, token: string) => Promise<void>,
  ): Promise<void> => {
    const config = readConfig({ environment: { KEYSPRING_DATA: data, KEYSPRING_PORT: '0', ...more } })
    const keyProvider = await assemble(config, log, metrics)
    const server = await RunningServer.start(config, { keyProvider, log, metrics, version: '0.0.0' })
    try {
      await drive(async (path, init) => {
        const answer = await fetch(server.url + path, init)
        statuses.push(answer.status)
        return answer.text()
      }, managementToken(server))
    } finally {
      await server.close()
    }
  }
  try {
    await serve({}, askOpenly)
    writeFileSync(join(data, 'token'), TOKEN, { mode: 0o600 })
    writeFileSync(join(data, 'keyspring.yaml'), CLIENTS(data))
    let text = ''
    await serve({ KEYSPRING_CONFIG: join(data, 'keyspring.yaml') }, async (ask) => {
      for (const token of [OTHER_TOKEN, TOKEN, TOKEN]) {
        await ask('/copyProtection', { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: REQUEST })
      }
      text = (await metrics.render()).text
    })
    return { statuses, metrics: text }
  } finally {
    rmSync(data, { recursive: true })
  }
}

/** The token of a server without clients; empty for another one. */
function managementToken({ managementTokenFile }: RunningServer): string {
  return managementTokenFile === undefined ? '' : readFileSync(managementTokenFile, 'utf8').trim()
}

type Ask = (path: string, init?: RequestInit) => Promise<string>

/** Everything that can be asked where nobody has to prove anything. */
async function askOpenly(ask: Ask, token: string): Promise<void> {
  const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
    ask(path, { method: 'POST', body, headers })
  await post('/speke/v1.0/copyProtection', REQUEST)
  await post('/speke/v1.0/copyProtection', REQUEST)
  await post('/speke/v1.0/copyProtection', '<CPIX/>', { 'x-speke-version': '2.0', 'content-type': 'application/xml' })
  await ask('/nowhere')
  await ask(`/keys/default/${CONTENT}/${KID}`)
  await ask(`/keys/default/nothing/${KID}`)
  await post(`/license/clearkey/default/${CONTENT}`, JSON.stringify({ kids: [base64url(KID)], type: 'temporary' }))
  await ask('/speke/v1.0/heartbeat')
  await ask('/api/contents', { headers: { authorization: `Bearer ${token}` } })
  await ask('/copyProtectionData/nothing')
  await ask('/readyz')
  await ask('/metrics')
  await ask('/livez', { headers: { 'x-long': 'a'.repeat(20_000) } })
}

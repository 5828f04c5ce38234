import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { PACKAGE, temporaryDirectory } from '../cli/run.ts'

// What a stranger can send must not fill the memory: the attacks run against a server that may use 256 MiB.

const LIMIT_BYTES = 256 * 1024 * 1024
/** Of the resident size where no cgroup counts: it includes the files of Node.js that are mapped. */
const RESIDENT_LIMIT_BYTES = LIMIT_BYTES + 64 * 1024 * 1024
const KID = '3f1c9a52-6b0e-4d87-9c34-1e5a70b2d801'
const CGROUP = '/sys/fs/cgroup/memory'

const directory = temporaryDirectory()
const token = `ks_0123456789abcdef_${randomBytes(32).toString('base64url')}`
writeFileSync(join(directory, 'token'), token, { mode: 0o600 })
writeFileSync(
  join(directory, 'keyspring.yaml'),
  JSON.stringify({
    playback: { access: 'open' },
    clients: [{ name: 'packager', credentials: { token: [{ tokenFile: join(directory, 'token') }] } }],
  }),
)

/** A server whose memory is limited: by a cgroup where this machine allows one, else by watching its resident size. */
async function startLimited(name: string) {
  const data = join(directory, name)
  mkdirSync(data, { mode: 0o700 })
  const child = spawn(
    process.execPath,
    [
      '--max-semi-space-size=16',
      '--max-old-space-size=160',
      join(PACKAGE, 'bin/keyspring.js'),
      ...['serve', '--port', '0', '--data', data, '--config', join(directory, 'keyspring.yaml')],
    ],
    { cwd: PACKAGE, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const group = join(CGROUP, `keyspring-${randomUUID()}`)
  const isLimited = limitMemory(group, child.pid ?? 0)
  let peak = 0
  const watch = setInterval(() => (peak = Math.max(peak, residentBytes(child.pid ?? 0))), 20)
  const ended = new Promise<string>((resolve) => child.once('exit', (code, signal) => resolve(`${code ?? signal}`)))
  let output = ''
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      output = (output + chunk).slice(-100_000)
      const found = /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(output)
      if (found !== null) resolve(Number(found[1]))
    })
    ended.then((how) => reject(new Error(`the server ended with ${how}:\n${output}`)))
  })
  after(async () => {
    clearInterval(watch)
    child.kill('SIGKILL')
    await ended
    if (isLimited) rmdirSync(group)
  })
  return {
    port,
    /** Asserts that the server is alive, answers its client and stayed within the limit. */
    async assertSound(): Promise<void> {
      const answer = await fetch(`http://127.0.0.1:${port}/copyProtection`, {
        method: 'POST',
        headers: { 'content-type': 'application/xml', 'x-speke-version': '2.0', 'x-api-key': token },
        body: readFileSync(join(PACKAGE, 'docs/examples/widevine-playready-cenc.xml')),
      })
      assert.equal(answer.status, 200, output.slice(-2_000))
      assert.ok(
        isLimited || peak < RESIDENT_LIMIT_BYTES,
        `resident memory reached ${Math.round(peak / 1024 / 1024)} MiB`,
      )
    },
  }
}

function limitMemory(group: string, pid: number): boolean {
  if (!existsSync(join(CGROUP, 'memory.limit_in_bytes'))) return false
  try {
    mkdirSync(group)
    writeFileSync(join(group, 'memory.limit_in_bytes'), String(LIMIT_BYTES))
    writeFileSync(join(group, 'cgroup.procs'), String(pid))
    return true
  } catch {
    return false
  }
}

function residentBytes(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** Runs `send` `count` times, `width` at once, and ignores how each ended: the server may refuse or cut every one. */
async function flood(count: number, width: number, send: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await send(next++).catch(() => undefined)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

describe('a server with 256 MiB of memory survives strangers who', { skip: !existsSync('/proc/self/status') }, () => {
  test('ask for keys and licences of contents with long names', async () => {
    const server = await startLimited('names')
    const base = `http://127.0.0.1:${server.port}`
    const kids = Array.from({ length: 128 }, () => randomBytes(16).toString('base64url'))
    const body = JSON.stringify({ kids, type: 'temporary' })
    await flood(120, 16, async (i) => {
      const contentId = `${i}-${'x'.repeat(12_000)}`
      for (let again = 0; again < 2; again++) {
        await (await fetch(`${base}/keys/default/${contentId}/${KID}`)).arrayBuffer()
        const headers = { 'content-type': 'application/json' }
        await (await fetch(`${base}/license/clearkey/default/${contentId}`, { method: 'POST', headers, body })).text()
      }
    })
    await server.assertSound()
  })

  test('ask for many contents that do not exist', async () => {
    const server = await startLimited('unknown')
    await flood(1_000, 16, async (i) => {
      const path = `/keys/default/${i}-${'y'.repeat(240)}/${KID}`
      await (await fetch(`http://127.0.0.1:${server.port}${path}`)).arrayBuffer()
    })
    await server.assertSound()
  })

  for (const path of ['/copyProtection', '/nothing']) {
    test(`hold back the last byte of large bodies, ${path}`, async () => {
      const server = await startLimited(`bodies-${path.replaceAll('/', '-')}`)
      const size = 1024 * 1024 - 1
      const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Type: application/xml\r\nContent-Length: ${size + 1}\r\n\r\n`
      const sockets: Socket[] = []
      await flood(260, 65, async () => {
        const socket = connect(server.port, '127.0.0.1')
        sockets.push(socket)
        await new Promise<void>((resolve) => {
          socket.on('error', () => resolve())
          socket.on('close', () => resolve())
          socket.write(head)
          socket.write(Buffer.alloc(size, 0x20), () => resolve())
          socket.resume()
        })
      })
      await server.assertSound()
      for (const socket of sockets) socket.destroy()
    })
  }
})

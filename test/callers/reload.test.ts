import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { Agent, get as getPlain, request } from 'node:http'
import { get as getTls, Agent as TlsAgent } from 'node:https'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { run, temporaryDirectory } from '../cli/run.ts'
import { requestFor } from '../protocols/speke/documents.ts'
import { serve, writeStudio } from './studio.ts'

const directory = temporaryDirectory()
let configs = 0

function configOf(yaml: string): string {
  const file = join(directory, `${configs++}.yaml`)
  writeFileSync(file, `port: 0\ndata: ${join(directory, `data-${configs}`)}\n${yaml}`)
  return file
}

const tokenOf = async (file: string, ...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await run(['client', ...args, '--config', file])
  assert.equal(code, 0, stderr)
  return /^token: (.+)$/m.exec(stdout)?.[1] ?? assert.fail('no token')
}

const ask = async (url: string, token?: string): Promise<number> => {
  const headers = { 'content-type': 'application/xml', 'x-speke-version': '2.0', ...(token && { 'x-api-key': token }) }
  const response = await fetch(`${url}/copyProtection`, { method: 'POST', headers, body: requestFor() })
  await response.arrayBuffer()
  return response.status
}

/** Sends SIGHUP and waits until it has been obeyed once more. */
function reloader(process: Awaited<ReturnType<typeof serve>>['process']): () => Promise<void> {
  let times = 0
  return async () => {
    times++
    process.signal('SIGHUP')
    await process.stderr(new RegExp(`(?:"configuration reloaded"[^]*){${times}}`))
  }
}

describe('SIGHUP', () => {
  test('accepts clients that were added, rotated and removed in the store', async () => {
    const file = configOf('')
    const { process, url } = await serve(file)
    const reload = reloader(process)
    assert.equal(await ask(url), 200, 'nobody has to authenticate at first')

    const first = await tokenOf(file, 'add', '--name', 'live')
    assert.equal(await ask(url), 200, 'not before it is told')
    await reload()
    assert.deepEqual([await ask(url), await ask(url, first)], [401, 200])

    const second = await tokenOf(file, 'rotate', '--name', 'live', '--method', 'token')
    await reload()
    assert.deepEqual([await ask(url, first), await ask(url, second)], [200, 200], 'both during the overlap')

    await run([
      'client',
      'remove',
      '--name',
      'live',
      '--method',
      'token',
      '--id',
      first.split('_')[1] ?? '',
      '--config',
      file,
    ])
    await reload()
    assert.deepEqual([await ask(url, first), await ask(url, second)], [401, 200])
    process.signal('SIGTERM')
    assert.equal((await process.done).code, 0)
  })

  test('loses no request: those in flight and those of connections that are kept alive', async () => {
    const file = configOf('')
    const token = await tokenOf(file, 'add', '--name', 'live')
    const { process, url } = await serve(file)
    const reload = reloader(process)
    const agent = new Agent({ keepAlive: true, maxSockets: 8 })
    const statuses: number[] = []
    const sockets = new Set<number>()
    const post = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/xml', 'x-speke-version': '2.0', 'x-api-key': token }
        const asked = request(`${url}/copyProtection`, { method: 'POST', headers, agent }, (response) => {
          response.resume().on('end', () => {
            statuses.push(response.statusCode ?? 0)
            resolve()
          })
        })
        asked.on('socket', (socket) => socket.once('connect', () => sockets.add(socket.localPort ?? 0)))
        asked.on('error', reject)
        // In two parts, so that requests are under way whenever the signal comes.
        asked.write(requestFor().slice(0, 50))
        setImmediate(() => asked.end(requestFor().slice(50)))
      })
    let stopped = false
    const workers = Array.from({ length: 8 }, async () => {
      while (!stopped) await post()
    })
    for (let i = 0; i < 5; i++) {
      await tokenOf(file, 'add', '--name', `more-${i}`)
      await reload()
    }
    stopped = true
    await Promise.all(workers)
    agent.destroy()
    assert.deepEqual([...new Set(statuses)], [200])
    assert.ok(statuses.length > 50, `${statuses.length} requests`)
    assert.equal(sockets.size, 8, 'no connection was closed')
    process.signal('SIGTERM')
    assert.equal((await process.done).code, 0)
  })

  test('a client of the configuration that cannot be read is rejected, and the old ones stay', async () => {
    const file = configOf('')
    const token = await tokenOf(file, 'add', '--name', 'live')
    const { process, url } = await serve(file)
    writeFileSync(
      file,
      `port: 0\ndata: ${join(directory, `data-${configs}`)}\nclients: [{ name: a, credentials: { token: [{ tokenFile: /nowhere/hunter2 }] } }, { name: a, credentials: { token: [{ id: x, sha256: ${'ab'.repeat(32)} }] } }]\n`,
    )
    process.signal('SIGHUP')
    const [line] = await process.stderr(/\{.*"configuration refused, the old one stays"\}/)
    const { problem } = JSON.parse(line) as { readonly problem: string }
    assert.match(problem, /clients\.0\.credentials\.token\.0\.tokenFile: the file cannot be read \(ENOENT\)/)
    assert.match(problem, /client "a": there are two of this name/)
    assert.doesNotMatch(line, /hunter2/)
    assert.deepEqual([await ask(url), await ask(url, token)], [401, 200])
    process.signal('SIGTERM')
    assert.equal((await process.done).code, 0)
  })

  test('the last client removed lets nobody in from elsewhere', async () => {
    const file = configOf('host: 0.0.0.0\npublicUrl: https://keys.example.com\nplayback: { access: open }\n')
    const token = await tokenOf(file, 'add', '--name', 'live')
    const { process, url } = await serve(file)
    const reload = reloader(process)
    const here = url.replace('0.0.0.0', '127.0.0.1')
    assert.deepEqual([await ask(here), await ask(here, token)], [401, 200])
    await run(['client', 'remove', '--name', 'live', '--config', file])
    await reload()
    assert.deepEqual([await ask(here), await ask(here, token)], [401, 401])
    process.signal('SIGTERM')
    assert.equal((await process.done).code, 0)
  })

  test('metrics have a listener of their own, and it survives a reload', async () => {
    const { process, url } = await serve(configOf('admin: { port: 0 }\n'))
    const [, adminUrl = ''] = await process.stderr(/metrics at (\S+)\/metrics/)
    const statusOf = async (at: string): Promise<number> => (await fetch(at)).status
    for (let i = 0; i < 2; i++) {
      assert.deepEqual([await statusOf(`${adminUrl}/metrics`), await statusOf(`${url}/metrics`)], [200, 404])
      assert.equal(await statusOf(`${adminUrl}/livez`), 200)
      if (i === 0) await reloader(process)()
    }
    process.signal('SIGTERM')
    assert.equal((await process.done).code, 0)
  })

  test('a new certificate is served to new connections, and those that are open stay', async () => {
    const studio = writeStudio()
    await studio.write()
    const { process, url } = await serve(studio.configFile)
    const reload = reloader(process)
    const agent = new TlsAgent({ keepAlive: true, rejectUnauthorized: false })
    const subjectOf = (using: TlsAgent | false): Promise<string> =>
      new Promise((resolve, reject) => {
        getTls(`${url}/livez`, { agent: using, rejectUnauthorized: false }, (response) => {
          const { CN } = (response.socket as TLSSocket).getPeerCertificate().subject
          response.resume().on('end', () => resolve(String(CN)))
        }).on('error', reject)
      })
    assert.equal(await subjectOf(agent), 'server')
    studio.renewServer()
    assert.equal(await subjectOf(false), 'server', 'not before it is told')
    await reload()
    assert.deepEqual([await subjectOf(agent), await subjectOf(false)], ['server', 'renewed'])
    writeFileSync(join(studio.directory, 'server.crt'), 'hunter2')
    process.signal('SIGHUP')
    await process.stderr(/"tls\.cert: expected a certificate in PEM[^"]*"/)
    assert.equal(await subjectOf(false), 'renewed')
    agent.destroy()
    process.signal('SIGTERM')
    assert.equal((await process.done).code, 0)
  })

  test('the listener for administration has the certificate too, where other machines reach it', async () => {
    for (const [host, scheme] of [
      ['0.0.0.0', 'https'],
      ['127.0.0.1', 'http'],
    ] as const) {
      const studio = writeStudio({ admin: { host, port: 0 } })
      await studio.write()
      const { process } = await serve(studio.configFile)
      const [, url = ''] = await process.stderr(/metrics at (\S+)\/metrics/)
      assert.equal(new URL(url).protocol, `${scheme}:`)
      const subject = await new Promise((resolve, reject) => {
        const get = scheme === 'https' ? getTls : getPlain
        get(`${url.replace('0.0.0.0', '127.0.0.1')}/livez`, { rejectUnauthorized: false, agent: false }, (response) => {
          resolve((response.socket as TLSSocket).getPeerCertificate?.().subject.CN)
          response.resume()
        }).on('error', reject)
      })
      assert.equal(subject, scheme === 'https' ? 'server' : undefined)
      process.signal('SIGTERM')
      assert.equal((await process.done).code, 0)
    }
  })
})

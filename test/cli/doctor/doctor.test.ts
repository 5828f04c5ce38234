import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { newRecipient } from '../../../src/toolkit/encryptor/certificate.ts'
import { run, start, temporaryDirectory } from '../run.ts'

interface Finding {
  readonly check: string
  readonly health: string
  readonly found: string
  readonly fix?: string
}

const directory = temporaryDirectory()
/** A store with keys in it, and the root key that belongs to it. */
const healthy = join(directory, 'healthy')
const servers: Server[] = []
after(() => {
  for (const server of servers) server.closeAllConnections()
  for (const server of servers) server.close()
})
const key = { stdin: randomBytes(16) }
const kid = '3f1c9a52-6b0e-4d87-9c34-1e5a70b2d801'
await run(['override', 'add', '--data', healthy, '--content-id', 'film', '--kid', kid, '--key-file', '-'], key)

async function examine(
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly findings: readonly Finding[] }> {
  const { code, stdout, stderr } = await run(['server', 'doctor', '--json', '--port', '0', ...args])
  assert.match(stderr, /^keyspring: \d+ findings: \d+ errors, \d+ warnings, \d+ notes\n$/)
  return { code, findings: JSON.parse(stdout).findings }
}

function assertFound(findings: readonly Finding[], health: string, found: RegExp): void {
  const one = findings.find((finding) => finding.health === health && found.test(finding.found))
  assert.ok(one, `${health} ${found} in ${JSON.stringify(findings, undefined, 1)}`)
  if (health !== 'ok') assert.ok(one.fix, 'says how to fix it')
}

function config(name: string, yaml: string): string {
  const file = join(directory, `${name}.yaml`)
  writeFileSync(file, yaml)
  return file
}

function copyOf(name: string): string {
  const data = join(directory, name)
  mkdirSync(data, { mode: 0o700 })
  copyFileSync(join(healthy, 'keyspring.db'), join(data, 'keyspring.db'))
  copyFileSync(join(healthy, 'root.key'), join(data, 'root.key'))
  chmodSync(join(data, 'root.key'), 0o600)
  return data
}

async function listening(answer: (url: string) => { status?: number; body?: string; date?: string }): Promise<string> {
  const server = createServer((request, response) => {
    const { status = 200, body = '', date } = answer(request.url ?? '')
    if (date !== undefined) response.setHeader('date', date)
    response.writeHead(status).end(body)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('reports no problem for a healthy store and its root key', async () => {
  const { code, findings } = await examine(['--data', healthy])
  assert.equal(code, 0)
  assertFound(findings, 'ok', /keyspring\.db opens/)
  assertFound(findings, 'ok', /root\.key opens \d data keys/)
  assertFound(findings, 'ok', /1 of 1 contents were opened/)
  assert.ok(findings.every(({ health }) => health === 'ok'))
})

test('prints findings with fixes, and ends with the code of the worst', async () => {
  const { code, stdout } = await run(['server', 'doctor', '--data', join(directory, 'a', 'b'), '--port', '0'])
  assert.equal(code, 6)
  assert.match(stdout, /^error {4}data {10}\S+ does not exist, nor does its parent directory\n {23}fix: create \S+/m)
})

test('names every problem of the configuration', async () => {
  const { code, findings } = await examine(['--config', config('wrong', 'store: tape\nlogLevel: loud\n')])
  assert.equal(code, 6)
  assertFound(findings, 'error', /^store: /)
  assertFound(findings, 'error', /^logLevel: /)
})

test('reports a missing and a foreign root key', async () => {
  const without = copyOf('without')
  rmSync(join(without, 'root.key'))
  const missing = (await examine(['--data', without])).findings
  assertFound(missing, 'error', /root\.key is missing/)
  assert.equal(missing.find(({ health }) => health === 'error')?.check, 'root key')

  const foreign = copyOf('foreign')
  await run(['override', 'list', '--data', foreign, '--content-id', 'film'])
  const other = join(directory, 'other')
  await run(
    [
      'override',
      'add',
      '--data',
      other,
      '--content-id',
      'x',
      '--kid',
      '3f1c9a52-6b0e-4d87-9c34-1e5a70b2d801',
      '--key-file',
      '-',
    ],
    { stdin: randomBytes(16) },
  )
  copyFileSync(join(other, 'root.key'), join(foreign, 'root.key'))
  const { code, findings } = await examine(['--data', foreign])
  assert.equal(code, 6)
  assertFound(findings, 'error', /wrapped by another root key/)
})

test('reports a root key and a data directory that other users can read', async () => {
  const open = copyOf('open')
  chmodSync(join(open, 'root.key'), 0o644)
  assertFound((await examine(['--data', open])).findings, 'error', /can be read by other users/)
  chmodSync(join(open, 'root.key'), 0o600)
  chmodSync(open, 0o755)
  const { code, findings } = await examine(['--data', open, '--fail-on', 'warning'])
  assert.equal(code, 7)
  assertFound(findings, 'warning', /can be entered by other users \(mode 755\)/)
})

test('reports an invalid key set and a wrong clock', async () => {
  const url = await listening(() => ({ body: '<html>', date: new Date(Date.now() + 400_000).toUTCString() }))
  const file = config('tokens', `auth:\n  jwt: {issuer: "https://id.example", audience: keys, jwks: "${url}/keys"}\n`)
  const { code, findings } = await examine(['--config', file, '--data', healthy])
  assert.equal(code, 6)
  assertFound(findings, 'error', /^auth\.jwt\.jwks: \S+ answers something that is not a key set/)
  assertFound(findings, 'error', /^is (39\d|400) s behind 127\.0\.0\.1/)
})

test('accepts a clock that agrees, and names a service that does not answer', async () => {
  const url = await listening(() => ({ body: '{"keys":[]}' }))
  const closed = servers.pop()
  const other = await listening(() => ({ body: '{"keys":[]}' }))
  const file = (jwks: string) =>
    config('keys', `auth:\n  jwt: {issuer: "https://id.example", audience: keys, jwks: "${jwks}"}\n`)
  assertFound((await examine(['--config', file(other), '--data', healthy])).findings, 'ok', /^agrees with/)
  closed?.close()
  assertFound(
    (await examine(['--config', file(url), '--data', healthy])).findings,
    'error',
    /does not answer: ECONNREFUSED/,
  )
})

test('reports a certificate that expires or is for another name', async () => {
  const { certificate, privateKey } = newRecipient(Date.now(), randomBytes)
  const pem = `-----BEGIN CERTIFICATE-----\n${Buffer.from(certificate).toString('base64')}\n-----END CERTIFICATE-----\n`
  writeFileSync(join(directory, 'cert.pem'), pem)
  writeFileSync(join(directory, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  const tls = `playback: {access: off}\ntls: {cert: "${join(directory, 'cert.pem')}", key: "${join(directory, 'key.pem')}"}\n`
  const { code, findings } = await examine([
    ...['--config', config('tls', tls), '--data', healthy],
    ...['--public-url', 'https://keys.invalid'],
  ])
  assert.equal(code, 6)
  assertFound(findings, 'error', /^tls\.cert expires on \S+, in 0 days/)
  assertFound(findings, 'warning', /^tls\.cert is not for keys\.invalid/)
  assertFound(findings, 'error', /^publicUrl: keys\.invalid does not answer/)
})

test('tells another program on the port from a Keyspring server', async () => {
  const portOf = (url: string): string => new URL(url).port
  const stranger = await listening(() => ({ body: 'hello' }))
  const stray = await examine(['--data', healthy, '--port', portOf(stranger)])
  assertFound(stray.findings, 'error', /^another program listens on 127\.0\.0\.1/)

  const server = start(['serve', '--port', '0', '--data', healthy])
  const [, url = ''] = await server.stderr(/listens on (\S+),/)
  const players = config('players', 'playback: {access: off}\n')
  const own = await examine(['--data', healthy, '--port', portOf(url), '--public-url', url, '--config', players])
  assert.equal(own.code, 0)
  assertFound(own.findings, 'ok', /^a server runs on \S+, and is ready/)
  assertFound(own.findings, 'ok', /^publicUrl: \S+ answers/)
  server.signal('SIGTERM')
  await server.done
})

test('reports a client whose only credential expires', async () => {
  const data = copyOf('clients')
  const soon = new Date(Date.now() + 3 * 86_400_000).toISOString()
  const added = await run(['client', 'add', '--data', data, '--name', 'packager', '--not-after', soon])
  assert.equal(added.code, 0, added.stderr)
  const { code, findings } = await examine(['--data', data])
  assert.equal(code, 6)
  assertFound(findings, 'error', /^the token credential of client "packager" expires on/)
})

test('reads a key set from a file, and reports a missing or invalid file', async () => {
  const file = (name: string, jwks: string) =>
    config(name, `auth:\n  jwt: {issuer: "https://id.example", audience: keys, jwks: "${jwks}"}\n`)
  const [keys, html] = [join(directory, 'keys.json'), join(directory, 'keys.html')]
  writeFileSync(keys, '{"keys":[]}')
  writeFileSync(html, '<html>')
  const good = await examine(['--config', file('set', keys), '--data', healthy])
  assertFound(good.findings, 'ok', /^auth\.jwt\.jwks: \S+keys\.json is a key set/)
  const none = await examine(['--config', file('none', html), '--data', healthy])
  assertFound(none.findings, 'error', /^auth\.jwt\.jwks: \S+keys\.html is not a key set: expected \{"keys"/)
  const missing = await examine(['--config', file('missing', join(directory, 'gone.json')), '--data', healthy])
  assertFound(missing.findings, 'error', /^auth\.jwt\.jwks: \S+gone\.json cannot be read: ENOENT/)
  assert.equal(missing.code, 6)
})

test('reports a webhook of events that does not answer', async () => {
  const url = await listening(() => ({ status: 405 }))
  const file = (name: string, to: string) =>
    config(name, `events:\n  webhook: {url: "${to}/events", secret: "whsec_${'A'.repeat(32)}"}\n`)
  const good = await examine(['--config', file('webhook', url), '--data', healthy])
  assertFound(good.findings, 'ok', /^events\.webhook\.url: 127\.0\.0\.1:\d+ answers/)
  await new Promise((resolve) => servers.pop()?.close(resolve))
  const gone = await examine(['--config', file('no-webhook', url), '--data', healthy])
  assertFound(gone.findings, 'error', /^events\.webhook\.url: \S+ does not answer: ECONNREFUSED/)
})

test('asks the system about the clock when no other machine answered', async () => {
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  const clock = async (answer: string): Promise<Finding> => {
    writeFileSync(join(bin, 'timedatectl'), `#!/bin/sh\necho ${answer}\n`, { mode: 0o755 })
    const environment = { PATH: `${bin}:/usr/bin:/bin` }
    const { stdout } = await run(['server', 'doctor', '--json', '--port', '0', '--data', healthy], { environment })
    const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] }
    return findings.find(({ check }) => check === 'clock') ?? assert.fail()
  }
  const synchronised = await clock('yes')
  assert.deepEqual([synchronised.health, /it is synchronised$/.test(synchronised.found)], ['ok', true])
  const drifting = await clock('no')
  assert.deepEqual([drifting.health, /it is not synchronised$/.test(drifting.found)], ['warning', true])
  assert.match((await clock('?')).found, /not compared: no other machine answered/)
})

test('names the full path of the data directory', async () => {
  const relative = join(healthy, '..', 'healthy', 'none').replace(`${process.cwd()}/`, '')
  const { findings } = await examine(['--data', relative])
  assertFound(findings, 'note', new RegExp(`^${join(healthy, 'none')} does not exist yet`))
})

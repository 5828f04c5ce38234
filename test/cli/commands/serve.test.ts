import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { after, test } from 'node:test'
import { PACKAGE, type Run, type Running, run, runProcess, startProcess, temporaryDirectory } from '../run.ts'

const directory = temporaryDirectory()
const running: Running[] = []
after(() => {
  for (const one of running) one.signal('SIGKILL')
})

async function serve(args: readonly string[] = []): Promise<{ readonly process: Running; readonly url: string }> {
  const process = startProcess(['serve', '--port', '0', ...args])
  running.push(process)
  const [, url = ''] = await process.stderr(/listens on (\S+),/)
  return { process, url }
}

async function stop(process: Running): Promise<Run> {
  process.signal('SIGTERM')
  return process.done
}

const EXAMPLES = [
  { file: 'widevine-playready-cenc.xml', version: '2.0' },
  { file: 'fairplay-cbcs-live.xml', version: '2.0' },
  { file: 'widevine-fairplay-cbcs-live-v2.1.xml', version: '2.1' },
  { file: 'hls-aes-128-v1.xml', version: undefined },
]

const ask = (url: string, file: string, version?: string): Promise<Response> =>
  fetch(`${url}/copyProtection`, {
    method: 'POST',
    headers: { 'content-type': 'application/xml', ...(version !== undefined && { 'x-speke-version': version }) },
    body: readFileSync(join(PACKAGE, 'docs/examples', file)),
  })

test('serves every example with the same keys after a restart, and no key reaches the log', async () => {
  const data = join(directory, 'data')
  const first = await serve(['--data', data, '--log-requests'])
  await first.process.stderr(/created \S+root\.key: back it up, without it every key is lost/)
  assert.equal(statSync(join(data, 'root.key')).mode & 0o777, 0o600)
  const answers: string[] = []
  for (const { file, version } of EXAMPLES) {
    const response = await ask(first.url, file, version)
    assert.equal(response.status, 200, file)
    answers.push(await response.text())
  }
  const ended = await stop(first.process)
  assert.deepEqual({ code: ended.code, stdout: ended.stdout }, { code: 0, stdout: '' })

  const keys = answers.flatMap((answer) => [...answer.matchAll(/PlainValue>([^<]+)</g)].map(([, key = '']) => key))
  assert.equal(keys.length, 6)
  for (const key of keys) {
    for (const spelling of ['hex', 'base64', 'base64url'] as const) {
      assert.ok(!ended.stderr.includes(Buffer.from(key, 'base64').toString(spelling)), spelling)
    }
  }

  const second = await serve(['--data', data])
  for (const [i, { file, version }] of EXAMPLES.entries()) {
    const answer = await (await ask(second.url, file, version)).text()
    assert.deepEqual(answer.match(/PlainValue>[^<]+</g), answers[i]?.match(/PlainValue>[^<]+</g))
  }
  const { stderr } = await stop(second.process)
  assert.doesNotMatch(stderr, /created/)
})

test('prints a request that works unchanged', async () => {
  const { process, url } = await serve(['--data', join(directory, 'tried')])
  const [, file = '', target = ''] = await process.stderr(/try:\n {2}curl .*--data-binary @(\S+) (\S+)\n/)
  const body = readFileSync(isAbsolute(file) ? file : join(PACKAGE, file))
  const headers = { 'content-type': 'application/xml', 'x-speke-version': '2.0' }
  assert.ok(target.startsWith(url))
  assert.equal((await fetch(target, { method: 'POST', headers, body })).status, 200)
  await stop(process)
})

test('does not start with a lost root key, and creates no new one', async () => {
  const data = join(directory, 'lost')
  const { process, url } = await serve(['--data', data])
  assert.equal((await ask(url, 'hls-aes-128-v1.xml')).status, 200)
  await stop(process)
  rmSync(join(data, 'root.key'))
  const { code, stderr } = await runProcess(['serve', '--port', '0', '--data', data])
  assert.equal(code, 3)
  assert.match(stderr, /^keyspring: root key file .* is missing.*\nhint: /)
})

test('SIGHUP applies a valid configuration without a restart, and keeps the old one if the new one is invalid', async () => {
  const file = join(directory, 'reloaded.yaml')
  writeFileSync(file, 'speke: { basePaths: [] }\n')
  const { process, url } = await serve(['--data', join(directory, 'reloaded'), '--config', file])
  const status = async (): Promise<number> => (await fetch(`${url}/more/heartbeat`)).status
  assert.equal(await status(), 404)

  writeFileSync(file, 'speke: { basePaths: [/more] }\nlogLevel: debug\n')
  process.signal('SIGHUP')
  const [line] = await process.stderr(/\{.*"configuration reloaded, but these settings need a restart"\}/)
  assert.deepEqual((JSON.parse(line) as { settings: unknown }).settings, ['logLevel'])
  assert.equal(await status(), 200)

  writeFileSync(file, 'speke: hunter2\n')
  process.signal('SIGHUP')
  await process.stderr(/"configuration refused, the old one stays"/)
  assert.equal(await status(), 200)
  assert.doesNotMatch((await stop(process)).stderr, /hunter2/)
})

test('does not listen for other machines without --allow-anonymous', async () => {
  const { code, stderr } = await runProcess(['serve', '--host', '0.0.0.0', '--port', '0'])
  assert.equal(code, 2)
  assert.match(stderr, /--host: .*--allow-anonymous/)
})

test('reports a port in use in one line', async () => {
  const { process, url } = await serve(['--data', join(directory, 'taken')])
  const { code, stderr } = await runProcess([
    'serve',
    '--port',
    new URL(url).port,
    '--data',
    join(directory, 'taken-2'),
  ])
  assert.equal(code, 1)
  assert.match(stderr, /keyspring: another program listens on this address: choose another with --port\n$/)
  await stop(process)
})

test('server reload makes a server read its configuration again and prints the outcome', async () => {
  const [data, file] = [join(directory, 'by-command'), join(directory, 'by-command.yaml')]
  writeFileSync(file, 'speke: { basePaths: [] }\n')
  const { process, url } = await serve(['--data', data, '--config', file])
  const status = async (): Promise<number> => (await fetch(`${url}/more/heartbeat`)).status
  const reload = () => run(['server', 'reload', '--data', data])
  assert.equal(await status(), 404)

  writeFileSync(file, 'speke: { basePaths: [/more] }\n')
  const good = await reload()
  assert.deepEqual([good.code, good.stderr], [0, ''])
  assert.match(good.stdout, new RegExp(`^${url} {2}process \\d+ {2}reloaded\n$`))
  assert.equal(await status(), 200)

  writeFileSync(file, 'speke: hunter2\n')
  const bad = await run(['server', 'reload', '--data', data, '--json'])
  assert.equal(bad.code, 2)
  const [server] = JSON.parse(bad.stdout).servers
  assert.deepEqual([server.url, server.outcome], [url, 'rejected'])
  assert.match(server.problem, /^speke: /)
  assert.equal(await status(), 200)

  await stop(process)
  const gone = await reload()
  assert.equal(gone.code, 2)
  assert.match(gone.stderr, /no server with the data directory \S+by-command runs on this machine/)
})

test('server reload signals only the process that wrote the file', async () => {
  const data = join(directory, 'stale')
  mkdirSync(join(data, 'run'), { recursive: true })
  const file = join(data, 'run', `${hostname()}-${process.pid}.json`)
  // The pid of this process, which a signal would end.
  writeFileSync(file, JSON.stringify({ pid: process.pid, identity: '1', url: 'http://127.0.0.1:1', reloads: 0 }))
  assert.equal((await run(['server', 'reload', '--data', data])).code, 2)
  assert.equal(existsSync(file), false, 'the file of a crashed server is deleted')
})

test('a SIGHUP while the server starts does not end it', async () => {
  const process = startProcess(['serve', '--port', '0', '--data', join(directory, 'early')])
  running.push(process)
  // Printed when the keys are open and nothing listens yet.
  await process.stderr(/created \S+root\.key/)
  process.signal('SIGHUP')
  await process.stderr(/listens on (\S+),/)
  assert.equal((await stop(process)).code, 0)
})

test('starts and reloads although it cannot write the file for server reload', async () => {
  const data = join(directory, 'no-file')
  mkdirSync(data, { mode: 0o700 })
  // A file where the directory should be.
  writeFileSync(join(data, 'run'), '')
  const { process } = await serve(['--data', data])
  await process.stderr(/"keyspring server reload cannot find this server"/)
  process.signal('SIGHUP')
  await process.stderr(/"configuration reloaded/)
  assert.equal((await stop(process)).code, 0)
})

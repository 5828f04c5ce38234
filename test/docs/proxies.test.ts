import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { PACKAGE, start, temporaryDirectory } from '../cli/run.ts'
import { blocksOf, pageOf } from './pages.ts'

const PAGE = pageOf('docs/guides/put-a-proxy-in-front.md')
const SAMPLE = readFileSync(join(PACKAGE, 'docs/examples/widevine-playready-cenc.xml'))
const PASSWORD = 'a password of the encryptor of this test'
const FORGED_ADDRESS = '203.0.113.9'
const DEADLINE_MS = 15_000

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A program that the page configures: how its block becomes a file that runs in `directory`, and how it is started. */
interface Proxy {
  readonly program: string
  readonly language: string
  configuration(block: string, directory: string): string
  arguments(file: string, directory: string): readonly string[]
}

const PROXIES: readonly Proxy[] = [
  {
    program: 'nginx',
    language: 'nginx',
    configuration: (block, directory) =>
      [
        'daemon off; worker_processes 1;',
        ...(process.getuid?.() === 0 ? ['user root;'] : []),
        `pid ${directory}/nginx.pid; error_log stderr warn;`,
        'events {}',
        `http { access_log off; client_body_temp_path ${directory}/b; proxy_temp_path ${directory}/p;`,
        `fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;`,
        `${block}}`,
      ].join('\n'),
    arguments: (file, directory) => ['-e', 'stderr', '-p', directory, '-c', file],
  },
  {
    program: 'haproxy',
    language: 'haproxy',
    configuration: (block) => block,
    arguments: (file) => ['-db', '-f', file],
  },
  {
    program: 'caddy',
    language: 'caddyfile',
    configuration: (block, directory) =>
      `{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system ${directory}\n}\n${block}`,
    arguments: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
]

const isInstalled = (program: string): boolean =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'].some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

const directory = temporaryDirectory()
/** What reached Keyspring last: the proxies forward to a recorder, and that to Keyspring. */
let received: { readonly url: string | undefined; readonly headers: IncomingHttpHeaders } | undefined

const yaml = blocksOf(PAGE).find(({ text }) => text.startsWith('# keyspring.yaml'))?.text ?? ''
const password = join(directory, 'password')
writeFileSync(password, PASSWORD, { mode: 0o600 })
const file = join(directory, 'keyspring.yaml')
writeFileSync(
  file,
  yaml
    .replace('port: 8080', 'port: 0')
    .replace('port: 9090', 'port: 0')
    .replace('/run/secrets/encoder-password', password),
)
const keyspring = start(['serve', '--config', file, '--data', join(directory, 'data')])
const [, port] = await keyspring.stderr(/listens on http:\/\/127\.0\.0\.1:(\d+)/)
const recorder = createServer((incoming, outgoing) => {
  const { url, headers, method } = incoming
  if (url !== '/readyz') received = { url, headers }
  const onward = httpRequest({ host: '127.0.0.1', port, path: url, method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
    answer.pipe(outgoing)
  })
  incoming.pipe(onward)
})
await new Promise<void>((resolve) => recorder.listen(0, '127.0.0.1', resolve))
execFileSync(
  'openssl',
  [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=keys.example.com'],
    ...['-addext', 'subjectAltName=DNS:keys.example.com', '-keyout', join(directory, 'keys.key')],
    ...['-out', join(directory, 'keys.crt')],
  ],
  { stdio: 'ignore' },
)
const pem = ['keys.crt', 'keys.key'].map((name) => readFileSync(join(directory, name), 'utf8')).join('')
writeFileSync(join(directory, 'keys.pem'), pem)

after(async () => {
  recorder?.closeAllConnections()
  recorder?.close()
  keyspring?.signal('SIGTERM')
  await keyspring?.done
})

async function freePort(): Promise<number> {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The block of a page with the ports and files of this test. */
function adapted(block: string, port: number): string {
  return block
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replace('bind :443', `bind 127.0.0.1:${port}`)
    .replace(/^keys\.example\.com \{/m, `keys.example.com:${port} {`)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${(recorder.address() as AddressInfo).port}`)
    .replaceAll(/\/etc\/(?:nginx|haproxy|caddy)\/keys/g, join(directory, 'keys'))
}

for (const proxy of PROXIES) {
  const skip = isInstalled(proxy.program) ? false : `${proxy.program} is not installed`
  describe(`${proxy.program} with the configuration of the guide`, { skip }, () => {
    let child: ChildProcess
    let output = ''
    let port = 0

    before(async () => {
      port = await freePort()
      const own = join(directory, proxy.program)
      mkdirSync(own)
      const block = blocksOf(PAGE).find(({ language }) => language === proxy.language)?.text ?? ''
      const file = join(own, 'configuration')
      writeFileSync(file, proxy.configuration(adapted(block, port), own))
      const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin`, XDG_DATA_HOME: own, HOME: own }
      child = spawn(proxy.program, proxy.arguments(file, own), { env: environment })
      child.stdout?.on('data', (chunk) => (output += chunk))
      child.stderr?.on('data', (chunk) => (output += chunk))
      const deadline = Date.now() + DEADLINE_MS
      for (;;) {
        const answer = await ask('/readyz').catch(() => undefined)
        if (answer?.status === 200) return
        assert.equal(child.exitCode, null, `${proxy.program} ended: ${output}`)
        assert.ok(Date.now() < deadline, `${proxy.program} did not forward /readyz: ${answer?.status} ${output}`)
        await wait(100)
      }
    })

    after(async () => {
      if (child.exitCode !== null) return
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
    })

    function ask(path: string, headers: Record<string, string> = {}, body?: Uint8Array): Promise<Answer> {
      return new Promise((resolve, reject) => {
        const sent = httpsRequest(
          {
            ...{ host: '127.0.0.1', port, path, headers: { host: 'keys.example.com', ...headers } },
            ...{ method: body === undefined ? 'GET' : 'POST', servername: 'keys.example.com' },
            // The certificate of this test is its own issuer.
            ...{ rejectUnauthorized: false, agent: false },
          },
          (response) => {
            const chunks: Buffer[] = []
            response.on('data', (chunk: Buffer) => chunks.push(chunk))
            response.on('end', () =>
              resolve({
                status: response.statusCode ?? 0,
                headers: response.headers,
                body: Buffer.concat(chunks).toString(),
              }),
            )
          },
        )
        sent.on('error', reject)
        sent.end(body)
      })
    }

    const keysFor = (headers: Record<string, string>): Promise<Answer> =>
      ask('/copyProtection', { 'content-type': 'application/xml', 'x-speke-version': '2.0', ...headers }, SAMPLE)
    const basic = `Basic ${Buffer.from(`encoder:${PASSWORD}`).toString('base64')}`

    test('an encryptor gets keys with its password', async () => {
      const { status, headers, body } = await keysFor({ authorization: basic })
      assert.equal(status, 200, body)
      assert.match(body, /<pskc:PlainValue>/)
      assert.equal(headers['cache-control'], 'no-store')
      assert.equal(headers['x-speke-version'], '2.0')
    })

    test('a caller without a credential gets 401', async () => {
      assert.equal((await keysFor({})).status, 401)
      const kid = '3f1c9a52-6b0e-4d87-9c34-1e5a70b2d801'
      assert.equal((await ask(`/keys/default/sample-film/${kid}`)).status, 401)
    })

    test('forged headers of a client do not reach Keyspring', async () => {
      const forged = {
        'x-forwarded-for': FORGED_ADDRESS,
        'x-forwarded-proto': 'http',
        forwarded: `for=${FORGED_ADDRESS};proto=http`,
        'client-cert': ':MIIB:',
      }
      assert.equal((await keysFor({ authorization: basic, ...forged })).status, 200)
      const { headers } = received ?? assert.fail('nothing was forwarded')
      assert.equal(headers['x-forwarded-for'], '127.0.0.1')
      assert.equal(headers['x-forwarded-proto'], 'https')
      assert.equal(headers.forwarded ?? '', '')
      assert.equal(headers['client-cert'] ?? '', '')
      assert.equal(headers.host, 'keys.example.com')
    })

    test('a path arrives as the client sent it', async () => {
      const path = '/keys/default/~bGl2ZS8x/3F1C9A52-6b0e-4d87-9c34-1e5a70b2d801?token=a%2Fb%20c'
      await ask(path)
      assert.equal(received?.url, path)
    })

    test('paths of operators are not forwarded', async () => {
      const paths = ['/', '/api/contents', '/api/docs', '/metrics', '/openapi.json', '/copyProtection/../api/contents']
      for (const path of [...paths, '/keys/../api/contents', '/keys/%2e%2e/api/contents', '//api/contents']) {
        received = undefined
        const { status, body } = await ask(path)
        assert.ok(status === 404 || status === 400 || status === 401, `${path}: ${status}`)
        assert.doesNotMatch(body, /"contents"/, path)
      }
    })
  })
}

import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, test } from 'node:test'
import { promisify } from 'node:util'
import type { Authenticated } from '../../../src/auth/authenticate.ts'
import { AuthenticationError, type AuthenticationFailure } from '../../../src/auth/failure.ts'
import type { Presented } from '../../../src/auth/presented.ts'
import { everything } from '../everything.ts'

const hasCurl = spawnSync('curl', ['--version']).status === 0
const run = promisify(execFile)

/** Answers with the name of the client, or refuses as a server does. */
const all = await everything(() => Date.now())
const reasons: AuthenticationFailure[] = []
const server = createServer(async (request, response) => {
  try {
    const { client }: Authenticated = await all.authenticate(await read(request))
    response.end(client.name)
  } catch (error) {
    assert.ok(error instanceof AuthenticationError, String(error))
    reasons.push(error.reason)
    response.writeHead(401, { 'www-authenticate': [...error.challenges] }).end(error.message)
  }
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
after(() => server.close())
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function read(request: IncomingMessage): Promise<Presented> {
  const { method = '', url = '', headers, rawHeaders, socket } = request
  const bytes = Buffer.concat(await request.toArray())
  return {
    method,
    rawPath: url,
    headers,
    rawHeaders,
    body: async () => bytes,
    address: socket.remoteAddress ?? '',
    isFromTrustedProxy: false,
    secure: true,
  }
}

/** The status and body that curl gets. */
async function curl(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('curl', ['-sS', '--max-time', '10', '-w', ' %{http_code}', ...args])
  return stdout
}

const url = `${origin}/copyProtection`
const post = ['-H', 'Content-Type: application/xml', '--data-binary', '<cpix:CPIX/>', url]
const { accessKey, password, token } = all
const secret = accessKey.secretAccessKey.reveal()

describe('curl', { skip: hasCurl ? false : 'curl is not on this machine' }, () => {
  test('--digest is answered by SHA-256', async () => {
    assert.equal(await curl('--digest', '--user', `encoder:${password}`, ...post), 'by digest 200')
  })

  test('--digest with two requests of one nonce', async () => {
    const given = ['--digest', '--user', `encoder:${password}`]
    assert.equal(await curl(...given, ...post, ...post.slice(-1)), 'by digest 200by digest 200')
  })

  test('--digest with a wrong password', async () => {
    assert.match(await curl('--digest', '--user', 'encoder:guess', ...post), / 401$/)
    assert.equal(reasons.at(-1), 'mismatch')
  })

  test('--anyauth takes the strongest that is offered', async () => {
    assert.equal(await curl('--anyauth', '--user', `encoder:${password}`, ...post), 'by digest 200')
  })

  test('--basic', async () => {
    assert.equal(await curl('--basic', '--user', `encoder:${password}`, ...post), 'by basic 200')
    assert.match(await curl('--basic', '--user', 'encoder:guess', ...post), / 401$/)
  })

  test('--oauth2-bearer, X-API-Key and API-KEY', async () => {
    assert.equal(await curl('--oauth2-bearer', token, ...post), 'by token 200')
    assert.equal(await curl('--oauth2-bearer', all.jwt, ...post), 'by jwt 200')
    for (const name of ['X-API-Key', 'API-KEY'])
      assert.equal(await curl('-H', `${name}: ${token}`, ...post), 'by token 200')
  })

  const sigV4 = ['--aws-sigv4', 'aws:amz:eu-west-1:execute-api']
  for (const target of ['/copyProtection', '/a%20b/%E1%88%B4', '/copyProtection?b=2&a=1']) {
    test(`--aws-sigv4 ${target}`, async () => {
      const given = [...sigV4, '--user', `${accessKey.accessKeyId}:${secret}`, ...post.slice(0, -1), origin + target]
      assert.equal(await curl(...given), 'by sigv4 200', reasons.at(-1))
    })
  }

  test('--aws-sigv4 with headers of SPEKE, and without a body', async () => {
    const given = [...sigV4, '--user', `${accessKey.accessKeyId}:${secret}`]
    assert.equal(await curl(...given, '-H', 'X-Speke-Version: 2.0', ...post), 'by sigv4 200', reasons.at(-1))
    assert.equal(await curl(...given, url), 'by sigv4 200', reasons.at(-1))
  })

  test('--aws-sigv4 with a wrong secret or another service', async () => {
    assert.match(await curl(...sigV4, '--user', `${accessKey.accessKeyId}:guess`, ...post), / 401$/)
    const s3 = ['--aws-sigv4', 'aws:amz:eu-west-1:s3', '--user', `${accessKey.accessKeyId}:${secret}`]
    assert.match(await curl(...s3, ...post), / 401$/)
  })

  test('without a credential', async () => assert.match(await curl(...post), / 401$/))
})

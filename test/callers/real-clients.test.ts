import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { aesSigner, signWidevineRequest } from '../../src/auth/methods/widevine-signer.ts'
import { requestFor } from '../protocols/speke/documents.ts'
import { ARN, serve, writeStudio } from './studio.ts'

/** Every method end to end over HTTPS, by clients that nobody here wrote. */

const hasCurl = spawnSync('curl', ['--version']).status === 0
const run = promisify(execFile)

const studio = writeStudio()
await studio.write()
const { url } = await serve(studio.configFile)
const { secrets, pem, caFile } = studio
const body = join(studio.directory, 'request.xml')
writeFileSync(body, requestFor({ contentId: 'movie' }))
const target = `${url}/speke/v2.0/copyProtection`

interface Answer {
  readonly status: number
  readonly keys: readonly string[]
  readonly text: string
  readonly head: string
}

/** What curl gets for a SPEKE request with these options. */
async function curl(args: readonly string[], to = target): Promise<Answer> {
  const speke = ['-H', 'Content-Type: application/xml', '-H', 'X-Speke-Version: 2.0', '--data-binary', `@${body}`]
  const all = ['-sS', '-i', '--max-time', '20', '--cacert', caFile, ...args, ...speke, to]
  const { stdout } = await run('curl', all)
  // Digest asks twice: the last answer counts.
  const last = stdout.slice(stdout.lastIndexOf('HTTP/1.1 '))
  const [head = '', text = ''] = last.split('\r\n\r\n')
  return { status: Number(head.slice(9, 12)), keys: keysIn(text), text, head }
}

const keysIn = (text: string): readonly string[] =>
  [...text.matchAll(/PlainValue>([^<]+)</g)].map(([, key = '']) => key)

const certificate = (name: keyof typeof pem): readonly string[] => ['--cert', pem[name].cert, '--key', pem[name].key]
const user = `encoder:${secrets.password}`
const sigV4 = ['--aws-sigv4', 'aws:amz:eu-west-1:execute-api']
const jwt = await studio.jwt()

/** What proves each client, and what is like it and proves nothing. */
const METHODS: Readonly<
  Record<string, { readonly right: readonly (readonly string[])[]; readonly wrong: readonly (readonly string[])[] }>
> = {
  token: {
    right: [
      ['--oauth2-bearer', secrets.token],
      ['-H', `X-API-Key: ${secrets.token}`],
      ['-H', `API-KEY: ${secrets.token}`],
    ],
    wrong: [
      ['--oauth2-bearer', `${secrets.token.slice(0, -1)}_`],
      ['-H', `X-API-Key: ${secrets.token.toUpperCase()}`],
      ['-H', 'X-API-Key: '],
      ['-H', `X-API-Key: ${secrets.token}`, '-H', `API-KEY: ${secrets.token}`],
    ],
  },
  jwt: {
    right: [['--oauth2-bearer', jwt]],
    wrong: [
      ['--oauth2-bearer', jwt.replace(/.{40}$/, (end) => (end.startsWith('A') ? 'B' : 'A') + end.slice(1))],
      ['--oauth2-bearer', await studio.jwt({ aud: 'another' })],
      ['--oauth2-bearer', await studio.jwt({ iss: 'https://other.example' })],
      ['--oauth2-bearer', await studio.jwt({ exp: 1 })],
      ['--oauth2-bearer', await studio.jwt({ sub: 'nobody' })],
    ],
  },
  basic: {
    right: [['--basic', '--user', user]],
    wrong: [
      ['--basic', '--user', `${user}x`],
      ['--basic', '--user', `nobody:${secrets.password}`],
    ],
  },
  digest: {
    right: [
      ['--digest', '--user', user],
      ['--anyauth', '--user', user],
    ],
    wrong: [
      ['--digest', '--user', `${user}x`],
      ['--digest', '--user', `nobody:${secrets.password}`],
    ],
  },
  sigv4: {
    right: [[...sigV4, '--user', `${secrets.accessKeyId}:${secrets.secretAccessKey}`]],
    wrong: [
      [...sigV4, '--user', `${secrets.accessKeyId}:${secrets.secretAccessKey}x`],
      [...sigV4, '--user', `KS00:${secrets.secretAccessKey}`],
      ['--aws-sigv4', 'aws:amz:eu-west-1:s3', '--user', `${secrets.accessKeyId}:${secrets.secretAccessKey}`],
    ],
  },
  certificate: { right: [certificate('encoder')], wrong: [certificate('stranger'), certificate('gateway')] },
  name: { right: [certificate('named')], wrong: [] },
  gateway: {
    right: [
      ['-H', `X-Gateway-Secret: ${secrets.gateway}`, '-H', `X-Speke-Caller-Arn: ${ARN}`],
      [...certificate('gateway'), '-H', `X-Speke-Caller-Arn: ${ARN}`, '-H', 'X-Speke-Account: 123456789012'],
      [
        '-H',
        `X-Gateway-Secret: ${secrets.gateway}`,
        '-H',
        'X-Speke-Caller-Arn: arn:aws:sts::123456789012:assumed-role/SpekeAccess/MediaPackage',
      ],
    ],
    wrong: [
      ['-H', `X-Speke-Caller-Arn: ${ARN}`],
      ['-H', `X-Gateway-Secret: ${secrets.gateway}x`, '-H', `X-Speke-Caller-Arn: ${ARN}`],
      ['-H', `X-Gateway-Secret: ${secrets.gateway}`],
      ['-H', `X-Gateway-Secret: ${secrets.gateway}`, '-H', 'X-Speke-Caller-Arn: arn:aws:iam::999999999999:role/Other'],
      [...certificate('encoder').slice(0, 0), '-H', 'X-Speke-Account: 123456789012'],
    ],
  },
}

describe('curl over HTTPS', { skip: hasCurl ? false : 'curl is not on this machine' }, () => {
  const keysOf = new Map<string, string>()
  for (const [method, { right, wrong }] of Object.entries(METHODS)) {
    for (const [i, args] of right.entries()) {
      test(`${method}, way ${i + 1}, gets the keys of its tenant`, async () => {
        const { status, keys, text } = await curl(args)
        assert.equal(status, 200, text)
        assert.ok(keys.length > 0)
        const known = keysOf.get(method) ?? keys.join()
        assert.equal(keys.join(), known, 'the same keys by every way of a client')
        keysOf.set(method, known)
      })
    }
    for (const [i, args] of wrong.entries()) {
      test(`${method}, forgery ${i + 1}, is 401 and no key`, async () => {
        const { status, keys, text } = await curl(args)
        assert.deepEqual([status, keys], [401, []], text)
        assert.equal(text, 'the request carries no valid credential of a client that is configured here')
      })
    }
  }

  test('the same content and kid in two tenants are two keys', () => {
    assert.equal(new Set(keysOf.values()).size, Object.keys(METHODS).length)
  })

  test('without a credential, 401 has a challenge of every method that has one, each in a header of its own', async () => {
    const { status, head } = await curl([])
    assert.equal(status, 401)
    const challenges = head.split('\r\n').filter((line) => /^www-authenticate:/i.test(line))
    assert.deepEqual(
      challenges.map((line) => line.replace(/nonce="[^"]+"/, 'nonce').replace(/^[^:]+: /, '')),
      [
        'Bearer realm="keyspring"',
        'AWS4-HMAC-SHA256 realm="keyspring"',
        'Digest realm="keyspring", qop="auth", algorithm=SHA-256, nonce',
        'Digest realm="keyspring", qop="auth", algorithm=MD5, nonce',
        'Basic realm="keyspring", charset="UTF-8"',
      ],
    )
  })

  test('digest with several requests on one connection', async () => {
    const speke = ['-H', 'Content-Type: application/xml', '-H', 'X-Speke-Version: 2.0', '--data-binary', `@${body}`]
    const { stdout } = await run('curl', [
      ...['-sS', '-w', '%{http_code} %{num_connects}\n', '-o', '/dev/null', '--cacert', caFile],
      ...['--digest', '--user', user, ...speke, target, '-o', '/dev/null', target, '-o', '/dev/null', target],
    ])
    assert.equal(stdout, '200 1\n200 0\n200 0\n')
  })

  test('metrics want the scope admin', async () => {
    const get = async (args: readonly string[]): Promise<string> => {
      const { stdout } = await run('curl', ['-sS', '-w', '%{http_code}', '--cacert', caFile, ...args, `${url}/metrics`])
      return stdout.slice(-3)
    }
    assert.deepEqual(
      [await get([]), await get(certificate('encoder')), await get(['--oauth2-bearer', secrets.token])],
      ['401', '403', '200'],
    )
  })

  test('bytes that are no TLS end in a closed connection, and the server goes on', async () => {
    await assert.rejects(
      run('curl', ['-sS', '--max-time', '5', target.replace('https:', 'http:')]),
      /curl: \((52|56|1)\)/,
    )
    assert.equal((await curl(['--oauth2-bearer', secrets.token])).status, 200)
  })
})

describe('@smithy/signature-v4 over HTTPS', () => {
  const { hostname, port, pathname } = new URL(target)
  const text = readFileSync(body, 'utf8')
  const signed = async (path: string, content: string, headers: Readonly<Record<string, string>> = {}) => {
    const signer = new SignatureV4({
      service: 'execute-api',
      region: 'eu-west-1',
      credentials: { accessKeyId: secrets.accessKeyId, secretAccessKey: secrets.secretAccessKey },
      sha256: Sha256,
    })
    const host = `${hostname}:${port}`
    const speke = { host, 'content-type': 'application/xml', 'x-speke-version': '2.0', ...headers }
    return signer.sign({ method: 'POST', protocol: 'https:', hostname, path, headers: speke, body: content, query: {} })
  }
  const send = (path: string, headers: Readonly<Record<string, string>>, content: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const options = { host: hostname, port, path, method: 'POST', headers, ca: readFileSync(caFile), agent: false }
      const asked = request(options, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      asked.on('error', reject)
      asked.end(content)
    })

  test('verifies', async () => {
    assert.equal(await send(pathname, (await signed(pathname, text)).headers, text), 200)
  })

  test('every flipped character of the signature fails', async () => {
    const { headers } = await signed(pathname, text)
    const authorization = headers.authorization ?? ''
    const start = authorization.indexOf('Signature=') + 10
    for (let at = start; at < authorization.length; at += 7) {
      const flipped = authorization[at] === '0' ? '1' : '0'
      const forged = authorization.slice(0, at) + flipped + authorization.slice(at + 1)
      assert.equal(await send(pathname, { ...headers, authorization: forged }, text), 401, String(at))
    }
  })

  test('another body, path, date or signed header fails', async () => {
    const { headers } = await signed(pathname, text)
    assert.equal(await send(pathname, headers, text.replace('movie', 'movi3')), 401)
    assert.equal(await send('/copyProtection', headers, text), 401)
    assert.equal(await send(pathname, { ...headers, 'x-amz-date': '20260101T000000Z' }, text), 401)
    assert.equal(await send(pathname, { ...headers, 'x-speke-version': '2.1' }, text), 401)
  })
})

test('a signer of the Widevine key API is a client', async () => {
  const signer = aesSigner(Buffer.from(secrets.aesKey, 'hex'), Buffer.from(secrets.aesIv, 'hex'))
  const asked = Buffer.from(
    JSON.stringify({
      content_id: Buffer.from('movie').toString('base64'),
      tracks: [{ type: 'SD' }],
      drm_types: ['WIDEVINE'],
    }),
  )
  const ask = async (signature: Buffer, name = 'widevine_test'): Promise<string> => {
    const envelope = JSON.stringify({
      request: asked.toString('base64'),
      signature: signature.toString('base64'),
      signer: name,
    })
    const { stdout } = await run('curl', [
      '-sS',
      '--cacert',
      caFile,
      '-d',
      envelope,
      `${url}/widevine/getcontentkey/${name}`,
    ])
    const { response } = JSON.parse(stdout) as { readonly response: string }
    return (JSON.parse(Buffer.from(response, 'base64').toString()) as { readonly status: string }).status
  }
  const signature = signWidevineRequest(signer, asked)
  assert.equal(await ask(signature), 'OK')
  assert.equal(await ask(Buffer.alloc(signature.length)), 'SIGNATURE_FAILED')
  assert.equal(await ask(signature, 'another'), 'SIGNATURE_FAILED')
  assert.equal(await ask(Buffer.alloc(0)), 'SIGNATURE_FAILED')
})

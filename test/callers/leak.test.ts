import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'
import { digestResponse, digestSecret } from '../../src/auth/methods/digest-secret.ts'
import { signSigV4 } from '../../src/auth/methods/sigv4-sign.ts'
import { aesSigner, signWidevineRequest } from '../../src/auth/methods/widevine-signer.ts'
import { Secret } from '../../src/core/secret.ts'
import { run } from '../cli/run.ts'
import { requestFor } from '../protocols/speke/documents.ts'
import { ARN, serve, writeStudio } from './studio.ts'

/** Everything the product writes or says, but for what `keyspring client` shows once, is searched for every credential. */

const studio = writeStudio()
await studio.write()
const { secrets, configFile, directory } = studio

/** A secret as text, and in every spelling in which it could be written down. */
const spellings = (secret: string | Uint8Array): readonly Buffer[] => {
  const bytes = Buffer.from(secret)
  return [
    bytes,
    ...(['hex', 'base64', 'base64url'] as const).map((encoding) => Buffer.from(bytes.toString(encoding))),
    Buffer.from(bytes.toString('hex').toUpperCase()),
    Buffer.from(JSON.stringify([...bytes]).slice(1, -1)),
  ]
}

function assertNowhere(all: ReadonlyMap<string, string | Uint8Array>, places: ReadonlyMap<string, Buffer>): void {
  for (const [place, bytes] of places) {
    for (const [name, secret] of all) {
      for (const written of spellings(secret)) assert.equal(bytes.indexOf(written), -1, `${place} holds the ${name}`)
    }
  }
}

test('the search finds a secret where there is one', () => {
  for (const written of spellings('a secret of many words')) {
    assert.throws(
      () => assertNowhere(new Map([['a', 'a secret of many words']]), new Map([['b', written]])),
      /holds the a/,
    )
  }
})

test('no credential reaches the log, an answer, an error, the metrics, the process list or the store', async () => {
  const all = new Map<string, string | Uint8Array>(Object.entries(secrets))
  all.delete('accessKeyId')
  all.set('secret of the token', secrets.token.split('_').slice(2).join('_'))
  for (const [algorithm, hash] of Object.entries(digestSecret('encoder', 'keyspring', secrets.password))) {
    all.set(`hash of the password by ${algorithm}`, Buffer.from(hash, 'hex'))
  }
  all.set('key of the signer', Buffer.from(secrets.aesKey, 'hex'))
  all.set('key of TLS', readFileSync(studio.pem.server.key, 'utf8').split('\n')[1] ?? '')

  // Clients of the store, whose secrets are shown once.
  for (const method of ['token', 'basic', 'digest', 'sigv4', 'signer']) {
    const added = await run([
      'client',
      'add',
      '--name',
      `stored-${method}`,
      '--method',
      method,
      '--id',
      `stored-${method}`,
      '--config',
      configFile,
      '--json',
    ])
    assert.equal(added.code, 0, added.stderr)
    const shown = JSON.parse(added.stdout) as Readonly<Record<string, string>>
    for (const name of ['token', 'password', 'secretAccessKey', 'AESSigningKey', 'AES signing key', 'aESSigningKey']) {
      if (shown[name] !== undefined) all.set(`stored ${name}`, shown[name])
    }
    for (const secret of Object.values(shown))
      if (/^[\da-f]{32,64}$/.test(secret)) all.set(`stored ${method} ${secret.length}`, secret)
    const listed = await run(['client', 'list', '--config', configFile, '--json'])
    assertNowhere(all, new Map([['the list', Buffer.from(listed.stdout + listed.stderr + added.stderr)]]))
  }
  assert.ok([...all.keys()].filter((name) => name.startsWith('stored')).length >= 6, [...all.keys()].join())

  const { process: server, url } = await serve(configFile, ['--log-requests'])
  const said = new Map<string, Buffer>()
  const { hostname, port } = new URL(url)
  const body = requestFor({ contentId: 'movie' })
  const send = (headers: Readonly<Record<string, string>>, path = '/copyProtection', sent = body): Promise<number> =>
    new Promise((resolve, reject) => {
      const speke = { 'content-type': 'application/xml', 'x-speke-version': '2.0', ...headers }
      const options = {
        host: hostname,
        port,
        path,
        method: 'POST',
        headers: speke,
        rejectUnauthorized: false,
        agent: false,
      }
      const asked = request(options, async (response) => {
        const text = Buffer.concat(await response.toArray())
        said.set(`answer ${said.size}`, Buffer.concat([Buffer.from(response.rawHeaders.join('\n')), text]))
        resolve(response.statusCode ?? 0)
      })
      asked.on('error', reject)
      asked.end(sent)
    })
  const basicOf = (user: string, password: string) => ({
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  })
  const sigV4Of = (secret: string) => {
    const signed = { method: 'POST', rawPath: '/copyProtection', headers: { host: `${hostname}:${port}` }, body }
    const accessKey = { accessKeyId: secrets.accessKeyId, secretAccessKey: new Secret(secret) }
    return {
      host: `${hostname}:${port}`,
      ...signSigV4(signed, accessKey, { region: 'r', service: 'execute-api' }, Date.now()),
    }
  }
  const digestOf = async (password: string) => {
    await send({})
    const nonce = /nonce="([^"]+)"/.exec([...said.values()].at(-1)?.toString() ?? '')?.[1] ?? ''
    const [uri, nc, cnonce] = ['/copyProtection', '00000001', 'c']
    const ha1 = digestSecret('encoder', 'keyspring', password)['SHA-256']
    const response = digestResponse({ algorithm: 'SHA-256', ha1, method: 'POST', uri, nonce, nc, cnonce })
    return {
      authorization: `Digest username="encoder", realm="keyspring", nonce="${nonce}", uri="${uri}", response="${response}", qop=auth, nc=${nc}, cnonce="${cnonce}", algorithm=SHA-256`,
    }
  }
  const jwt = await studio.jwt()
  all.set('signature of the JWT', jwt.split('.')[2] ?? '')

  const right = [
    { 'x-api-key': secrets.token },
    { authorization: `Bearer ${secrets.token}` },
    { authorization: `Bearer ${jwt}` },
    basicOf('encoder', secrets.password),
    await digestOf(secrets.password),
    sigV4Of(secrets.secretAccessKey),
    { 'x-gateway-secret': secrets.gateway, 'x-speke-caller-arn': ARN },
  ]
  for (const headers of right) assert.equal(await send(headers), 200)

  // The right secret in every wrong place, and wrong ones that may be right elsewhere.
  const typed = randomBytes(18).toString('base64url')
  all.set('mistyped password', typed)
  const wrong: readonly Readonly<Record<string, string>>[] = [
    { 'x-api-key': secrets.token, 'api-key': secrets.token },
    { 'x-api-key': `${secrets.token}x` },
    { authorization: secrets.token },
    { authorization: `Bearer ${secrets.password}` },
    { authorization: `Bearer ${jwt}x` },
    { authorization: `Basic ${secrets.password}` },
    basicOf('encoder', typed),
    basicOf(secrets.password, 'x'),
    { authorization: `Digest username="${secrets.password}", response="${secrets.password}"` },
    await digestOf(typed),
    {
      authorization: `AWS4-HMAC-SHA256 Credential=${secrets.secretAccessKey}/20260101/r/s/aws4_request, SignedHeaders=host, Signature=00`,
    },
    sigV4Of(typed),
    { 'x-gateway-secret': secrets.gateway, 'x-speke-caller-arn': secrets.gateway },
    { 'x-gateway-secret': `${secrets.gateway}x`, 'x-speke-caller-arn': ARN },
    { 'client-cert': `:${secrets.password}:` },
    { cookie: `token=${secrets.token}`, 'x-request-id': `${secrets.token}!` },
  ]
  for (const headers of wrong) assert.equal(await send(headers), 401, Object.keys(headers).join())
  for (const path of [`/copyProtection?token=${secrets.token}`, `/${secrets.token}`]) {
    assert.ok([401, 404].includes(await send({}, path)))
  }

  // A signer, rightly and wrongly.
  const asked = Buffer.from(
    JSON.stringify({ content_id: 'bW92aWU=', tracks: [{ type: 'SD' }], drm_types: ['WIDEVINE'] }),
  )
  const signer = aesSigner(Buffer.from(secrets.aesKey, 'hex'), Buffer.from(secrets.aesIv, 'hex'))
  for (const signature of [signWidevineRequest(signer, asked), Buffer.from(secrets.aesKey, 'hex')]) {
    const envelope = {
      request: asked.toString('base64'),
      signature: signature.toString('base64'),
      signer: 'widevine_test',
    }
    assert.equal(await send({}, '/widevine/getcontentkey/widevine_test', JSON.stringify(envelope)), 200)
  }

  const token = { 'x-api-key': secrets.token }
  const metrics = await new Promise<Buffer>((resolve, reject) => {
    request({ host: hostname, port, path: '/metrics', headers: token, rejectUnauthorized: false }, (response) =>
      resolve(response.toArray().then((chunks) => Buffer.concat(chunks))),
    )
      .on('error', reject)
      .end()
  })
  said.set('metrics', metrics)
  // What other users of the machine see of the process: its title and its arguments.
  said.set('process list', execFileSync('ps', ['-eo', 'args']))

  server.signal('SIGHUP')
  await server.stderr(/"configuration reloaded"/)
  server.signal('SIGTERM')
  const ended = await server.done
  assert.equal(ended.code, 0)
  said.set('standard output', Buffer.from(ended.stdout))
  said.set('standard error', Buffer.from(ended.stderr))
  assert.match(ended.stderr, /"detail":"basic: mismatch"/, 'the refusals are in the log')

  const data = join(directory, 'data')
  for (const found of readdirSync(data, { recursive: true, withFileTypes: true })) {
    const { name, parentPath } = found
    if (found.isFile() && name !== 'root.key') said.set(name, readFileSync(join(parentPath, name)))
  }
  assertNowhere(all, said)
})

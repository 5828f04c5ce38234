import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { aesSigner, signWidevineRequest } from '../../src/auth/methods/widevine-signer.ts'
import { OPERATIONS } from '../../src/http/api/operations/operations.ts'
import { callOf } from '../http/calls.ts'
import { KIDS, requestFor } from '../protocols/speke/documents.ts'
import { directory, serverOf } from './serving.ts'

describe('a signer of the Widevine key API, with allowAnonymous', async () => {
  const [key, iv] = [randomBytes(32), randomBytes(16)]
  const [aesKeyFile, aesIvFile] = ['signer.key', 'signer.iv'].map((name) => join(directory, name))
  writeFileSync(aesKeyFile ?? '', key.toString('hex'))
  writeFileSync(aesIvFile ?? '', iv.toString('hex'))
  const files = { aesKeyFile, aesIvFile }
  const request = Buffer.from(
    JSON.stringify({ content_id: Buffer.from('movie').toString('base64'), tracks: [{ type: 'SD' }] }),
  )
  const signer = aesSigner(key, iv)
  const signature = signWidevineRequest(signer, request)
  const wrong = Buffer.from(signature.map((byte) => byte ^ 1))

  const clients = {
    wv: { tenant: 'studio', credentials: { signer: [{ name: 'wv', ...files }] } },
    old: { tenant: 'studio', credentials: { signer: [{ name: 'old', ...files, notAfter: '2020-01-01T00:00:00Z' }] } },
  }
  const ofSettings = `widevine: { signers: [${JSON.stringify({ name: 'settings', tenant: 'studio', ...files })}] }`
  const { handlers } = await serverOf(clients, `allowAnonymous: true\n${ofSettings}`)
  const statusOf = async (name: string, signed: Buffer): Promise<string> => {
    const body = JSON.stringify({
      request: request.toString('base64'),
      signature: signed.toString('base64'),
      signer: name,
    })
    const reply = await handlers.main(callOf('POST', `/widevine/getcontentkey/${name}`, { bytes: Buffer.from(body) }))
    const { response } = JSON.parse(Buffer.from(reply.body).toString()) as { response: string }
    return (JSON.parse(Buffer.from(response, 'base64').toString()) as { status: string }).status
  }

  for (const name of ['wv', 'settings']) {
    test(`is rejected if its signature is wrong, and is no anonymous caller: ${name}`, async () => {
      assert.equal(await statusOf(name, signature), 'OK')
      assert.equal(await statusOf(name, wrong), 'SIGNATURE_FAILED')
    })
  }

  test('is rejected if its credential expired', async () => {
    assert.equal(await statusOf('old', signature), 'SIGNATURE_FAILED')
  })

  test('is anonymous if nobody knows its name', async () => {
    assert.equal(await statusOf('widevine_test', wrong), 'OK')
  })
})

describe('a gateway', async () => {
  const secret = randomBytes(32).toString('base64url')
  const sha256 = createHash('sha256').update(secret).digest('hex')
  const caller = '123456789012'
  const { handlers, tokens } = await serverOf(
    { byGateway: { credentials: { gateway: [{ caller }] } }, byToken: {} },
    `trustProxy: ["127.0.0.1"]\nplayback: { access: open }\nauth: { gateway: { secretSha256: [${sha256}] } }`,
  )
  const gateway = { 'x-keyspring-gateway-secret': secret, 'x-speke-account': caller, 'x-speke-version': '2.0' }
  const ask = async (more: Readonly<Record<string, string>>): Promise<number> => {
    const headers = { ...gateway, ...more }
    return (await handlers.main(callOf('POST', '/copyProtection', { headers, bytes: Buffer.from(requestFor()) })))
      .status
  }

  test('that passes on another credential of its caller is rejected, be that right or wrong', async () => {
    assert.equal(await ask({}), 200)
    assert.equal(await ask({ 'x-api-key': tokens.byToken ?? '' }), 401)
    assert.equal(await ask({ authorization: `Bearer ${tokens.byToken}` }), 401)
    assert.equal(await ask({ 'x-api-key': 'ks_0123456789abcdef_wrongwrongwrongwrongwrong' }), 401)
  })

  test('may leave the signature for AWS that it verified, and the key of its own usage plan', async () => {
    assert.equal(await ask({ authorization: 'AWS4-HMAC-SHA256 Credential=AKIA/x' }), 200)
    assert.equal(await ask({ 'x-api-key': 'usage-plan-key' }), 200)
  })
})

describe('a caller without a right credential in its headers', async () => {
  const { handlers } = await serverOf({ one: {} })
  const unread = () => assert.fail('the body was read')
  const paths = OPERATIONS.map(({ method, path }) => [method.toUpperCase(), path.replace(/\{\w+\}/g, KIDS[0] ?? '')])
  const asked = [
    ['POST', '/copyProtection'],
    ['POST', '/copyProtectionData/movie'],
    ['PUT', '/copyProtectionData/movie'],
    ...paths,
  ]

  for (const [method = '', path = ''] of asked) {
    test(`is rejected by ${method} ${path} before its body is read`, async () => {
      for (const headers of [{}, { 'x-api-key': 'ks_0123456789abcdef_wrongwrongwrongwrongwrong' }]) {
        const { status } = await handlers.main({ ...callOf(method, path, { headers }), readBody: unread })
        assert.equal(status, 401)
      }
    })
  }

  test('by SigV4 is rejected before its body is read, unless its access key exists', async () => {
    const amzDate = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '')
    const authorization = `AWS4-HMAC-SHA256 Credential=KS0/${amzDate.slice(0, 8)}/r/execute-api/aws4_request, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`
    const { handlers: withKeys } = await serverOf({
      one: { credentials: { sigv4: [{ accessKeyId: 'KS1', secretAccessKeyFile: file('sigv4', 'secret') }] } },
    })
    const headers = { authorization, 'x-amz-date': amzDate }
    const { status } = await withKeys.main({ ...callOf('POST', '/copyProtection', { headers }), readBody: unread })
    assert.equal(status, 401)
  })
})

function file(name: string, text: string): string {
  writeFileSync(join(directory, name), text)
  return join(directory, name)
}

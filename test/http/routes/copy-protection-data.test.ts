import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { describe, test } from 'node:test'
import { authorize, type Client, type Scope } from '../../../src/auth/clients/client.ts'
import { Listener } from '../../../src/http/listener/listener.ts'
import type { Handler } from '../../../src/http/request.ts'
import type { RouteReply } from '../../../src/http/route.ts'
import { copyProtectionData } from '../../../src/http/routes/copy-protection-data.ts'
import { certificateOf as clientCertificateOf } from '../../auth/presenting.ts'
import { certificateOf, rsaKeys } from '../../formats/cpix/certificates.ts'
import { OPERATOR } from '../../operations/managing.ts'
import { transferring } from '../../operations/transfer/transferring.ts'
import { KID, KID_2, PLAYREADY, WIDEVINE } from '../../protocols/speke/documents.ts'
import { type CallOverrides, callOf, handlerFor } from '../calls.ts'

const CLIENTS: Readonly<Record<string, Client>> = Object.fromEntries(
  (
    [
      ['issuer', ['keys:issue']],
      ['reader', ['keys:read']],
      ['exporter', ['keys:export']],
      ['writer', ['keys:write']],
      ['admin', ['admin']],
      ['stranger', []],
    ] as const satisfies readonly (readonly [string, readonly Scope[]])[]
  ).map(([name, scopes]) => [name, { name, tenant: 'default', scopes }]),
)

const document = (contentId = 'movie', kid = KID): string =>
  `<CPIX contentId="${contentId}" xmlns="urn:dashif:org:cpix"><ContentKeyList><ContentKey kid="${kid}"/></ContentKeyList><DRMSystemList><DRMSystem kid="${kid}" systemId="${WIDEVINE}"/><DRMSystem kid="${kid}" systemId="${PLAYREADY}"/></DRMSystemList></CPIX>`

/** A handler of CPIX transfer; the user of Authorization is who calls. */
function serving(client: Partial<Client> = {}, createdStatus = 201) {
  const { transfer, entries } = transferring()
  const observed: RouteReply[] = []
  let pinned: Partial<Client> = {}
  const handler = handlerFor({
    routes: copyProtectionData({
      transfer,
      createdStatus,
      identify: (call) => {
        const found = { ...(CLIENTS[call.headers.authorization ?? ''] ?? assert.fail('nobody')), ...client, ...pinned }
        return {
          operator: { ...OPERATOR, tenant: found.tenant },
          client: found.name,
          authorize: (intent) => authorize(found, intent),
          sees: undefined,
        }
      },
    }),
    checks: [],
    observe: (_call, _route, reply) => observed.push(reply),
    now: () => 0,
  })
  const pin = (recipientFingerprints: readonly string[]): void => {
    pinned = { recipientFingerprints }
  }
  return { handler, observed, entries, pin }
}

interface Sent {
  readonly as: string
  readonly path?: string
  readonly body?: string
  readonly headers?: Record<string, string>
  readonly call?: CallOverrides
}

async function send(
  handler: Handler,
  method: string,
  { as, path = '/copyProtectionData/movie', body, headers, call }: Sent,
) {
  const sent = { authorization: as, ...(body !== undefined && { 'content-type': 'application/xml' }), ...headers }
  const reply = await handler(callOf(method, path, { bytes: Buffer.from(body ?? ''), headers: sent, ...call }))
  return { ...reply, text: Buffer.from(reply.body).toString() }
}

describe('the life of a document over HTTP', () => {
  for (const status of [200, 201]) {
    test(`starts with ${status} where that is configured, and continues with 200`, async () => {
      const { handler } = serving({}, status)
      const posts = [1, 2].map(() => () => send(handler, 'POST', { as: 'issuer', body: document() }))
      const statuses: number[] = []
      for (const one of posts) statuses.push((await one()).status)
      assert.deepEqual(statuses, [status, 200])
    })
  }

  test('is 201, 200, 200, 304, 204, 204 and 410', async () => {
    const { handler } = serving()
    const created = await send(handler, 'POST', { as: 'issuer', body: document() })
    assert.deepEqual([created.status, created.headers['content-type']], [201, 'application/xml'])
    assert.equal(created.headers['cache-control'], 'no-store')
    const { etag } = created.headers
    assert.match(String(etag), /^"[\w-]+\.[\w-]+"$/)
    assert.equal((await send(handler, 'POST', { as: 'issuer', body: document() })).status, 200)

    const found = await send(handler, 'GET', { as: 'exporter' })
    assert.deepEqual([found.status, found.text, found.headers.etag], [200, created.text, etag])
    const unchanged = await send(handler, 'GET', { as: 'issuer', headers: { 'if-none-match': String(etag) } })
    assert.deepEqual([unchanged.status, unchanged.text, unchanged.headers.etag], [304, '', etag])

    const put = { as: 'writer', body: document(), headers: { 'if-match': String(etag) } }
    const replaced = await send(handler, 'PUT', put)
    assert.deepEqual([replaced.status, replaced.text], [204, ''])
    assert.notEqual(replaced.headers.etag, etag)
    const deleted = await send(handler, 'DELETE', { as: 'admin' })
    assert.deepEqual([deleted.status, deleted.text], [204, ''])
    assert.equal((await send(handler, 'GET', { as: 'issuer' })).status, 410)
    assert.equal((await send(handler, 'POST', { as: 'issuer', body: document() })).status, 410)
  })

  test('meets 404, 405, 409, 412, 428 and 422 in plain text', async () => {
    const { handler } = serving()
    const refusal = async (method: string, sent: Sent) => {
      const { status, headers, text } = await send(handler, method, sent)
      assert.match(String(headers['content-type']), /^text\/plain/)
      assert.equal(headers['cache-control'], 'no-store')
      assert.notEqual(text, '')
      return { status, headers }
    }
    assert.equal((await refusal('GET', { as: 'issuer' })).status, 404)
    assert.equal((await refusal('DELETE', { as: 'writer' })).status, 404)
    const { status, headers } = await refusal('PATCH', { as: 'issuer' })
    assert.deepEqual([status, headers.allow], [405, 'POST, GET, HEAD, PUT, DELETE'])
    await send(handler, 'POST', { as: 'issuer', body: document() })
    assert.equal((await refusal('POST', { as: 'issuer', body: document('movie', KID_2) })).status, 409)
    assert.equal((await refusal('PUT', { as: 'writer', body: document() })).status, 428)
    const wrong = { 'if-match': '"x"' }
    assert.equal((await refusal('PUT', { as: 'writer', body: document(), headers: wrong })).status, 412)
    assert.equal((await refusal('DELETE', { as: 'writer', headers: wrong })).status, 412)
    assert.equal((await refusal('POST', { as: 'issuer', body: document('show') })).status, 422)
  })
})

describe('who may', () => {
  const scopes: readonly (readonly [method: string, allowed: readonly string[]])[] = [
    ['POST', ['issuer']],
    ['GET', ['issuer', 'exporter']],
    ['PUT', ['writer', 'admin']],
    ['DELETE', ['writer', 'admin']],
  ]
  for (const [method, allowed] of scopes) {
    test(`${method}: ${allowed.join(', ')}`, async () => {
      for (const as of Object.keys(CLIENTS)) {
        const { handler } = serving()
        await send(handler, 'POST', { as: 'issuer', body: document() })
        const headers = { 'if-match': '*' }
        const { status } = await send(handler, method, {
          as,
          headers,
          ...(method.startsWith('P') && { body: document() }),
        })
        assert.equal(status < 300, allowed.includes(as), `${as}: ${status}`)
        if (!allowed.includes(as)) assert.equal(status, 403)
      }
    })
  }

  const raw = certificateOf(rsaKeys(2048))
  const fingerprint256 = createHash('sha256').update(raw).digest('hex')
  const clientCertificate = clientCertificateOf({ fingerprint256, subjectAltNames: [], raw })

  test('GET of one that only reads gives no key, to its own certificate neither: else reading would be exporting', async () => {
    for (const as of ['reader', 'admin']) {
      const { handler } = serving()
      await send(handler, 'POST', { as: 'issuer', body: document() })
      const x509 = `<X509Data xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Certificate>${raw.toString('base64')}</X509Certificate></X509Data>`
      const body = document().replace(
        '<ContentKeyList>',
        `<DeliveryDataList><DeliveryData><DeliveryKey>${x509}</DeliveryKey></DeliveryData></DeliveryDataList><ContentKeyList>`,
      )
      await send(handler, 'PUT', { as: 'admin', body, headers: { 'if-match': '*' } })
      const { status, text } = await send(handler, 'GET', { as, call: { clientCertificate } })
      assert.equal(status, 403)
      assert.match(text, /keys:issue or keys:export, or pin its recipients/)
    }
  })

  test('GET of a reader with pinned recipients gives keys encrypted to its own TLS certificate, and no other', async () => {
    const { handler, entries, pin } = serving()
    const created = await send(handler, 'POST', { as: 'issuer', body: document() })
    pin([fingerprint256])
    assert.equal((await send(handler, 'GET', { as: 'reader' })).status, 403)
    const { status, text } = await send(handler, 'GET', { as: 'reader', call: { clientCertificate } })
    assert.equal(status, 200)
    assert.match(text, /EncryptedValue/)
    assert.doesNotMatch(text, /PlainValue/)
    assert.match(created.text, /PlainValue/)
    assert.deepEqual(entries.at(-1)?.recipients, [fingerprint256])
    pin(['cd'.repeat(32)])
    assert.equal((await send(handler, 'GET', { as: 'reader', call: { clientCertificate } })).status, 403)
  })

  test('a content outside of what the client may see is rejected by every method', async () => {
    const { handler } = serving({ contentIds: ['show-*'], scopes: ['keys:issue', 'keys:write'] })
    for (const method of ['POST', 'GET', 'PUT', 'DELETE']) {
      const body = method.startsWith('P') ? { body: document() } : {}
      assert.equal((await send(handler, method, { as: 'issuer', ...body })).status, 403, method)
    }
  })
})

describe('the path', () => {
  for (const contentId of ['a/b', '..', 'ünï code', 'x'.repeat(256)]) {
    test(`names a content as key URLs do: ${contentId.slice(0, 12)}`, async () => {
      const { handler, observed } = serving()
      const isPlain = /^[\w-]+$/.test(contentId)
      const segment = isPlain ? contentId : `~${Buffer.from(contentId).toString('base64url')}`
      const path = `/copyProtectionData/${segment}`
      assert.equal((await send(handler, 'POST', { as: 'issuer', path, body: document(contentId) })).status, 201)
      assert.equal(observed[0]?.issued?.contentId, contentId)
    })
  }

  for (const segment of [
    '',
    'a%2Fb',
    'a.b',
    '~',
    `~${Buffer.from('movie').toString('base64url')}`,
    'x'.repeat(257),
    'a/b',
  ]) {
    test(`is not found where it names none: ${JSON.stringify(segment.slice(0, 12))}`, async () => {
      const { handler } = serving()
      const path = `/copyProtectionData/${segment}`
      assert.equal((await send(handler, 'GET', { as: 'issuer', path })).status, 404)
    })
  }
})

describe('the body', () => {
  for (const type of ['application/xml', 'text/xml; charset=utf-8', 'application/cpix+xml', 'Application/CPIX+XML']) {
    test(`may be ${type}, and the answer is application/xml`, async () => {
      const { handler } = serving()
      const { status, headers } = await send(handler, 'POST', {
        as: 'issuer',
        body: document(),
        headers: { 'content-type': type },
      })
      assert.deepEqual([status, headers['content-type']], [201, 'application/xml'])
    })
  }

  for (const [name, sent, status] of [
    ['JSON', { body: '{}', headers: { 'content-type': 'application/json' } }, 415],
    ['UTF-7', { body: document(), headers: { 'content-type': 'text/xml; charset=utf-7' } }, 415],
    ['empty', { body: '' }, 400],
    ['no XML', { body: 'x' }, 400],
  ] as const) {
    test(`that is ${name} is rejected`, async () => {
      const { handler } = serving()
      for (const method of ['POST', 'PUT']) {
        const as = method === 'POST' ? 'issuer' : 'writer'
        assert.equal((await send(handler, method, { as, ...sent })).status, status, method)
      }
    })
  }
})

test('a 204 and a 304 end with their headers on the wire, and a HEAD tells the ETag', async () => {
  const { handler } = serving()
  const limits = { bodyBytes: 100_000, connections: 10, headersTimeoutMs: 5_000, requestTimeoutMs: 10_000 }
  const listener = await Listener.open({ host: '127.0.0.1', port: 0, handler, limits })
  const ask = (method: string, authorization: string, headers: Record<string, string> = {}, body = '') =>
    new Promise<{ status: number; headers: IncomingHttpHeaders; body: string }>((resolve, reject) => {
      const { port } = listener.address
      const path = '/copyProtectionData/movie'
      httpRequest(
        { host: '127.0.0.1', port, path, method, agent: false, headers: { authorization, ...headers } },
        (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
        },
      )
        .on('error', reject)
        .end(body)
    })
  try {
    const { headers } = await ask('POST', 'issuer', { 'content-type': 'application/xml' }, document())
    const etag = headers.etag ?? assert.fail('no ETag')
    const unchanged = await ask('GET', 'issuer', { 'if-none-match': etag })
    const head = await ask('HEAD', 'issuer')
    const deleted = await ask('DELETE', 'writer', { 'if-match': etag })
    assert.deepEqual(
      [unchanged, head, deleted].map(({ status, body }) => [status, body]),
      [
        [304, ''],
        [200, ''],
        [204, ''],
      ],
    )
    assert.deepEqual(
      [unchanged, deleted].map((reply) => reply.headers['content-length']),
      [undefined, undefined],
    )
    assert.equal(head.headers.etag, etag)
  } finally {
    await listener.close(1000)
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyProtection } from '../../../src/http/routes/copy-protection.ts'
import { callOf, DOCUMENT, echo, handlerOf, refusing, toCall } from '../calls.ts'

const post = (headers: Record<string, string> = {}, bytes = DOCUMENT, path = '/copyProtection') =>
  callOf('POST', path, { headers, bytes })

test('an answer with empty DRMSystem elements says so in a header and in the log', async () => {
  const empty: typeof echo = async (request) => ({ ...(await echo(request)), emptySystems: 2 })
  const { headers } = await handlerOf(empty).handler(post())
  assert.match(String(headers['x-keyspring-warning']), /^2 DRMSystem elements .* \/copyProtectionData\/\{contentId\}$/)
  assert.equal((await handlerOf(echo).handler(post())).headers['x-keyspring-warning'], undefined)
  const one = await handlerOf(async (request) => ({ ...(await echo(request)), emptySystems: 1 })).handler(post())
  assert.match(String(one.headers['x-keyspring-warning']), /^one DRMSystem element has no child elements/)
})

test('answers with the document, exactly application/xml, no charset', async () => {
  const { handler, observed } = handlerOf(echo)
  const reply = await handler(post({ 'content-type': 'application/xml', 'x-speke-version': '2.0' }))
  assert.equal(reply.status, 200)
  assert.deepEqual(reply.headers, {
    'content-type': 'application/xml',
    'x-speke-version': '2.0',
    'x-speke-user-agent': 'keyspring/9.9.9',
    'cache-control': 'no-store',
  })
  assert.deepEqual(reply.body, DOCUMENT)
  assert.deepEqual(observed, [
    {
      route: 'copyProtection',
      status: 200,
      error: undefined,
      issued: {
        tenant: 'default',
        client: 'anonymous',
        contentId: 'movie',
        keys: 2,
        first: true,
      },
    },
  ])
})

test('an answer carries its audit record: the keys, the caller and how the caller was authenticated', async () => {
  const audited: unknown[] = []
  const route = copyProtection({
    speke: {
      async answer(request) {
        const answer = await echo(request)
        const { body: _body, spekeVersion: _version, emptySystems: _empty, ...issued } = answer
        await request.audit?.(issued)
        return answer
      },
    },
    audit: async (call, issued) => void audited.push([call.requestId, issued]),
    identify: () => ({ tenant: 'studio', client: 'encoder', method: 'token', authorize: () => undefined }),
    userAgent: 'keyspring/9.9.9',
  })
  await route.handle(toCall(post()), [])
  const issued = { tenant: 'studio', client: 'encoder', contentId: 'movie', keys: 2, first: true, records: [] }
  assert.deepEqual(audited, [['test-1', { ...issued, method: 'token' }]])
})

const userAgents: readonly [string | undefined, string, string | undefined][] = [
  [undefined, 'speke-user-agent', undefined],
  ['1.0', 'speke-user-agent', '1.0'],
  ['2.0', 'x-speke-user-agent', '2.0'],
  ['2.1', 'x-speke-user-agent', '2.1'],
  ['9.9', 'x-speke-user-agent', '9.9'],
  ['x'.repeat(32), 'x-speke-user-agent', 'x'.repeat(32)],
  ['x'.repeat(33), 'x-speke-user-agent', undefined],
  ['2.0\t', 'x-speke-user-agent', undefined],
  ['2.0é', 'x-speke-user-agent', undefined],
  ['', 'x-speke-user-agent', undefined],
]
for (const [version, name, echoed] of userAgents) {
  for (const [outcome, answer] of [
    ['an answer', echo],
    ['an error', refusing('ERR_SPEKE_VERSION_UNSUPPORTED', 'Unsupported SPEKE version')],
  ] as const) {
    test(`X-Speke-Version ${JSON.stringify(version)}: ${outcome} carries ${name}`, async () => {
      const reply = await handlerOf(answer).handler(post(version === undefined ? {} : { 'x-speke-version': version }))
      assert.equal(reply.headers[name], 'keyspring/9.9.9')
      assert.equal(reply.headers['x-speke-version'], echoed)
      assert.equal(Object.keys(reply.headers).filter((header) => header.endsWith('user-agent')).length, 1)
    })
  }
}

test('a document read as SPEKE 2 though its header was lost is answered with the headers of SPEKE 2', async () => {
  const assumed: typeof echo = async (request) => ({ ...(await echo(request)), spekeVersion: '2.0' })
  const { headers } = await handlerOf(assumed).handler(post({}))
  assert.equal(headers['x-speke-version'], '2.0')
  assert.equal(headers['x-speke-user-agent'], 'keyspring/9.9.9')
  assert.equal(headers['speke-user-agent'], undefined)
})

const mediaTypes: readonly [string | undefined, number][] = [
  [undefined, 200],
  ['application/xml', 200],
  ['Application/XML', 200],
  ['text/xml', 200],
  ['application/xml; charset=utf-8', 200],
  ['application/xml;charset="UTF-8"; q=1', 200],
  ['application/xml; x=y', 200],
  ['application/xml; charset=utf-16', 200],
  ['application/xml; charset=utf-7', 415],
  ['application/xml; charset=', 415],
  ['application/json', 415],
  ['application/x-www-form-urlencoded', 415],
  ['text/xmlish', 415],
  ['', 415],
]
for (const [contentType, status] of mediaTypes) {
  test(`Content-Type ${JSON.stringify(contentType)} is answered ${status}`, async () => {
    const reply = await handlerOf(echo).handler(post(contentType === undefined ? {} : { 'content-type': contentType }))
    assert.equal(reply.status, status)
  })
}

test('an empty body is rejected by name', async () => {
  const reply = await handlerOf(echo).handler(post({}, Buffer.alloc(0)))
  assert.equal(reply.status, 400)
  assert.match(String(reply.body), /empty/)
})

for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
  test(`${method} is not allowed, and the reply says what is`, async () => {
    const reply = await handlerOf(echo).handler(callOf(method, '/speke/v2.0/copyProtection'))
    assert.equal(reply.status, 405)
    assert.equal(reply.headers.allow, 'POST')
  })
}

test('a 4XX is the bare message, with the headers of SPEKE', async () => {
  const { handler } = handlerOf(refusing('ERR_SPEKE_CONTENT_ID_MISSING', 'Missing CPIX@contentId'))
  const reply = await handler(post({ 'x-speke-version': '2.1' }))
  assert.deepEqual(
    { ...reply },
    {
      status: 422,
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        'cache-control': 'no-store',
        'x-speke-version': '2.1',
        'x-speke-user-agent': 'keyspring/9.9.9',
      },
      body: 'Missing CPIX@contentId',
    },
  )
})

test('an unexpected failure is logged and not sent to the client', async () => {
  const cause = new Error('password authentication failed for user "keys"')
  const { handler, observed } = handlerOf(() => Promise.reject(cause))
  const reply = await handler(post())
  assert.equal(reply.status, 500)
  assert.equal(reply.body, 'internal error')
  assert.equal(observed[0]?.error, cause)
})

test('a store that is away is a 503 that says when to come back, and no more', async () => {
  const { handler } = handlerOf(refusing('ERR_STORE_UNAVAILABLE', 'cannot open /var/lib/keys.db'))
  const reply = await handler(post())
  assert.equal(reply.status, 503)
  assert.match(String(reply.headers['retry-after']), /^\d+$/)
  assert.equal(reply.body, 'temporarily unavailable, try again')
})

test('rejects a body above the limit after the route was found, with the headers of the route', async () => {
  const { handler } = handlerOf(() => assert.fail('answered'), { maxBodyBytes: 9 })
  const bytes = Buffer.alloc(10)
  const reply = await handler(callOf('POST', '/copyProtection', { bytes, headers: { 'x-speke-version': '2.0' } }))
  assert.equal(reply.status, 413)
  assert.equal(reply.headers['x-speke-user-agent'], 'keyspring/9.9.9')
  assert.equal((await handler(callOf('POST', '/nowhere', { bytes }))).status, 404)
})

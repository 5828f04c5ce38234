import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { corsOf } from '../../../src/protocols/playback/cors.ts'
import { callOf } from '../../http/calls.ts'
import { base64url, kidOf, ORIGIN, playing } from './playing.ts'

const KEY_URL = `/keys/default/movie/${kidOf(1)}`
const LICENSE_URL = '/license/clearkey/default/movie'
const license = { bytes: Buffer.from(JSON.stringify({ kids: [base64url(kidOf(1))] })) }

/** A refusal and an answer of each route. */
const CALLS = [
  { method: 'GET', path: KEY_URL, status: 200 },
  { method: 'GET', path: `/keys/default/movie/${kidOf(2)}`, status: 403 },
  { method: 'GET', path: `/keys/default/other/${kidOf(1)}`, status: 404 },
  { method: 'POST', path: LICENSE_URL, status: 200 },
  { method: 'POST', path: '/license/clearkey/default/other', status: 404 },
  { method: 'PUT', path: LICENSE_URL, status: 405 },
  { method: 'OPTIONS', path: KEY_URL, status: 200 },
  { method: 'OPTIONS', path: LICENSE_URL, status: 200 },
]

for (const { method, path, status } of CALLS) {
  describe(`the reply ${status} to ${method} ${path}`, () => {
    const reply = async (origin: string | undefined, cors = corsOf([ORIGIN, 'http://localhost:3000'])) => {
      const { handler } = await playing({ cors })
      return handler(callOf(method, path, { ...license, headers: origin === undefined ? {} : { origin } }))
    }

    test('echoes an allowed origin, with credentials', async () => {
      const { status: got, headers } = await reply(ORIGIN)
      assert.equal(got, status)
      assert.equal(headers['access-control-allow-origin'], ORIGIN)
      assert.equal(headers['access-control-allow-credentials'], 'true')
      assert.equal(headers.vary, 'Origin')
    })

    for (const origin of [
      undefined,
      'null',
      'https://evil.example',
      `${ORIGIN}.evil.example`,
      `${ORIGIN}:443`,
      ORIGIN.toUpperCase(),
      'http://player.example',
      `${ORIGIN}, https://evil.example`,
      '*',
    ]) {
      test(`names no origin for ${origin}, and tells caches so`, async () => {
        const { headers } = await reply(origin)
        assert.equal(headers['access-control-allow-origin'], undefined)
        assert.equal(headers['access-control-allow-credentials'], undefined)
        assert.equal(headers['access-control-allow-methods'], undefined)
        assert.equal(headers.vary, 'Origin')
      })
    }

    test('is for every origin, without credentials, where the configuration says *', async () => {
      for (const origin of [undefined, ORIGIN, 'null']) {
        const { headers } = await reply(origin, corsOf('*'))
        assert.equal(headers['access-control-allow-origin'], '*')
        assert.equal(headers['access-control-allow-credentials'], undefined)
        assert.equal(headers.vary, 'Origin')
      }
    })
  })
}

test('a preflight allows the method of the route and the headers that players send, without a token', async () => {
  for (const [path, methods] of [
    [KEY_URL, 'GET, HEAD'],
    [LICENSE_URL, 'POST'],
  ] as const) {
    const { handler } = await playing({ access: { allow: () => assert.fail('asked') } })
    const { status, headers, body } = await handler(callOf('OPTIONS', path, { headers: { origin: ORIGIN } }))
    assert.equal(status, 200)
    assert.equal(body, '')
    assert.equal(headers['access-control-allow-methods'], methods)
    assert.equal(headers['access-control-allow-headers'], 'authorization, content-type')
    assert.equal(headers['access-control-max-age'], '7200')
  }
})

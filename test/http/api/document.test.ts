import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { AuthenticationError } from '../../../src/auth/failure.ts'
import { ApiRequestError } from '../../../src/http/api/problem.ts'
import { STATUS } from '../../../src/http/errors.ts'
import { apiRoutes } from '../../../src/http/routes/api.ts'
import { callOf, handlerFor } from '../calls.ts'
import { misfits, resolve } from './json-schema.ts'
import { apiWorld, KID } from './worlds.ts'

interface Media {
  readonly schema: Readonly<Record<string, unknown>>
  readonly example?: unknown
}
interface Described {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly tags: readonly string[]
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required?: boolean
    readonly schema: Readonly<Record<string, unknown>>
  }[]
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, Media>> }
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content: Readonly<Record<string, Media>> }>
  >
}

const { ask, issue } = apiWorld()
const served = await ask('GET', '/openapi.json')
const document = served.json
const operations = Object.entries(document.paths as Record<string, Record<string, Described>>).flatMap(
  ([path, methods]) => Object.entries(methods).map(([method, described]) => ({ path, method, ...described })),
)

/** The answers that a whole day of the API gives, each as it comes. */
const REQUESTS: Readonly<Record<string, { readonly query?: string; readonly content?: string }>> = {
  listContents: { query: '?limit=1' },
  showContent: {},
  deleteContent: { query: '?reason=x', content: 'deleted' },
  holdContent: { content: 'held' },
  releaseContent: { query: '?reason=x', content: 'held' },
  listPeriods: { query: '?expected=3' },
  listOverrides: {},
  addOverride: { content: 'overridden' },
  removeOverride: { query: '?force=true&reason=x', content: 'overridden' },
  addKidOverride: { content: 'ruled' },
  removeKidOverride: { query: '?intendedTrackType=AUDIO&force=true&reason=x', content: 'ruled' },
  listKeys: {},
  showKey: {},
  importKeys: {},
  exportKeys: {},
  lookUpKid: {},
  resolveKeys: {},
  showRetention: { query: '?contentId=live-1' },
  sweep: {},
}

describe('/openapi.json', () => {
  test('is OpenAPI 3.1 as its structure has to be', () => {
    assert.equal(served.headers['content-type'], 'application/json')
    assert.equal(document.openapi, '3.1.0')
    const info = document.info as Record<string, unknown>
    assert.ok(info.title && info.version === '9.9.9')
    const known = ['openapi', 'info', 'servers', 'paths', 'components', 'webhooks']
    assert.deepEqual(
      Object.keys(document).filter((name) => !known.includes(name)),
      [],
    )
    const ids = operations.map(({ operationId }) => operationId)
    assert.equal(new Set(ids).size, ids.length)
  })

  test('describes every operation that is tried here, and no other', () => {
    assert.deepEqual(operations.map(({ operationId }) => operationId).sort(), Object.keys(REQUESTS).sort())
  })

  test('has every schema that it refers to', () => {
    for (const [, reference = ''] of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g))
      resolve(reference, document)
  })

  for (const { operationId, path, parameters = [], ...described } of operations) {
    test(`${operationId} names its parameters, its credentials and its problems`, () => {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const named = parameters.filter((one) => one.in === 'path')
      assert.deepEqual(named.map(({ name }) => name).sort(), inPath.sort())
      for (const one of named) assert.equal(one.required, true)
      assert.equal(new Set(parameters.map((one) => `${one.in} ${one.name}`)).size, parameters.length)
      const schemes = Object.keys((document.components as { securitySchemes: object }).securitySchemes)
      assert.deepEqual(described.security.flatMap((one) => Object.keys(one)).sort(), schemes.sort())
      assert.ok(described.summary && described.description && described.tags.length === 1)
      for (const [status, response] of Object.entries(described.responses)) {
        assert.match(status, /^[1-5]\d\d$/)
        assert.ok(response.description)
        for (const [, code] of response.description.matchAll(/`(ERR_\w+)`/g)) {
          assert.equal(String(STATUS[code as keyof typeof STATUS]), status, code)
        }
      }
      for (const needed of ['200', '400', '401', '403', '429', '503']) assert.ok(needed in described.responses, needed)
    })

    test(`${operationId} has examples that fit their schemas`, () => {
      const media = [described.requestBody?.content ?? {}, described.responses['200']?.content ?? {}]
      for (const [type, { schema, example }] of media.flatMap((content) => Object.entries(content))) {
        assert.notEqual(example, undefined, type)
        assert.deepEqual(misfits(schema, example, document), [])
      }
    })
  }
})

describe('every operation', () => {
  for (const { operationId, path, method, requestBody, responses } of operations) {
    test(`${operationId} answers its example as it is described`, async () => {
      const { query = '', content = 'live-1' } = REQUESTS[operationId] ?? {}
      if (!['overridden', 'ruled', 'held'].includes(content) || method === 'put') await issue(content)
      const at = `${path.replace('{content}', content).replace('{kid}', KID)}${query}`
      const bodies = Object.entries(requestBody?.content ?? { '': { schema: {} } })
      for (const [type, { example }] of bodies) {
        const body = typeof example === 'string' ? example : example === undefined ? '' : JSON.stringify(example)
        const headers: Record<string, string> = type === '' ? {} : { 'content-type': type }
        const reply = await ask(method.toUpperCase(), at, { headers, body })
        assert.equal(reply.status, 200, `${type}: ${reply.text}`)
        const mediaType = String(reply.headers['content-type']).split(';', 1)[0] ?? ''
        const described = responses['200']?.content[mediaType]
        assert.ok(described !== undefined, mediaType)
        const value: unknown = mediaType === 'application/json' ? JSON.parse(reply.text) : reply.text
        assert.deepEqual(misfits(described.schema, value, document), [], reply.text)
      }
    })

    test(`${operationId} rejects what it does not know as it is described`, async () => {
      const at = path.replace('{content}', 'live-1').replace('{kid}', KID)
      const type = Object.keys(requestBody?.content ?? {})[0]
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      const reply = await ask(method.toUpperCase(), `${at}?unknown=1`, {
        headers,
        body: type === undefined ? '' : '{}',
      })
      assert.equal(reply.status, 400)
      const problem = responses['400']?.content['application/problem+json']
      assert.ok(problem !== undefined)
      assert.deepEqual(misfits(problem.schema, reply.json, document), [])
    })
  }
})

describe('/api/docs', () => {
  test('is a page that loads nothing and runs nothing', async () => {
    const { status, headers, text } = await ask('GET', '/api/docs')
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'text/html; charset=utf-8')
    assert.doesNotMatch(text, /<script|<link|<img|<iframe|@import|url\(|\son\w+=|https?:\/\//i)
    const style = /<style>([^<]*)<\/style>/.exec(text)?.[1] ?? ''
    const hash = createHash('sha256').update(style).digest('base64')
    const policy = String(headers['content-security-policy'])
    assert.match(policy, /^default-src 'none';/)
    assert.ok(policy.includes(`style-src 'sha256-${hash}'`))
  })

  test('has a place for every operation and for every code that a problem may have', async () => {
    const { text } = await ask('GET', '/api/docs')
    const ids = new Set([...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))
    for (const { operationId } of operations) assert.ok(ids.has(operationId), operationId)
    for (const [, target] of text.matchAll(/href="#([^"]+)"/g)) assert.ok(ids.has(target), target)
    for (const { responses } of operations) {
      for (const { description } of Object.values(responses)) {
        for (const [, code] of description.matchAll(/`(ERR_\w+)`/g)) assert.ok(ids.has(code), code)
      }
    }
  })

  test('escapes what stands in examples', async () => {
    const { text } = await ask('GET', '/api/docs')
    assert.match(text, /&lt;CPIX/)
    assert.doesNotMatch(text, /<CPIX/)
  })
})

describe('/api/docs without a valid credential', () => {
  const reply = (accept?: string) =>
    toLoginReply(callOf('GET', '/api/docs', { headers: accept === undefined ? {} : { accept } }))
  const toLoginReply = handlerFor({
    routes: apiRoutes({
      world: apiWorld().world,
      identify: () => {
        throw new AuthenticationError('missing', undefined, ['Basic realm="keyspring"'])
      },
      version: '9.9.9',
    }),
  })

  test('tells a browser how to log in, and asks for credentials', async () => {
    const { status, headers, body } = await reply('text/html,application/xhtml+xml,*/*;q=0.8')
    assert.equal(status, 401)
    assert.equal(headers['content-type'], 'text/html; charset=utf-8')
    assert.deepEqual(headers['www-authenticate'], ['Basic realm="keyspring"'])
    assert.match(String(body), /Log in to read[\s\S]*keyspring client add/)
    assert.doesNotMatch(String(body), /<script|undefined/)
  })

  test('answers a program with a problem', async () => {
    for (const accept of [undefined, 'application/json', '*/*']) {
      const { status, headers } = await reply(accept)
      assert.deepEqual([status, headers['content-type']], [401, 'application/problem+json'])
    }
  })
})

test('a refusal lists its problems in its message, too', () => {
  const error = new ApiRequestError([
    { path: 'body.a', problem: 'expected b' },
    { path: 'query.c', problem: 'expected d' },
  ])
  assert.equal(error.message, 'body.a: expected b; query.c: expected d')
})

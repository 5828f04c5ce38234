import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { GatewayIdentity } from '../../../src/server/assemble/function.ts'
import { EVENT_KINDS, kindOf } from '../../../src/server/lambda/handler.ts'
import { encodeReply, toIncomingRequest } from '../../../src/server/lambda/request.ts'
import { EVENTS, type EventName, recorded } from './events.ts'

const identity: GatewayIdentity = {
  secretHeader: 'x-keyspring-gateway-secret',
  secret: 'the-secret-of-this-process',
  arnHeader: 'x-speke-caller-arn',
  accountHeader: 'x-speke-account',
}
const OPTIONS = { identity, maxBodyBytes: 1_024 }

const callOf = (event: unknown, options = OPTIONS) => {
  const { kind, fields } = kindOf(event)
  return toIncomingRequest(kind.toRequest(fields) ?? assert.fail('nothing is asked'), options.identity)
}
/** The body, as a route with a limit of 1024 bytes reads it. */
const bodyOf = (call: ReturnType<typeof callOf>): Promise<Buffer> => call.readBody(1_024, () => undefined)
const foundAt = (name: EventName) => {
  const { kind, fields } = kindOf(recorded(name).event)
  return kind.toRequest(fields)?.foundAt
}

describe(`an event of a REST API (${recorded('rest-api').origin})`, () => {
  const call = callOf(recorded('rest-api').event)

  test('is the request that the caller signed, routed without the stage', () => {
    assert.equal(call.method, 'POST')
    assert.equal(call.rawPath, '/EkeStage/copyProtection')
    assert.equal(call.routePath, '/copyProtection')
    assert.equal(foundAt('rest-api'), 'https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/EkeStage')
  })

  test('is routed without the path that a domain of its own has before the stage', () => {
    const { event } = recorded('rest-api')
    const path = '/v1/copyProtection'
    const requestContext = { ...Object(event.requestContext), path, domainName: 'keys.example.com' }
    for (const resource of ['/{proxy+}', '/copyProtection']) {
      const { kind, fields } = kindOf({ ...event, resource, path, requestContext })
      const request = kind.toRequest(fields)
      assert.deepEqual([request?.rawPath, request?.routePath], [path, '/copyProtection'])
      assert.equal(request?.foundAt, 'https://keys.example.com/v1')
    }
  })

  test('has its body, headers in lower case, the address that the gateway saw, and its id', async () => {
    assert.deepEqual(await bodyOf(call), Buffer.from('<CPIX/>'))
    assert.equal(call.headers['x-speke-version'], '2.0')
    assert.equal(call.peer, '198.51.100.7')
    assert.equal(call.secure, true)
    assert.equal(call.requestId, 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef')
  })

  test('says who called as a gateway in front of a node does', () => {
    assert.equal(call.headers['x-speke-caller-arn'], 'arn:aws:sts::111122223333:assumed-role/SpekeRole/MediaPackage')
    assert.equal(call.headers['x-speke-account'], '111122223333')
    assert.equal(call.headers['x-keyspring-gateway-secret'], identity.secret)
  })
})

describe(`an event of an HTTP API (${recorded('http-api').origin})`, () => {
  const call = callOf(recorded('http-api').event)

  test('is the request as it was sent, its query byte for byte, routed without the stage', () => {
    const query = '?expires=1795256100&key=secret&signature=a-b_c'
    assert.equal(call.rawPath, `/prod/keys/default/movie/71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101${query}`)
    assert.equal(call.routePath, `/keys/default/movie/71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101${query}`)
    assert.equal(foundAt('http-api'), 'https://f6g7h8i9j0.execute-api.eu-west-1.amazonaws.com/prod')
  })

  test('has its cookies in one header, and its caller', () => {
    assert.equal(call.headers.cookie, 'playback=token1; theme=dark')
    assert.equal(call.headers['x-speke-caller-arn'], 'arn:aws:iam::111122223333:user/encoder')
    assert.equal(call.requestId, 'JKJaXmPLvHcESHA')
  })
})

describe(`an event of a function URL (${recorded('function-url').origin})`, () => {
  const call = callOf(recorded('function-url').event)

  test('is the request, with nobody vouched for', async () => {
    assert.deepEqual(
      [call.method, call.rawPath, call.routePath],
      ['POST', '/license/clearkey/default/movie', undefined],
    )
    assert.match((await bodyOf(call)).toString(), /"kids"/)
    assert.equal(call.headers['x-speke-caller-arn'], undefined)
    assert.equal(call.headers['x-keyspring-gateway-secret'], undefined)
    assert.equal(foundAt('function-url'), 'https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.on.aws')
  })
})

describe(`an event of a load balancer (${recorded('load-balancer').origin})`, () => {
  test('has its query as it was sent, and the address that the balancer added, not one the caller made up', () => {
    const call = callOf(recorded('load-balancer').event)
    assert.equal(call.rawPath, '/speke/v2.0/copyProtection?a=b%2Fc')
    assert.deepEqual([call.peer, call.secure], ['203.0.113.9', true])
    assert.equal(foundAt('load-balancer'), undefined)
  })

  test('has several values of a header and of a parameter', () => {
    const call = callOf(recorded('load-balancer-multi-value').event)
    assert.equal(call.rawPath, '/livez?a=1&a=2')
    assert.equal(call.headers.cookie, 'a=1; b=2')
    assert.equal(call.secure, false)
  })
})

describe('a path', () => {
  const KID = '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101'
  const resource = '/keys/{tenant}/{content}/{kid}'
  const restPath = (path: string, pathParameters: Readonly<Record<string, string>>, before = '') => {
    const { event } = recorded('rest-api')
    const requestContext = { ...Object(event.requestContext), path: `/players${path}` }
    return callOf({ ...event, resource, path: `${before}${path}`, pathParameters, requestContext }).routePath
  }

  test('of a REST API is routed as it was sent, whether the API decodes its parameters or not', () => {
    for (const content of ['a/b', 'a%2Fb', 'a b?c#d', '100%25']) {
      const sent = `/keys/default/${encodeURIComponent(content)}/${KID}`
      assert.equal(restPath(sent, { tenant: 'default', content, kid: KID }), sent)
      assert.equal(restPath(sent, { tenant: 'default', content: encodeURIComponent(content), kid: KID }), sent)
      assert.equal(restPath(sent, { tenant: 'default', content, kid: KID }, '/v1'), sent)
    }
  })

  test('of a REST API cannot reach another content by steps up, dots or slashes in a parameter', () => {
    for (const kid of [`../film-2/${KID}`, `..\\film-2\\${KID}`, `x?/film-2/${KID}`]) {
      const sent = `/keys/default/film-1/${encodeURIComponent(kid)}`
      assert.equal(restPath(sent, { tenant: 'default', content: 'film-1', kid }), sent)
    }
  })

  test('of an HTTP API, which decodes it, cannot become a query, and is one path again', () => {
    const { event } = recorded('http-api')
    for (const [rawPath, sent] of [
      ['/prod/keys/default/a?b#c/kid', '/keys/default/a%3Fb%23c/kid'],
      ['/prod/keys/default/a b/kid', '/keys/default/a%20b/kid'],
      ['/prod/keys/default/é%/kid', '/keys/default/%C3%A9%25/kid'],
      ['/prod/keys/default/a%2Fb/kid', '/keys/default/a%2Fb/kid'],
    ] as const) {
      assert.equal(callOf({ ...event, rawPath, rawQueryString: '' }).routePath, sent)
      assert.equal(callOf({ ...event, rawPath, rawQueryString: undefined }).routePath, sent)
    }
  })
})

describe('headers that only a gateway may send', () => {
  for (const name of EVENTS) {
    test(`are dropped where a caller of ${name} sends them`, () => {
      const { event } = recorded(name)
      const forged = {
        'X-Speke-Caller-Arn': 'arn:aws:iam::999999999999:role/Forged',
        'x-speke-ACCOUNT': '999999999999',
        'X-Keyspring-Gateway-Secret': 'guessed',
      }
      const listed = Object.fromEntries(Object.entries(forged).map(([key, value]) => [key, [value]]))
      const changed = {
        ...event,
        ...(event.headers !== undefined && { headers: { ...Object(event.headers), ...forged } }),
        ...(event.multiValueHeaders !== undefined && {
          multiValueHeaders: { ...Object(event.multiValueHeaders), ...listed },
        }),
      }
      const call = callOf(changed)
      assert.doesNotMatch(JSON.stringify([call.headers, call.rawHeaders]), /999999999999|guessed/)
      assert.deepEqual(call.headers, callOf(event).headers)
    })
  }
})

describe('an event', () => {
  test('of each kind is recognized by its own kind alone', () => {
    for (const name of [...EVENTS, 'schedule'] as const) {
      assert.equal(EVENT_KINDS.filter((kind) => kind.recognizes(recorded(name).event)).length, 1, name)
    }
  })

  test('is of one kind however much of another is in it, or refused', () => {
    for (const name of EVENTS) {
      for (const other of EVENTS) {
        const both = { ...recorded(other).event, ...recorded(name).event }
        const found = EVENT_KINDS.filter((kind) => kind.recognizes(both))
        assert.ok(found.length <= 1, `${name} over ${other}`)
        const caller = found[0]?.toRequest(both)?.caller
        assert.deepEqual(caller, kindOf(recorded(name).event).kind.toRequest(recorded(name).event)?.caller)
      }
    }
  })

  test('without what says who called has no caller', () => {
    const rest = recorded('rest-api').event
    const http = recorded('http-api').event
    const identity = { ...Object(Object(rest.requestContext).identity) }
    for (const userArn of [undefined, null, '', 7, {}]) {
      const event = { ...rest, requestContext: { ...Object(rest.requestContext), identity: { ...identity, userArn } } }
      const call = callOf(event)
      assert.equal(call.headers['x-keyspring-gateway-secret'], undefined)
      assert.ok(!call.headers['x-speke-caller-arn'])
    }
    for (const authorizer of [
      undefined,
      null,
      { jwt: {} },
      { lambda: { iam: { userArn: 'arn:forged' } } },
      { iam: [] },
    ]) {
      const call = callOf({ ...http, requestContext: { ...Object(http.requestContext), authorizer } })
      assert.equal(call.headers['x-keyspring-gateway-secret'], undefined)
    }
  })

  test('with headers of names that every object has is a call with those headers', () => {
    const { event } = recorded('http-api')
    const headers = JSON.parse('{"constructor":"a","__proto__":"b","hasownproperty":"c"}')
    const call = callOf({ ...event, headers })
    assert.deepEqual(Object.entries(call.headers).slice(0, 3), [
      ['constructor', 'a'],
      ['__proto__', 'b'],
      ['hasownproperty', 'c'],
    ])
  })

  test('that lies about base64 is a call with other bytes, never a failure', async () => {
    const { event } = recorded('rest-api')
    assert.ok((await bodyOf(callOf({ ...event, body: '<CPIX/>', isBase64Encoded: true }))).length < 7)
    for (const isBase64Encoded of [false, undefined, 'true', 1])
      assert.equal(
        (await bodyOf(callOf({ ...event, body: 'PENQSVgvPg==', isBase64Encoded }))).toString(),
        'PENQSVgvPg==',
      )
    for (const body of [null, undefined, 7, {}]) assert.equal((await bodyOf(callOf({ ...event, body }))).length, 0)
  })

  test('of no kind is refused by the names of those there are', () => {
    for (const event of [undefined, null, 'text', [], {}, { Records: [] }, { version: '2.0' }, { httpMethod: 'GET' }]) {
      assert.throws(() => kindOf(event), {
        code: 'ERR_USAGE_INVALID',
        message: /REST API.*function URL.*Load Balancer/,
      })
    }
  })

  test('rejects a body above the limit when the body is read', async () => {
    const call = callOf({ ...recorded('rest-api').event, body: Buffer.alloc(1_025).toString('base64') })
    await assert.rejects(bodyOf(call), { code: 'ERR_BODY_TOO_LARGE' })
  })

  test('with a header that must come once and came twice keeps both for whoever asks', () => {
    const { event } = recorded('rest-api')
    const multiValueHeaders = { ...Object(event.multiValueHeaders), Authorization: ['Bearer a', 'Bearer b'] }
    const call = callOf({ ...event, multiValueHeaders })
    assert.equal(call.headers.authorization, 'Bearer a')
    assert.equal(call.rawHeaders?.filter((one) => one === 'Authorization').length, 2)
  })
})

describe('a reply', () => {
  const call = callOf(recorded('rest-api').event)
  const key = Uint8Array.from([0, 255, 128, 7])
  const lists = { 'www-authenticate': ['Digest a', 'Basic b'], 'set-cookie': ['a=1', 'b=2'] }

  test('is base64 where it is bytes, and text where it is text', () => {
    const encoded = encodeReply(
      { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: key },
      call,
    )
    assert.deepEqual([encoded.body, encoded.isBase64], [Buffer.from(key).toString('base64'), true])
    for (const type of [
      'application/xml',
      'text/plain; charset=utf-8',
      'application/json',
      'application/problem+json',
    ]) {
      const text = encodeReply({ status: 200, headers: { 'content-type': type }, body: Buffer.from('é') }, call)
      assert.deepEqual([text.body, text.isBase64], ['é', false], type)
    }
  })

  test('to HEAD has no body', () => {
    const encoded = encodeReply({ status: 200, headers: {}, body: 'live' }, { ...call, method: 'HEAD' })
    assert.deepEqual([encoded.body, encoded.isBase64], ['', false])
  })

  test('has every value of a header, as each kind of event has them', () => {
    const results = EVENTS.map((name) => {
      const { kind, fields } = kindOf(recorded(name).event)
      return kind.toResult(encodeReply({ status: 401, headers: lists, body: '' }, call), fields)
    })
    const multi = { 'www-authenticate': ['Digest a', 'Basic b'], 'set-cookie': ['a=1', 'b=2'] }
    const joined = 'Digest a, Basic b'
    for (const [i, name] of EVENTS.entries()) {
      const { headers, multiValueHeaders, cookies } = Object(results[i])
      if (multiValueHeaders !== undefined) {
        for (const [key, values] of Object.entries(multi)) assert.deepEqual(multiValueHeaders[key], values, name)
      } else {
        assert.equal(headers['www-authenticate'], joined, name)
        if (name !== 'load-balancer') assert.deepEqual(cookies, ['a=1', 'b=2'], name)
      }
    }
  })
})

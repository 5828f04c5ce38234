import type { Attack, Group } from './case.ts'
import { SOUND } from './documents.ts'
import { headOf, sendRaw } from './raw.ts'
import type { Target } from './target.ts'

const length = Buffer.byteLength(SOUND)

/** A head with these lines and what follows it. */
const raw = (
  name: string,
  expected: number | readonly number[],
  lines: readonly string[],
  body = '',
  more: Partial<Attack> = {},
): Attack => ({
  name,
  expected: typeof expected === 'number' ? [expected] : expected,
  send: (target) => sendRaw(target, [headOf(target, lines) + body]),
  ...more,
})
/** Bytes of a request, whole. */
const bytes = (
  name: string,
  expected: number | readonly number[],
  text: (target: Target) => string | Buffer,
): Attack => ({
  name,
  expected: typeof expected === 'number' ? [expected] : expected,
  send: (target) => sendRaw(target, [text(target)]),
})
const chunked = 'Transfer-Encoding: chunked'
const close = 'Connection: close'
const SMUGGLED = 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'
/** One request is one answer: a second means that something was smuggled. */
const oneAnswer: Pick<Attack, 'problem'> = {
  problem: (outcome) => ('answers' in outcome && Number(outcome.answers) > 1 ? 'a second request was read' : undefined),
}
const get = (path: string, ...lines: readonly string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...lines, close, '', ''].join('\r\n')

export const SMUGGLING: Group = {
  name: 'request smuggling',
  attacks: [
    raw('length and chunks', 400, [`Content-Length: ${length}`, chunked], `0\r\n\r\n${SMUGGLED}`, oneAnswer),
    raw('chunks and length', 400, [chunked, 'Content-Length: 5'], `0\r\n\r\n${SMUGGLED}`, oneAnswer),
    raw('two lengths', 400, ['Content-Length: 5', `Content-Length: ${length}`], SMUGGLED, oneAnswer),
    raw('two lengths that agree', 400, ['Content-Length: 0', 'Content-Length: 0'], SMUGGLED, oneAnswer),
    raw('a list of lengths', 400, ['Content-Length: 5, 5'], SMUGGLED, oneAnswer),
    ...['-1', '+5', '0x10', '1e3', '5 5', '٥', '', '1_000', '5;', '99999999999999999999999'].map((value) =>
      raw(`the length ${JSON.stringify(value)}`, [400, 413], [`Content-Length: ${value}`], SMUGGLED, oneAnswer),
    ),
    ...[
      'xchunked',
      'chunked, identity',
      'identity, chunked, chunked',
      'chunked;q=1',
      '"chunked"',
      '\u000bchunked',
      'chunked\u0000',
      'gzip, identity',
    ].map((coding) =>
      raw(
        `the coding ${JSON.stringify(coding)}`,
        [400, 501, 0],
        [`Transfer-Encoding: ${coding}`, close],
        `0\r\n\r\n${SMUGGLED}`,
        oneAnswer,
      ),
    ),
    raw('two codings', [400, 501], [chunked, 'Transfer-Encoding: identity'], `0\r\n\r\n${SMUGGLED}`, oneAnswer),
    raw('a space before the colon', 400, ['Transfer-Encoding : chunked'], SMUGGLED, oneAnswer),
    raw('a header that is folded', 400, ['X-A: b', ' Transfer-Encoding: chunked'], SMUGGLED, oneAnswer),
    raw('a line without a colon', 400, ['Transfer-Encoding chunked'], SMUGGLED, oneAnswer),
    raw('a name with a control character', 400, ['X-\u0001A: b']),
    raw('a value with NUL', 400, ['X-A: b\u0000c']),
    raw('a bare CR in a value', 400, ['X-A: b\rContent-Length: 5']),
    raw('a bare LF between headers', [400, 200], ['X-A: b\nX-B: c', 'Content-Length: 0', close], '', oneAnswer),
    raw('a chunk of negative size', 400, [chunked], '-1\r\n\r\n'),
    raw('a chunk size beyond 64 bits', [400, 413], [chunked], 'fffffffffffffffff\r\n'),
    raw('a chunk of 16 EB', [400, 413, 408], [chunked], `7fffffffffffffff\r\n${'a'.repeat(100)}`),
    raw('a chunk size with 0x', 400, [chunked], '0x5\r\nabcde\r\n0\r\n\r\n'),
    raw('a chunk longer than it says', 400, [chunked], '3\r\nabcdef\r\n0\r\n\r\n'),
    raw('a chunk that ends in LF alone', [400, 408], [chunked], '3\nabc\n0\n\n', { slow: true }),
    raw('chunk extensions of 20 KB', [400, 413], [chunked], `3;${'a'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`),
    raw(
      'trailers that repeat the length',
      [400],
      [chunked, close],
      '1\r\n<\r\n0\r\nContent-Length: 5\r\nX-API-Key: x\r\n\r\n',
      oneAnswer,
    ),
    raw(
      'chunks over the largest body',
      413,
      [chunked],
      `${'10000\r\n'.concat('a'.repeat(65_536), '\r\n').repeat(17)}0\r\n\r\n`,
    ),
    raw('20 000 chunks of a byte', 400, [chunked], `${'1\r\n \r\n'.repeat(20_000)}0\r\n\r\n`),
  ],
}

export const HTTP: Group = {
  name: 'HTTP',
  attacks: [
    bytes('no Host', 400, () => 'GET /livez HTTP/1.1\r\n\r\n'),
    bytes('two Hosts', 400, () => 'GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'),
    bytes('HTTP/0.9', [400, 0], () => 'GET /livez\r\n\r\n'),
    bytes('HTTP/3.0', [400, 505], () => 'GET /livez HTTP/3.0\r\nHost: a\r\n\r\n'),
    bytes('the preface of HTTP/2', [400, 505], () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    bytes('a TLS hello', 400, () => Buffer.from('16030100a5010000a10303', 'hex')),
    bytes('noise', 400, () => Buffer.from(Array.from({ length: 4_096 }, (_, i) => (i * 89) % 256))),
    bytes('a method in lower case', 400, () => 'post /copyProtection HTTP/1.1\r\nHost: a\r\n\r\n'),
    bytes('a method that is none', 400, () => 'HACK /copyProtection HTTP/1.1\r\nHost: a\r\n\r\n'),
    bytes('a method of 8 KB', 400, () => `${'A'.repeat(8_000)} / HTTP/1.1\r\nHost: a\r\n\r\n`),
    ...['GET', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'OPTIONS', 'HEAD', 'PROPFIND'].map((method) =>
      bytes(
        `${method} instead of POST`,
        405,
        () => `${method} /copyProtection HTTP/1.1\r\nHost: a\r\n${close}\r\n\r\n`,
      ),
    ),
    bytes('CONNECT', [400, 404, 405, 0], () => 'CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n'),
    ...[
      '/../../etc/passwd',
      '//copyProtection',
      '/%2e%2e/copyProtection',
      '/copyProtection%00',
      '/copyProtection%0d%0aX-Injected:%20yes',
      '/.git/config',
      '/copyProtection/../metrics',
      '/data/root.key',
      '*',
      '/__proto__',
      '/constructor',
      `/${'a'.repeat(8_000)}`,
    ].map((path) => bytes(`GET ${path.slice(0, 40)}`, [404, 400], () => get(path))),
    bytes('a target of 20 KB', [431, 414], () => get(`/${'a'.repeat(20_000)}`)),
    bytes('another origin in the target', [404, 401, 400, 200], () => get('http://evil.example/livez')),
    bytes('metrics without a credential', 401, () => get('/metrics')),
    bytes('metrics by a forwarding header', 401, () => get('/metrics', 'X-Forwarded-For: 127.0.0.1')),
    bytes('a header of 20 KB', 431, () => get('/livez', `X-A: ${'a'.repeat(20_000)}`)),
    bytes('1 500 headers', [431, 400], () =>
      get('/livez', ...Array.from({ length: 1_500 }, (_, i) => `X-${i}: ${'a'.repeat(10)}`)),
    ),
    bytes('a name of 17 KB', 431, () => get('/livez', `${'a'.repeat(17_000)}: b`)),
    bytes('an upgrade to WebSocket', [200, 400, 404, 426], () =>
      get('/livez', 'Upgrade: websocket', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==').replace(
        close,
        'Connection: Upgrade',
      ),
    ),
    bytes('an upgrade to h2c', [200, 400, 404, 426], () =>
      get('/livez', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__').replace(
        close,
        'Connection: Upgrade, HTTP2-Settings',
      ),
    ),
    ...[
      'text/html',
      'multipart/form-data; boundary=x',
      'application/json',
      'application/xml; charset=utf-7',
      'application/xml; charset="utf-8"; charset=utf-7',
      `application/xml; ${'a=b;'.repeat(3_000)} charset=latin1`,
      'application/xml\u000b',
      '__proto__',
    ].map((type) => ({
      name: `Content-Type ${type.slice(0, 36)}`,
      expected: [415, 400, 0],
      send: (target: Target) =>
        sendRaw(target, [
          headOf(target, [`Content-Length: ${length}`, close]).replace('application/xml', type) + SOUND,
        ]),
    })),
    ...[
      '',
      '9.9',
      '2.0.0',
      '__proto__',
      'constructor',
      '2.0, 2.1',
      '2.0\u00e9',
      '2'.repeat(10_000),
      ' 2.0 2.0',
      '1e0',
    ].map((version) => ({
      name: `X-Speke-Version ${JSON.stringify(version.slice(0, 20))}`,
      expected: [422, 400],
      send: (target: Target) =>
        sendRaw(target, [
          headOf(target, [`Content-Length: ${length}`, close]).replace(
            'X-Speke-Version: 2.0',
            `X-Speke-Version: ${version}`,
          ) + SOUND,
        ]),
    })),
    raw(
      'Content-Encoding gzip',
      [200, 415, 400],
      [`Content-Length: ${length}`, 'Content-Encoding: gzip', close],
      SOUND,
    ),
    raw('a request id with markup', 200, [`Content-Length: ${length}`, close, 'X-Request-Id: <script>"'], SOUND, {
      problem: ({ text }) => (text.includes('<script>') ? 'it came back' : undefined),
    }),
    raw('Expect that nobody knows', [417, 400, 200], [`Content-Length: ${length}`, 'Expect: magic', close], SOUND),
    raw('100 MB announced, with Expect', 413, ['Content-Length: 104857600', 'Expect: 100-continue'], '', {
      problem: ({ text }) => (text.includes('100 Continue') ? 'it was asked for' : undefined),
    }),
    raw('100 MB announced', 413, ['Content-Length: 104857600']),
    raw('a body without a length', [400, 0], [close], SOUND),
  ],
}

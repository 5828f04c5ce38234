import { createHash, createHmac, randomBytes } from 'node:crypto'
import { SignJWT } from 'jose'
import { digestResponse, digestSecret } from '../../src/auth/methods/digest-secret.ts'
import { signSigV4 } from '../../src/auth/methods/sigv4-sign.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Attack, Group } from './case.ts'
import { SOUND } from './documents.ts'
import { ARN, ISSUER, type Target } from './target.ts'

type Headers = Readonly<Record<string, string | string[]>>

/** A request with forged headers: 401, whatever is forged. */
const forged = (name: string, headers: (target: Target) => Headers | Promise<Headers>, path?: string): Attack => ({
  name,
  expected: [401],
  send: async (target) => target.post(SOUND, await headers(target), path),
  problem: ({ text }) => (/PlainValue>[^<]/.test(text) ? 'it got keys' : undefined),
})
/** The right one is taken: else the forgeries would prove nothing. */
const right = (name: string, headers: (target: Target) => Headers | Promise<Headers>): Attack => ({
  name: `${name}, the right one`,
  expected: [200],
  send: async (target) => target.post(SOUND, await headers(target)),
})
const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` })

export const TOKENS: Group = {
  name: 'tokens',
  attacks: [
    right('X-API-Key', ({ secrets }) => ({ 'x-api-key': secrets.token })),
    forged('nothing', () => ({})),
    forged('another secret', ({ secrets }) => ({ 'x-api-key': `${secrets.token.slice(0, -43)}${'A'.repeat(43)}` })),
    forged('the id alone', () => ({ 'x-api-key': 'ks_0123456789abcdef_' })),
    forged('a character less', ({ secrets }) => ({ 'x-api-key': secrets.token.slice(0, -1) })),
    forged('a character more', ({ secrets }) => ({ 'x-api-key': `${secrets.token}A` })),
    forged('in upper case', ({ secrets }) => ({ 'x-api-key': secrets.token.toUpperCase() })),
    forged('an empty one', () => ({ 'x-api-key': '' })),
    forged('SQL', () => ({ 'x-api-key': "' OR '1'='1" })),
    forged('an id __proto__', () => ({ 'x-api-key': `ks___proto___${'A'.repeat(43)}` })),
    forged('12 KB', () => ({ 'x-api-key': 'A'.repeat(12_000) })),
    forged('twice', ({ secrets }) => ({ 'x-api-key': [secrets.token, secrets.token] })),
    forged('in two headers', ({ secrets }) => ({ 'x-api-key': secrets.token, 'api-key': secrets.token })),
    forged('with a wrong Authorization', ({ secrets }) => ({ 'x-api-key': secrets.token, ...bearer('x.y.z') })),
    forged('in the URL', () => ({}), '/copyProtection?token=x'),
    {
      ...forged('the right one in the URL', () => ({})),
      send: (target) =>
        target.post(SOUND, {}, `/copyProtection?x-api-key=${target.secrets.token}&token=${target.secrets.token}`),
    },
    forged('the right one in a cookie', ({ secrets }) => ({
      cookie: `token=${secrets.token}; x-api-key=${secrets.token}`,
    })),
    forged('Bearer without a token', () => ({ authorization: 'Bearer' })),
    forged('a scheme that is none', ({ secrets }) => ({ authorization: `Token ${secrets.token}` })),
  ],
}

const seconds = (): number => Math.floor(Date.now() / 1_000)
const claims = () => ({ sub: 'encoder', iss: ISSUER, aud: 'keyspring', exp: seconds() + 60 })
const jwtOf = (
  { jwtKeys }: Target,
  changes: Readonly<Record<string, unknown>> = {},
  header: object = {},
): Promise<string> =>
  new SignJWT({ ...claims(), ...changes })
    .setProtectedHeader({ alg: 'EdDSA', kid: 'one', ...header })
    .sign(jwtKeys.privateKey)
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const unsigned = (header: object, signature = ''): string => `${part(header)}.${part(claims())}.${signature}`
/** A token signed by HMAC with what is public. */
const confused = ({ jwtKeys }: Target, alg: 'HS256' | 'HS512'): string => {
  const text = unsigned({ alg, kid: 'one' }).slice(0, -1)
  const secret = jwtKeys.publicKey.export({ type: 'spki', format: 'pem' })
  return `${text}.${createHmac(alg === 'HS256' ? 'sha256' : 'sha512', secret)
    .update(text)
    .digest('base64url')}`
}
const jwt = (name: string, token: (target: Target) => string | Promise<string>): Attack =>
  forged(name, async (target) => bearer(await token(target)))

export const JWTS: Group = {
  name: 'JSON Web Tokens',
  attacks: [
    right('JWT', async (target) => bearer(await jwtOf(target))),
    ...['none', 'None', 'NONE', '', 'HS256'].map((alg) =>
      jwt(`alg ${JSON.stringify(alg)}, no signature`, () => unsigned({ alg })),
    ),
    jwt('HS256 with the public key', (target) => confused(target, 'HS256')),
    jwt('HS512 with the public key', (target) => confused(target, 'HS512')),
    jwt('another audience', (target) => jwtOf(target, { aud: 'keyspring:player' })),
    jwt('no audience', (target) => jwtOf(target, { aud: undefined })),
    jwt('another issuer', (target) => jwtOf(target, { iss: `${ISSUER}/` })),
    jwt('expired', (target) => jwtOf(target, { exp: seconds() - 3_600 })),
    jwt('without an end', (target) => jwtOf(target, { exp: undefined })),
    jwt('an end that is no number', (target) => jwtOf(target, { exp: 'never' })),
    jwt('not yet valid', (target) => jwtOf(target, { nbf: seconds() + 3_600 })),
    jwt('another subject', (target) => jwtOf(target, { sub: '__proto__' })),
    jwt('a subject that is a list', (target) => jwtOf(target, { sub: ['encoder'] })),
    jwt('without a subject', (target) => jwtOf(target, { sub: undefined })),
    jwt('a kid with a path', (target) => jwtOf(target, {}, { kid: '../../dev/null' })),
    jwt('a critical extension', () => unsigned({ alg: 'EdDSA', kid: 'one', crit: ['x'], x: 1 }, 'AAAA')),
    jwt('its own key set', () => unsigned({ alg: 'EdDSA', kid: 'one', jku: 'http://127.0.0.1:1/jwks' }, 'AAAA')),
    jwt(
      'another signature',
      async (target) =>
        `${(await jwtOf(target)).split('.').slice(0, 2).join('.')}.${randomBytes(64).toString('base64url')}`,
    ),
    jwt('without its signature', async (target) => `${(await jwtOf(target)).split('.').slice(0, 2).join('.')}.`),
    jwt('other claims under its signature', async (target) => {
      const [header = '', , signature = ''] = (await jwtOf(target)).split('.')
      return `${header}.${part({ ...claims(), sub: 'admin' })}.${signature}`
    }),
    jwt('encrypted', () => 'a.b.c.d.e'),
    jwt('dots', () => '..'),
    jwt('10 KB', () => unsigned({ alg: 'EdDSA', kid: 'a'.repeat(9_000) }, 'AAAA')),
    jwt('a header that is no JSON', () => `AAAA.${part(claims())}.AAAA`),
  ],
}

const basicOf = (text: string): Headers => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })

export const PASSWORDS: Group = {
  name: 'Basic',
  attacks: [
    right('Basic', ({ secrets }) => basicOf(`encoder:${secrets.password}`)),
    ...[
      forged('another password', () => basicOf('encoder:guess')),
      forged('another user', ({ secrets }) => basicOf(`nobody:${secrets.password}`)),
      forged('the user __proto__', () => basicOf('__proto__:x')),
      forged('an empty password', () => basicOf('encoder:')),
      forged('NUL behind the password', ({ secrets }) => basicOf(`encoder:${secrets.password}\u0000`)),
      forged('a password of 8 KB', () => basicOf(`encoder:${'a'.repeat(8_000)}`)),
    ].map((attack) => ({ ...attack, slow: true })),
    forged('no colon', () => basicOf('encoder')),
    forged('no base64', () => ({ authorization: 'Basic !!!!' })),
    forged('no UTF-8', () => ({ authorization: `Basic ${Buffer.from([0xff, 0x3a, 0xff]).toString('base64')}` })),
    forged('nothing behind Basic', () => ({ authorization: 'Basic ' })),
    forged('the right one in the clear', ({ secrets }) => ({
      ...basicOf(`encoder:${secrets.password}`),
      'x-forwarded-proto': 'http',
    })),
    {
      ...forged('60 wrong ones at once', () => ({})),
      slow: true,
      send: async (target) => {
        const all = await Promise.all(
          Array.from({ length: 60 }, (_, i) => target.post(SOUND, basicOf(`encoder:guess${i}`))),
        )
        return all.find(({ status }) => status !== 401 && status !== 503) ?? { status: 401, text: '' }
      },
    },
  ],
}

interface DigestChanges {
  readonly password?: string
  readonly user?: string
  readonly nonce?: string
  readonly params?: Readonly<Record<string, string | undefined>>
  readonly algorithm?: 'MD5' | 'SHA-256'
}

async function digestOf(target: Target, changes: DigestChanges = {}): Promise<Headers> {
  const { text } = await target.post(SOUND, {})
  const { user = 'encoder', password = target.secrets.password, algorithm = 'SHA-256', params = {} } = changes
  const nonce = changes.nonce ?? /nonce="([^"]+)"/.exec(text)?.[1] ?? ''
  const [nc, cnonce, uri, method] = ['00000001', 'cnonce', '/copyProtection', 'POST']
  const ha1 = digestSecret(user, 'keyspring', password)[algorithm]
  const response = digestResponse({ algorithm, ha1, method, uri, nonce, nc, cnonce })
  const all = {
    username: user,
    realm: 'keyspring',
    nonce,
    uri,
    response,
    qop: 'auth',
    nc,
    cnonce,
    algorithm,
    ...params,
  }
  const written = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${value}"`]))
  return { authorization: `Digest ${written.join(', ')}` }
}
const digest = (name: string, changes: DigestChanges): Attack => forged(name, (target) => digestOf(target, changes))

export const DIGESTS: Group = {
  name: 'Digest',
  attacks: [
    right('SHA-256', (target) => digestOf(target)),
    right('MD5', (target) => digestOf(target, { algorithm: 'MD5' })),
    digest('another password', { password: 'guess' }),
    digest('another user', { user: 'nobody' }),
    digest('a nonce of its own', { nonce: randomBytes(30).toString('base64url') }),
    digest('an empty nonce', { nonce: '' }),
    digest('another path', { params: { uri: '/metrics' } }),
    digest('another realm', { params: { realm: 'other' } }),
    digest('without qop', { params: { qop: undefined } }),
    digest('qop=auth-int', { params: { qop: 'auth-int' } }),
    digest('MD5-sess', { params: { algorithm: 'MD5-sess' } }),
    digest('an algorithm __proto__', { params: { algorithm: '__proto__' } }),
    digest('without cnonce', { params: { cnonce: undefined } }),
    digest('nc that is no number', { params: { nc: 'zzzzzzzz' } }),
    digest('an empty response', { params: { response: '' } }),
    digest('a longer response', { params: { response: 'a'.repeat(4_000) } }),
    forged('the same answer again', async (target) => {
      const headers = await digestOf(target)
      await target.post(SOUND, headers)
      return headers
    }),
    forged('parameters twice', () => ({ authorization: 'Digest username="a", username="b"' })),
    forged('12 KB of quotes', () => ({ authorization: `Digest ${'a="\\"'.repeat(2_400)}` })),
    forged('12 KB of commas', () => ({ authorization: `Digest ${','.repeat(12_000)}` })),
    forged('nothing behind Digest', () => ({ authorization: 'Digest ' })),
  ],
}

interface SigV4Changes {
  readonly secret?: string
  readonly id?: string
  readonly service?: string
  readonly now?: number
  readonly body?: string
  readonly method?: string
  readonly path?: string
}

function sigV4Of(target: Target, changes: SigV4Changes = {}): Record<string, string> {
  const { secrets, host, port } = target
  const { secret = secrets.secretAccessKey, id = secrets.accessKeyId, service = 'execute-api', body = SOUND } = changes
  const { now = Date.now(), method = 'POST', path = '/copyProtection' } = changes
  const headers = { host: `${host}:${port}` }
  const accessKey = { accessKeyId: id, secretAccessKey: new Secret(secret) }
  const signed = signSigV4({ method, rawPath: path, headers, body }, accessKey, { region: 'eu-west-1', service }, now)
  return { ...headers, ...signed }
}
const sigV4 = (
  name: string,
  changes: SigV4Changes,
  edit: (authorization: string) => string = (same) => same,
  more: Headers = {},
): Attack =>
  forged(name, (target) => {
    const headers = sigV4Of(target, changes)
    return { ...headers, authorization: edit(headers.authorization ?? ''), ...more }
  })

export const SIGNATURES: Group = {
  name: 'SigV4',
  attacks: [
    right('SigV4', (target) => sigV4Of(target)),
    sigV4('another secret', { secret: 'guess' }),
    sigV4('another access key', { id: 'KS00' }),
    sigV4('another service', { service: 's3' }),
    sigV4('6 minutes old', { now: Date.now() - 360_000 }),
    sigV4('an hour ahead', { now: Date.now() + 3_600_000 }),
    sigV4('another body', { body: `${SOUND} ` }),
    sigV4('another method', { method: 'GET' }),
    sigV4('another path', { path: '/metrics' }),
    sigV4('a query that is not there', { path: '/copyProtection?a=b' }),
    sigV4('a flipped signature', {}, (text) => text.replace(/.$/, (last) => (last === '0' ? '1' : '0'))),
    sigV4('a signature of zeros', {}, (text) => text.replace(/Signature=.*/, `Signature=${'0'.repeat(64)}`)),
    sigV4('no signature', {}, (text) => text.replace(/, Signature=.*/, '')),
    sigV4('host not signed', {}, (text) => text.replace('SignedHeaders=host;', 'SignedHeaders=')),
    sigV4('date not signed', {}, (text) => text.replace(';x-amz-date', '')),
    sigV4('no signed headers', {}, (text) => text.replace(/SignedHeaders=[^,]*/, 'SignedHeaders=')),
    sigV4('1 000 signed headers', {}, (text) =>
      text.replace(
        /SignedHeaders=[^,]*/,
        `SignedHeaders=${Array.from({ length: 1_000 }, (_, i) => `x-${i}`).join(';')}`,
      ),
    ),
    sigV4('a signed header that is not there', {}, (text) =>
      text.replace('SignedHeaders=host', 'SignedHeaders=host;x-a'),
    ),
    sigV4('an unsigned payload', {}, undefined, { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }),
    sigV4('a streaming payload', {}, undefined, { 'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD' }),
    sigV4('the hash of another body', {}, undefined, {
      'x-amz-content-sha256': createHash('sha256').update('x').digest('hex'),
    }),
    sigV4('another date', {}, undefined, { 'x-amz-date': '20260101T000000Z' }),
    sigV4('a date that is none', {}, undefined, { 'x-amz-date': 'now' }),
    sigV4('SigV4A', {}, (text) => text.replace('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256')),
    sigV4('SigV2', {}, () => 'AWS KS0123456789ABCDEF01:AAAAAAAAAAAAAAAAAAAAAAAAAAA='),
    forged(
      'a presigned URL',
      () => ({}),
      '/copyProtection?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=KS/20260101/r/execute-api/aws4_request&X-Amz-Signature=00',
    ),
  ],
}

const clientCert = ({ certificate }: Target): string => `:${certificate.toString('base64')}:`

export const PROXIES: Group = {
  name: 'gateway and certificates',
  attacks: [
    right('gateway', ({ secrets }) => ({ 'x-gateway-secret': secrets.gateway, 'x-speke-caller-arn': ARN })),
    forged('identity headers alone', () => ({ 'x-speke-caller-arn': ARN, 'x-speke-account': '123456789012' })),
    forged('another secret', () => ({ 'x-gateway-secret': 'guess', 'x-speke-caller-arn': ARN })),
    forged('an empty secret', () => ({ 'x-gateway-secret': '', 'x-speke-caller-arn': ARN })),
    forged('the secret twice', ({ secrets }) => ({
      'x-gateway-secret': [secrets.gateway, 'x'],
      'x-speke-caller-arn': ARN,
    })),
    forged('no identity', ({ secrets }) => ({ 'x-gateway-secret': secrets.gateway })),
    forged('another role', ({ secrets }) => ({ 'x-gateway-secret': secrets.gateway, 'x-speke-caller-arn': `${ARN}2` })),
    forged('two identities', ({ secrets }) => ({
      'x-gateway-secret': secrets.gateway,
      'x-speke-caller-arn': [ARN, ARN],
    })),
    forged('an account that is not the ARN’s', ({ secrets }) => ({
      'x-gateway-secret': secrets.gateway,
      'x-speke-caller-arn': ARN,
      'x-speke-account': '999999999999',
    })),
    forged('an ARN with a newline’s place', ({ secrets }) => ({
      'x-gateway-secret': secrets.gateway,
      'x-speke-caller-arn': `${ARN}%0a`,
    })),
    forged('an assumed role of a like name', ({ secrets }) => ({
      'x-gateway-secret': secrets.gateway,
      'x-speke-caller-arn': 'arn:aws:sts::123456789012:assumed-role/SpekeAccess/../Other/x',
    })),
    forged('a certificate that nobody has', (target) => ({ 'client-cert': clientCert(target) })),
    forged('a certificate twice', (target) => ({ 'client-cert': [clientCert(target), clientCert(target)] })),
    forged('a certificate that is none', () => ({ 'client-cert': ':AAAA:' })),
    forged('a certificate without colons', ({ certificate }) => ({ 'client-cert': certificate.toString('base64') })),
    forged('12 KB for a certificate', () => ({ 'client-cert': `:${'A'.repeat(12_000)}:` })),
    forged('the headers of other proxies', () => ({
      'x-forwarded-client-cert': 'Subject="CN=encoder"',
      'x-ssl-client-verify': 'SUCCESS',
      'x-ssl-client-dn': 'CN=encoder',
      'x-remote-user': 'encoder',
      'x-forwarded-user': 'encoder',
    })),
    forged('a certificate in the clear', (target) => ({ 'client-cert': clientCert(target), forwarded: 'proto=http' })),
  ],
}

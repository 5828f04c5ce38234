import { PLAYER_AUDIENCE } from '../../auth/players/token.ts'
import { Secret } from '../../core/secret.ts'
import { fileName, line, list, oneOf, section, text, url, wholeNumber } from './fields.ts'

/** At least what HMAC-SHA-256 has as its own: shorter ones can be guessed. @see RFC 7518, 3.2 */
export const MIN_SECRET_BYTES = 32

const secret = text(`a secret of ${MIN_SECRET_BYTES} bytes or more, one line`, isSecret).transform(
  (value) => new Secret(value),
)
const origin = text('an origin such as https://player.example.com, or *', isOrigin)
const token = text('a name of letters, digits, dots, dashes and underscores', (value) => /^[\w.-]{1,64}$/.test(value))
const content = text('TENANT/CONTENT_ID, in which * stands for any text', (value) => /^[^/]+\/./s.test(value))
const keySet = text('the path of a JWKS file or its https URL', (value) => value.length > 0 && !value.includes('\0'))
const keyFile = text('ID=FILE', (value) => /^[\w.-]{1,64}=[^\0]+$/.test(value))
// It stands in XML, in a quoted string of HLS and in a URL as it is.
const query = text('characters of a query without & and quotes', (value) =>
  /^[\w.~!$()*+,;:@/?={}[\]-]{1,512}$/.test(value),
)

/** What players get and how they prove that they may. */
export const PLAYBACK = section({
  access: oneOf(['open', 'jwt', 'signed-url', 'callback']).optional(),
  origins: list(origin).default([]),
  serveDrmKeys: list(content).default([]),
  urlQuery: query.optional(),
  token: section({ cookie: token.optional(), query: token.optional() }).prefault({}),
  rateLimit: section({
    perSecond: wholeNumber(0, 1_000_000).default(50),
    burst: wholeNumber(1, 1_000_000).default(200),
  }).prefault({}),
  jwt: section({
    secret: secret.optional(),
    jwks: keySet.optional(),
    audience: line.default(PLAYER_AUDIENCE),
  }).prefault({}),
  signedUrl: section({ secret: secret.optional(), keyFiles: list(keyFile).default([]) }).prefault({}),
  callback: section({
    url: url.optional(),
    timeoutMs: wholeNumber(10, 30_000).default(2_000),
    maxTtlSeconds: wholeNumber(0, 86_400).default(300),
  }).prefault({}),
}).prefault({})

/** The packagers that take keys by the key API of Widevine. */
export const WIDEVINE = section({
  signers: list(
    section({
      name: token,
      tenant: line.default('default'),
      contentIds: list(line).default(['*']),
      aesKeyFile: fileName.optional(),
      aesIvFile: fileName.optional(),
      rsaPublicKeyFile: fileName.optional(),
    }),
  ).default([]),
}).prefault({})

function isSecret(value: string): boolean {
  return Buffer.byteLength(value) >= MIN_SECRET_BYTES && value.length <= 4_096 && !/[\r\n\0]/.test(value)
}

function isOrigin(value: string): boolean {
  return value === '*' || (URL.canParse(value) && /^https?:/.test(value) && new URL(value).origin === value)
}

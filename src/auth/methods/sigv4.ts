import type { KeyObject } from 'node:crypto'
import { Secret } from '../../core/secret.ts'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import type { AuthMethod } from '../authenticate.ts'
import { type CredentialSecrets, OpenedSecrets } from '../clients/credential-secrets.ts'
import type { ClientDirectory } from '../clients/directory.ts'
import { checkValidity, type SigV4Credential, sameBytes } from '../credentials/credential.ts'
import { AuthenticationError } from '../failure.ts'
import { authorizationOf, headerOf, isRepeated, type Presented } from '../presented.ts'
import { readAuthParams } from './auth-params.ts'
import { type AuthSettings, defineMethod, FILE, ID, sealed } from './definition.ts'
import {
  canonicalRequest,
  encodePath,
  SIGV4_ALGORITHM,
  sha256Hex,
  sortQuery,
  splitRawPath,
  stringToSign,
} from './sigv4-canonical.ts'
import { deriveSigningKey, signatureOf } from './sigv4-sign.ts'

interface SigV4Options {
  readonly clients: ClientDirectory
  readonly secrets: Pick<CredentialSecrets, 'open'>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** The service in the scope of the signature. */
  readonly service?: string
  /** Absent: any region. */
  readonly region?: string | undefined
  readonly maxSkewMs?: number
  /** Accepts requests whose body is not signed, as some SDKs send them over TLS. */
  readonly allowUnsignedPayload?: boolean
}

/** A new access key and its secret, to be shown once and sealed. */
interface IssuedAccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: Secret<string>
}

/** The parts of an Authorization header of SigV4. */
interface SigV4Authorization {
  readonly accessKeyId: string
  readonly day: string
  readonly region: string
  readonly service: string
  readonly signedHeaders: readonly string[]
  readonly signature: Buffer
}

const CREDENTIAL = /^([\w.-]{1,128})\/(\d{8})\/([\w-]{1,64})\/([\w.-]{1,64})\/aws4_request$/
const SIGNATURE = /^[0-9a-f]{64}$/
/** The characters of a request target. @see RFC 9112, 3.2 */
const VISIBLE_ASCII = /^[\x21-\x7e]*$/
const AMZ_DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD'
const SCHEME = SIGV4_ALGORITHM.toLowerCase()
const REQUIRED_HEADERS = ['host', 'x-amz-date']
const MAX_SIGNED_HEADERS = 64

/** The definition of AWS Signature Version 4. */
export const sigV4Method = defineMethod({
  method: 'sigv4',
  stored: { sealed: 'bytes' },
  fields: { accessKeyId: ID, secretAccessKeyFile: FILE },
  async read({ accessKeyId = '', secretAccessKeyFile = '' }, options) {
    const secret = options.readSecret('secretAccessKeyFile', secretAccessKeyFile)
    return secret === undefined ? undefined : sealed(options, 'sigv4', accessKeyId, Buffer.from(secret))
  },
  async issue(options) {
    const { accessKeyId: id, secretAccessKey } = issueAccessKey(options.randomBytes)
    return {
      credential: await sealed(options, 'sigv4', id, Buffer.from(secretAccessKey.reveal())),
      shown: [
        ['access key id', id],
        ['secret access key', secretAccessKey],
      ],
    }
  },
  settingsOf: ({ auth }: AuthSettings) => auth.sigv4,
  make: ({ clients, secrets, now }, own) => sigV4({ clients, secrets, now, ...own }),
})

/**
 * AWS Signature Version 4 with access keys that Keyspring issued, in the Authorization header. The raw path and query are
 * signed, and the received body, which is read only for a known key and a fresh signature.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function sigV4(options: SigV4Options): AuthMethod {
  const { clients, secrets, now, service = 'execute-api', region } = options
  const { maxSkewMs = 300_000, allowUnsignedPayload = false } = options
  const opened = new OpenedSecrets<SigV4Credential, SigningKeys>(
    secrets,
    (clear) => new SigningKeys(clear.toString('utf8')),
  )

  return {
    name: 'sigv4',
    place: 'request',
    // AWS defines no challenge, but a 401 requires one (RFC 9110, 11.6.1).
    challenges: () => [`${SIGV4_ALGORITHM} realm="keyspring"`],
    recognizes: (presented) => authorizationOf(presented, SCHEME) !== undefined,
    // The signature for AWS, which API Gateway verified.
    isLeftByGateway: () => true,
    async verify(presented) {
      const authorization = readAuthorization(authorizationOf(presented, SCHEME) ?? '')
      if (!VISIBLE_ASCII.test(presented.rawPath)) throw new AuthenticationError('malformed')
      if (authorization.service !== service || (region !== undefined && authorization.region !== region)) {
        throw new AuthenticationError('mismatch')
      }
      const headers = signedHeadersOf(presented, authorization.signedHeaders)
      const amzDate = headerOf(presented, 'x-amz-date') ?? ''
      const signedAt = timeOf(amzDate)
      if (signedAt === undefined || !amzDate.startsWith(authorization.day)) throw new AuthenticationError('malformed')
      const found = clients.find('sigv4', authorization.accessKeyId)
      if (found === undefined) throw new AuthenticationError('unknown')
      const age = now() - signedAt
      if (age > maxSkewMs) throw new AuthenticationError('expired')
      if (age < -maxSkewMs) throw new AuthenticationError('not-yet-valid')
      const signingKey = (await opened.of(found)).of(authorization)
      const payloadHash = await payloadHashOf(presented, headers, allowUnsignedPayload)

      const { method } = presented
      const fits = canonicalForms(presented.rawPath).map(([canonicalPath, canonicalQuery]) => {
        const canonical = canonicalRequest({ method, canonicalPath, canonicalQuery, headers, payloadHash })
        const text = stringToSign(amzDate, scopeOf(authorization), canonical)
        return sameBytes(signatureOf(signingKey, text), authorization.signature)
      })
      if (!fits.includes(true)) throw new AuthenticationError('mismatch')
      checkValidity(found.credential, now())
      return found.client
    },
  }
}

/** A new access key: 240 random bits. */
export function issueAccessKey(randomBytes: RandomBytes): IssuedAccessKey {
  const accessKeyId = `KS${Buffer.from(randomBytes(9)).toString('hex').toUpperCase()}`
  return { accessKeyId, secretAccessKey: new Secret(Buffer.from(randomBytes(30)).toString('base64')) }
}

/**
 * The canonical forms of a raw path and query that the client may have signed. SDKs encode the path once more and sort the
 * query; curl before 8 signs both as sent (seen in 7.88, 2023). The path as sent is accepted only without `%25`: otherwise a
 * signature of one path would be valid for the path that decodes to it.
 */
export function canonicalForms(rawPath: string): readonly (readonly [path: string, query: string])[] {
  const [path, query] = splitRawPath(rawPath)
  const paths = distinct([encodePath(path), path.includes('%25') ? undefined : path])
  const queries = distinct([sortQuery(query), query])
  return paths.flatMap((one) => queries.map((other) => [one, other] as const))
}

/** The signing keys of a secret. The last one is kept, which serves for a day. */
class SigningKeys {
  readonly #secret: Secret<string>
  #last: { readonly scope: string; readonly key: KeyObject } | undefined

  constructor(secretAccessKey: string) {
    this.#secret = new Secret(secretAccessKey)
  }

  of({ day, region, service }: Pick<SigV4Authorization, 'day' | 'region' | 'service'>): KeyObject {
    const scope = `${day}/${region}/${service}`
    if (this.#last?.scope !== scope) {
      this.#last = { scope, key: deriveSigningKey(this.#secret.reveal(), day, region, service) }
    }
    return this.#last.key
  }
}

function readAuthorization(text: string): SigV4Authorization {
  const params = readAuthParams(text)
  const [, accessKeyId, day, region, service] = CREDENTIAL.exec(params?.get('credential') ?? '') ?? []
  const signature = params?.get('signature') ?? ''
  const signedHeaders = (params?.get('signedheaders') ?? '').split(';')
  if (
    accessKeyId === undefined ||
    day === undefined ||
    region === undefined ||
    service === undefined ||
    params?.size !== 3 ||
    signedHeaders.length > MAX_SIGNED_HEADERS ||
    !SIGNATURE.test(signature)
  ) {
    throw new AuthenticationError('malformed')
  }
  return { accessKeyId, day, region, service, signedHeaders, signature: Buffer.from(signature, 'hex') }
}

/** The signed headers and their values: lower case, sorted, each sent exactly once, Host and X-Amz-Date among them. */
function signedHeadersOf(presented: Presented, names: readonly string[]): readonly (readonly [string, string])[] {
  if (!REQUIRED_HEADERS.every((name) => names.includes(name))) throw new AuthenticationError('malformed')
  return names.map((name, at) => {
    const value = headerOf(presented, name)
    const before = names[at - 1]
    if (value === undefined || (before !== undefined && before >= name)) throw new AuthenticationError('malformed')
    if (isRepeated(presented, name)) throw new AuthenticationError('ambiguous')
    return [name, value]
  })
}

/** The hash of the received body. A hash in the request must be the same. */
async function payloadHashOf(
  presented: Presented,
  headers: readonly (readonly [name: string, value: string])[],
  allowUnsignedPayload: boolean,
): Promise<string> {
  const claimed = headerOf(presented, 'x-amz-content-sha256')
  if (claimed === UNSIGNED_PAYLOAD && allowUnsignedPayload && headers.some(([, value]) => value === claimed)) {
    return UNSIGNED_PAYLOAD
  }
  const hash = sha256Hex(await presented.body('stranger'))
  if (claimed !== undefined && claimed !== hash) throw new AuthenticationError('body-mismatch')
  return hash
}

function timeOf(amzDate: string): number | undefined {
  const time = Date.parse(amzDate.replace(AMZ_DATE, '$1-$2-$3T$4:$5:$6Z'))
  return AMZ_DATE.test(amzDate) && !Number.isNaN(time) ? time : undefined
}

function scopeOf({ day, region, service }: SigV4Authorization): string {
  return `${day}/${region}/${service}/aws4_request`
}

function distinct(values: readonly (string | undefined)[]): readonly string[] {
  return [...new Set(values.filter((value) => value !== undefined))]
}

import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { Secret } from '../../core/secret.ts'
import {
  canonicalRequest,
  encodePath,
  SIGV4_ALGORITHM,
  sha256Hex,
  sortQuery,
  splitRawPath,
  stringToSign,
} from './sigv4-canonical.ts'

/** An access key to sign with. */
export interface AccessKey {
  readonly accessKeyId: string
  readonly secretAccessKey: Secret<string>
  /** For temporary credentials. */
  readonly sessionToken?: Secret<string> | undefined
}

interface SigV4Request {
  readonly method: string
  /** Path and query exactly as on the request line. */
  readonly rawPath: string
  /** The headers to sign, Host among them. Names in any case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export interface SigV4Scope {
  readonly region: string
  readonly service: string
}

/**
 * The headers to add to a request that is signed at `now` (milliseconds since 1970).
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */
export function signSigV4(
  request: SigV4Request,
  accessKey: AccessKey,
  { region, service }: SigV4Scope,
  now: number,
): Readonly<Record<string, string>> {
  const amzDate = new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, '')
  const token = accessKey.sessionToken
  const added = { 'x-amz-date': amzDate, ...(token === undefined ? {} : { 'x-amz-security-token': token.reveal() }) }
  const headers = Object.entries({ ...lowerCased(request.headers), ...added }).sort(([a], [b]) => (a < b ? -1 : 1))
  const [path, query] = splitRawPath(request.rawPath)
  const canonicalQuery = sortQuery(query)
  if (canonicalQuery === undefined) {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      'the URL to sign by SigV4 has a query with a plus sign or a broken percent escape: write %20, %2B or %25',
    )
  }
  const canonical = canonicalRequest({
    method: request.method,
    canonicalPath: encodePath(path),
    canonicalQuery,
    headers,
    payloadHash: sha256Hex(request.body),
  })
  const day = amzDate.slice(0, 8)
  const scope = `${day}/${region}/${service}/aws4_request`
  const key = deriveSigningKey(accessKey.secretAccessKey.reveal(), day, region, service)
  const signature = signatureOf(key, stringToSign(amzDate, scope, canonical)).toString('hex')
  const names = headers.map(([name]) => name).join(';')
  return {
    ...added,
    authorization: `${SIGV4_ALGORITHM} Credential=${accessKey.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  }
}

/** The signing key of a day, region and service. */
export function deriveSigningKey(secretAccessKey: string, day: string, region: string, service: string): KeyObject {
  const steps = [day, region, service, 'aws4_request']
  const first = createSecretKey(Buffer.from(`AWS4${secretAccessKey}`))
  return steps.reduce((key, step) => createSecretKey(createHmac('sha256', key).update(step).digest()), first)
}

export function signatureOf(signingKey: KeyObject, text: string): Buffer {
  return createHmac('sha256', signingKey).update(text).digest()
}

function lowerCased(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

import { createHash } from 'node:crypto'

/** The part of a request that SigV4 signs. */
interface CanonicalInput {
  readonly method: string
  readonly canonicalPath: string
  readonly canonicalQuery: string
  /** Lower-case names, sorted, each once, and their values. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly payloadHash: string
}

/** The canonical request. @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
export function canonicalRequest(input: CanonicalInput): string {
  const { method, canonicalPath, canonicalQuery, headers, payloadHash } = input
  const lines = headers.map(([name, value]) => `${name}:${value.trim().replace(SPACES, ' ')}\n`)
  const names = headers.map(([name]) => name)
  return [method, canonicalPath, canonicalQuery, lines.join(''), names.join(';'), payloadHash].join('\n')
}

/** The string to sign. @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
export function stringToSign(amzDate: string, scope: string, canonical: string): string {
  return [SIGV4_ALGORITHM, amzDate, scope, sha256Hex(canonical)].join('\n')
}

export const SIGV4_ALGORITHM = 'AWS4-HMAC-SHA256'

export function sha256Hex(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The path with every segment encoded once more, as every service except S3 signs it. */
export function encodePath(path: string): string {
  return path === '' ? '/' : path.split('/').map(encodeRfc3986).join('/')
}

/** The query with its parameters decoded, encoded as SigV4 requires, and sorted; undefined if it is ambiguous. */
export function sortQuery(query: string): string | undefined {
  if (query === '') return ''
  // A plus may mean itself or a space: a signature of the one must not be valid for the other.
  if (query.includes('+')) return undefined
  try {
    return query
      .split('&')
      .map((param) => {
        const equals = param.indexOf('=')
        const [name, value] = equals === -1 ? [param, ''] : [param.slice(0, equals), param.slice(equals + 1)]
        return [recode(name), recode(value)] as const
      })
      .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
      .map(([name, value]) => `${name}=${value}`)
      .join('&')
  } catch (error) {
    // A stray percent sign, or bytes that are not UTF-8: such a query has no canonical form.
    if (error instanceof URIError) return undefined
    throw error
  }
}

/** The parts of a raw path at its first question mark. */
export function splitRawPath(rawPath: string): readonly [path: string, query: string] {
  const mark = rawPath.indexOf('?')
  return mark === -1 ? [rawPath, ''] : [rawPath.slice(0, mark), rawPath.slice(mark + 1)]
}

const SPACES = /\s+/g
const RESERVED = /[!'()*]/g

function recode(text: string): string {
  return encodeRfc3986(decodeURIComponent(text))
}

/** All but A–Z a–z 0–9 - . _ ~ as %XX. */
function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(RESERVED, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

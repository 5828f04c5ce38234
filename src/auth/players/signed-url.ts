import { createHmac, type KeyObject } from 'node:crypto'
import { lengthPrefixed } from '../../core/length-prefixed.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import { sameBytes } from '../credentials/credential.ts'
import { AuthenticationError } from '../failure.ts'

/** The target of a signed URL: one key of a content or, without a kid, the licences of a content. */
export interface SignedTarget extends ContentRef {
  readonly kid?: Kid | undefined
}

/** A key that signs URLs. The URL names it by its ID, so that two serve a rotation. */
interface UrlSigningKey {
  readonly id: string
  readonly key: KeyObject
}

const LABEL = 'keyspring/signed-url/v1'
const EXPIRY = /^[1-9]\d{0,11}$/
const PARAMS = ['expires', 'key', 'signature'] as const

/** The query that opens `target` until `expiresAt` (milliseconds since 1970, kept to the second). */
export function signUrl({ id, key }: UrlSigningKey, target: SignedTarget, expiresAt: number): string {
  const expires = String(Math.floor(expiresAt / 1_000))
  const signature = signatureOf(key, target, expires, id).toString('base64url')
  return new URLSearchParams({ expires, key: id, signature }).toString()
}

/** Throws an AuthenticationError unless `query` was signed for `target` by one of `keys` and has not expired. */
export function verifySignedUrl(
  keys: ReadonlyMap<string, KeyObject>,
  target: SignedTarget,
  query: URLSearchParams,
  now: number,
): void {
  const given = PARAMS.map((name) => query.getAll(name))
  if (given.every((values) => values.length === 0)) throw new AuthenticationError('missing')
  if (given.some((values) => values.length > 1)) throw new AuthenticationError('ambiguous')
  const [[expires = ''] = [], [id = ''] = [], [signature = ''] = []] = given
  if (!EXPIRY.test(expires)) throw new AuthenticationError('malformed')
  const key = keys.get(id)
  if (key === undefined) throw new AuthenticationError('unknown')
  const expected = signatureOf(key, target, expires, id).toString('base64url')
  // As text: several spellings of base64url give the same bytes.
  if (!sameBytes(Buffer.from(signature), Buffer.from(expected))) throw new AuthenticationError('mismatch')
  if (now >= Number(expires) * 1_000) throw new AuthenticationError('expired')
}

function signatureOf(key: KeyObject, { tenant, contentId, kid }: SignedTarget, expires: string, id: string): Buffer {
  return createHmac('sha256', key)
    .update(lengthPrefixed([LABEL, tenant, contentId, kid ?? '', expires, id]))
    .digest()
}

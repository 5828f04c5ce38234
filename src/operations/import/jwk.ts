import { kidOfBytes } from '../../formats/cenc.ts'
import { type ImportDraft, type ImportFormat, readKid } from './draft.ts'
import { objectsIn, readJson } from './json.ts'

/**
 * A JWK set of content keys, such as a ClearKey licence: `kid` and `k` are base64url of 16 bytes; `kid` may be a UUID. The
 * import names the content.
 * @see RFC 7517, 5; Encrypted Media Extensions, 9.1.4
 */
export const jwkImport: ImportFormat = {
  name: 'jwk',
  read({ bytes, contentId }, draft) {
    const parsed = readJson(bytes, draft)
    if (parsed === undefined) return
    for (const { members, path } of objectsIn(parsed.value, 'keys', draft)) {
      const { kty = 'oct', kid, k } = members
      if (kty !== 'oct') {
        draft.problem(`${path}.kty`, 'expected oct')
        continue
      }
      const key = readBase64Url(k)
      draft.add({ contentId, kid: kidOf(kid, path, draft), key: key ?? '' }, (field) =>
        field === 'kid' || field === 'contentId' ? `${path}.kid` : `${path}.k`,
      )
    }
  },
}

function kidOf(value: unknown, path: string, draft: ImportDraft): string {
  if (typeof value !== 'string') {
    draft.problem(`${path}.kid`, 'expected text')
    return ''
  }
  const bytes = readKid(value) === undefined ? readBase64Url(value) : undefined
  return bytes === undefined ? value : kidOfBytes(bytes)
}

/** 16 bytes of base64url, with or without padding. */
function readBase64Url(value: unknown): Buffer | undefined {
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]{22}={0,2}$/.test(value)) return undefined
  return Buffer.from(value, 'base64url')
}

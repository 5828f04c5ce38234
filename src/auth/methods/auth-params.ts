import { KeyProviderError } from '../../core/errors.ts'

/**
 * The parameters of a credential or challenge by lower-case name; undefined if they are malformed or one is repeated.
 * @see RFC 9110, 11.2
 */
export function readAuthParams(text: string): ReadonlyMap<string, string> | undefined {
  const params = new Map<string, string>()
  PARAM.lastIndex = 0
  while (PARAM.lastIndex < text.length) {
    const [, name = '', quoted, token = ''] = PARAM.exec(text) ?? []
    const key = name.toLowerCase()
    if (key === '' || params.has(key)) return undefined
    params.set(key, quoted === undefined ? token : quoted.replace(/\\(.)/gs, '$1'))
  }
  return params
}

/** A realm that is safe between quotes in a challenge. Throws ERR_CONFIG_INVALID for any other. @see RFC 9110, 11.5 */
export function checkedRealm(realm: string): string {
  if (/^[ !#-[\]-~]{1,64}$/.test(realm)) return realm
  throw new KeyProviderError(
    'ERR_CONFIG_INVALID',
    `realm: expected 1 to 64 printable ASCII characters without quotes and backslashes, got ${JSON.stringify(realm)}`,
  )
}

/** One parameter and its separator. No two parts of it can match the same text, so it is linear. */
const PARAM = /[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))[ \t]*(?:,|$)/gsy

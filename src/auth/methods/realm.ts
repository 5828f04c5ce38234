import { KeyProviderError } from '../../core/errors.ts'

/** A realm as it may stand between quotes in a challenge. Throws ERR_CONFIG_INVALID for any other. @see RFC 9110, 11.5 */
export function checkedRealm(realm: string): string {
  if (/^[ !#-[\]-~]{1,64}$/.test(realm)) return realm
  throw new KeyProviderError(
    'ERR_CONFIG_INVALID',
    `realm: expected 1 to 64 printable ASCII characters without quotes and backslashes, got ${JSON.stringify(realm)}`,
  )
}

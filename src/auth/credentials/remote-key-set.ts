import { createRemoteJWKSet, customFetch, type FetchImplementation, type JWTVerifyGetKey } from 'jose'
import { KeyProviderError } from '../../core/errors.ts'

const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost']

/** The keys an issuer publishes: `https:` only, or `http:` of this machine. Throws ERR_CONFIG_INVALID. @see RFC 7517, 5 */
export function remoteKeySet(url: URL, fetch?: FetchImplementation): JWTVerifyGetKey {
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.includes(url.hostname))) {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      `the key set (JWKS) of ${url.host} has to be fetched by https: whoever can change it on the way could sign tokens`,
    )
  }
  return createRemoteJWKSet(url, fetch === undefined ? {} : { [customFetch]: fetch })
}

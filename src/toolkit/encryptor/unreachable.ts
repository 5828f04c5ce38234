import { KeyProviderError } from '../../core/errors.ts'

/** What a failure of the connection means and what to try, by the code that Node.js or OpenSSL gives it. */
const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: is the key provider running, and is the port right?',
  ECONNRESET:
    'the connection was closed without an answer: a proxy between, TLS where none is expected, or the reverse',
  ENOTFOUND: 'no such host: is the name spelled right, and does this machine resolve it?',
  EAI_AGAIN: 'the name could not be resolved now: is this machine online?',
  EHOSTUNREACH: 'no route to this host: a firewall or VPN?',
  ENETUNREACH: 'no route to this network: a firewall or VPN?',
  ETIMEDOUT: 'no connection: a firewall that drops packets?',
  EPROTO: 'no TLS handshake: does the port speak http://?',
  ERR_SSL_WRONG_VERSION_NUMBER: 'no TLS handshake: does the port speak http://?',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'no TLS handshake: does the port speak http://?',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it wants a client certificate: give --cert and --cert-key',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'it does not trust the client certificate of --cert',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'it does not trust the authority of the client certificate of --cert',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host name',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed: trust it with --ca FILE',
  SELF_SIGNED_CERT_IN_CHAIN:
    'its certificate is of an authority that this machine does not know: trust it with --ca FILE',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate comes without its chain, or is of an unknown authority: trust it with --ca FILE',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'its certificate is of an authority that this machine does not know: trust it with --ca FILE',
  HPE_INVALID_CONSTANT: 'what came is not HTTP: does the port speak https://?',
}

/** The failure of an exchange with `url`, in words. */
export function describeFailure(error: unknown, url: URL, timeoutMs: number): KeyProviderError {
  const name = error instanceof Error ? error.name : ''
  const code = codeOf(error)
  const meaning =
    name === 'TimeoutError' || name === 'AbortError'
      ? `no answer within ${timeoutMs / 1000} s: --timeout SECONDS waits longer`
      : (MEANINGS[code] ?? (error instanceof RangeError ? error.message : `the connection failed (${code})`))
  return new KeyProviderError('ERR_KEY_PROVIDER_UNREACHABLE', `${url.host}: ${meaning}`, { cause: error })
}

/** Of several addresses that were tried, the first one's. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0])
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}

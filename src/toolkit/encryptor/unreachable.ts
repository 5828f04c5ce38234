import { KeyProviderError } from '../../core/errors.ts'

/** The meaning of a connection failure and the fix, by the error code of Node.js or OpenSSL. */
const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'no program listens on this port: check that the key provider runs and that the port is right',
  ECONNRESET: 'the peer closed the connection without an answer: check for a proxy, and whether the port expects TLS',
  ENOTFOUND: 'the host name does not exist: check its spelling and the DNS of this machine',
  EAI_AGAIN: 'DNS does not answer: check the network of this machine',
  EHOSTUNREACH: 'no route to this host: check firewall and VPN',
  ENETUNREACH: 'no route to this network: check firewall and VPN',
  ETIMEDOUT: 'the connection timed out: check whether a firewall drops packets',
  EPROTO: 'the TLS handshake failed: check whether the port expects http://',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the TLS handshake failed: check whether the port expects http://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the TLS handshake failed: check whether the port expects http://',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    'the key provider requires a client certificate: set --cert and --cert-key',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'the key provider does not trust the client certificate of --cert',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the key provider does not trust the CA of the client certificate of --cert',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate of the key provider is for another host name',
  CERT_HAS_EXPIRED: 'the certificate of the key provider has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate of the key provider is self-signed: trust it with --ca FILE',
  SELF_SIGNED_CERT_IN_CHAIN: 'this machine does not know the CA of the certificate: trust it with --ca FILE',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate has no chain, or an unknown CA: trust it with --ca FILE',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'this machine does not know the CA of the certificate: trust it with --ca FILE',
  HPE_INVALID_CONSTANT: 'the reply is not HTTP: check whether the port expects https://',
}

/** Returns ERR_KEY_PROVIDER_UNREACHABLE with the meaning of a failure. */
export function describeFailure(error: unknown, url: URL, timeoutMs: number): KeyProviderError {
  const name = error instanceof Error ? error.name : ''
  const code = codeOf(error)
  const meaning =
    name === 'TimeoutError' || name === 'AbortError'
      ? `no answer within ${timeoutMs / 1000} s: --timeout SECONDS sets a longer time`
      : (MEANINGS[code] ?? (error instanceof RangeError ? error.message : `the connection failed (${code})`))
  return new KeyProviderError('ERR_KEY_PROVIDER_UNREACHABLE', `${url.host}: ${meaning}`, { cause: error })
}

/** The code of an error; if several addresses failed, that of the first. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0])
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}

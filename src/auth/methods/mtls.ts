import { createHash } from 'node:crypto'
import { BoundedCache } from '../../core/bounded-cache.ts'
import { readClientCert } from '../certificate.ts'
import type { ClientDirectory } from '../clients/directory.ts'
import { checkValidity } from '../credentials/credential.ts'
import { AuthenticationError } from '../failure.ts'
import { normalizeFingerprint } from '../fingerprint.ts'
import type { AuthMethod } from '../method.ts'
import { type ClientCertificate, isRepeated, type Presented } from '../presented.ts'

export interface MtlsOptions {
  readonly clients: ClientDirectory
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Whether a peer may say in Client-Cert whose certificate it verified. From any other peer the header means nothing. */
  readonly isTrustedProxy?: (peer: string) => boolean
}

/** The most bytes that forwarded certificates take in memory. */
const MAX_PARSED_BYTES = 2 * 1024 * 1024

function bytesOfCertificate({ subjectAltNames, raw }: ClientCertificate): number {
  return 400 + subjectAltNames.reduce((sum, name) => sum + 40 + 2 * name.length, raw?.length ?? 0)
}

/**
 * The certificate of the connection, or the one that a trusted proxy verified and passes on. Its fingerprint goes before its names.
 *
 * @see RFC 8446, 4.4.2; RFC 9440
 */
export function mtls({ clients, now, isTrustedProxy = () => false }: MtlsOptions): AuthMethod {
  const parsed = new BoundedCache<ClientCertificate>({ maxBytes: MAX_PARSED_BYTES, sizeOf: bytesOfCertificate })

  const forwarded = (value: string): ClientCertificate => {
    const digest = createHash('sha256').update(value).digest('base64')
    const known = parsed.get(digest)
    if (known !== undefined) return known
    const certificate = readClientCert(value)
    if (certificate === undefined) throw new AuthenticationError('malformed')
    parsed.set(digest, certificate)
    return certificate
  }

  const forwardedValue = (presented: Presented): string | undefined => {
    const value = presented.headers['client-cert']
    return value !== undefined && isTrustedProxy(presented.peer) ? String(value) : undefined
  }

  return {
    name: 'certificate',
    place: 'connection',
    recognizes: (presented) => presented.clientCertificate !== undefined || forwardedValue(presented) !== undefined,
    verify(presented) {
      const value = forwardedValue(presented)
      if (value !== undefined && isRepeated(presented, 'client-cert')) throw new AuthenticationError('ambiguous')
      // Behind a proxy the certificate of the connection is the proxy's own.
      const certificate = value === undefined ? presented.clientCertificate : forwarded(value)
      if (certificate === undefined) throw new AuthenticationError('missing')
      const found = findByCertificate(clients, certificate)
      checkValidity(found.credential, now())
      return found.client
    },
  }
}

function findByCertificate(clients: ClientDirectory, { fingerprint256, subjectAltNames }: ClientCertificate) {
  const pinned = clients.find('certificate', normalizeFingerprint(fingerprint256))
  if (pinned !== undefined) return pinned
  const [named, ...others] = subjectAltNames
    .map((name) => clients.find('certificate', name))
    .filter((one) => one !== undefined)
  if (named === undefined) throw new AuthenticationError('unknown')
  if (others.some(({ client }) => client !== named.client)) throw new AuthenticationError('ambiguous')
  return named
}

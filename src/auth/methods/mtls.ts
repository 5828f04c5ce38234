import { createHash } from 'node:crypto'
import { BoundedCache } from '../../core/bounded-cache.ts'
import type { AuthMethod } from '../authenticate.ts'
import { certificatesInPem, normalizeFingerprint, readClientCert } from '../certificate.ts'
import type { RegisteredClient } from '../clients/client.ts'
import type { ClientDirectory, Registration } from '../clients/directory.ts'
import { checkValidity } from '../credentials/credential.ts'
import { AuthenticationError } from '../failure.ts'
import { type ClientCertificate, isRepeated, type Presented } from '../presented.ts'
import {
  type AuthSettings,
  defineMethod,
  idOf,
  LINE,
  missing,
  optional,
  type SettingsReader,
  SHA256,
} from './definition.ts'

interface MtlsOptions {
  readonly clients: ClientDirectory
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** The issuers in `tls.clientCa`: fingerprints of those that no other of them issued. */
  readonly issuers?: readonly string[]
  /** Fingerprints that are pinned elsewhere, such as those of a gateway: their certificates are no issuers. */
  readonly pinned?: readonly string[]
}

/** The most bytes that forwarded certificates take in memory. */
const MAX_PARSED_BYTES = 2 * 1024 * 1024
const FINGERPRINT = /^[\da-f]{64}$/

/** The definition of client certificates. */
export const certificateMethod = defineMethod({
  method: 'certificate',
  stored: { issuer: 'optional text' },
  fields: { fingerprint: optional(SHA256), name: optional(LINE), issuer: optional(SHA256) },
  read({ fingerprint, name, issuer }, { report }) {
    if ((fingerprint === undefined) === (name === undefined)) return report('expected fingerprint or name')
    if (fingerprint !== undefined && issuer !== undefined) return report('issuer: a fingerprint needs none')
    return certificateCredential(name ?? normalizeFingerprint(fingerprint ?? ''), issuer)
  },
  async issue(options) {
    const id = idOf(options, 'a SHA-256 fingerprint, or a name such as DNS:encoder.example')
    const fingerprint = normalizeFingerprint(id)
    const isPin = FINGERPRINT.test(fingerprint)
    const { issuerFingerprint: issuer } = options
    if (issuer !== undefined && (isPin || !SHA256.fits(issuer))) {
      throw missing('--issuer only with a name, and as the SHA-256 fingerprint of its issuer')
    }
    return { credential: certificateCredential(isPin ? fingerprint : id, issuer), shown: [] }
  },
  unusable: ({ tls, trustProxy }) =>
    tls?.clientCa === undefined && trustProxy.length === 0
      ? 'neither tls.clientCa nor trustProxy is set: no client certificate is ever received'
      : undefined,
  requiresTls: true,
  settingsOf: ({ tls, auth }: AuthSettings, reader) => ({
    issuers: tls?.clientCa === undefined ? [] : issuersInFile(tls.clientCa, reader),
    pinned: auth.gateway?.certificateFingerprints.map(normalizeFingerprint) ?? [],
  }),
  problemsOf: ambiguousNames,
  make: ({ clients, now }, own) => mtls({ clients, now, ...own }),
})

/**
 * The certificate of the connection, or the one that a trusted proxy verified and passes on. A pinned certificate is compared
 * by its fingerprint and vouches for nobody. A name is accepted from its issuer only.
 * @see RFC 8446, 4.4.2; RFC 9440
 */
export function mtls({ clients, now, issuers = [], pinned = [] }: MtlsOptions): AuthMethod {
  const parsed = new BoundedCache<ClientCertificate>({ maxBytes: MAX_PARSED_BYTES, sizeOf: bytesOfCertificate })
  const isPinned = (fingerprint: string): boolean =>
    pinned.includes(fingerprint) || clients.find('certificate', fingerprint) !== undefined

  const forwarded = (value: string, chain: string): ClientCertificate => {
    const digest = createHash('sha256').update(`${value}\n${chain}`).digest('base64')
    const known = parsed.get(digest)
    if (known !== undefined) return known
    const certificate = readClientCert(value, chain)
    if (certificate === undefined) throw new AuthenticationError('malformed')
    parsed.set(digest, certificate)
    return certificate
  }

  const find = (certificate: ClientCertificate): Registration<'certificate'> => {
    const { isVerified, subjectAltNames } = certificate
    const own = clients.find('certificate', normalizeFingerprint(certificate.fingerprint256))
    if (own !== undefined) return own
    if (!isVerified) throw new AuthenticationError('unknown')
    const [named, ...others] = subjectAltNames
      .map((name) => clients.find('certificate', name))
      .filter((one) => one !== undefined)
    if (named === undefined) throw new AuthenticationError('unknown')
    if (others.some(({ client }) => client !== named.client)) throw new AuthenticationError('ambiguous')
    if (!isFromIssuer(certificate, named.credential.issuer)) throw new AuthenticationError('mismatch')
    return named
  }

  /** The issuer of a name is the configured one, else the only one there is. A trusted proxy verified by issuers of its own. */
  const isFromIssuer = (certificate: ClientCertificate, issuer: string | undefined): boolean => {
    if (certificate.issuers.some(isPinned)) return false
    if (issuer !== undefined) return certificate.issuers.includes(issuer)
    if (certificate.raw === undefined) return true
    const [only, ...others] = issuers.filter((one) => !isPinned(one))
    return only !== undefined && others.length === 0 && certificate.issuers.includes(only)
  }

  return {
    name: 'certificate',
    place: 'connection',
    // Without an issuer that vouches for it, and without a pin, it may be for something else.
    recognizes: (presented) =>
      forwardedValue(presented) !== undefined ||
      presented.clientCertificate?.isVerified === true ||
      (presented.clientCertificate !== undefined &&
        clients.find('certificate', normalizeFingerprint(presented.clientCertificate.fingerprint256)) !== undefined),
    verify(presented) {
      const value = forwardedValue(presented)
      if (value !== undefined && isRepeated(presented, 'client-cert')) throw new AuthenticationError('ambiguous')
      // Behind a proxy the certificate of the connection is the proxy's own.
      const certificate =
        value === undefined
          ? presented.clientCertificate
          : forwarded(value, String(presented.headers['client-cert-chain'] ?? ''))
      if (certificate === undefined) throw new AuthenticationError('missing')
      const found = find(certificate)
      if (!certificate.isVerified) checkValidity({ ...found.credential, ...periodOf(certificate) }, now())
      checkValidity(found.credential, now())
      return found.client
    },
  }
}

function bytesOfCertificate({ subjectAltNames, issuers }: ClientCertificate): number {
  return [...subjectAltNames, ...issuers].reduce((bytes, text) => bytes + 40 + 2 * text.length, 400)
}

function forwardedValue({ headers, isFromTrustedProxy }: Presented): string | undefined {
  const value = headers['client-cert']
  return value !== undefined && isFromTrustedProxy ? String(value) : undefined
}

/** TLS does not verify a pinned certificate without an issuer, so its validity is checked here. */
function periodOf({ validFrom, validTo }: ClientCertificate): {
  readonly notBefore: number
  readonly notAfter: number
} {
  return { notBefore: validFrom, notAfter: validTo }
}

function certificateCredential(id: string, issuer: string | undefined) {
  return { method: 'certificate' as const, id, ...(issuer !== undefined && { issuer: normalizeFingerprint(issuer) }) }
}

/** The fingerprints of the certificates in a file that no other certificate in it issued. */
function issuersInFile(file: string, { readText, report }: SettingsReader): readonly string[] {
  const text = readText('tls.clientCa', file)
  if (text === undefined) return []
  try {
    const all = certificatesInPem(text)
    const top = all.filter((one) => !all.some((other) => other !== one && one.checkIssued(other)))
    return top.map(({ fingerprint256 }) => normalizeFingerprint(fingerprint256))
  } catch (error) {
    if (!(error instanceof Error)) throw error
    report('tls.clientCa', 'expected certificates in PEM')
    return []
  }
}

/** Names that several issuers could write, so that each must name its own. */
function ambiguousNames(
  { issuers, pinned }: { readonly issuers: readonly string[]; readonly pinned: readonly string[] },
  clients: readonly RegisteredClient[],
): readonly string[] {
  const certificates = clients.flatMap(({ client, credentials }) =>
    credentials.filter((one) => one.method === 'certificate').map((one) => ({ client: client.name, ...one })),
  )
  const pins = new Set([...pinned, ...certificates.map(({ id }) => id)])
  const count = issuers.filter((one) => !pins.has(one)).length
  if (count <= 1) return []
  return certificates
    .filter(({ id, issuer }) => issuer === undefined && !FINGERPRINT.test(id))
    .map(
      ({ client, id }) =>
        `client ${JSON.stringify(client)}: certificate ${JSON.stringify(id)}: tls.clientCa has ${count} issuers, and each could write this name. Set the issuer of the credential to the SHA-256 fingerprint of the right one`,
    )
}

import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'
import { normalizeFingerprint } from '../../src/auth/certificate.ts'

/** Certificates for TLS made when a test runs, so that no private key stands in the repository. */

export interface Issued {
  /** In PEM. */
  readonly cert: string
  readonly key: string
  readonly fingerprint: string
}

export interface Issuer extends Issued {
  /** A certificate for these names of a SubjectAltName, such as `DNS:a.example` and `IP:127.0.0.1`. */
  issue(name: string, subjectAltNames: readonly string[]): Issued
}

const SEQUENCE = 0x30
const ECDSA_WITH_SHA256 = Buffer.from('2a8648ce3d040302', 'hex')
const COMMON_NAME = Buffer.from('550403', 'hex')
const BASIC_CONSTRAINTS = Buffer.from('551d13', 'hex')
const SUBJECT_ALT_NAME = Buffer.from('551d11', 'hex')
const DAY_MS = 86_400_000

/** A certificate authority that vouches for itself. @see RFC 5280, 4.1 */
export function issuerOf(name: string): Issuer {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const isIssuer = der(
    SEQUENCE,
    oid(BASIC_CONSTRAINTS),
    der(0x01, Buffer.of(0xff)),
    octets(der(SEQUENCE, der(0x01, Buffer.of(0xff)))),
  )
  const toIssued = (
    subject: string,
    keys: { publicKey: KeyObject; privateKey: KeyObject },
    extension: Buffer,
  ): Issued => {
    const toBeSigned = der(
      SEQUENCE,
      der(0xa0, der(0x02, Buffer.of(2))),
      der(0x02, Buffer.concat([Buffer.of(0x01), randomBytes(8)])),
      der(SEQUENCE, oid(ECDSA_WITH_SHA256)),
      nameOf(name),
      der(SEQUENCE, utcTime(Date.now() - DAY_MS), utcTime(Date.now() + DAY_MS)),
      nameOf(subject),
      keys.publicKey.export({ type: 'spki', format: 'der' }),
      der(0xa3, der(SEQUENCE, extension)),
    )
    const signature = sign('sha256', toBeSigned, own.privateKey)
    const bytes = der(SEQUENCE, toBeSigned, der(SEQUENCE, oid(ECDSA_WITH_SHA256)), der(0x03, Buffer.of(0), signature))
    const certificate = new X509Certificate(bytes)
    return {
      cert: certificate.toString(),
      key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      fingerprint: normalizeFingerprint(certificate.fingerprint256),
    }
  }
  return {
    ...toIssued(name, own, isIssuer),
    issue: (subject, names) =>
      toIssued(
        subject,
        generateKeyPairSync('ec', { namedCurve: 'P-256' }),
        der(SEQUENCE, oid(SUBJECT_ALT_NAME), octets(der(SEQUENCE, ...names.map(toAltName)))),
      ),
  }
}

/** @see RFC 5280, 4.2.1.6 */
function toAltName(name: string): Buffer {
  const [kind = '', value = ''] = name.split(/:(.*)/s)
  if (kind === 'IP') return der(0x87, Buffer.from(value.split('.').map(Number)))
  return der(kind === 'URI' ? 0x86 : 0x82, Buffer.from(value))
}

function nameOf(text: string): Buffer {
  return der(SEQUENCE, der(0x31, der(SEQUENCE, oid(COMMON_NAME), der(0x0c, Buffer.from(text)))))
}

function oid(bytes: Uint8Array): Buffer {
  return der(0x06, bytes)
}

function octets(bytes: Uint8Array): Buffer {
  return der(0x04, bytes)
}

function utcTime(time: number): Buffer {
  return der(
    0x17,
    Buffer.from(
      new Date(time)
        .toISOString()
        .replaceAll(/[-:T]|\.\d+/g, '')
        .slice(2),
    ),
  )
}

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  const { length } = content
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...head), content])
}

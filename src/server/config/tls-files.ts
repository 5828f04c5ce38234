import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { KeyProviderError } from '../../core/errors.ts'
import type { TlsMaterial } from '../../http/listener/tls.ts'
import { secureContextOf } from '../../http/listener/tls.ts'
import type { Config } from './config.ts'
import { readText } from './playback-config.ts'

/** The certificate and key of the listener, and whose client certificates it takes. Throws ERR_CONFIG_INVALID with every problem. */
export function readTls({ cert, key, clientCa }: NonNullable<Config['tls']>): TlsMaterial {
  const problems: string[] = []
  const report = (path: string, problem: string): void => void problems.push(`${path}: ${problem}`)
  const read = (path: string, file: string): Buffer => Buffer.from(readText(path, file, report) ?? '')
  const material: TlsMaterial = {
    cert: read('tls.cert', cert),
    key: read('tls.key', key),
    clientCa: clientCa === undefined ? undefined : read('tls.clientCa', clientCa),
  }
  if (problems.length === 0) problems.push(...problemsOf(material))
  if (problems.length > 0) throw new KeyProviderError('ERR_CONFIG_INVALID', problems.join('\n'))
  return material
}

/** What is wrong, in our words: those of OpenSSL do not name the file. */
function problemsOf(material: TlsMaterial): readonly string[] {
  const certificate = attempt(() => new X509Certificate(material.cert))
  const key: KeyObject | undefined = attempt(() => createPrivateKey(material.key))
  const { clientCa } = material
  const problems = [
    ...(certificate === undefined ? ['tls.cert: expected a certificate in PEM, followed by its issuers'] : []),
    ...(key === undefined ? ['tls.key: expected a private key in PEM, without a passphrase'] : []),
    ...(clientCa !== undefined && attempt(() => new X509Certificate(clientCa)) === undefined
      ? ['tls.clientCa: expected certificates in PEM']
      : []),
  ]
  if (certificate !== undefined && key !== undefined && !certificate.checkPrivateKey(key)) {
    problems.push('tls.key: is not the key of tls.cert')
  }
  if (problems.length === 0 && attempt(() => createSecureContext(secureContextOf(material))) === undefined) {
    problems.push('tls: OpenSSL does not take this certificate and key')
  }
  return problems
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    // OpenSSL's errors are plain ones, and may quote the key.
    if (error instanceof Error) return undefined
    throw error
  }
}

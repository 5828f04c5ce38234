import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { KeyProviderError } from '../../core/errors.ts'
import { secureContextOf, type TlsMaterial } from '../../http/listener/tls.ts'
import type { ReportProblem } from './fields.ts'

/** The text of a file that the setting at `path` names; undefined, and a problem, if it cannot be read. */
export function readText(path: string, file: string, report: ReportProblem): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    report(path, `the file cannot be read (${systemCodeOf(error)})`)
    return undefined
  }
}

/** As `readText`, without the line end that editors add; an empty file is a problem. */
export function readSecretText(path: string, file: string, report: ReportProblem): string | undefined {
  const secret = readText(path, file, report)?.replace(/\r?\n$/, '')
  if (secret !== '') return secret
  report(path, 'the file is empty')
  return undefined
}

/** The code of a failed system call, such as ENOENT. */
export function systemCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
}

/** The certificate files of a listener. */
export interface TlsSettings {
  readonly cert: string
  readonly key: string
  readonly clientCa: string | undefined
}

/** The certificate and key of the listener, and the issuers of client certificates. Throws ERR_CONFIG_INVALID with every problem. */
export function readTls(settings: TlsSettings): TlsMaterial {
  const problems: string[] = []
  const material = readTlsFiles(settings, (path, problem) => void problems.push(`${path}: ${problem}`))
  if (problems.length > 0) throw new KeyProviderError('ERR_CONFIG_INVALID', problems.join('\n'))
  return material
}

/** As `readTls`, with every problem reported. OpenSSL's own messages do not name the file. */
export function readTlsFiles({ cert, key, clientCa }: TlsSettings, report: ReportProblem): TlsMaterial {
  let isReadable = true
  const read = (path: string, file: string): Buffer => {
    const text = readText(path, file, report)
    isReadable &&= text !== undefined
    return Buffer.from(text ?? '')
  }
  const material: TlsMaterial = {
    cert: read('tls.cert', cert),
    key: read('tls.key', key),
    clientCa: clientCa === undefined ? undefined : read('tls.clientCa', clientCa),
  }
  if (isReadable) reportTlsProblems(material, report)
  return material
}

function reportTlsProblems(material: TlsMaterial, report: ReportProblem): void {
  const certificate = attempt(() => new X509Certificate(material.cert))
  const key = attempt(() => createPrivateKey(material.key))
  const { clientCa } = material
  const hasIssuers = clientCa === undefined || attempt(() => new X509Certificate(clientCa)) !== undefined
  if (certificate === undefined) report('tls.cert', 'expected a certificate in PEM, followed by its issuers')
  if (key === undefined) report('tls.key', 'expected a private key in PEM, without a passphrase')
  if (!hasIssuers) report('tls.clientCa', 'expected certificates in PEM')
  if (certificate === undefined || key === undefined) return
  if (!certificate.checkPrivateKey(key)) report('tls.key', 'is not the key of tls.cert')
  else if (hasIssuers && attempt(() => createSecureContext(secureContextOf(material))) === undefined) {
    report('tls', 'OpenSSL rejects this certificate and key')
  }
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

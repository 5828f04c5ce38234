import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { KeyProviderError } from '../../../core/errors.ts'
import type { ContentKeyClass } from '../../../formats/cenc.ts'
import type { ImportKey } from '../../../operations/import/format.ts'
import { type ImportedKeyReport, importKeys } from '../../../operations/import/keys.ts'
import { progressLine } from '../../shared/progress.ts'
import { printResult, type StoredOptions, withStored } from '../../shared/stored.ts'

interface ImportOptions extends StoredOptions {
  readonly format?: string
  readonly contentId?: string
  readonly class: ContentKeyClass
  readonly importKey?: string
  readonly dryRun?: boolean
  readonly force?: boolean
  readonly reason?: string
}

/** What the end of a name says of a file. */
const FORMAT_OF: Readonly<Record<string, string>> = { '.csv': 'csv', '.json': 'json', '.xml': 'cpix', '.cpix': 'cpix' }

/** Stores the keys of a file. */
export async function importFile(file: string, options: ImportOptions): Promise<void> {
  const { contentId, class: contentKeyClass, dryRun, force = false, reason } = options
  const format = options.format ?? FORMAT_OF[extname(file).toLowerCase()]
  if (format === undefined) throw wrong('--format: the end of the name does not say how the keys are written down')
  const own = options.importKey === undefined ? undefined : readImportKey(options.importKey)
  const bytes = readFileSync(file === '-' ? 0 : file)
  const line = progressLine()
  try {
    const report = await withStored({ ...options, create: true }, ({ management, importKey }, operator) =>
      importKeys(management, operator, {
        format,
        bytes,
        contentId,
        contentKeyClass,
        dryRun,
        importKey: own ?? importKey,
        onProgress: (done, contents) => line.say(done, `${done} of ${contents} contents`),
        force,
        ...(reason !== undefined && { reason }),
      }),
    )
    line.end()
    printResult(options.json, report, ({ keys, stored, same, refused }) => [
      ...keys.map(describe),
      `${dryRun === true ? 'would be stored' : 'stored'}: ${stored}, there already: ${same}, refused: ${refused}`,
    ])
  } finally {
    bytes.fill(0)
  }
}

function describe({ contentId, kid, contentKeyClass, status, checkValue, refusal }: ImportedKeyReport): string {
  const why = refusal === undefined ? '' : `  ${refusal}`
  return `${contentId}  ${kid}  ${contentKeyClass}  ${status}  check value ${checkValue}${why}`
}

function readImportKey(file: string): ImportKey {
  const pem = readFileSync(file)
  try {
    const [privateKey, certificate] = [createPrivateKey(pem), new X509Certificate(pem)]
    if (certificate.checkPrivateKey(privateKey)) return { certificate: certificate.raw, privateKey }
  } catch (cause) {
    throw new KeyProviderError('ERR_USAGE_INVALID', '--import-key: expected a certificate and its private key in PEM', {
      cause,
    })
  } finally {
    pem.fill(0)
  }
  throw wrong('--import-key: the private key is not that of the certificate')
}

function wrong(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_USAGE_INVALID', problem)
}

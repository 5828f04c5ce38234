import { X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { KeyProviderError } from '../../../core/errors.ts'
import type { ContentKeyClass } from '../../../formats/cenc.ts'
import { exportKeys } from '../../../operations/export/keys.ts'
import { readKid, type StoredOptions, withStored } from '../../shared/stored.ts'

interface ExportOptions extends StoredOptions {
  readonly contentId: string
  readonly out: string
  readonly kid?: readonly string[]
  readonly class?: ContentKeyClass
  readonly format: string
  readonly recipient?: readonly string[]
  readonly clear?: boolean
}

/** Writes the keys of a content to a file that its owner alone can read. */
export async function exportFile(options: ExportOptions): Promise<void> {
  const { contentId, out, kid, class: contentKeyClass, format, recipient = [], clear = false } = options
  if (recipient.length > 0 === clear) {
    throw wrong('expected either --recipient, or --clear to write keys that whoever reads the file has')
  }
  if (out === '-' && options.json === true) throw wrong('--json tells of the export: expected --out with a file')
  const recipients = recipient.map(readCertificate)
  const kids = kid?.map((text) => readKid('--kid', text))
  const exported = await withStored(options, ({ management }, operator) =>
    exportKeys(management, operator, { contentId, kids, contentKeyClass, format, recipients }),
  )
  try {
    if (out === '-') process.stdout.write(exported.bytes)
    else writeFileSync(out, exported.bytes, { mode: 0o600, flag: 'wx' })
  } finally {
    if (out !== '-') exported.bytes.fill(0)
  }
  const { keys, recipients: fingerprints } = exported
  const how = fingerprints.length === 0 ? 'in the clear' : `encrypted for ${fingerprints.join(', ')}`
  if (options.json === true)
    process.stdout.write(`${JSON.stringify({ out, keys, recipients: fingerprints }, undefined, 2)}\n`)
  else process.stderr.write(`keyspring: ${keys.length} keys exported, ${how}\n`)
}

function readCertificate(file: string): Uint8Array {
  try {
    return new X509Certificate(readFileSync(file)).raw
  } catch (cause) {
    throw new KeyProviderError('ERR_USAGE_INVALID', `--recipient ${file}: expected a certificate in PEM`, { cause })
  }
}

function wrong(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_USAGE_INVALID', problem)
}

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { wrongUsage } from '../../../core/errors.ts'
import type { ContentKeyClass } from '../../../formats/cenc.ts'
import { exportKeys } from '../../../operations/export/keys.ts'
import { readKid } from '../../shared/options.ts'
import { addStoredOptions, type StoredOptions, withStored } from '../../shared/stored.ts'
import { printResult, type World, writeNewFile } from '../../shared/world.ts'

/** Defines `keyspring keys export`. */
export function defineExport(command: Command, world: World): void {
  addStoredOptions(command.description('write the keys of a content to a file; the audit log records it'))
    .requiredOption('--content-id <id>', 'the content')
    .requiredOption('--out <file>', 'the file, which must not exist; - for standard output')
    .option('--kid <kid...>', 'export only these keys')
    .addOption(new Option('--class <class>', 'class of the content keys').choices(['drm', 'clear']))
    .addOption(new Option('--format <format>', 'format of the file').choices(['cpix', 'json', 'csv']).default('cpix'))
    .option('--recipient <file...>', 'certificates (PEM) to encrypt the keys for, in CPIX')
    .option('--clear', 'do not encrypt the keys: everyone who reads the file has them')
    .addHelpText('after', HELP)
    .action((options: ExportOptions) => exportFile(options, world))
}

const HELP = `
Examples:
  keyspring keys export --content-id film --recipient partner.pem --out film.cpix.xml
  keyspring keys export --content-id film --format json --clear --out film.json`

interface ExportOptions extends StoredOptions {
  readonly contentId: string
  readonly out: string
  readonly kid?: readonly string[]
  readonly class?: ContentKeyClass
  readonly format: string
  readonly recipient?: readonly string[]
  readonly clear?: boolean
}

/** Writes the keys of a content to a file of mode 0600. */
async function exportFile(options: ExportOptions, world: World): Promise<void> {
  const { contentId, out, kid, class: contentKeyClass, format, recipient = [], clear = false } = options
  if (recipient.length > 0 === clear) {
    throw wrongUsage('give either --recipient, or --clear to write keys that are not encrypted')
  }
  if (out === '-' && options.json === true) throw wrongUsage('--json prints a report: name a file with --out')
  const recipients = recipient.map(readCertificate)
  const kids = kid?.map((text) => readKid('--kid', text))
  const exported = await withStored(options, world, ({ management }, operator) =>
    exportKeys(management, operator, { contentId, kids, contentKeyClass, format, recipients }),
  )
  try {
    if (out === '-') {
      world.stdout.write(exported.bytes)
      await world.stdout.flushed()
    } else writeNewFile(out, exported.bytes)
  } finally {
    exported.bytes.fill(0)
  }
  const { keys, recipients: fingerprints } = exported
  const how = fingerprints.length === 0 ? 'in the clear' : `encrypted for ${fingerprints.join(', ')}`
  if (options.json === true) printResult(world, true, { out, keys, recipients: fingerprints }, () => [])
  else world.stderr.line(`keyspring: ${keys.length} keys exported, ${how}`)
}

function readCertificate(file: string): Uint8Array {
  try {
    return new X509Certificate(readFileSync(file)).raw
  } catch (cause) {
    throw wrongUsage(`--recipient: ${file}: expected a certificate in PEM`, cause)
  }
}

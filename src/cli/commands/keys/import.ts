import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { type Command, Option } from 'commander'
import { wrongUsage } from '../../../core/errors.ts'
import type { ContentKeyClass } from '../../../formats/cenc.ts'
import type { ImportKey } from '../../../operations/import/draft.ts'
import { IMPORT_FORMATS, type ImportedKeyReport, importKeys } from '../../../operations/import/keys.ts'
import { addStoredOptions, type StoredOptions, withStored } from '../../shared/stored.ts'
import { ProgressLine, printResult, readInput, type World } from '../../shared/world.ts'

/** Defines `keyspring keys import`. */
export function defineImport(command: Command, world: World): void {
  addStoredOptions(command.description('store existing keys; prints their check values'))
    .argument('<file>', 'the keys; - for standard input')
    .addOption(
      new Option('--format <format>', 'format of the file (default: from the end of its name)').choices([
        ...IMPORT_FORMATS.keys(),
      ]),
    )
    .option('--content-id <id>', 'content of keys for which the file names none')
    .addOption(new Option('--class <class>', 'class of the content keys').choices(['drm', 'clear']).default('drm'))
    .option('--import-key <file>', 'certificate and private key (PEM) that a CPIX document is encrypted for')
    .option('--ignore-signature', 'import a CPIX document without verifying its XML signatures')
    .option('--dry-run', 'store nothing, only print what would happen to each key')
    .option('--force', 'replace keys although they may have been issued')
    .option('--reason <text>', 'reason for --force')
    .addHelpText('after', HELP)
    .action((file: string, options: ImportOptions) => importFile(file, options, world))
}

const HELP = `
The command stores all keys or none: one line that cannot be read, or one key that differs from a key that encryptors may
have, rejects the file. Importing the same keys again changes nothing.

Examples:
  keyspring keys import keys.csv                             a head of contentId,kid,key[,iv][,class]
  keyspring keys import film.xml --import-key import.pem     CPIX, encrypted for this server
  keyspring keys import licence.json --format jwk --content-id film
  keyspring keys import flags.txt --format shaka-packager --content-id film
  keyspring keys import secrets.json --format reference-server
  keyspring keys import keys.csv --dry-run --json | jq '.keys[] | select(.status != "stored")'`

interface ImportOptions extends StoredOptions {
  readonly format?: string
  readonly contentId?: string
  readonly class: ContentKeyClass
  readonly importKey?: string
  readonly ignoreSignature?: boolean
  readonly dryRun?: boolean
  readonly force?: boolean
  readonly reason?: string
}

/** The format that the end of a file name means. */
const FORMAT_OF: Readonly<Record<string, string>> = { '.csv': 'csv', '.json': 'json', '.xml': 'cpix', '.cpix': 'cpix' }

async function importFile(file: string, options: ImportOptions, world: World): Promise<void> {
  const { contentId, class: contentKeyClass, ignoreSignature, dryRun, force = false, reason } = options
  const named = options.format ?? FORMAT_OF[extname(file).toLowerCase()]
  if (named === undefined)
    throw wrongUsage('--format: expected a format, because the file name does not end in a known one')
  const own = options.importKey === undefined ? undefined : readImportKey(options.importKey)
  const bytes = readInput(world, file)
  // A ClearKey licence has the same end of its name. No key of the other format has this member.
  const format = options.format === undefined && named === 'json' && bytes.includes('"kty"') ? 'jwk' : named
  const progress = new ProgressLine(world)
  const opening = { ...options, create: dryRun !== true, emptyIfMissing: dryRun === true }
  try {
    const report = await withStored(opening, world, ({ management, importKey }, operator) =>
      importKeys(management, operator, {
        format,
        bytes,
        contentId,
        contentKeyClass,
        ignoreSignature,
        dryRun,
        importKey: own ?? importKey,
        onProgress: (done, contents) => progress.report(done, `${done} of ${contents} contents`),
        force,
        ...(reason !== undefined && { reason }),
      }),
    )
    progress.close()
    printResult(world, options.json, report, ({ keys, stored, same, refused, notes }) => [
      ...keys.map((key) => describe(key, dryRun === true)),
      ...notes.map((note) => `note: ${note}`),
      `${dryRun === true ? 'would be stored' : 'stored'}: ${stored}, there already: ${same}, refused: ${refused}`,
    ])
  } finally {
    bytes.fill(0)
  }
}

function describe(
  { contentId, kid, contentKeyClass, status, checkValue, refusal }: ImportedKeyReport,
  dryRun: boolean,
): string {
  const why = refusal === undefined ? '' : `  ${refusal}`
  const result = dryRun && status === 'stored' ? 'would be stored' : status
  return `${contentId}  ${kid}  ${contentKeyClass}  ${result}  check value ${checkValue}${why}`
}

function readImportKey(file: string): ImportKey {
  const pem = readFileSync(file)
  try {
    const [privateKey, certificate] = [createPrivateKey(pem), new X509Certificate(pem)]
    if (certificate.checkPrivateKey(privateKey)) return { certificate: certificate.raw, privateKey }
  } catch (cause) {
    throw wrongUsage(`--import-key: ${file}: expected a certificate and its private key in PEM`, cause)
  } finally {
    pem.fill(0)
  }
  throw wrongUsage(`--import-key: ${file}: the private key does not belong to the certificate`)
}

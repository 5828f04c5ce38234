import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import type { Command } from 'commander'
import { wrongUsage } from '../../core/errors.ts'
import { type CpixDiff, diffCpix } from '../../toolkit/inspect/diff.ts'
import { inspect, inspectSource } from '../../toolkit/inspect/inspect.ts'
import type { Inspection } from '../../toolkit/inspect/inspection.ts'
import type { ByteSource } from '../../toolkit/inspect/mp4/mp4.ts'
import { findingsIn, type InspectOptions, MAX_BYTES } from '../../toolkit/inspect/node.ts'
import { type Colours, renderDiff, renderInspection } from '../../toolkit/inspect/render.ts'
import { printable } from '../../toolkit/inspect/text.ts'
import { EXIT } from '../shared/errors.ts'
import { readPrivateKey } from '../shared/options.ts'
import { stdoutColours, type World } from '../shared/world.ts'

/** Defines `keyspring inspect` and `keyspring inspect diff`. */
export function defineInspect(command: Command, world: World): void {
  command
    .argument('<anything>', 'a file, - for standard input, or the text itself: see below')
    .option('--key <file>', 'RSA private key (PEM): decrypts an encrypted CPIX document and checks its MACs')
    .option('--show-keys', 'print content keys')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action((anything: string, options: Options) => inspectAnything(anything, options, world))
  command
    .command('diff')
    .description('compare two CPIX documents by meaning: order, prefixes and spelling do not matter')
    .argument('<first>', 'a CPIX document; - for standard input')
    .argument('<second>', 'another CPIX document')
    .option('--key <file>', 'RSA private key (PEM): compares encrypted keys too')
    .option('--show-keys', 'print content keys that differ')
    .option('--json', 'print JSON')
    .addHelpText('after', DIFF_HELP)
    .action((first: string, second: string, options: Options) => {
      // Both commands have the options: users also write them before "diff".
      inspectDiff(first, second, { ...command.opts(), ...options }, world)
    })
}

const HELP = `
What it explains, from a file, hex, base64 or text:
  CPIX documents           by content key: systems, periods, rules; encrypted ones with --key
  pssh boxes               one or several in a row, and the MP4 file, init segment or media segment around them
  PlayReady                an object, a WRMHEADER
  Widevine                 the message of a pssh box
  HLS                      a playlist, or an EXT-X-KEY or EXT-X-SESSION-KEY line
  DASH, Smooth Streaming   an MPD, a manifest, ContentProtection elements
  FairPlay                 an skd:// URI
  X.509 certificates       PEM or DER
  kids                     in both byte orders

Places are "offset +length" in bytes of what was decoded last, or "line:column".

Examples:
  keyspring inspect answer.xml
  keyspring inspect answer.xml --key private-key.pem
  keyspring inspect AAAANHBzc2gBAAAAEHfv7MCyTQKs4zweUuL7SwAAAAGetAUN5EtIApMuJ9dQg+JmAAAAAA==
  keyspring inspect init.mp4
  curl -s https://host/master.m3u8 | keyspring inspect -
  keyspring inspect manifest.mpd --json
  keyspring inspect diff answer-of-yesterday.xml answer-of-today.xml

Exit codes: 0 explained, with or without warnings, 1 damaged or unknown, 2 wrong usage.`

const DIFF_HELP = `
Examples:
  keyspring inspect diff clear.xml encrypted.xml --key private-key.pem
  keyspring inspect diff before.xml after.xml --json

Exit codes: 0 same meaning, 1 different, 2 wrong usage.`

interface Options {
  readonly key?: string
  readonly showKeys?: boolean
  readonly json?: boolean
}

/** Explains a file, standard input or the text of the argument, on standard output. */
function inspectAnything(anything: string, options: Options, world: World): void {
  const inspection = read(anything, optionsOf(options, world), world)
  print(inspection, options, renderInspection, world)
  const isBad =
    inspection.kind === 'unknown' || findingsIn(inspection.nodes).some(({ severity }) => severity === 'error')
  if (isBad) world.exitCode = EXIT.failed
}

/** Compares two CPIX documents on standard output. */
function inspectDiff(first: string, second: string, options: Options, world: World): void {
  if (first === '-' && second === '-') throw wrongUsage('only one of the two documents can be standard input')
  const diff = diffCpix(readDocument(first, world), readDocument(second, world), optionsOf(options, world))
  print(diff, options, renderDiff, world)
  if (diff.differences.length > 0) world.exitCode = EXIT.failed
}

function print<T extends Inspection | CpixDiff>(
  value: T,
  { json }: Options,
  render: (value: T, colours: Colours) => string,
  world: World,
): void {
  world.stdout.write(json === true ? `${printable(JSON.stringify(value))}\n` : render(value, stdoutColours(world)))
}

function optionsOf({ key, showKeys }: Options, world: World): InspectOptions {
  const options = { showKeys: showKeys === true, now: Date.now() }
  if (key === undefined) return options
  const privateKey = readPrivateKey('--key', key, world)
  if (privateKey.asymmetricKeyType !== 'rsa') throw wrongUsage(`--key: ${key}: expected an RSA key`)
  return { ...options, privateKey }
}

/** Inspects the named file, standard input for `-`, or else the argument itself. */
function read(anything: string, options: InspectOptions, world: World): Inspection {
  if (anything === '-') return inspect(readStandardInput(world), options)
  const file = attemptOpen(anything)
  if (file !== undefined) {
    try {
      if (!fstatSync(file).isFile()) return inspect(readFileSync(file), options)
      return inspectSource(fileSource(file), options)
    } finally {
      closeSync(file)
    }
  }
  const inspection = inspect(anything, options)
  if (inspection.kind !== 'unknown') return inspection
  throw wrongUsage(
    'the argument is not an existing file, and as text it is in no known format: see `keyspring inspect --help`',
  )
}

function readDocument(path: string, world: World): Uint8Array {
  return path === '-' ? readStandardInput(world) : readFileSync(path)
}

function readStandardInput({ readStdin }: World): Uint8Array {
  const bytes = readStdin()
  if (bytes.length > MAX_BYTES) throw wrongUsage(`standard input has more than ${MAX_BYTES} bytes: name a file instead`)
  return bytes
}

/** Errors that mean that the argument is text: no file has this name, or no file could have it. */
const NO_FILE: readonly string[] = ['ENOENT', 'ENAMETOOLONG', 'ENOTDIR', 'ERR_INVALID_ARG_VALUE']

function attemptOpen(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (problem) {
    if (problem instanceof Error && 'code' in problem && NO_FILE.includes(String(problem.code))) return undefined
    throw problem
  }
}

function fileSource(file: number): ByteSource {
  return {
    size: fstatSync(file).size,
    read(offset, length) {
      const bytes = Buffer.alloc(length)
      let at = 0
      while (at < length) {
        const count = readSync(file, bytes, at, length - at, offset + at)
        if (count === 0) break
        at += count
      }
      return bytes.subarray(0, at)
    },
  }
}

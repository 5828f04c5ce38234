import { createPrivateKey, type KeyObject } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { KeyProviderError } from '../../../core/errors.ts'
import { type CpixDiff, diffCpix } from '../../../toolkit/inspect/diff.ts'
import { type Inspection, inspect, inspectSource } from '../../../toolkit/inspect/inspect.ts'
import type { ByteSource } from '../../../toolkit/inspect/mp4/mp4.ts'
import { findingsIn } from '../../../toolkit/inspect/node.ts'
import { type InspectOptions, MAX_BYTES } from '../../../toolkit/inspect/options.ts'
import { type Colours, renderDiff, renderInspection } from '../../../toolkit/inspect/render.ts'
import { printable } from '../../../toolkit/inspect/text.ts'
import { stdoutColours } from '../../shared/colours.ts'
import { EXIT } from '../../shared/exit-codes.ts'

interface Options {
  readonly key?: string
  readonly showKeys?: boolean
  readonly json?: boolean
}

/** Explains a file, standard input or the text of the argument, on standard output. */
export function inspectAnything(anything: string, options: Options): void {
  const inspection = read(anything, optionsOf(options))
  print(inspection, options, renderInspection)
  const isBad =
    inspection.kind === 'unknown' || findingsIn(inspection.nodes).some(({ severity }) => severity === 'error')
  if (isBad) process.exitCode = EXIT.failed
}

/** Compares two CPIX documents on standard output. */
export function inspectDiff(first: string, second: string, options: Options): void {
  if (first === '-' && second === '-') throw wrong('standard input can be one of the documents only')
  const diff = diffCpix(readDocument(first), readDocument(second), optionsOf(options))
  print(diff, options, renderDiff)
  if (diff.differences.length > 0) process.exitCode = EXIT.failed
}

function print<T extends Inspection | CpixDiff>(
  value: T,
  { json }: Options,
  render: (value: T, colours: Colours) => string,
): void {
  process.stdout.write(json === true ? `${printable(JSON.stringify(value))}\n` : render(value, stdoutColours()))
}

function optionsOf({ key, showKeys }: Options): InspectOptions {
  return { showKeys: showKeys === true, now: Date.now(), ...(key !== undefined && { privateKey: readPrivateKey(key) }) }
}

function readPrivateKey(file: string): KeyObject {
  const pem = readFileSync(file)
  try {
    const key = createPrivateKey(pem)
    if (key.asymmetricKeyType === 'rsa') return key
  } catch (cause) {
    throw new KeyProviderError(
      'ERR_USAGE_INVALID',
      `--key: ${file}: expected a private key in PEM, not protected by a passphrase`,
      { cause },
    )
  }
  throw wrong(`--key: ${file}: expected an RSA key`)
}

/** What a file, standard input or the argument itself is. */
function read(anything: string, options: InspectOptions): Inspection {
  if (anything === '-') return inspect(readStandardInput(), options)
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
  throw wrong('the argument is no file there is, and as text nothing that is known')
}

function readDocument(path: string): Uint8Array {
  return path === '-' ? readStandardInput() : readFileSync(path)
}

function readStandardInput(): Uint8Array {
  const bytes = readFileSync(0)
  if (bytes.length > MAX_BYTES) throw wrong(`standard input has more than ${MAX_BYTES} bytes; give a file`)
  return bytes
}

/** Why an argument is taken for text and not for a file: there is none of this name, or no file could have it. */
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

function wrong(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_USAGE_INVALID', problem)
}

import { spawn } from 'node:child_process'
import { closeSync, fchmodSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Answer } from '../../../toolkit/encryptor/answer/read.ts'
import type { Output, OutputOptions, Rendered } from '../../../toolkit/encryptor/outputs/output.ts'
import { OUTPUTS } from '../../../toolkit/encryptor/outputs/outputs.ts'
import { substitute } from '../../../toolkit/encryptor/substitute.ts'
import { readNumber, wrong } from '../../shared/request-options.ts'

/** The options of `request` that say what becomes of the answer. */
export interface OutputChoice {
  readonly format: string
  readonly out?: string
  readonly showKeys?: boolean
  readonly track?: string
  readonly trackId?: readonly string[]
}

/** Prints an answer, or writes it to a file of this user's alone. Keys are printed only when that is asked for. */
export function writeAnswer(answer: Answer, choice: OutputChoice): void {
  const output = outputOf(choice.format)
  const file = choice.out === undefined ? undefined : resolve(choice.out)
  const areKeys = output.holdsKeys(answer)
  if (areKeys && file === undefined && choice.showKeys !== true) {
    throw wrong(`${output.name} is content keys: --out FILE writes them to a file of yours, --show-keys prints them`)
  }
  const { text, files = [], notes = [] } = output.render(answer, optionsOf(choice, file))
  for (const { path, bytes } of files) writePrivate(path, bytes)
  if (file === undefined) process.stdout.write(text)
  else writePrivate(file, text)
  for (const note of notes) process.stderr.write(`note: ${note}\n`)
  const written = [...(file === undefined ? [] : [file]), ...files.map(({ path }) => path)]
  if (written.length > 0) process.stderr.write(`keyspring: wrote ${written.join(', ')}${areKeys ? KEYS : ''}\n`)
  else if (areKeys) process.stderr.write('keyspring: what is printed are content keys\n')
}

const KEYS = ': content keys, readable by you alone (mode 0600)'

/** Runs a command with the answer in its placeholders: its exit code. The files it is given are gone when it ends. */
export async function runCommand(command: readonly string[], answer: Answer, choice: OutputChoice): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'keyspring-request-'))
  try {
    const render = (format: string): Rendered => {
      const rendered = outputOf(format).render(answer, optionsOf(choice, join(directory, format)))
      for (const { path, bytes } of rendered.files ?? []) writePrivate(path, bytes)
      for (const note of rendered.notes ?? []) process.stderr.write(`note: ${note}\n`)
      return rendered
    }
    const filled = substitute(command, {
      answer,
      render,
      writeFile: (format) => {
        const path = join(directory, format)
        writePrivate(path, render(format).text)
        return path
      },
    })
    if (filled.keysInArguments) {
      process.stderr.write(
        'warning: keys stand in the arguments, for everyone on this machine to see: {file:…} avoids it\n',
      )
    }
    return await spawned(filled.command)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function spawned([program = '', ...args]: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit' })
  // What interrupts this process interrupts the command too; the files go once it has ended.
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
  process.on('SIGINT', pass).on('SIGTERM', pass)
  return new Promise<number>((end, fail) => {
    child.on('error', (cause) =>
      fail(wrong(`${program} cannot be started: ${'code' in cause ? cause.code : 'unknown'}`)),
    )
    child.on('close', (code, signal) => end(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  }).finally(() => process.off('SIGINT', pass).off('SIGTERM', pass))
}

function outputOf(format: string): Output {
  const output = OUTPUTS.get(format)
  if (output === undefined) throw wrong(`a format must be one of ${[...OUTPUTS.keys()].join(', ')}`)
  return output
}

function optionsOf(choice: OutputChoice, file: string | undefined): OutputOptions {
  return {
    showKeys: choice.showKeys === true,
    fileBeside: file === undefined ? undefined : (suffix) => `${file}${suffix}`,
    track: choice.track,
    trackIds: readTrackIds(choice.trackId ?? []),
  }
}

function readTrackIds(texts: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const ids = new Map<string, readonly number[]>()
  for (const text of texts) {
    const equals = text.lastIndexOf('=')
    const id = readNumber('--track-id TRACK=ID', text.slice(equals + 1), 1, 0xffff_ffff)
    if (equals < 1 || id === undefined) throw wrong('--track-id must be TRACK=ID')
    const track = text.slice(0, equals)
    ids.set(track, [...(ids.get(track) ?? []), id])
  }
  return ids
}

/** A file that only this user can read, before anything stands in it. */
function writePrivate(path: string, content: string | Uint8Array): void {
  const file = openSync(path, 'w', 0o600)
  try {
    // One that was there keeps its mode otherwise.
    fchmodSync(file, 0o600)
    writeFileSync(file, content)
  } finally {
    closeSync(file)
  }
}

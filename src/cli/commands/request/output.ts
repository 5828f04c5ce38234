import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { wrongUsage } from '../../../core/errors.ts'
import type { Answer } from '../../../toolkit/encryptor/answer/read.ts'
import type { Output, OutputOptions, Rendered } from '../../../toolkit/encryptor/outputs/output.ts'
import { OUTPUTS } from '../../../toolkit/encryptor/outputs/outputs.ts'
import { substitute } from '../../../toolkit/encryptor/substitute.ts'
import { readNumber } from '../../shared/options.ts'
import { type World, writePrivateFile } from '../../shared/world.ts'

/** The options of `request` for its output. */
export interface OutputChoice {
  readonly format: string
  readonly out?: string
  readonly showKeys?: boolean
  readonly track?: string
  readonly trackId?: readonly string[]
}

/** Prints an answer, or writes it to a file of mode 0600. Throws ERR_USAGE_INVALID for keys that --show-keys does not allow. */
export function writeAnswer(answer: Answer, choice: OutputChoice, { stdout, stderr }: World): void {
  const output = outputOf(choice.format)
  const file = choice.out === undefined ? undefined : resolve(choice.out)
  const areKeys = output.holdsKeys(answer)
  if (areKeys && file === undefined && choice.showKeys !== true) {
    throw wrongUsage(
      `--format ${output.name} contains content keys: write them with --out FILE, or print them with --show-keys`,
    )
  }
  const { text, files = [], notes = [] } = output.render(answer, optionsOf(choice, file))
  for (const { path, bytes } of files) writePrivateFile(path, bytes)
  if (file === undefined) stdout.write(text)
  else writePrivateFile(file, text)
  for (const note of notes) stderr.line(`note: ${note}`)
  const written = [...(file === undefined ? [] : [file]), ...files.map(({ path }) => path)]
  if (written.length > 0) stderr.line(`keyspring: wrote ${written.join(', ')}${areKeys ? KEYS : ''}`)
  else if (areKeys) stderr.line('keyspring: the output contains content keys')
}

const KEYS = ': content keys, readable only by you (mode 0600)'

/** Runs a command with its placeholders filled from the answer, and deletes the files it was given. Returns its exit code. */
export async function runCommand(
  command: readonly string[],
  answer: Answer,
  choice: OutputChoice,
  world: World,
): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'keyspring-request-'))
  try {
    // The name of a track may hold any character, so files are numbered.
    let count = 0
    const nextPath = (format: string): string => join(directory, `${format}-${++count}`)
    const render = (format: string, track: string | undefined, path = nextPath(format)): Rendered => {
      const options = optionsOf(choice, path)
      const rendered = outputOf(format).render(answer, track === undefined ? options : { ...options, track })
      for (const { path, bytes } of rendered.files ?? []) writePrivateFile(path, bytes)
      for (const note of rendered.notes ?? []) world.stderr.line(`note: ${note}`)
      return rendered
    }
    const filled = substitute(command, {
      answer,
      render,
      writeFile: (format, track) => {
        const path = nextPath(format)
        writePrivateFile(path, render(format, track, path).text)
        return path
      },
    })
    if (filled.keysInArguments) {
      world.stderr.line('warning: the arguments contain keys, which every user of this machine can see: use {file:…}')
    }
    return await spawned(filled.command, world)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function spawned([program = '', ...args]: readonly string[], { signals }: World): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit' })
  // Signals to this process also reach the command. Its files are deleted once it has ended.
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
  signals.on('SIGINT', pass)
  signals.on('SIGTERM', pass)
  return new Promise<number>((end, fail) => {
    child.on('error', (cause) =>
      fail(wrongUsage(`${program} cannot be started: ${'code' in cause ? cause.code : 'unknown'}`)),
    )
    child.on('close', (code, signal) => end(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  }).finally(() => {
    signals.off('SIGINT', pass)
    signals.off('SIGTERM', pass)
  })
}

function outputOf(format: string): Output {
  const output = OUTPUTS.get(format)
  if (output === undefined) throw wrongUsage(`--format: expected one of ${[...OUTPUTS.keys()].join(', ')}`)
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
    if (equals < 1) throw wrongUsage('--track-id: expected TRACK=ID')
    const track = text.slice(0, equals)
    ids.set(track, [...(ids.get(track) ?? []), id])
  }
  return ids
}

import type { Answer } from './answer/read.ts'
import { COMMAND_PLACEHOLDERS } from './outputs/names.ts'
import { clearKey, type Rendered, wrong } from './outputs/output.ts'

/** A command with its placeholders filled. */
export interface Substituted {
  readonly command: readonly string[]
  /** Whether a key stands in an argument, where every process of this machine can read it. */
  readonly keysInArguments: boolean
}

export interface SubstituteOptions {
  readonly answer: Answer
  /** The output of a format, for its arguments. Throws ERR_USAGE_INVALID for an unknown one. */
  readonly render: (format: string) => Rendered
  /** Writes the output of a format to a file of this user's alone: its path. */
  readonly writeFile: (format: string) => string
}

const VALUE = /\{(kid|key|iv)(?::([^{}]+))?\}/g
const FILE = /\{file:([a-z0-9]+)\}/g
const ARGUMENTS = /^\{(shaka|ffmpeg|bento4)\}$/

/** A command with kids, keys, files and options in the place of its placeholders. Other braces stay as they are. */
export function substitute(command: readonly string[], options: SubstituteOptions): Substituted {
  if (!command.some((argument) => [VALUE, FILE, ARGUMENTS].some((pattern) => argument.search(pattern) !== -1))) {
    throw wrong(`the command has no placeholder: ${COMMAND_PLACEHOLDERS}`)
  }
  let keysInArguments = false
  const files = new Map<string, string>()
  const fileOf = (format: string): string => {
    const path = files.get(format) ?? options.writeFile(format)
    files.set(format, path)
    return path
  }
  const filled = command.flatMap((argument) => {
    const [, format] = ARGUMENTS.exec(argument) ?? []
    if (format !== undefined) {
      const { args } = options.render(format)
      if (args === undefined) throw wrong(`${format} is a file here, no options: use {file:${format}}`)
      keysInArguments = true
      return args
    }
    const withFiles = argument.replaceAll(FILE, (_, name: string) => fileOf(name))
    return [
      withFiles.replaceAll(VALUE, (_, value: string, track: string | undefined) => {
        if (value === 'key') keysInArguments = true
        return readValue(options.answer, value, track)
      }),
    ]
  })
  return { command: filled, keysInArguments }
}

function readValue({ keys }: Answer, value: string, track: string | undefined): string {
  const fitting = track === undefined ? keys : keys.filter(({ requested }) => requested.intendedTrackType === track)
  const [key] = fitting
  if (key === undefined || fitting.length > 1) {
    const tracks = [...new Set(keys.map(({ requested }) => requested.intendedTrackType))].join(', ')
    throw wrong(`{${value}} must name one key: write {${value}:TRACK} with a TRACK of ${tracks}`)
  }
  if (value === 'kid') return key.kid.replaceAll('-', '')
  const { keyHex, ivHex } = clearKey(key)
  if (value === 'key') return keyHex
  if (ivHex === undefined) throw wrong('{iv}: the answer has no IV: ask with --iv new')
  return ivHex
}

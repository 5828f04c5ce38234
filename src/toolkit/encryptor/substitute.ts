import { wrongUsage } from '../../core/errors.ts'
import type { Answer } from './answer/read.ts'
import { COMMAND_PLACEHOLDERS, clearKey, type Rendered } from './outputs/output.ts'

/** A command with its placeholders replaced. */
interface Substituted {
  readonly command: readonly string[]
  /** Whether an argument contains a key, which every process of this machine can read. */
  readonly keysInArguments: boolean
}

interface SubstituteOptions {
  readonly answer: Answer
  /** Renders a format for its arguments. Throws ERR_USAGE_INVALID for an unknown format. */
  readonly render: (format: string, track: string | undefined) => Rendered
  /** Writes the output of a format to a file that only this user can read, and returns its path. */
  readonly writeFile: (format: string, track: string | undefined) => string
}

const VALUE = /\{(kid|key|iv)(?::([^{}]+))?\}/g
const FILE = /\{file:([a-z0-9]+)(?::([^{}]+))?\}/g
const ARGUMENTS = /^\{(shaka|ffmpeg|bento4)(?::([^{}]+))?\}$/

/** Replaces the placeholders of a command with kids, keys, files and options. Other braces stay unchanged. */
export function substitute(command: readonly string[], options: SubstituteOptions): Substituted {
  if (!command.some((argument) => [VALUE, FILE, ARGUMENTS].some((pattern) => argument.search(pattern) !== -1))) {
    throw wrongUsage(`the command has no placeholder. Use one of: ${COMMAND_PLACEHOLDERS}`)
  }
  let keysInArguments = false
  const files = new Map<string, string>()
  const fileOf = (format: string, track: string | undefined): string => {
    const name = `${format}:${track ?? ''}`
    const path = files.get(name) ?? options.writeFile(format, track)
    files.set(name, path)
    return path
  }
  const filled = command.flatMap((argument) => {
    const [, format, track] = ARGUMENTS.exec(argument) ?? []
    if (format !== undefined) {
      const { args } = options.render(format, track)
      if (args === undefined) throw wrongUsage(`${format} is a file here, not options: use {file:${format}}`)
      keysInArguments = true
      return args
    }
    const withFiles = argument.replaceAll(FILE, (_, name: string, only: string | undefined) => fileOf(name, only))
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
    throw wrongUsage(`{${value}} does not select one key: write {${value}:TRACK} with a TRACK of ${tracks}`)
  }
  if (value === 'kid') return key.kid.replaceAll('-', '')
  const { keyHex, ivHex } = clearKey(key)
  if (value === 'key') return keyHex
  if (ivHex === undefined) throw wrongUsage('{iv}: the answer has no IV. Ask for one with --iv new')
  return ivHex
}

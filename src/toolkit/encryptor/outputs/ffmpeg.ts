import { wrongUsage } from '../../../core/errors.ts'
import type { Answer } from '../answer/read.ts'
import {
  type ClearKey,
  clearKeysOf,
  keyUriOf,
  type Output,
  type OutputOptions,
  type Rendered,
  schemeOf,
} from './output.ts'

/**
 * Options of the MP4 muxer of FFmpeg for cenc, or a key info file for HLS AES-128. FFmpeg accepts one key and does not support
 * cbcs.
 *
 * @see https://ffmpeg.org/ffmpeg-formats.html, mov/mp4 and hls_key_info_file
 */
export const ffmpeg: Output = {
  name: 'ffmpeg',
  title: 'options for cenc, or a key info file for HLS AES-128',
  holdsKeys: () => true,
  render(answer, options) {
    const key = oneKey(clearKeysOf(answer, 'ffmpeg'), options)
    const scheme = schemeOf(answer)
    if (scheme === 'cenc') return cencOptions(key)
    if (scheme === 'cbc1') return keyInfoFile(answer, key, options)
    throw wrongUsage(`ffmpeg supports cenc and HLS AES-128, not ${scheme}: use --scheme cenc, or --format shaka`)
  },
}

function cencOptions({ keyHex, kidHex }: ClearKey): Rendered {
  const args = ['-encryption_scheme', 'cenc-aes-ctr', '-encryption_key', keyHex, '-encryption_kid', kidHex]
  return {
    text: `${args.join(' ')}\n`,
    args,
    notes: ['ffmpeg encrypts every track with this key, in MP4 files without fragments, and writes no pssh box'],
  }
}

/** The three lines of a key info file: the URI for the playlist, the path of the key file, the IV. */
function keyInfoFile(answer: Answer, { keyHex, ivHex }: ClearKey, { fileBeside }: OutputOptions): Rendered {
  const [uri] = answer.systems.flatMap((system) => (system.name === 'aes-128' ? (keyUriOf(system) ?? []) : []))
  if (uri === undefined) throw wrongUsage('a key info file requires the URI of the key: use --drm aes-128')
  if (fileBeside === undefined) throw wrongUsage('a key info file names a file with the key: set --out FILE')
  const path = fileBeside('.key')
  const lines = [uri, path, ...(ivHex === undefined ? [] : [ivHex])]
  return {
    text: lines.map((line) => `${line}\n`).join(''),
    files: [{ path, bytes: Buffer.from(keyHex, 'hex') }],
    notes: ['use it with ffmpeg … -hls_key_info_file FILE'],
  }
}

function oneKey(keys: readonly ClearKey[], { track }: OutputOptions): ClearKey {
  const fitting = track === undefined ? keys : keys.filter((key) => key.track === track)
  const [key] = fitting
  if (key !== undefined && fitting.length === 1) return key
  const tracks = keys.map((one) => one.track).join(', ')
  throw wrongUsage(`ffmpeg accepts one key: use --video SHARED, or --track with one of ${tracks}`)
}

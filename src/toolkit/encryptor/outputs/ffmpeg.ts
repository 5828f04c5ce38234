import type { Answer } from '../answer/read.ts'
import {
  type ClearKey,
  clearKeysOf,
  keyUrisOf,
  type Output,
  type OutputOptions,
  type Rendered,
  schemeOf,
  wrong,
} from './output.ts'

/**
 * For ffmpeg, which takes one key: options of its MP4 muxer for cenc, a key info file for HLS AES-128. It cannot encrypt
 * by cbcs.
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
    throw wrong(`ffmpeg encrypts by cenc and HLS AES-128, not by ${scheme}: ask with --scheme cenc, or use shaka`)
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

/** Three lines: the URI for the playlist, the file with the key, the IV. */
function keyInfoFile(answer: Answer, { keyHex, ivHex }: ClearKey, { fileBeside }: OutputOptions): Rendered {
  const [uri] = keyUrisOf(answer, ['aes-128'])
  if (uri === undefined) throw wrong('a key info file needs the URI of the key: ask with --drm aes-128')
  if (fileBeside === undefined) throw wrong('a key info file names a file with the key: give --out FILE')
  const path = fileBeside('.key')
  const lines = [uri, path, ...(ivHex === undefined ? [] : [ivHex])]
  return {
    text: lines.map((line) => `${line}\n`).join(''),
    files: [{ path, bytes: Buffer.from(keyHex, 'hex') }],
    notes: ['use it as ffmpeg … -hls_key_info_file FILE'],
  }
}

function oneKey(keys: readonly ClearKey[], { track }: OutputOptions): ClearKey {
  const fitting = track === undefined ? keys : keys.filter((key) => key.track === track)
  const [key] = fitting
  if (key !== undefined && fitting.length === 1) return key
  const tracks = keys.map((one) => one.track).join(', ')
  throw wrong(`ffmpeg takes one key: ask with --video SHARED, or choose with --track one of ${tracks}`)
}

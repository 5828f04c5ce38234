import { wrongUsage } from '../../../core/errors.ts'
import type { CommonEncryptionScheme } from '../../../formats/cenc.ts'
import type { Answer, ReceivedKey } from '../answer/read.ts'
import type { AnsweredSystem } from '../answer/signaling.ts'

/** The options of an output format. */
export interface OutputOptions {
  /** Whether formats for reading show keys. */
  readonly showKeys: boolean
  /** Returns the path of another file next to the output; undefined if the output goes to standard output. */
  readonly fileBeside: ((suffix: string) => string) | undefined
  /** The track IDs in an MP4 file by intendedTrackType. Default: counted from 1 in the order of the keys. */
  readonly trackIds: ReadonlyMap<string, readonly number[]>
  /** The intendedTrackType to which the output is limited. */
  readonly track: string | undefined
}

/** An answer in an output format. */
export interface Rendered {
  readonly text: string
  /** The text as command arguments, if the format consists of options. */
  readonly args?: readonly string[]
  readonly files?: readonly { readonly path: string; readonly bytes: Uint8Array }[]
  /** Remarks for the user, for standard error. */
  readonly notes?: readonly string[]
}

/** An output format. To add one, write a file that exports it and add it to `outputs.ts` and `names.ts`. */
export interface Output {
  readonly name: string
  readonly title: string
  /** Whether the output always contains keys. */
  holdsKeys(answer: Answer): boolean
  render(answer: Answer, options: OutputOptions): Rendered
}

/** A key in hex, as packagers accept it. */
export interface ClearKey {
  readonly key: ReceivedKey
  readonly track: string
  readonly kidHex: string
  readonly keyHex: string
  readonly ivHex: string | undefined
}

/**
 * Returns the keys of an answer for a packager without key rotation. In counter mode they have no IV: packagers start the counter
 * of every stream at the IV, so two streams with one key would share a keystream. Throws ERR_USAGE_INVALID for several key
 * periods or encrypted keys.
 */
export function clearKeysOf(answer: Answer, format: string): readonly ClearKey[] {
  if (new Set(answer.keys.map(({ requested }) => requested.period?.id)).size > 1) {
    throw wrongUsage(`${format} accepts the keys of one key period: use --periods 1, or --format json`)
  }
  const keys = answer.keys.map(clearKey)
  return isCounterMode(answer) ? keys.map((key) => ({ ...key, ivHex: undefined })) : keys
}

/** Returns a note if IVs are omitted. */
export function ivNotes(answer: Answer): readonly string[] {
  if (!isCounterMode(answer) || answer.keys.every(({ explicitIv }) => explicitIv === undefined)) return []
  return ['the IV is omitted: in counter mode, streams with one key would share a keystream']
}

function isCounterMode(answer: Answer): boolean {
  return ['cenc', 'cens'].includes(schemeOf(answer))
}

/** Returns a key in hex. Throws ERR_USAGE_INVALID if it is encrypted. */
export function clearKey(key: ReceivedKey): ClearKey {
  const { kid, contentKey, explicitIv, requested } = key
  if (contentKey === undefined)
    throw wrongUsage('the keys are encrypted: set --private-key to decrypt them, or use --format cpix')
  return {
    key,
    track: requested.intendedTrackType,
    kidHex: kid.replaceAll('-', ''),
    keyHex: hex(contentKey.reveal()),
    ivHex: explicitIv && hex(explicitIv),
  }
}

/** The scheme of an answer. In SPEKE 1.0, the DRM systems imply it. */
export function schemeOf({ request, systems }: Answer): CommonEncryptionScheme {
  const named = request.keys[0]?.scheme
  const scheme = named === undefined ? undefined : request.version.schemes[named]
  if (scheme !== undefined) return scheme
  const names = new Set(systems.map(({ name }) => name))
  if (names.has('fairplay')) return 'cbcs'
  return names.has('aes-128') ? 'cbc1' : 'cenc'
}

/** The key URI of a DRM system: URI of its HLS line, or URIExtXKey of SPEKE 1.0. Throws ERR_USAGE_INVALID for white space in it. */
export function keyUriOf({ hlsMedia, uriExtXKey }: AnsweredSystem): string | undefined {
  const uri = uriExtXKey ?? /[:,]URI="([^"]*)"/.exec(hlsMedia ?? '')?.[1]
  // A line break would add a line to a file whose lines are options.
  if (uri !== undefined && /[\s\p{Cc}]/u.test(uri)) {
    throw wrongUsage(
      'the URI of a key contains white space or a line break: correct the signalling of the key provider',
    )
  }
  return uri
}

/** The answer reduced to one track, if the options name one. Throws ERR_USAGE_INVALID for an unknown track. */
export function ofTrack(answer: Answer, { track }: Pick<OutputOptions, 'track'>): Answer {
  if (track === undefined) return answer
  const keys = answer.keys.filter(({ requested }) => requested.intendedTrackType === track)
  if (keys.length === 0) {
    const tracks = [...new Set(answer.keys.map(({ requested }) => requested.intendedTrackType))].join(', ')
    throw wrongUsage(`the answer has no track ${track}: use one of ${tracks}`)
  }
  const kids = new Set(keys.map(({ kid }) => kid))
  return { ...answer, keys, systems: answer.systems.filter(({ kid }) => kids.has(kid)) }
}

/** The track IDs of each key. */
export function trackIdsOf(keys: readonly ClearKey[], { trackIds }: OutputOptions): readonly (readonly number[])[] {
  // One key for all tracks: the file has one video and one audio track.
  const [only] = keys
  if (keys.length === 1 && only !== undefined)
    return [trackIds.get(only.track) ?? (only.track === 'ALL' ? [1, 2] : [1])]
  return keys.map(({ track }, i) => trackIds.get(track) ?? [i + 1])
}

/** Returns a note with the track IDs of each key. */
export function trackNote(keys: readonly ClearKey[], ids: readonly (readonly number[])[]): string {
  const pairs = keys.map(({ track }, i) => `${track} is ${ids[i]?.join(' and ')}`)
  return `track IDs: ${pairs.join(', ')}${keys.some(({ track }) => track === 'ALL') ? ' (video first)' : ''}; --track-id TRACK=N changes them`
}

/** Returns a note about the DRM systems whose boxes cannot be merged into one. */
export function omittedBoxes(systems: readonly string[]): readonly string[] {
  if (systems.length === 0) return []
  return [
    `the boxes of ${systems.join(', ')} differ in more than their kids, so one file cannot have them all: omitted. ` +
      'To keep them, encrypt one track at a time with --track TRACK',
  ]
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** The values of `--format`. A separate list, so that `--help` does not load the formats. */
export const OUTPUT_NAMES = ['table', 'json', 'cpix', 'shaka', 'ffmpeg', 'bento4', 'gpac', 'dotenv'] as const

/** The placeholders of `--run`, for `--help`. */
export const COMMAND_PLACEHOLDERS =
  '{file:FORMAT} a file in a format, deleted afterwards; {FORMAT} the options of shaka, ffmpeg or bento4 as arguments; ' +
  '{kid} {key} {iv} in hex; each for one track with :TRACK, as in {file:shaka:AUDIO} and {key:AUDIO}'

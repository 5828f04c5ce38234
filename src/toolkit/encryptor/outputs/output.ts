import { KeyProviderError } from '../../../core/errors.ts'
import type { CommonEncryptionScheme } from '../../../formats/cenc.ts'
import type { Answer, ReceivedKey } from '../answer/read.ts'

/** How an answer is to be put into words. */
export interface OutputOptions {
  /** Whether keys may stand where they are not the point. */
  readonly showKeys: boolean
  /** The path of another file beside the output; undefined: there can be none. */
  readonly fileBeside: ((suffix: string) => string) | undefined
  /** The track ids of an MP4 file by intendedTrackType; absent: counted from 1 in the order of the keys. */
  readonly trackIds: ReadonlyMap<string, readonly number[]>
  /** The intendedTrackType whose key to use, where only one can be. */
  readonly track: string | undefined
}

/** An answer in words. */
export interface Rendered {
  readonly text: string
  /** The same as arguments of a command, where it is that. */
  readonly args?: readonly string[]
  readonly files?: readonly { readonly path: string; readonly bytes: Uint8Array }[]
  /** What whoever uses it should know, for standard error. */
  readonly notes?: readonly string[]
}

/** One format. To add one, write one file that exports this and one line in `outputs.ts`. */
export interface Output {
  readonly name: string
  readonly title: string
  /** Whether what it writes are keys, whatever the options say. */
  holdsKeys(answer: Answer): boolean
  render(answer: Answer, options: OutputOptions): Rendered
}

/** A key that can be used, in hex as packagers take it. */
export interface ClearKey {
  readonly key: ReceivedKey
  readonly track: string
  readonly kidHex: string
  readonly keyHex: string
  readonly ivHex: string | undefined
}

/**
 * The keys of an answer for a packager that knows no rotation. In counter mode they come without IV: packagers start the
 * counter of every stream from it, and two streams under one key would share a keystream (speke.md 5.3). Throws ERR_USAGE_INVALID for several periods, or keys
 * for somebody else.
 */
export function clearKeysOf(answer: Answer, format: string): readonly ClearKey[] {
  if (new Set(answer.keys.map(({ requested }) => requested.period?.id)).size > 1) {
    throw wrong(`${format} takes the keys of one key period: ask with --periods 1, or use json`)
  }
  const keys = answer.keys.map(clearKey)
  return isCounterMode(answer) ? keys.map((key) => ({ ...key, ivHex: undefined })) : keys
}

/** Says that IVs were left out, where they were. */
export function ivNotes(answer: Answer): readonly string[] {
  if (!isCounterMode(answer) || answer.keys.every(({ explicitIv }) => explicitIv === undefined)) return []
  return ['the IV is left out: in counter mode streams under one key would share a keystream']
}

function isCounterMode(answer: Answer): boolean {
  return ['cenc', 'cens'].includes(schemeOf(answer))
}

/** A key in hex. Throws ERR_USAGE_INVALID when it is encrypted for somebody else. */
export function clearKey(key: ReceivedKey): ClearKey {
  const { kid, contentKey, explicitIv, requested } = key
  if (contentKey === undefined)
    throw wrong('the keys are encrypted: give --private-key to decrypt them, or use --format cpix')
  return {
    key,
    track: requested.intendedTrackType,
    kidHex: kid.replaceAll('-', ''),
    keyHex: hex(contentKey.reveal()),
    ivHex: explicitIv && hex(explicitIv),
  }
}

/** The scheme of an answer: what SPEKE 1.0 does not say, its systems imply. */
export function schemeOf({ request, systems }: Answer): CommonEncryptionScheme {
  const named = request.keys[0]?.scheme
  const scheme = named === undefined ? undefined : request.version.schemes[named]
  if (scheme !== undefined) return scheme
  const names = new Set(systems.map(({ name }) => name))
  if (names.has('fairplay')) return 'cbcs'
  return names.has('aes-128') ? 'cbc1' : 'cenc'
}

/** The pssh boxes of an answer, each once. */
export function psshBoxesOf({ systems }: Answer): readonly Uint8Array[] {
  return [...new Map(systems.flatMap(({ pssh }) => (pssh === undefined ? [] : [[hex(pssh), pssh] as const]))).values()]
}

/** The value of URI in the HLS lines of an answer, each once; in SPEKE 1.0 URIExtXKey says it. */
export function keyUrisOf({ systems }: Answer, names: readonly string[]): readonly string[] {
  const own = systems.filter(({ name }) => names.includes(name))
  const uris = own.flatMap(
    ({ hlsMedia, uriExtXKey }) => uriExtXKey ?? /[:,]URI="([^"]*)"/.exec(hlsMedia ?? '')?.[1] ?? [],
  )
  // A line break would make a second line of a file whose lines are options.
  if (uris.some((uri) => /[\s\p{Cc}]/u.test(uri))) throw wrong('the URI of a key holds white space or a line break')
  return [...new Set(uris)]
}

/** The track ids of each key. */
export function trackIdsOf(keys: readonly ClearKey[], { trackIds }: OutputOptions): readonly (readonly number[])[] {
  // One key for all tracks: a file has one of video and one of audio.
  const [only] = keys
  if (keys.length === 1 && only !== undefined)
    return [trackIds.get(only.track) ?? (only.track === 'ALL' ? [1, 2] : [1])]
  return keys.map(({ track }, i) => trackIds.get(track) ?? [i + 1])
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

export function wrong(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_USAGE_INVALID', problem)
}

import { uuidBytes } from '../../../formats/cenc.ts'
import { encodePssh } from '../../../formats/drm/payloads/pssh.ts'
import type { Answer } from '../answer/read.ts'
import { boxesBySystem, isPlainWidevine, playReadyExtraData } from './boxes.ts'
import { type ClearKey, clearKeysOf, hex, ivNotes, keyUriOf, type Output, ofTrack, schemeOf } from './output.ts'

/** The labels that Shaka Packager derives for a stream without drm_label, by track type. */
const AUTOMATIC_LABELS: Readonly<Record<string, readonly string[]>> = {
  ALL: [''],
  VIDEO: ['SD', 'HD', 'UHD1', 'UHD2'],
  SD: ['SD'],
  HD: ['HD'],
  UHD: ['UHD1', 'UHD2'],
  UHD1: ['UHD1'],
  UHD2: ['UHD2'],
  AUDIO: ['AUDIO'],
}

/**
 * Flags of Shaka Packager, one per line, for `--flagfile`: so keys do not appear in the process list.
 *
 * `--pssh` applies to every stream. With several keys, the packager therefore writes the signalling of each stream itself
 * (`--protection_systems`), with the licence URLs of the answer. A box that is the same for every key goes into `--pssh`.
 *
 * @see https://shaka-project.github.io/shaka-packager/html/documentation.html, raw key encryption options
 */
export const shaka: Output = {
  name: 'shaka',
  title: 'flags of Shaka Packager, for --flagfile',
  holdsKeys: () => true,
  render(whole, options) {
    const answer = ofTrack(whole, options)
    const keys = clearKeysOf(answer, 'shaka')
    const isOnly = options.track !== undefined
    const signalling = signallingOf(answer, keys)
    const args = [
      '--enable_raw_key_encryption',
      `--keys=${keys.flatMap((key) => entriesOf(key, isOnly)).join(',')}`,
      `--protection_scheme=${schemeOf(answer)}`,
      ...signalling.args,
    ]
    const named = keys.flatMap(({ track }) => (isOnly || Object.hasOwn(AUTOMATIC_LABELS, track) ? [] : [track]))
    const notes = [
      ...ivNotes(answer),
      ...(named.length === 0 ? [] : [`set drm_label to the name of the track for the streams of ${named.join(', ')}`]),
      ...signalling.notes,
    ]
    return { text: args.map((arg) => `${arg}\n`).join(''), args, notes }
  },
}

/** A key that is alone applies to every stream: the empty label is the default. */
function entriesOf({ track, kidHex, keyHex, ivHex }: ClearKey, isOnly: boolean): readonly string[] {
  const labels = isOnly ? [''] : (AUTOMATIC_LABELS[track] ?? [track])
  return labels.map((label) =>
    [`label=${label}`, `key_id=${kidHex}`, `key=${keyHex}`, ...(ivHex === undefined ? [] : [`iv=${ivHex}`])].join(':'),
  )
}

interface Signalling {
  readonly args: readonly string[]
  readonly notes: readonly string[]
}

function signallingOf(answer: Answer, keys: readonly ClearKey[]): Signalling {
  const pssh: Uint8Array[] = []
  const generated: string[] = []
  const extra: string[] = []
  const notes: string[] = []
  const has = (...names: readonly string[]): boolean => answer.systems.some(({ name }) => names.includes(name))
  const hasIdentity = has('aes-128', 'sample-aes')
  for (const system of boxesBySystem(answer)) {
    const { name, boxes, merged } = system
    if (name === 'common-pssh' && has('fairplay')) notes.push(COMMON_WITH_FAIRPLAY)
    else if (keys.length === 1 || boxes.length === 1) pssh.push(...boxes.map(encodePssh))
    else if (name === 'playready') {
      generated.push('PlayReady')
      const data = playReadyExtraData(system)
      // A line break would add a line to a file whose lines are options.
      if (data) extra.push(`--playready_extra_header_data=${data.replaceAll(/[\r\n\p{Cc}]+/gu, ' ')}`)
      if (data === undefined)
        notes.push(`${EACH_KEY} PlayReady header data, which Shaka Packager cannot write. ${ALONE}`)
    } else if (name === 'common-pssh') generated.push('CommonSystem')
    else if (name === 'widevine' && (merged === undefined || isPlainWidevine(system))) {
      generated.push('Widevine')
      if (!isPlainWidevine(system)) {
        notes.push(`${EACH_KEY} Widevine data; Shaka Packager writes only kids and scheme. ${ALONE}`)
      }
    } else if (merged !== undefined) pssh.push(encodePssh(merged))
    else notes.push(`${EACH_KEY} box of ${name}, and Shaka Packager applies --pssh to every stream: omitted. ${ALONE}`)
  }
  const uris = hlsKeyUri(answer, keys)
  if (has('fairplay')) generated.push('FairPlay')
  // The packager writes identity lines for the common box, which is its default only without other boxes.
  else if (hasIdentity && (pssh.length > 0 || generated.length > 0) && !has('common-pssh'))
    generated.push('CommonSystem')
  if (has('common-pssh') && !has('fairplay') && !hasIdentity) notes.push(COMMON_IN_HLS)
  if (has('clearkey')) {
    notes.push('Shaka Packager cannot signal DASH-IF ClearKey: add its ContentProtection element to the MPD')
  }
  return {
    args: [
      ...(pssh.length === 0 ? [] : [`--pssh=${pssh.map(hex).join('')}`]),
      ...(generated.length === 0 ? [] : [`--protection_systems=${generated.join(',')}`]),
      ...extra,
      ...uris.args,
    ],
    notes: [...notes, ...uris.notes],
  }
}

const COMMON_WITH_FAIRPLAY =
  'the common pssh box is omitted: Shaka Packager would write an identity line with the FairPlay URI for it'
const COMMON_IN_HLS =
  'in HLS, Shaka Packager writes an identity line for the common pssh box, with the kid as key: remove it from playlists'
const EACH_KEY = 'each key has its own'
const ALONE = 'To keep it, package one track at a time: --track TRACK, or {file:shaka:TRACK} with --run'

/** `--hls_key_uri` of the packager is one URI for all FairPlay and identity lines. */
function hlsKeyUri(answer: Answer, keys: readonly ClearKey[]): Signalling {
  const own = answer.systems.flatMap((system) => {
    const uri = keyUriOf(system)
    return uri === undefined || !['fairplay', 'sample-aes', 'aes-128'].includes(system.name) ? [] : [{ ...system, uri }]
  })
  const fairplay = own.filter(({ name }) => name === 'fairplay')
  const used = fairplay.length > 0 ? fairplay : own
  const uris = [...new Set(used.map(({ uri }) => uri))]
  const notes =
    used.length < own.length
      ? ['--hls_key_uri is that of FairPlay. The packager accepts one, so there are no identity lines']
      : []
  const [uri] = uris
  if (uri === undefined) return { args: [], notes }
  if (uris.length === 1) return { args: [`--hls_key_uri=${uri}`], notes }
  const edits = used.map(({ kid, uri: right }) => {
    const written = Buffer.from(uuidBytes(kid)).toString('base64')
    const track = keys.find(({ key }) => key.kid === kid)?.track
    return `${track}: replace URI="skd://${written}" with URI="${right}" in its playlists`
  })
  const isFairplay = fairplay.length > 0
  return {
    args: [],
    notes: [
      ...notes,
      `each key has its own key URI, and Shaka Packager accepts one --hls_key_uri: omitted. ${ALONE}`,
      ...(isFairplay ? edits : []),
    ],
  }
}

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clip } from './clip.ts'
import { SYSTEMS, type TrackKey } from './speke.ts'
import { packager } from './tools.ts'

/** The encryption of the segments. */
export interface ClipEncryption {
  readonly scheme: 'cenc' | 'cbcs'
  /** Keys by track type: `AUDIO`, `SD`, `HD`. */
  readonly keys: readonly TrackKey[]
}

/** Packages a clip as CMAF with `stream.mpd` and `stream.m3u8`, and writes the signalling of the answer into both. */
export async function packageCmaf(folder: string, clip: Clip, encryption?: ClipEncryption): Promise<void> {
  await mkdir(folder, { recursive: true })
  await packager(folder, [
    ...streamsOf(clip),
    ...(encryption === undefined ? [] : encryptionOf(encryption)),
    `--segment_duration=${clip.segmentSeconds}`,
    '--mpd_output=stream.mpd',
    '--generate_static_live_mpd',
    '--hls_master_playlist_output=stream.m3u8',
  ])
  if (encryption === undefined) return
  const { keys } = encryption
  await edit(join(folder, 'stream.mpd'), (mpd) => signalMpd(mpd, keys))
  for (const key of keys) {
    const name = `${key.trackType.toLowerCase()}.m3u8`
    await edit(join(folder, name), (playlist) => signalPlaylist(playlist, key))
  }
}

/** The stream descriptors of a clip for Shaka Packager, with the track type of the key as label. */
export function streamsOf({ sd, hd }: Clip): readonly string[] {
  return [
    { label: 'AUDIO', input: hd, stream: 'audio', more: 'hls_group_id=audio,hls_name=sound' },
    { label: 'SD', input: sd, stream: 'video', more: '' },
    { label: 'HD', input: hd, stream: 'video', more: '' },
  ].map(({ label, input, stream, more }) => {
    const name = label.toLowerCase()
    const files = `init_segment=${name}-init.mp4,segment_template=${name}-$Number$.m4s,playlist_name=${name}.m3u8`
    return `in=${input},stream=${stream},${files},drm_label=${label}${more === '' ? '' : `,${more}`}`
  })
}

/** The raw key flags. Without an IV in the answer (cenc), the packager chooses one for each rendition. */
function encryptionOf({ scheme, keys }: ClipEncryption): readonly string[] {
  const raw = keys.map(({ trackType, kid, key, iv }) =>
    [
      `label=${trackType}`,
      `key_id=${kid.replaceAll('-', '')}`,
      `key=${key}`,
      ...(iv === undefined ? [] : [`iv=${iv}`]),
    ].join(':'),
  )
  const boxes = new Set(
    keys.flatMap(({ signaling }) => signaling.flatMap(({ pssh }) => (pssh === undefined ? [] : [pssh]))),
  )
  const pssh = psshForPackager([...boxes])
  return [
    '--enable_raw_key_encryption',
    `--keys=${raw.join(',')}`,
    `--protection_scheme=${scheme}`,
    '--clear_lead=0',
    ...(pssh === '' ? [] : [`--pssh=${pssh}`]),
  ]
}

/** All boxes in hex. Of the W3C common boxes it keeps the first, which lists every kid: Chromium reads only one. */
function psshForPackager(boxes: readonly string[]): string {
  const decoded = boxes.map((box) => Buffer.from(box, 'base64').toString('hex'))
  const isCommon = (box: string): boolean => box.slice(24, 56) === SYSTEMS.common.replaceAll('-', '')
  const firstCommon = decoded.findIndex(isCommon)
  return decoded.filter((box, i) => !isCommon(box) || i === firstCommon).join('')
}

/** Replaces the DRM signalling of the packager with that of the key provider, for the kid of each AdaptationSet. */
function signalMpd(mpd: string, keys: readonly TrackKey[]): string {
  const bare = mpd.replace(
    /\s*<ContentProtection [^>]*schemeIdUri="urn:uuid:[^>]*?(?:\/>|>.*?<\/ContentProtection>)/gs,
    '',
  )
  return bare.replace(
    /( *)<ContentProtection [^>]*cenc:default_KID="([^"]+)"[^>]*\/>/g,
    (line, indent: string, kid: string) => {
      const key = keys.find((one) => one.kid === kid.toLowerCase())
      const systems = (key?.signaling ?? []).flatMap(({ systemId, contentProtectionData }) =>
        contentProtectionData === undefined
          ? []
          : [
              `${indent}<ContentProtection schemeIdUri="urn:uuid:${systemId}">${contentProtectionData}</ContentProtection>`,
            ],
      )
      return [line, ...systems].join('\n')
    },
  )
}

/** Replaces the key lines of a media playlist with those of the key provider. */
function signalPlaylist(playlist: string, { signaling }: TrackKey): string {
  const lines = signaling.flatMap(({ media }) => (media === undefined ? [] : [media.trim()]))
  return playlist.replace(/(?:#EXT-X-KEY:.*\n)+/, `${lines.join('\n')}\n`)
}

async function edit(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, 'utf8')))
}

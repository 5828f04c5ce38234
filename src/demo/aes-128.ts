import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clip } from './clip.ts'
import type { TrackKey } from './speke.ts'
import { ffmpeg } from './tools.ts'

/**
 * Packages a clip as HLS AES-128 with FFmpeg, one key for each key period. `stream.m3u8` has the key line of the key provider
 * for each period. Without keys the segments are not encrypted.
 */
export async function packageAes128(
  folder: string,
  clip: Clip,
  keys: readonly (TrackKey | undefined)[],
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const periodSeconds = clip.seconds / keys.length
  const parts: string[] = []
  for (const [i, key] of keys.entries()) {
    const number = Math.round((i * periodSeconds) / clip.segmentSeconds)
    const part = `part-${i}.m3u8`
    const info = key === undefined ? undefined : await writeKeyInfo(folder, key)
    await ffmpeg(folder, [
      ...[
        '-ss',
        String(i * periodSeconds),
        '-to',
        String((i + 1) * periodSeconds),
        '-copyts',
        '-i',
        clip.hd,
        '-c',
        'copy',
      ],
      ...['-f', 'hls', '-hls_time', String(clip.segmentSeconds), '-hls_playlist_type', 'vod'],
      ...['-start_number', String(number), '-hls_segment_filename', '%d.ts'],
      ...(info === undefined ? [] : ['-hls_key_info_file', info.file]),
      part,
    ])
    await info?.erase()
    const playlist = await readFile(join(folder, part), 'utf8')
    await rm(join(folder, part))
    // The segments only: the key lines of FFmpeg are replaced.
    const segments = playlist.split('\n').filter((line) => /^#EXTINF|\.ts$/.test(line))
    const keyLine = key?.signaling.find(({ media }) => media !== undefined)?.media?.trim()
    parts.push([...(keyLine === undefined ? [] : [keyLine]), ...segments].join('\n'))
  }
  const head = [
    '#EXTM3U',
    '#EXT-X-VERSION:5',
    `#EXT-X-TARGETDURATION:${Math.ceil(clip.segmentSeconds)}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-PLAYLIST-TYPE:VOD',
    '#EXT-X-INDEPENDENT-SEGMENTS',
  ]
  await writeFile(join(folder, 'stream.m3u8'), [...head, ...parts, '#EXT-X-ENDLIST', ''].join('\n'))
}

/** Writes the key files for FFmpeg, which are deleted after use. Without an IV, FFmpeg uses the segment number, as players do. */
async function writeKeyInfo(folder: string, { kid, key, iv }: TrackKey) {
  const files = [`${kid}.key`, `${kid}.info`]
  const [keyFile = '', infoFile = ''] = files
  await writeFile(join(folder, keyFile), Buffer.from(key, 'hex'), { mode: 0o600 })
  await writeFile(join(folder, infoFile), [kid, keyFile, ...(iv === undefined ? [] : [iv])].join('\n'))
  return { file: infoFile, erase: () => Promise.all(files.map((file) => rm(join(folder, file)))) }
}

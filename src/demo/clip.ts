import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ffmpeg, hasFfmpeg } from './tools.ts'

/** A source to package: one video in two sizes with audio, and key frames every `segmentSeconds`. */
export interface Clip {
  readonly sd: string
  readonly hd: string
  readonly seconds: number
  readonly segmentSeconds: number
  /** Whether FFmpeg made the clip. */
  readonly made: boolean
}

const SECONDS = 12
const SEGMENT_SECONDS = 2
const RATE = 25

/** Makes a clip with FFmpeg, or copies the small included clip if FFmpeg is not installed. */
export async function makeClip(folder: string): Promise<Clip> {
  const [sd, hd] = [join(folder, 'sd.mp4'), join(folder, 'hd.mp4')]
  if (!(await hasFfmpeg('gradients'))) {
    for (const file of [sd, hd]) await copyFile(new URL('clip.mp4', import.meta.url), file)
    return { sd, hd, seconds: 4, segmentSeconds: 1, made: false }
  }
  const colours = 'c0=0x0b1026:c1=0x4f46e5:c2=0x22d3ee:c3=0xf472b6:nb_colors=4:seed=7:speed=0.02'
  const video = `gradients=s=960x540:r=${RATE}:d=${SECONDS}:${colours}`
  const counter = `drawtext=text='%{pts\\:hms}':fontcolor=white@0.9:fontsize=h/9:x=(w-tw)/2:y=(h-th)/2:shadowx=2:shadowy=2`
  const filter = (await drawsText(folder)) ? counter : 'null'
  const audio = `sine=f=220:beep_factor=4:r=48000:d=${SECONDS}`
  await ffmpeg(folder, [
    ...['-f', 'lavfi', '-i', video, '-f', 'lavfi', '-i', audio],
    ...['-filter_complex', `[0:v]${filter},split[a][b];[b]scale=480:270[c]`],
    ...['-map', '[a]', '-map', '1:a', ...CODECS, '-b:v', '900k', hd],
    ...['-map', '[c]', '-map', '1:a', ...CODECS, '-b:v', '300k', sd],
  ])
  return { sd, hd, seconds: SECONDS, segmentSeconds: SEGMENT_SECONDS, made: true }
}

const GOP = String(RATE * SEGMENT_SECONDS)
const CODECS = [
  ...['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-profile:v', 'main', '-bf', '0'],
  ...['-g', GOP, '-keyint_min', GOP, '-sc_threshold', '0', '-c:a', 'aac', '-b:a', '64k', '-ac', '2'],
]

/** Whether FFmpeg finds a font for drawtext. */
async function drawsText(folder: string): Promise<boolean> {
  const frame = ['-f', 'lavfi', '-i', 'color=d=0.1', '-vf', 'drawtext=text=a', '-frames:v', '1', '-f', 'null', '-']
  return ffmpeg(folder, frame).then(
    () => true,
    () => false,
  )
}

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packageAes128 } from './aes-128.ts'
import type { Clip } from './clip.ts'
import { packageCmaf } from './cmaf.ts'
import { requestAes128KeyV1, requestKeys, type SpekeExchange, type SystemName, type TrackKey } from './speke.ts'

/** A stream of the demo, as its page gets it: without keys. */
export interface Stream {
  readonly id: string
  readonly title: string
  readonly summary: string
  readonly speke: '1.0' | '2.0'
  readonly encryptedBy: string
  /** The ways to play it; the page selects the first one. */
  readonly plays: readonly { readonly player: 'shaka' | 'dash' | 'hls'; readonly manifest: string }[]
  readonly keys: readonly Omit<TrackKey, 'key'>[]
  /** The requests and their answers; the keys are removed. */
  readonly exchanges: readonly Pick<SpekeExchange, 'request' | 'answer'>[]
  readonly manifests: Readonly<Record<string, string>>
}

const EVERY_SYSTEM: readonly SystemName[] = ['widevine', 'playready', 'fairplay', 'common', 'clearkey', 'sample-aes']

/** Requests the keys of each stream and packages it in `folder`. */
export async function makeStreams(folder: string, keyProviderUrl: string, clip: Clip): Promise<readonly Stream[]> {
  const url = `${keyProviderUrl}/copyProtection`
  const streams = [
    await cmaf('cenc', {
      title: 'DASH, cenc',
      summary: 'AES-CTR. One key for sound, one for SD, one for HD.',
      plays: [
        { player: 'shaka', manifest: 'stream.mpd' },
        { player: 'dash', manifest: 'stream.mpd' },
      ],
    }),
    await cmaf('cbcs', {
      title: 'CMAF, cbcs',
      summary: 'AES-CBC patterns, one set of segments for DASH and HLS. Three keys.',
      plays: [
        { player: 'shaka', manifest: 'stream.mpd' },
        { player: 'dash', manifest: 'stream.mpd' },
        { player: 'shaka', manifest: 'stream.m3u8' },
      ],
    }),
  ]
  if (!clip.made) return streams
  return [...streams, await aes128('2.0'), await aes128('1.0')]

  async function cmaf(scheme: 'cenc' | 'cbcs', about: Pick<Stream, 'title' | 'summary' | 'plays'>): Promise<Stream> {
    const id = `demo-${scheme}`
    const tracks = ['AUDIO', 'SD', 'HD'].map((trackType) => ({ kid: randomUUID(), trackType }))
    const exchange = await requestKeys(url, { contentId: id, scheme, systems: EVERY_SYSTEM, tracks })
    await packageCmaf(join(folder, id), clip, { scheme, keys: exchange.keys })
    return describe({ id, ...about, speke: '2.0', encryptedBy: 'Shaka Packager' }, [exchange])
  }

  async function aes128(speke: Stream['speke']): Promise<Stream> {
    const id = `demo-aes-128-speke-${speke[0]}`
    const tracks = [0, 1, 2].map((period) => ({ kid: randomUUID(), trackType: 'ALL', period }))
    const exchanges =
      speke === '2.0'
        ? [await requestKeys(url, { contentId: id, scheme: 'cbc1', systems: ['aes128'], tracks })]
        : await Promise.all(tracks.map((track) => requestAes128KeyV1(url, id, track)))
    const keys = exchanges.flatMap((exchange) => exchange.keys)
    await packageAes128(join(folder, id), clip, keys)
    return describe(
      {
        id,
        title: 'HLS AES-128',
        summary: 'Whole segments encrypted. The key rotates every four seconds, in three key periods.',
        speke,
        encryptedBy: 'FFmpeg',
        plays: [
          { player: 'hls', manifest: 'stream.m3u8' },
          { player: 'shaka', manifest: 'stream.m3u8' },
        ],
      },
      exchanges,
    )
  }

  async function describe(
    about: Omit<Stream, 'keys' | 'exchanges' | 'manifests'>,
    exchanges: readonly SpekeExchange[],
  ): Promise<Stream> {
    const names = [...new Set(about.plays.map(({ manifest }) => manifest))]
    const texts = names.map(async (name) => [name, await readFile(join(folder, about.id, name), 'utf8')] as const)
    return {
      ...about,
      keys: exchanges.flatMap(({ keys }) => keys.map(({ key: _, ...shown }) => shown)),
      exchanges: exchanges.map(({ request, answer }) => ({ request, answer: withoutKeys(answer) })),
      manifests: Object.fromEntries(await Promise.all(texts)),
    }
  }
}

/** Hides keys, because the page may be visible to others. */
function withoutKeys(answer: string): string {
  return answer.replace(/(<pskc:PlainValue>)[^<]+/g, '$1••••••••••••••••••••••')
}

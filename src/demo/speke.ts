import {
  CLEARKEY,
  COMMON_PSSH,
  FAIRPLAY,
  HLS_AES_128,
  HLS_AES_128_OF_AWS,
  HLS_SAMPLE_AES,
  PLAYREADY,
  WIDEVINE,
} from '../formats/drm/facts.ts'
import { type Markup, writeMarkup } from '../formats/xml/markup.ts'

/** A requested key with the kid that the encryptor chose. */
interface WantedTrack {
  readonly kid: string
  /** A track type of the SPEKE presets, such as `AUDIO`, `SD` or `HD`. */
  readonly trackType: string
  /** The index of its key period if keys rotate. */
  readonly period?: number
}

/** The request of an encryptor. */
export interface ClipKey {
  readonly contentId: string
  readonly scheme: 'cenc' | 'cbcs' | 'cbc1'
  readonly systems: readonly SystemName[]
  readonly tracks: readonly WantedTrack[]
}

/** A key of the answer with its signalling. */
export interface TrackKey extends WantedTrack {
  /** In hex. */
  readonly key: string
  /** In hex; undefined if the key provider returns none. */
  readonly iv: string | undefined
  readonly signaling: readonly ClipSignaling[]
}

/** The signalling of one system, decoded. */
interface ClipSignaling {
  readonly system: SystemName
  readonly systemId: string
  /** In base64. */
  readonly pssh: string | undefined
  /** XML for a ContentProtection element. */
  readonly contentProtectionData: string | undefined
  /** Lines of playlists. */
  readonly media: string | undefined
  readonly master: string | undefined
}

/** A request and its answer, unchanged. */
export interface SpekeExchange {
  readonly request: string
  readonly answer: string
  readonly keys: readonly TrackKey[]
}

export const SYSTEMS = {
  widevine: WIDEVINE,
  playready: PLAYREADY,
  fairplay: FAIRPLAY,
  common: COMMON_PSSH,
  clearkey: CLEARKEY,
  aes128: HLS_AES_128,
  'sample-aes': HLS_SAMPLE_AES,
} as const
export type SystemName = keyof typeof SYSTEMS

/** Requests keys with SPEKE 2.0. */
export async function requestKeys(copyProtectionUrl: string, wanted: ClipKey): Promise<SpekeExchange> {
  const request = writeRequest(wanted)
  const answer = await post(copyProtectionUrl, request, { 'x-speke-version': '2.0' })
  return { request, answer, keys: wanted.tracks.map((track) => readKey(answer, track, wanted.systems)) }
}

/** Requests the key of one HLS AES-128 key period with SPEKE 1.0, which allows one key in a request. */
export async function requestAes128KeyV1(url: string, contentId: string, { kid, period = 0 }: WantedTrack) {
  const request = document({ id: contentId, 'xmlns:cpix': CPIX, 'xmlns:pskc': PSKC, 'xmlns:speke': SPEKE }, [
    list('ContentKeyList', [cpix('ContentKey', { kid })]),
    list('DRMSystemList', [
      cpix('DRMSystem', { kid, systemId: HLS_AES_128_OF_AWS }, [
        cpix('URIExtXKey'),
        { name: 'speke:KeyFormat' },
        { name: 'speke:KeyFormatVersions' },
      ]),
    ]),
    periodList([period]),
    list('ContentKeyUsageRuleList', [cpix('ContentKeyUsageRule', { kid }, [periodFilter(period)])]),
  ])
  const answer = await post(url, request, { 'x-speke-version': '1.0' })
  const track = { kid, trackType: 'ALL', period }
  const key = readKey(answer, track, [])
  const uri = /<cpix:URIExtXKey>([^<]+)</.exec(answer)?.[1]
  if (uri === undefined) throw new Error('the answer has no key URL')
  const media = `#EXT-X-KEY:METHOD=AES-128,URI="${Buffer.from(uri, 'base64')}"`
  const none = { pssh: undefined, contentProtectionData: undefined, master: undefined }
  const signaling: ClipSignaling = { system: 'aes128', systemId: HLS_AES_128_OF_AWS, media, ...none }
  return { request, answer, keys: [{ ...key, signaling: [signaling] }] }
}

async function post(url: string, request: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const sent = { 'content-type': 'application/xml', ...headers }
  const response = await fetch(url, { method: 'POST', headers: sent, body: request })
  const answer = await response.text()
  if (response.status !== 200) throw new Error(`the key provider answers ${response.status}: ${answer}`)
  return answer
}

/** The elements to request for each DRM system. */
const ELEMENTS: Readonly<Record<SystemName, readonly string[]>> = {
  widevine: ['PSSH', 'ContentProtectionData', 'HLS'],
  playready: ['PSSH', 'ContentProtectionData', 'HLS'],
  fairplay: ['HLS'],
  // No ContentProtectionData: dash.js 5.2 reads such a box in the manifest as a list of kids and fails.
  common: ['PSSH'],
  clearkey: ['ContentProtectionData'],
  aes128: ['HLS'],
  'sample-aes': ['HLS'],
}
/** The only scheme of some DRM systems. */
const SCHEMES: Partial<Record<SystemName, string>> = { fairplay: 'cbcs', aes128: 'cbc1', 'sample-aes': 'cbcs' }

function writeRequest({ contentId, scheme, systems, tracks }: ClipKey): string {
  const signaled = systems.filter((system) => (SCHEMES[system] ?? scheme) === scheme)
  const periods = [...new Set(tracks.flatMap(({ period }) => (period === undefined ? [] : [period])))]
  return document({ contentId, version: '2.3', 'xmlns:cpix': CPIX, 'xmlns:pskc': PSKC }, [
    list(
      'ContentKeyList',
      tracks.map(({ kid }) => cpix('ContentKey', { kid, commonEncryptionScheme: scheme })),
    ),
    list(
      'DRMSystemList',
      tracks.flatMap(({ kid }) =>
        signaled.map((system) =>
          cpix('DRMSystem', { kid, systemId: SYSTEMS[system] }, ELEMENTS[system].flatMap(elementsOf)),
        ),
      ),
    ),
    ...(periods.length === 0 ? [] : [periodList(periods)]),
    list('ContentKeyUsageRuleList', tracks.map(usageRule)),
  ])
}

function elementsOf(name: string): readonly Markup[] {
  if (name !== 'HLS') return [cpix(name)]
  return ['media', 'master'].map((playlist) => cpix('HLSSignalingData', { playlist }))
}

function usageRule({ kid, trackType, period }: WantedTrack): Markup {
  return cpix('ContentKeyUsageRule', { kid, intendedTrackType: trackType }, [
    ...(period === undefined ? [] : [periodFilter(period)]),
    ...(FILTERS[trackType] ?? [cpix('VideoFilter')]),
  ])
}

const CPIX = 'urn:dashif:org:cpix'
const PSKC = 'urn:ietf:params:xml:ns:keyprov:pskc'
const SPEKE = 'urn:aws:amazon:com:speke'

function document(attributes: Readonly<Record<string, string>>, lists: readonly Markup[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${writeMarkup(cpix('CPIX', attributes, lists))}`
}

function cpix(
  name: string,
  attributes: Readonly<Record<string, string>> = {},
  children: readonly Markup[] = [],
): Markup {
  return { name: `cpix:${name}`, attributes: Object.entries(attributes), children }
}

function list(name: string, children: readonly Markup[]): Markup {
  return cpix(name, {}, children)
}

function periodList(periods: readonly number[]): Markup {
  return list(
    'ContentKeyPeriodList',
    periods.map((period) => cpix('ContentKeyPeriod', { id: `period_${period}`, index: String(period) })),
  )
}

function periodFilter(period: number): Markup {
  return cpix('KeyPeriodFilter', { periodId: `period_${period}` })
}

/** The filters of the presets VIDEO-2 with AUDIO-1, and of one key for all tracks. */
const FILTERS: Readonly<Record<string, readonly Markup[]>> = {
  AUDIO: [cpix('AudioFilter')],
  SD: [cpix('VideoFilter', { maxPixels: '589824' })],
  HD: [cpix('VideoFilter', { minPixels: '589825' })],
  ALL: [cpix('VideoFilter'), cpix('AudioFilter')],
}

/** Reads a key from an answer to the request above. Its spelling is known, so this needs no XML reader. */
function readKey(answer: string, track: WantedTrack, systems: readonly SystemName[]): TrackKey {
  const { kid } = track
  const element = new RegExp(`<cpix:ContentKey kid="${kid}"([^>]*)>(.*?)</cpix:ContentKey>`, 's').exec(answer)
  const value = /<pskc:PlainValue>([^<]+)</.exec(element?.[2] ?? '')?.[1]
  if (value === undefined) throw new Error(`the answer has no key for the kid ${kid}`)
  const iv = /explicitIV="([^"]+)"/.exec(element?.[1] ?? '')?.[1]
  return {
    ...track,
    key: toHex(value),
    iv: iv === undefined ? undefined : toHex(iv),
    signaling: systems.flatMap((system) => {
      const systemId = SYSTEMS[system]
      const found = new RegExp(`<cpix:DRMSystem kid="${kid}" systemId="${systemId}">(.*?)</cpix:DRMSystem>`, 's').exec(
        answer,
      )
      if (found === null) return []
      const text = (pattern: RegExp): string | undefined => pattern.exec(found[1] ?? '')?.[1]
      const decoded = (pattern: RegExp): string | undefined => {
        const base64 = text(pattern)
        return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString()
      }
      return [
        {
          system,
          systemId,
          pssh: text(/<cpix:PSSH>([^<]+)</),
          contentProtectionData: decoded(/<cpix:ContentProtectionData>([^<]+)</),
          media: decoded(/<cpix:HLSSignalingData playlist="media">([^<]+)</),
          master: decoded(/<cpix:HLSSignalingData playlist="master">([^<]+)</),
        },
      ]
    }),
  }
}

function toHex(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex')
}

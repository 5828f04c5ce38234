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
/** A key that is asked for, with a kid of the encryptor's own making. */
export interface WantedTrack {
  readonly kid: string
  /** `AUDIO`, `SD`, `HD` … as the presets of SPEKE have them. */
  readonly trackType: string
  /** The index of its key period, where keys rotate. */
  readonly period?: number
}

/** What an encryptor asks a key provider. */
export interface ClipKey {
  readonly contentId: string
  readonly scheme: 'cenc' | 'cbcs' | 'cbc1'
  readonly systems: readonly SystemName[]
  readonly tracks: readonly WantedTrack[]
}

/** A key of the answer, and what players are told of it. */
export interface TrackKey extends WantedTrack {
  /** In hex. */
  readonly key: string
  /** In hex; only where the key provider returns one. */
  readonly iv: string | undefined
  readonly signaling: readonly ClipSignaling[]
}

/** The signalling of one system, decoded. */
export interface ClipSignaling {
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

/** A request and its answer as they went over the wire. */
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

/** Asks a key provider by SPEKE 2.0. */
export async function requestKeys(copyProtectionUrl: string, wanted: ClipKey): Promise<SpekeExchange> {
  const request = writeRequest(wanted)
  const answer = await post(copyProtectionUrl, request, { 'x-speke-version': '2.0' })
  return { request, answer, keys: wanted.tracks.map((track) => readKey(answer, track, wanted.systems)) }
}

/** Asks a key provider by SPEKE 1.0 for the key of one HLS AES-128 key period: that version has one key for each. */
export async function requestAes128KeyV1(url: string, contentId: string, { kid, period = 0 }: WantedTrack) {
  const request = `<?xml version="1.0" encoding="UTF-8"?>
<cpix:CPIX id="${contentId}" xmlns:cpix="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc" xmlns:speke="urn:aws:amazon:com:speke">
  <cpix:ContentKeyList><cpix:ContentKey kid="${kid}"/></cpix:ContentKeyList>
  <cpix:DRMSystemList>
    <cpix:DRMSystem kid="${kid}" systemId="${HLS_AES_128_OF_AWS}"><cpix:URIExtXKey/><speke:KeyFormat/><speke:KeyFormatVersions/></cpix:DRMSystem>
  </cpix:DRMSystemList>
  <cpix:ContentKeyPeriodList><cpix:ContentKeyPeriod id="period_${period}" index="${period}"/></cpix:ContentKeyPeriodList>
  <cpix:ContentKeyUsageRuleList>
    <cpix:ContentKeyUsageRule kid="${kid}"><cpix:KeyPeriodFilter periodId="period_${period}"/></cpix:ContentKeyUsageRule>
  </cpix:ContentKeyUsageRuleList>
</cpix:CPIX>
`
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

/** The elements that each system can fill; what is not asked for is not answered. */
const ELEMENTS: Readonly<Record<SystemName, readonly string[]>> = {
  widevine: ['PSSH', 'ContentProtectionData', 'HLS'],
  playready: ['PSSH', 'ContentProtectionData', 'HLS'],
  fairplay: ['HLS'],
  // Not for the manifest: dash.js 5.2 takes such a box for a list of kids, and fails.
  common: ['PSSH'],
  clearkey: ['ContentProtectionData'],
  aes128: ['HLS'],
  'sample-aes': ['HLS'],
}
/** What cannot be signalled under a scheme. */
const SCHEMES: Partial<Record<SystemName, string>> = { fairplay: 'cbcs', aes128: 'cbc1', 'sample-aes': 'cbcs' }

function writeRequest({ contentId, scheme, systems, tracks }: ClipKey): string {
  const signaled = systems.filter((system) => (SCHEMES[system] ?? scheme) === scheme)
  const keys = tracks.map(({ kid }) => `<cpix:ContentKey kid="${kid}" commonEncryptionScheme="${scheme}"/>`)
  const drm = tracks.flatMap(({ kid }) =>
    signaled.map((system) => {
      const elements = ELEMENTS[system].map((name) =>
        name === 'HLS'
          ? '<cpix:HLSSignalingData playlist="media"/><cpix:HLSSignalingData playlist="master"/>'
          : `<cpix:${name}/>`,
      )
      return `<cpix:DRMSystem kid="${kid}" systemId="${SYSTEMS[system]}">${elements.join('')}</cpix:DRMSystem>`
    }),
  )
  const periods = [...new Set(tracks.flatMap(({ period }) => (period === undefined ? [] : [period])))]
  const rules = tracks.map(({ kid, trackType, period }) => {
    const filters = [
      ...(period === undefined ? [] : [`<cpix:KeyPeriodFilter periodId="period_${period}"/>`]),
      ...(FILTERS[trackType] ?? ['<cpix:VideoFilter/>']),
    ]
    return `<cpix:ContentKeyUsageRule kid="${kid}" intendedTrackType="${trackType}">${filters.join('')}</cpix:ContentKeyUsageRule>`
  })
  const list = (name: string, items: readonly string[]): string =>
    items.length === 0 ? '' : `  <cpix:${name}>\n${items.map((item) => `    ${item}\n`).join('')}  </cpix:${name}>\n`
  return `<?xml version="1.0" encoding="UTF-8"?>
<cpix:CPIX contentId="${contentId}" version="2.3" xmlns:cpix="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc">
${list('ContentKeyList', keys)}${list('DRMSystemList', drm)}${list(
  'ContentKeyPeriodList',
  periods.map((period) => `<cpix:ContentKeyPeriod id="period_${period}" index="${period}"/>`),
)}${list('ContentKeyUsageRuleList', rules)}</cpix:CPIX>
`
}

/** The filters of the presets VIDEO-2 with AUDIO-1, and of a key for everything. */
const FILTERS: Readonly<Record<string, readonly string[]>> = {
  AUDIO: ['<cpix:AudioFilter/>'],
  SD: ['<cpix:VideoFilter maxPixels="589824"/>'],
  HD: ['<cpix:VideoFilter minPixels="589825"/>'],
  ALL: ['<cpix:VideoFilter/>', '<cpix:AudioFilter/>'],
}

/** Looks a key up in an answer of the request above, whose spelling is known: no XML reader is needed for it. */
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

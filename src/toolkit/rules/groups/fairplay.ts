import { hlsAttribute } from '../hls-line.ts'
import type { Rule } from '../rule.ts'
import { FAIRPLAY } from '../systems.ts'
import { type CpixView, filledSlot, filledSlots, keyOfKid, type SystemView } from '../view.ts'
import { linesOf } from './hls.ts'

const MAX_ASSET_ID = 200

/** Rules over FairPlay and over systems whose players fetch a key by URL. @see drm-signaling.md 5, 6; speke.md 5.2 */
export const FAIRPLAY_RULES: readonly Rule[] = [
  {
    id: 'fairplay-uri',
    group: 'fairplay',
    subject: 'answer',
    severity: 'error',
    clause: 'FairPlay Streaming Programming Guide',
    title: 'The URI of FairPlay begins with skd://',
    why: 'Players hand skd URIs to FairPlay and fetch any other: an https URL, as in a sample of AWS, is fetched as a key.',
    mend: 'Write skd:// and what the licence server takes as asset id.',
    *check({ answer }) {
      for (const { element, uri } of urisOf(answer, isFairplay)) {
        if (!uri.startsWith('skd://') || uri === 'skd://') yield { what: 'the URI is no skd:// URI', at: element }
      }
    },
  },
  {
    id: 'fairplay-asset-id-length',
    group: 'fairplay',
    subject: 'answer',
    severity: 'warning',
    clause: 'FairPlay Streaming Programming Guide (asset id of 2 to 200 bytes)',
    title: `What follows skd:// has at most ${MAX_ASSET_ID} bytes`,
    why: 'It becomes the asset id in the request of the device, which takes no more: it does not play.',
    mend: 'Use a shorter contentId, or a form such as skd://{kid}.',
    *check({ answer }) {
      for (const { element, uri } of urisOf(answer, isFairplay)) {
        const length = Buffer.byteLength(uri) - 'skd://'.length
        if (length > MAX_ASSET_ID) yield { what: `the asset id has ${length} bytes`, at: element }
      }
    },
  },
  {
    id: 'fairplay-json',
    group: 'fairplay',
    subject: 'answer',
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0',
    title: 'A JSON object in the URI names its own content, kid and IV',
    why: 'The licence server makes the licence of another key, or with another IV than the encryptor has.',
    mend: 'KeyId is the kid with hyphens, IV the base64 of explicitIV, ContentId that of the document.',
    *check({ answer }) {
      for (const { system, element, uri } of urisOf(answer, isFairplay)) {
        const json = jsonIn(uri)
        if (json === undefined || system.kid === undefined) continue
        const iv = keyOfKid(answer, system.kid)?.iv
        const { KeyId, IV } = json
        if (typeof KeyId === 'string' && KeyId.toLowerCase() !== system.kid) {
          yield { what: `KeyId in the URI is not the kid ${system.kid}`, at: element }
        }
        if (typeof IV === 'string' && iv !== undefined && Buffer.compare(Buffer.from(IV, 'base64'), iv) !== 0) {
          yield { what: 'IV in the URI is not the explicitIV of the key', at: element }
        }
      }
    },
  },
  {
    id: 'fairplay-iv-attribute',
    group: 'fairplay',
    subject: 'answer',
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0',
    title: 'The line of FairPlay has no IV attribute',
    why: 'FairPlay sends the IV with the licence; MediaPackage documents the line without it.',
    mend: 'Leave IV out of the line and return explicitIV on the ContentKey.',
    *check({ answer }) {
      for (const { system, slot, line } of linesOf(answer)) {
        if (isFairplay(system) && line !== undefined && hlsAttribute(line, 'IV') !== undefined) {
          yield { what: 'the line has an IV attribute', at: slot.element }
        }
      }
    },
  },
  {
    id: 'fairplay-protection-data',
    group: 'fairplay',
    subject: 'answer',
    majors: [2],
    severity: 'error',
    clause: "MediaPackage User Guide, Implementing SPEKE 2.0; AWS's verification suite",
    title: 'FairPlay has no ContentProtectionData',
    why: "FairPlay is not in DASH; AWS's verification suite fails answers that have the element.",
    mend: 'Leave ContentProtectionData out of the DRMSystem of FairPlay, even where the request has it.',
    *check({ answer }) {
      for (const { slots } of answer.systems.filter(isFairplay)) {
        for (const { kind, element } of slots) {
          if (kind === 'contentProtectionData') yield { what: 'there is a ContentProtectionData', at: element }
        }
      }
    },
  },
  {
    id: 'key-url',
    group: 'fairplay',
    subject: 'answer',
    severity: 'error',
    clause: 'RFC 8216, 5 (key files)',
    title: 'The URI of a clear key is an https URL',
    why: 'Players fetch the key there: over http everyone on the way has it, and browsers refuse it on an https page.',
    mend: 'Write the public https URL of the key. A loopback address is taken for a trial.',
    *check({ answer }) {
      for (const { element, uri } of urisOf(answer, isKeyUrl)) {
        const url = URL.parse(uri)
        const isLocal = url?.protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
        if (url?.protocol !== 'https:' && !isLocal) yield { what: 'the URI is no https URL', at: element }
      }
    },
  },
  {
    id: 'v1-key-format',
    group: 'fairplay',
    subject: 'answer',
    majors: [1],
    severity: 'error',
    clause: 'SPEKE 1.0, Standard payload components (speke:KeyFormat, speke:KeyFormatVersions)',
    title: 'speke:KeyFormat and KeyFormatVersions are those of the system',
    why: 'They become KEYFORMAT and KEYFORMATVERSIONS of EXT-X-KEY: with another value no player takes the line.',
    mend: 'FairPlay: com.apple.streamingkeydelivery; AES-128: identity (or empty); versions: 1. Each in base64.',
    *check({ answer }) {
      for (const system of answer.systems) {
        const expected = system.facts?.keyFormat
        if (expected === undefined || !(isFairplay(system) || isKeyUrl(system))) continue
        const [format, versions] = (['keyFormat', 'keyFormatVersions'] as const).map((kind) => filledSlot(system, kind))
        if (format !== undefined && format.bytes.toString('utf8') !== expected) {
          yield { what: `KeyFormat is not ${expected}`, at: format.element }
        }
        if (versions !== undefined && versions.bytes.toString('utf8') !== '1') {
          yield { what: 'KeyFormatVersions is not 1', at: versions.element }
        }
      }
    },
  },
]

function isFairplay({ systemId }: SystemView): boolean {
  return systemId === FAIRPLAY
}

function isKeyUrl({ facts }: SystemView): boolean {
  return facts?.keyFormat === 'identity'
}

interface UriAt {
  readonly system: SystemView
  readonly element: SystemView['element']
  readonly uri: string
}

/** The URIs of some systems: in HLS lines, in SPEKE 1.0 in URIExtXKey. */
function urisOf(answer: CpixView, isOne: (system: SystemView) => boolean): readonly UriAt[] {
  const inLines = linesOf(answer).flatMap(({ system, slot, line }) => {
    const uri = line && hlsAttribute(line, 'URI')
    return uri === undefined ? [] : [{ system, element: slot.element, uri }]
  })
  const inElements = answer.systems.flatMap((system) =>
    filledSlots(system, 'uriExtXKey').map(({ element, bytes }) => ({ system, element, uri: bytes.toString('utf8') })),
  )
  return [...inLines, ...inElements].filter(({ system }) => isOne(system))
}

/** The object of the form in the guide of MediaPackage: `skd://` and base64 of JSON. */
function jsonIn(uri: string): Readonly<Record<string, unknown>> | undefined {
  const text = Buffer.from(uri.slice('skd://'.length), 'base64').toString('utf8')
  if (!text.startsWith('{')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

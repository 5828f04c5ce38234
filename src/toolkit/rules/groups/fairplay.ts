import { FAIRPLAY, keyFormatOf } from '../../../formats/drm/facts.ts'
import { hlsAttribute } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import { type CpixView, filledSlot, filledSlots, keyOfKid, type SystemView } from '../view.ts'
import { linesOf } from './hls.ts'

const MAX_ASSET_ID = 200

/** Rules about FairPlay and about systems whose players download a key from a URL. */
export const FAIRPLAY_RULES: readonly Rule[] = [
  {
    id: 'fairplay-uri',
    group: 'fairplay',
    subject: 'answer',
    severity: 'error',
    clause: 'FairPlay Streaming Programming Guide',
    title: 'The FairPlay URI starts with skd://',
    why: 'Players pass skd URIs to FairPlay and download any other URI as a key. A sample by AWS has an https URL here.',
    fix: 'Write skd:// followed by the asset ID that your licence server expects.',
    *check({ answer }) {
      for (const { element, uri } of urisOf(answer, isFairplay)) {
        if (!uri.startsWith('skd://') || uri === 'skd://')
          yield { what: 'the URI does not start with skd://, or has nothing after it', at: element }
      }
    },
  },
  {
    id: 'fairplay-asset-id-length',
    group: 'fairplay',
    subject: 'answer',
    severity: 'warning',
    clause: 'FairPlay Streaming Programming Guide (asset id of 2 to 200 bytes)',
    title: `The FairPlay asset ID after skd:// has at most ${MAX_ASSET_ID} bytes`,
    why: 'The device puts the asset ID into its licence request and accepts at most 200 bytes. A longer ID does not play.',
    fix: 'Use a shorter contentId, or a form such as skd://{kid}.',
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
    title: 'A JSON object in the FairPlay URI has the content ID, kid and IV of this key',
    why: 'The licence server issues a licence for another key, or with another IV than the encryptor uses.',
    fix: 'Set KeyId to the kid with hyphens, IV to the base64 of explicitIV, and ContentId to the content ID of the document.',
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
    title: 'The FairPlay HLS line has no IV attribute',
    why: 'The FairPlay licence contains the IV. MediaPackage documents the line without the attribute.',
    fix: 'Remove IV from the line and return explicitIV on the ContentKey.',
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
    spekeOnly: true,
    subject: 'answer',
    majors: [2],
    severity: 'error',
    clause: "MediaPackage User Guide, Implementing SPEKE 2.0; AWS's verification suite",
    title: 'DRMSystem of FairPlay has no ContentProtectionData',
    why: "DASH does not use FairPlay. AWS's verification suite rejects an answer with this element.",
    fix: 'Remove ContentProtectionData from the DRMSystem of FairPlay, even if the request has it.',
    *check({ answer }) {
      for (const { slots } of answer.systems.filter(isFairplay)) {
        for (const { kind, element } of slots) {
          if (kind === 'contentProtectionData') yield { what: 'DRMSystem has a ContentProtectionData', at: element }
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
    why: 'Players download the key from this URL. Over http anyone on the path can read it, and browsers block it on an https page.',
    fix: 'Write the public https URL of the key. This rule accepts http for loopback addresses, which trials use.',
    *check({ answer }) {
      for (const { element, uri } of urisOf(answer, isKeyUrl)) {
        const url = URL.parse(uri)
        const isLocal = url?.protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
        if (url?.protocol !== 'https:' && !isLocal) yield { what: 'the URI is not an https URL', at: element }
      }
    },
  },
  {
    id: 'v1-key-format',
    group: 'fairplay',
    spekeOnly: true,
    subject: 'answer',
    majors: [1],
    severity: 'error',
    clause: 'SPEKE 1.0, Standard payload components (speke:KeyFormat, speke:KeyFormatVersions)',
    title: 'speke:KeyFormat and speke:KeyFormatVersions match the DRM system',
    why: 'They become KEYFORMAT and KEYFORMATVERSIONS of EXT-X-KEY. No player uses a line with another value.',
    fix: `Write base64 of ${keyFormatOf(FAIRPLAY)} for FairPlay and of identity for AES-128 (or leave it empty). Write base64 of 1 as KeyFormatVersions.`,
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

/** The key URIs of the systems that `isOne` selects: from HLS lines and, in SPEKE 1.0, URIExtXKey. */
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

/** The JSON object in a URI of the form that the MediaPackage guide shows: `skd://` and base64 of JSON. */
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

import { uuidBytes } from '../../../formats/cenc.ts'
import { FAIRPLAY, keyFormatOf, PLAYREADY, WIDEVINE } from '../../../formats/drm/facts.ts'
import type { EncryptorName } from '../../../protocols/speke/tables/presets.ts'
import { dataUriBytes, type HlsLine, hlsAttribute, objectInPssh, readHlsLine, swappedKid } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import { type CpixView, filledSlot, filledSlots, type SlotView, type SystemView } from '../view.ts'

/** Rules about HLSSignalingData. @see RFC 8216, 4.3.2.4 */
export const HLS_RULES: readonly Rule[] = [
  {
    id: 'hls-tag',
    group: 'hls',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, HLSSignalingData; MediaPackage User Guide, Implementing SPEKE 2.0',
    title: 'HLSSignalingData is an #EXT-X-KEY line for media and an #EXT-X-SESSION-KEY line for master',
    why: 'MediaPackage copies the line into the playlist. Players ignore the wrong tag or cannot read the playlist.',
    fix: 'Start the media line with #EXT-X-KEY: and the master line with #EXT-X-SESSION-KEY:.',
    *check({ answer }) {
      for (const { slot, text } of linesOf(answer)) {
        const tag = slot.kind === 'hlsMedia' ? '#EXT-X-KEY:' : '#EXT-X-SESSION-KEY:'
        if (!text.startsWith(tag)) yield { what: `the line does not start with ${tag}`, at: slot.element }
      }
    },
  },
  {
    id: 'hls-one-line',
    group: 'hls',
    spekeOnly: true,
    subject: 'answer',
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0 (one kid and one tag)',
    title: 'HLSSignalingData is one line without a line break or byte order mark',
    why: 'MediaPackage accepts exactly one tag. A line break puts an empty or incomplete line into the playlist.',
    fix: 'Encode only the line: no newline at the end, no byte order mark, no second tag.',
    *check({ answer }) {
      for (const { slot, text } of linesOf(answer)) {
        if (/[\r\n]/.test(text)) yield { what: 'the line contains a line break', at: slot.element }
        else if (text.startsWith('\ufeff')) yield { what: 'the line contains a byte order mark', at: slot.element }
      }
    },
  },
  {
    id: 'hls-attribute-list',
    group: 'hls',
    subject: 'answer',
    severity: 'error',
    clause: 'RFC 8216, 4.2 (attribute lists)',
    title: 'The HLS tag has a valid attribute list',
    why: 'Players stop reading the playlist. Common causes are an unquoted URI, a space after a comma, or a quotation mark inside a value.',
    fix: 'Write NAME=value or NAME="value", separated only by commas, and each name once.',
    *check({ answer }) {
      for (const { slot, text, line } of linesOf(answer)) {
        if (/[\r\n]/.test(text) || !/^#EXT-X-[A-Z-]+:/.test(text)) continue
        const names = line?.attributes.map(({ name }) => name) ?? []
        if (line === undefined) yield { what: 'the attribute list is malformed', at: slot.element }
        else if (new Set(names).size < names.length) yield { what: 'an attribute occurs twice', at: slot.element }
        const unquoted = line?.attributes.find(({ name, quoted }) => QUOTED.has(name) && !quoted)
        if (unquoted !== undefined) yield { what: `${unquoted.name} has no quotation marks`, at: slot.element }
      }
    },
  },
  {
    id: 'hls-method-first',
    group: 'hls',
    spekeOnly: true,
    subject: 'answer',
    severity: 'error',
    clause: "AWS's verification suite",
    title: 'METHOD is the first attribute, directly after the colon',
    why: "AWS's verification suite, and MediaPackage with it, looks for the tag followed by METHOD and does not recognize another order.",
    fix: 'Write METHOD first, without a space after the colon.',
    *check({ answer }) {
      for (const { slot, line } of linesOf(answer)) {
        if (line !== undefined && line.attributes[0]?.name !== 'METHOD') {
          yield { what: 'METHOD is not the first attribute', at: slot.element }
        }
      }
    },
  },
  {
    id: 'hls-attribute-order',
    group: 'hls',
    spekeOnly: true,
    subject: 'answer',
    severity: 'note',
    severityAs: { 'mediapackage-v2': 'warning' },
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0',
    title: 'HLS attributes have the order of the MediaPackage guide',
    why: 'Players accept any order. The MediaPackage guide shows one order for each DRM system, and no other order is documented to work.',
    fix: 'Widevine, FairPlay and AES-128: METHOD, URI, KEYFORMAT, KEYFORMATVERSIONS. PlayReady: METHOD, KEYFORMAT, KEYFORMATVERSIONS, URI.',
    *check({ answer }) {
      for (const { system, slot, line } of linesOf(answer)) {
        const expected = system.facts?.attributeOrder ?? []
        const names = line?.attributes.map(({ name }) => name).filter((name) => expected.includes(name)) ?? []
        if (names.join() !== expected.filter((name) => names.includes(name)).join()) {
          yield { what: `the order is ${names.join(', ')}, expected ${expected.join(', ')}`, at: slot.element }
        }
      }
    },
  },
  {
    id: 'hls-lines-differ',
    group: 'hls',
    spekeOnly: true,
    subject: 'answer',
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0 (identical attributes)',
    title: 'The media and master lines differ only in their tag',
    why: 'Players preload the key of EXT-X-SESSION-KEY and compare it with the line of the media playlist. If the lines differ, players load the key twice or do not find it.',
    fix: 'Build one attribute list and put each tag in front of it.',
    *check({ answer }) {
      for (const system of answer.systems) {
        const [media, master] = (['hlsMedia', 'hlsMaster'] as const).map((kind) => filledSlot(system, kind))
        if (media === undefined || master === undefined) continue
        const [mediaList, masterList] = [media, master].map(({ bytes }) => afterTag(bytes.toString('utf8')))
        if (mediaList !== masterList) yield { what: 'the attributes differ from the media line', at: master.element }
      }
    },
  },
  {
    id: 'hls-scheme-attribute',
    group: 'hls',
    spekeOnly: true,
    subject: 'answer',
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0 (no SCHEME attribute)',
    title: 'The HLS line has no SCHEME attribute',
    why: 'HLS defines no SCHEME attribute, and the MediaPackage guide lists it as a cause of failures.',
    fix: 'Remove SCHEME. METHOD names the encryption.',
    *check({ answer }) {
      for (const { slot, line } of linesOf(answer)) {
        if (line !== undefined && hlsAttribute(line, 'SCHEME') !== undefined) {
          yield { what: 'the line has a SCHEME attribute', at: slot.element }
        }
      }
    },
  },
  {
    id: 'hls-method',
    group: 'hls',
    subject: 'answer',
    severity: 'error',
    clause: 'RFC 8216bis, 4.4.4.4; MediaPackage User Guide, Implementing SPEKE 2.0',
    title: 'METHOD matches the encryption scheme',
    why: 'Players decrypt as METHOD says. Outside MediaPackage, SAMPLE-AES on counter mode content gives garbage; NONE plays nothing.',
    fix: 'Write SAMPLE-AES for cbcs, SAMPLE-AES-CTR for cenc and AES-128 for cbc1. For MediaPackage v2, write SAMPLE-AES for both cenc and cbcs.',
    *check({ answer, as }) {
      for (const { system, slot, line } of linesOf(answer)) {
        const method = line && hlsAttribute(line, 'METHOD')
        const allowed = methodsFor(system, as)
        if (method !== undefined && !allowed.includes(method)) {
          yield { what: `METHOD is ${method.slice(0, 20)}, expected ${allowed.join(' or ')}`, at: slot.element }
        }
      }
    },
  },
  {
    id: 'hls-key-format',
    group: 'hls',
    subject: 'answer',
    severity: 'error',
    clause: 'RFC 8216, 4.3.2.4 (KEYFORMAT)',
    title: 'KEYFORMAT matches the DRM system and KEYFORMATVERSIONS is "1"',
    why: 'A player uses only the line with a KEYFORMAT it supports.',
    fix: `Write ${keyFormatOf(WIDEVINE)} for Widevine, ${keyFormatOf(PLAYREADY)} for PlayReady, ${keyFormatOf(FAIRPLAY)} for FairPlay, and identity for clear keys.`,
    *check({ answer }) {
      for (const { system, slot, line } of linesOf(answer)) {
        const expected = system.facts?.keyFormat
        if (line === undefined || expected === undefined) continue
        const [format, versions] = ['KEYFORMAT', 'KEYFORMATVERSIONS'].map((name) => hlsAttribute(line, name))
        // RFC 8216, 4.3.2.4: an absent KEYFORMAT means identity.
        if ((format ?? 'identity') !== expected) yield { what: `KEYFORMAT is not ${expected}`, at: slot.element }
        if (versions !== undefined && versions !== '1') yield { what: 'KEYFORMATVERSIONS is not 1', at: slot.element }
      }
    },
  },
  {
    id: 'hls-keyid',
    group: 'hls',
    subject: 'answer',
    severity: 'error',
    clause: 'Shaka Packager and ExoPlayer (KEYID=0x and the kid in hexadecimal); no attribute of RFC 8216',
    title: 'KEYID is the kid in UUID byte order',
    why: 'Players that read KEYID (Shaka Player, ExoPlayer) look for a key that no licence contains.',
    fix: 'Write 0x and the 32 hexadecimal digits of the kid, in the order of the UUID, or remove KEYID.',
    *check({ answer }) {
      for (const { system, slot, line } of linesOf(answer)) {
        const keyId = line && hlsAttribute(line, 'KEYID')?.toLowerCase()
        if (keyId === undefined || system.kid === undefined) continue
        const hexOf = (kid: typeof system.kid): string => `0x${uuidBytes(kid).toString('hex')}`
        if (keyId === hexOf(system.kid)) continue
        const swapped = keyId === hexOf(swappedKid(system.kid))
        yield {
          what: swapped
            ? `KEYID contains the kid ${system.kid} in little-endian GUID order`
            : `KEYID is not the kid ${system.kid}`,
          at: slot.element,
        }
      }
    },
  },
  {
    id: 'hls-uri-payload',
    group: 'hls',
    subject: 'answer',
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0',
    title: 'The URI contains the same payload as PSSH',
    why: 'Widevine players expect the whole pssh box in the URI. PlayReady players expect the PlayReady Object without the box.',
    fix: 'Widevine: write data:text/plain;base64, and the box. PlayReady: write data:text/plain;charset=UTF-16;base64, and the object.',
    *check({ answer }) {
      for (const { system, slot, line } of linesOf(answer)) {
        const name = line && PAYLOADS.get(system.systemId ?? '')
        if (line === undefined || name === undefined) continue
        const data = dataUriBytes(hlsAttribute(line, 'URI'))
        const expected = system.systemId === WIDEVINE ? filledSlot(system, 'pssh')?.bytes : objectInPssh(system)
        if (data === undefined) yield { what: `URI is not a base64 data URI with ${name}`, at: slot.element }
        else if (expected !== undefined && !data.equals(expected)) {
          yield { what: `URI does not contain ${name} of this DRMSystem`, at: slot.element }
        }
      }
    },
  },
]

interface Line {
  readonly system: SystemView
  readonly slot: SlotView
  readonly text: string
  readonly line: HlsLine | undefined
}

/** Every filled HLSSignalingData of an answer, decoded. */
export function linesOf({ systems }: CpixView): readonly Line[] {
  return systems.flatMap((system) =>
    filledSlots(system, 'hlsMedia', 'hlsMaster').map((slot) => {
      const text = slot.bytes.toString('utf8')
      return { system, slot, text, line: readHlsLine(text) }
    }),
  )
}

const QUOTED: ReadonlySet<string> = new Set(['URI', 'KEYFORMAT', 'KEYFORMATVERSIONS'])

const PAYLOADS: ReadonlyMap<string, string> = new Map([
  [WIDEVINE, 'the pssh box'],
  [PLAYREADY, 'the PlayReady Object'],
])

const METHODS: Readonly<Record<string, string>> = {
  cenc: 'SAMPLE-AES-CTR',
  cens: 'SAMPLE-AES-CTR',
  cbcs: 'SAMPLE-AES',
  cbc1: 'AES-128',
}
const EVERY_METHOD = ['SAMPLE-AES', 'SAMPLE-AES-CTR', 'AES-128']

function methodsFor({ scheme }: SystemView, as: EncryptorName): readonly string[] {
  if (scheme === undefined) return EVERY_METHOD
  if (as === 'mediapackage-v2') return [scheme === 'cbc1' ? 'AES-128' : 'SAMPLE-AES']
  return [METHODS[scheme] ?? '']
}

function afterTag(text: string): string {
  return text.slice(text.indexOf(':') + 1)
}

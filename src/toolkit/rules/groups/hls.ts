import { uuidBytes } from '../../../formats/cenc.ts'
import { dataUriBytes, type HlsLine, hlsAttribute, readHlsLine } from '../hls-line.ts'
import { swappedKid } from '../kids.ts'
import { objectInPssh } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import { PLAYREADY, WIDEVINE } from '../systems.ts'
import { type CpixView, filledSlot, filledSlots, type SlotView, type SystemView } from '../view.ts'
import type { Viewpoint } from '../viewpoints.ts'

/** Rules over HLSSignalingData. @see speke.md 5.1; RFC 8216, 4.3.2.4 */
export const HLS_RULES: readonly Rule[] = [
  {
    id: 'hls-tag',
    group: 'hls',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, HLSSignalingData; MediaPackage User Guide, Implementing SPEKE 2.0',
    title: 'media is one #EXT-X-KEY line, master one #EXT-X-SESSION-KEY line',
    why: 'MediaPackage writes the line into the playlist as it is: the wrong tag there is ignored by players, or breaks the playlist.',
    mend: 'Begin the media line with #EXT-X-KEY: and the master line with #EXT-X-SESSION-KEY:.',
    *check({ answer }) {
      for (const { slot, text } of linesOf(answer)) {
        const tag = slot.kind === 'hlsMedia' ? '#EXT-X-KEY:' : '#EXT-X-SESSION-KEY:'
        if (!text.startsWith(tag)) yield { what: `the line does not begin with ${tag}`, at: slot.element }
      }
    },
  },
  {
    id: 'hls-one-line',
    group: 'hls',
    subject: 'answer',
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0 (one kid and one tag)',
    title: 'HLSSignalingData is one line, without line break or byte order mark',
    why: 'MediaPackage takes exactly one tag; a line break puts an empty or half line into the playlist.',
    mend: 'Encode the line alone: no newline at its end, no BOM, no second tag.',
    *check({ answer }) {
      for (const { slot, text } of linesOf(answer)) {
        if (/[\r\n]/.test(text)) yield { what: 'there is a line break', at: slot.element }
        else if (text.startsWith('\ufeff')) yield { what: 'there is a byte order mark', at: slot.element }
      }
    },
  },
  {
    id: 'hls-attribute-list',
    group: 'hls',
    subject: 'answer',
    severity: 'error',
    clause: 'RFC 8216, 4.2 (attribute lists)',
    title: 'What follows the tag is an attribute list',
    why: 'Players stop reading the playlist: an unquoted URI, a space behind a comma, a quotation mark within.',
    mend: 'Write NAME=value or NAME="value" with commas and nothing else between; every name once.',
    *check({ answer }) {
      for (const { slot, text, line } of linesOf(answer)) {
        if (/[\r\n]/.test(text) || !/^#EXT-X-[A-Z-]+:/.test(text)) continue
        const names = line?.attributes.map(({ name }) => name) ?? []
        if (line === undefined) yield { what: 'the attribute list is malformed', at: slot.element }
        else if (new Set(names).size < names.length) yield { what: 'an attribute stands twice', at: slot.element }
        const unquoted = line?.attributes.find(({ name, quoted }) => QUOTED.has(name) && !quoted)
        if (unquoted !== undefined) yield { what: `${unquoted.name} is not quoted`, at: slot.element }
      }
    },
  },
  {
    id: 'hls-method-first',
    group: 'hls',
    subject: 'answer',
    severity: 'error',
    clause: "AWS's verification suite",
    title: 'METHOD is the first attribute, right behind the colon',
    why: 'The suite, and MediaPackage with it, finds the line by its tag and METHOD together: another order is not recognized.',
    mend: 'Write METHOD first, without a space behind the colon.',
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
    subject: 'answer',
    severity: 'note',
    severityAs: { 'mediapackage-v2': 'warning' },
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0',
    title: 'Attributes stand in the order of the guide of MediaPackage',
    why: 'Players do not care; the guide shows one order for each system, and what is untested elsewhere is yours to find out.',
    mend: 'Widevine, FairPlay, AES-128: METHOD, URI, KEYFORMAT, KEYFORMATVERSIONS. PlayReady: URI last.',
    *check({ answer }) {
      for (const { system, slot, line } of linesOf(answer)) {
        const expected = system.facts?.attributeOrder ?? []
        const names = line?.attributes.map(({ name }) => name).filter((name) => expected.includes(name)) ?? []
        if (names.join() !== expected.filter((name) => names.includes(name)).join()) {
          yield { what: `the order is ${names.join(', ')}, not ${expected.join(', ')}`, at: slot.element }
        }
      }
    },
  },
  {
    id: 'hls-lines-differ',
    group: 'hls',
    subject: 'answer',
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0 (identical attributes)',
    title: 'Media and master lines differ in their tag alone',
    why: 'Players preload the key of EXT-X-SESSION-KEY and compare it with that of the media playlist: another one is loaded twice, or not found.',
    mend: 'Make one attribute list and put either tag before it.',
    *check({ answer }) {
      for (const system of answer.systems) {
        const [media, master] = (['hlsMedia', 'hlsMaster'] as const).map((kind) => filledSlot(system, kind))
        if (media === undefined || master === undefined) continue
        const [mediaList, masterList] = [media, master].map(({ bytes }) => afterTag(bytes.toString('utf8')))
        if (mediaList !== masterList)
          yield { what: 'its attributes are not those of the media line', at: master.element }
      }
    },
  },
  {
    id: 'hls-scheme-attribute',
    group: 'hls',
    subject: 'answer',
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0 (no SCHEME attribute)',
    title: 'There is no SCHEME attribute',
    why: 'It is none of HLS; the guide of MediaPackage names it as a cause of failures.',
    mend: 'Leave SCHEME out: METHOD says how samples are encrypted.',
    *check({ answer }) {
      for (const { slot, line } of linesOf(answer)) {
        if (line !== undefined && hlsAttribute(line, 'SCHEME') !== undefined) {
          yield { what: 'there is a SCHEME attribute', at: slot.element }
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
    title: 'METHOD fits the scheme',
    why: 'Players decrypt by METHOD: SAMPLE-AES for content in counter mode gives garbage outside of MediaPackage, NONE plays nothing.',
    mend: 'cbcs: SAMPLE-AES; cenc: SAMPLE-AES-CTR (MediaPackage v2: SAMPLE-AES always); cbc1 with AES-128: AES-128.',
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
    title: 'KEYFORMAT names the system of its DRMSystem, KEYFORMATVERSIONS is "1"',
    why: 'A player takes the line whose KEYFORMAT it knows and no other.',
    mend: 'Widevine urn:uuid:edef8ba9-…, PlayReady com.microsoft.playready, FairPlay com.apple.streamingkeydelivery, clear keys identity.',
    *check({ answer }) {
      for (const { system, slot, line } of linesOf(answer)) {
        const expected = system.facts?.keyFormat
        if (line === undefined || expected === undefined) continue
        const [format, versions] = ['KEYFORMAT', 'KEYFORMATVERSIONS'].map((name) => hlsAttribute(line, name))
        // Without one it is identity. @see RFC 8216, 4.3.2.4
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
    title: 'KEYID is the kid, in the order it is written',
    why: 'Players that read KEYID (Shaka Player, ExoPlayer) look for a key that no licence has.',
    mend: 'Write 0x and the 32 digits of the kid without hyphens, not of a little-endian GUID; or leave KEYID out.',
    *check({ answer }) {
      for (const { system, slot, line } of linesOf(answer)) {
        const keyId = line && hlsAttribute(line, 'KEYID')?.toLowerCase()
        if (keyId === undefined || system.kid === undefined) continue
        const hexOf = (kid: typeof system.kid): string => `0x${uuidBytes(kid).toString('hex')}`
        if (keyId === hexOf(system.kid)) continue
        const swapped = keyId === hexOf(swappedKid(system.kid))
        yield {
          what: swapped
            ? `KEYID holds the kid ${system.kid} in little-endian GUID order`
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
    title: 'The URI holds what the PSSH element holds',
    why: 'Widevine players expect the whole pssh box in the URI, PlayReady players the PlayReady Object without its box.',
    mend: 'Widevine: data:text/plain;base64, and the box. PlayReady: data:text/plain;charset=UTF-16;base64, and the object.',
    *check({ answer }) {
      for (const { system, slot, line } of linesOf(answer)) {
        const name = line && PAYLOADS.get(system.systemId ?? '')
        if (line === undefined || name === undefined) continue
        const data = dataUriBytes(hlsAttribute(line, 'URI'))
        const expected = system.systemId === WIDEVINE ? filledSlot(system, 'pssh')?.bytes : objectInPssh(system)
        if (data === undefined) yield { what: `URI is no base64 data URI of ${name}`, at: slot.element }
        else if (expected !== undefined && !data.equals(expected)) {
          yield { what: `URI does not hold ${name} of this DRMSystem`, at: slot.element }
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

/** Every HLSSignalingData of an answer, decoded. */
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

function methodsFor({ scheme }: SystemView, as: Viewpoint): readonly string[] {
  if (scheme === undefined) return EVERY_METHOD
  if (as === 'mediapackage-v2') return [scheme === 'cbc1' ? 'AES-128' : 'SAMPLE-AES']
  return [METHODS[scheme] ?? '']
}

function afterTag(text: string): string {
  return text.slice(text.indexOf(':') + 1)
}

import { PLAYREADY } from '../../../formats/drm/facts.ts'
import { playReadyChecksum, type WrmHeader } from '../../../formats/drm/payloads/wrm-header.ts'
import { wrmHeaderProblems } from '../../../formats/drm/payloads/wrm-header-grammar.ts'
import { headerDocuments, kidProblem, objectInPssh, playReadyPayloads, readFragment, readHeaders } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import { type CpixView, filledSlot, filledSlots, keyOfKid, type SystemView } from '../view.ts'

/** Rules about PlayReady Objects and their WRMHEADER. @see https://learn.microsoft.com/playready/specifications/playready-header-specification */
export const PLAYREADY_RULES: readonly Rule[] = [
  {
    id: 'playready-object-malformed',
    group: 'playready',
    subject: 'answer',
    severity: 'error',
    clause: 'PlayReady Header Specification',
    title: 'A PlayReady Object is a length, a record count, and records with a WRMHEADER in UTF-16LE',
    why: 'Players fail to initialize PlayReady. The MediaPackage guide describes 4-byte counts, which is not the layout that Microsoft specifies.',
    fix: 'Write the length in 4 bytes and the record count in 2 bytes. For each record, write the type and the length in 2 bytes each. Use little-endian order and no byte order mark.',
    *check({ answer }) {
      for (const system of answer.systems) {
        for (const { element, where, bytes } of playReadyPayloads(system)) {
          const read = readHeaders(bytes)
          if ('problem' in read && !isEncodedTwice(bytes)) yield { what: `${where}: ${read.problem}`, at: element }
        }
      }
    },
  },
  {
    id: 'playready-header',
    group: 'playready',
    subject: 'answer',
    severity: 'error',
    clause: 'PlayReady Header Specification, 3.3 to 3.6 (the grammar of each version)',
    title: 'A WRMHEADER has the elements and attributes of its version',
    why: 'Players read each element only in its place. They find no KID or no LA_URL, or reject the header (MSPR_E_PRO_HEADER_KID_NOT_SET, 0x8004B804).',
    fix: 'Write the header as the specification of its version shows it: KID in DATA (4.0), in PROTECTINFO (4.1), in PROTECTINFO/KIDS (4.2 and 4.3). Write LA_URL into DATA, and use AESCBC only in 4.3 and without CHECKSUM.',
    *check({ answer }) {
      for (const { element, where, problem, isSyntax } of grammarProblems(answer)) {
        if (!isSyntax) yield { what: `${where}: ${problem}`, at: element }
      }
    },
  },
  {
    id: 'playready-header-syntax',
    group: 'playready',
    subject: 'answer',
    severity: 'warning',
    clause: 'PlayReady Header Specification, 3.2 (syntax)',
    title: 'A WRMHEADER has the syntax that PlayReady requires',
    why: 'The specification restricts XML: xmlns before other attributes, attributes in alphabetical order, end tags, double quotes. Some clients reject another syntax.',
    fix: 'Write <WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader" version="…">, attributes in alphabetical order, and an end tag for every element.',
    *check({ answer }) {
      for (const { element, where, problem, isSyntax } of grammarProblems(answer)) {
        if (isSyntax) yield { what: `${where}: ${problem}`, at: element }
      }
    },
  },
  {
    id: 'playready-kid',
    group: 'playready',
    subject: 'answer',
    severity: 'error',
    clause: 'PlayReady Header Specification (KID is a GUID)',
    title: 'KID of a WRMHEADER is the kid of its DRMSystem as a little-endian GUID',
    why: 'The licence server issues a licence for another kid, and the player has no key for the stream.',
    fix: 'Reverse bytes 0–3, 4–5 and 6–7 of the kid, then encode it as base64. Use this byte order only in PlayReady headers.',
    *check({ answer }) {
      for (const { system, element, where, header } of headersIn(answer)) {
        const kids = header.keys.map(({ kid }) => kid)
        const what = kidProblem(system.kid, kids, where, 'guid')
        if (what !== undefined) yield { what, at: element }
      }
    },
  },
  {
    id: 'playready-checksum',
    group: 'playready',
    subject: 'answer',
    severity: 'error',
    clause: 'PlayReady Header Specification (CHECKSUM)',
    title: 'CHECKSUM of a WRMHEADER matches the key in the answer',
    why: 'Clients check the key of the licence against CHECKSUM and reject the licence. A mismatch also shows that header and key come from different sources.',
    fix: 'Encrypt the KID (16 bytes, little-endian GUID) with AES-128-ECB and the content key, and use the first 8 bytes. Omit CHECKSUM for AESCBC.',
    *check({ answer }) {
      for (const { element, where, header } of headersIn(answer)) {
        for (const { kid, checksum, algid } of header.keys) {
          const contentKey = keyOfKid(answer, kid)?.contentKey
          if (checksum === undefined || contentKey === undefined || algid === 'COCKTAIL') continue
          if (checksum.trim() !== playReadyChecksum(contentKey, kid)) {
            yield { what: `CHECKSUM in ${where} does not match the key of the kid ${kid}`, at: element }
          }
        }
      }
    },
  },
  {
    id: 'playready-algid',
    group: 'playready',
    subject: 'answer',
    severity: 'error',
    clause: 'PlayReady Header Specification (ALGID)',
    title: 'ALGID and the header version match the scheme',
    why: 'With ALGID AESCTR, a client decrypts a cbcs stream in counter mode and shows garbage.',
    fix: 'cenc: write AESCTR (header 4.0 to 4.3). cbcs: write AESCBC in header 4.3.0.0, without CHECKSUM.',
    *check({ answer }) {
      for (const { system, element, where, header } of headersIn(answer)) {
        if (system.scheme === undefined) continue
        const expected = system.scheme === 'cbcs' || system.scheme === 'cbc1' ? 'AESCBC' : 'AESCTR'
        const other = header.keys.find(({ algid }) => algid !== undefined && algid !== expected)
        if (other !== undefined)
          yield { what: `ALGID in ${where} is not ${expected}, which ${system.scheme} requires`, at: element }
        else if (expected === 'AESCBC' && header.version !== '4.3.0.0') {
          yield { what: `${where} has version ${header.version}; AESCBC requires 4.3.0.0`, at: element }
        }
      }
    },
  },
  {
    id: 'playready-pro-missing',
    group: 'playready',
    spekeOnly: true,
    subject: 'answer',
    majors: [2],
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0 ("omitting either will cause failures")',
    title: 'ContentProtectionData of PlayReady contains mspr:pro next to cenc:pssh',
    why: 'Older Windows versions and many TVs read only mspr:pro. The MediaPackage guide requires both.',
    fix: 'Add <mspr:pro xmlns:mspr="urn:microsoft:playready"> with the base64 of the PlayReady Object, without its box.',
    *check({ answer }) {
      for (const system of answer.systems) {
        const slot = system.systemId === PLAYREADY ? filledSlot(system, 'contentProtectionData') : undefined
        if (slot === undefined || 'problem' in readFragment(slot.bytes)) continue
        if (!playReadyPayloads(system).some(({ where }) => where === 'mspr:pro')) {
          yield { what: 'mspr:pro (namespace urn:microsoft:playready) is missing', at: slot.element }
        }
      }
    },
  },
  {
    id: 'playready-objects-differ',
    group: 'playready',
    subject: 'answer',
    severity: 'error',
    clause: 'PlayReady Header Specification; MediaPackage User Guide, Implementing SPEKE 2.0',
    title: 'mspr:pro and the Smooth Streaming header equal the PlayReady Object of PSSH',
    why: 'DASH, HLS and Smooth Streaming players of one content then send different licence requests, of which at most one works.',
    fix: 'Build the object once and write it to every place.',
    *check({ answer }) {
      for (const system of answer.systems) {
        const object = objectInPssh(system)
        if (object === undefined) continue
        for (const { element, where, bytes } of playReadyPayloads(system)) {
          const isBare = where === 'mspr:pro' || where === 'the Smooth Streaming header'
          if (isBare && !bytes.equals(object) && !isEncodedTwice(bytes)) {
            yield { what: `${where} differs from the PlayReady Object of PSSH`, at: element }
          }
        }
      }
    },
  },
  {
    id: 'smooth-encoded-twice',
    group: 'playready',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, SmoothStreamingProtectionHeaderData (xs:string)',
    title: 'The Smooth Streaming header is base64 encoded once',
    why: 'The packager copies the text into ProtectionHeader. Players decode it once and find base64 text instead of a PlayReady Object.',
    fix: 'Write the base64 of the PlayReady Object. Unlike the other children of DRMSystem, this element has no second encoding.',
    *check({ answer }) {
      for (const system of answer.systems) {
        for (const { element, bytes } of filledSlots(system, 'smooth', 'protectionHeader')) {
          if (isEncodedTwice(bytes)) yield { what: `${element.local} is base64 encoded twice`, at: element }
        }
      }
    },
  },
]

/** Where the headers of an answer differ from the grammar of their version; each problem once for an element. */
function* grammarProblems({ systems }: CpixView) {
  for (const system of systems) {
    const seen = new Set<string>()
    for (const { element, where, bytes } of playReadyPayloads(system)) {
      for (const { problem, clause } of headerDocuments(bytes).flatMap(wrmHeaderProblems)) {
        const isNew = !seen.has(problem)
        seen.add(problem)
        if (isNew) yield { element, where, problem, isSyntax: clause.startsWith('3.2.') }
      }
    }
  }
}

interface HeaderAt {
  readonly system: SystemView
  readonly element: SystemView['element']
  readonly where: string
  readonly header: WrmHeader
}

/** Every WRMHEADER of an answer. */
function headersIn({ systems }: CpixView): readonly HeaderAt[] {
  return systems.flatMap((system) =>
    playReadyPayloads(system).flatMap(({ element, where, bytes }) => {
      const read = readHeaders(bytes)
      return 'problem' in read ? [] : read.value.map((header) => ({ system, element, where, header }))
    }),
  )
}

/** Whether bytes that should be a PlayReady Object are base64 text of one. */
function isEncodedTwice(bytes: Buffer): boolean {
  const text = bytes.toString('latin1')
  return /^[A-Za-z0-9+/]{20,}={0,2}$/.test(text) && !('problem' in readHeaders(Buffer.from(text, 'base64')))
}

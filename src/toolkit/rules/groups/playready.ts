import type { WrmHeader } from '../../../formats/drm/payloads/read-wrm-header.ts'
import { playReadyChecksum } from '../../../formats/drm/payloads/wrm-header.ts'
import { kidProblem } from '../kids.ts'
import { objectInPssh, playReadyPayloads, readFragment, readHeaders } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import { PLAYREADY } from '../systems.ts'
import { type CpixView, filledSlot, filledSlots, keyOfKid, type SystemView } from '../view.ts'

/** Rules over PlayReady Objects and their WRMHEADER. @see drm-signaling.md 4 */
export const PLAYREADY_RULES: readonly Rule[] = [
  {
    id: 'playready-object-malformed',
    group: 'playready',
    subject: 'answer',
    severity: 'error',
    clause: 'PlayReady Header Specification',
    title: 'A PlayReady Object is length, record count, and records of a WRMHEADER in UTF-16LE',
    why: 'Players fail to initialize. The guide of MediaPackage describes counts of 4 bytes: that is not the layout of Microsoft.',
    mend: 'Write the length in 4 bytes, the record count in 2, for each record type and length in 2 each, all little-endian; no BOM.',
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
    id: 'playready-kid',
    group: 'playready',
    subject: 'answer',
    severity: 'error',
    clause: 'PlayReady Header Specification (KID is a GUID)',
    title: 'The KID of a WRMHEADER is that of its DRMSystem, as a little-endian GUID',
    why: 'The licence server makes a licence for another kid, and the player has no key for the stream.',
    mend: 'Reverse bytes 0–3, 4–5 and 6–7 of the kid, then base64; in PlayReady headers and nowhere else.',
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
    title: 'CHECKSUM is that of the key in the answer',
    why: 'Clients hold the key of the licence against it and refuse the licence. It shows as well that header and key are not of one source.',
    mend: 'Encrypt the KID (little-endian) with AES-128-ECB under the key and take 8 bytes; leave CHECKSUM out for AESCBC.',
    *check({ answer }) {
      for (const { element, where, header } of headersIn(answer)) {
        for (const { kid, checksum, algid } of header.keys) {
          const contentKey = keyOfKid(answer, kid)?.contentKey
          if (checksum === undefined || contentKey === undefined || algid === 'COCKTAIL') continue
          if (checksum.trim() !== playReadyChecksum(contentKey, kid)) {
            yield { what: `CHECKSUM in ${where} is not that of the key of ${kid}`, at: element }
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
    title: 'ALGID and header version fit the scheme',
    why: 'A client that is told AESCTR decrypts a cbcs stream in counter mode: picture and sound are garbage.',
    mend: 'cenc: AESCTR (header 4.0 to 4.3). cbcs: AESCBC, which header 4.3.0.0 alone knows, without CHECKSUM.',
    *check({ answer }) {
      for (const { system, element, where, header } of headersIn(answer)) {
        if (system.scheme === undefined) continue
        const expected = system.scheme === 'cbcs' || system.scheme === 'cbc1' ? 'AESCBC' : 'AESCTR'
        const other = header.keys.find(({ algid }) => algid !== undefined && algid !== expected)
        if (other !== undefined)
          yield { what: `ALGID in ${where} is not ${expected}, the key is for ${system.scheme}`, at: element }
        else if (expected === 'AESCBC' && header.version !== '4.3.0.0') {
          yield { what: `${where} has version ${header.version}, AESCBC needs 4.3.0.0`, at: element }
        }
      }
    },
  },
  {
    id: 'playready-pro-missing',
    group: 'playready',
    subject: 'answer',
    majors: [2],
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0 ("omitting either will cause failures")',
    title: 'ContentProtectionData of PlayReady holds mspr:pro beside cenc:pssh',
    why: 'Older Windows and many televisions read mspr:pro alone; the guide of MediaPackage demands both.',
    mend: 'Add <mspr:pro xmlns:mspr="urn:microsoft:playready"> with the base64 of the PlayReady Object, without its box.',
    *check({ answer }) {
      for (const system of answer.systems) {
        const slot = system.systemId === PLAYREADY ? filledSlot(system, 'contentProtectionData') : undefined
        if (slot === undefined || 'problem' in readFragment(slot.bytes)) continue
        if (!playReadyPayloads(system).some(({ where }) => where === 'mspr:pro')) {
          yield { what: 'there is no mspr:pro of the namespace urn:microsoft:playready', at: slot.element }
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
    title: 'mspr:pro and the Smooth Streaming header are the PlayReady Object of the box',
    why: 'DASH, HLS and Smooth players of one content ask for licences in different ways; at most one of them works.',
    mend: 'Make the object once and put it everywhere.',
    *check({ answer }) {
      for (const system of answer.systems) {
        const object = objectInPssh(system)
        if (object === undefined) continue
        for (const { element, where, bytes } of playReadyPayloads(system)) {
          const isBare = where === 'mspr:pro' || where === 'the Smooth Streaming header'
          if (isBare && !bytes.equals(object) && !isEncodedTwice(bytes)) {
            yield { what: `${where} is not the PlayReady Object of PSSH`, at: element }
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
    title: 'The Smooth Streaming header is base64 once',
    why: 'The packager writes it into ProtectionHeader as it is: players decode once and find text instead of an object.',
    mend: 'Put in the base64 of the PlayReady Object. This element alone of DRMSystem is not wrapped again.',
    *check({ answer }) {
      for (const system of answer.systems) {
        for (const { element, bytes } of filledSlots(system, 'smooth', 'protectionHeader')) {
          if (isEncodedTwice(bytes)) yield { what: `${element.local} is base64 of base64`, at: element }
        }
      }
    },
  },
]

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

/** Whether what should be an object is the base64 of one. */
function isEncodedTwice(bytes: Buffer): boolean {
  const text = bytes.toString('latin1')
  return /^[A-Za-z0-9+/]{20,}={0,2}$/.test(text) && !('problem' in readHeaders(Buffer.from(text, 'base64')))
}

import { COMMON_PSSH, drmSystemName, FAIRPLAY, PLAYREADY, WIDEVINE } from '../../../formats/drm/facts.ts'
import { kidProblem, listsOtherKids, psshPayloads, readBoxes, readFragment } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import { filledSlot, filledSlots } from '../view.ts'

/** Rules about pssh boxes and ContentProtectionData. @see ISO/IEC 23001-7, 8.1, 11.2 */
export const PSSH_RULES: readonly Rule[] = [
  {
    id: 'pssh-malformed',
    group: 'pssh',
    subject: 'answer',
    severity: 'error',
    clause: 'ISO/IEC 23001-7, 8.1',
    title: 'PSSH contains a complete pssh box',
    why: 'Encryptors copy the box into segments and manifests. A payload without its box, a box inside a box, or a wrong size makes the file unreadable for every player.',
    fix: 'Write size, "pssh", version, flags and SystemID; in version 1 the kids; then the data size and the data.',
    *check({ answer }) {
      for (const system of answer.systems) {
        for (const { element, where, bytes } of psshPayloads(system)) {
          const boxes = readBoxes(bytes)
          if ('problem' in boxes) yield { what: `${where}: ${boxes.problem}`, at: element }
        }
      }
    },
  },
  {
    id: 'pssh-one-box',
    group: 'pssh',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, PSSH (one box); MediaPackage User Guide, Implementing SPEKE 2.0 (one kid for each DRMSystem)',
    title: 'PSSH contains one box',
    why: 'Encryptors copy the element as one box, and many CDMs read only the first box of a system. The keys of the others never arrive.',
    fix: 'Write one box for the kid of the DRMSystem. Write the boxes of other DRM systems into their own DRMSystem elements.',
    *check({ answer }) {
      for (const system of answer.systems) {
        for (const { element, where, bytes } of psshPayloads(system)) {
          const boxes = readBoxes(bytes)
          if (!('value' in boxes) || boxes.value.length === 1) continue
          const names = boxes.value.map(({ systemId }) => drmSystemName(systemId)).join(', ')
          yield { what: `${where} has ${boxes.value.length} boxes (${names}), expected one`, at: element }
        }
        const inFragments = psshPayloads(system).filter(({ where }) => where.endsWith('ContentProtectionData'))
        for (const [element, { length }] of Map.groupBy(inFragments, (payload) => payload.element)) {
          if (length > 1)
            yield { what: `ContentProtectionData has ${length} cenc:pssh elements, expected one`, at: element }
        }
      }
    },
  },
  {
    id: 'pssh-system',
    group: 'pssh',
    subject: 'answer',
    severity: 'error',
    clause: 'ISO/IEC 23001-7, 8.1 (SystemID)',
    title: 'The SystemID of a box is that of its DRMSystem',
    why: 'Players select the box by its SystemID. The wrong ID starts the wrong DRM system.',
    fix: 'Write DRMSystem@systemId as SystemID of the box. Only Marlin uses another ID in its box.',
    *check({ answer }) {
      for (const system of answer.systems) {
        if (system.facts === undefined) continue
        for (const { element, where, bytes } of psshPayloads(system)) {
          const boxes = readBoxes(bytes)
          // Another rule reports several boxes.
          const [other] = 'value' in boxes && boxes.value.length === 1 ? boxes.value : []
          if (other !== undefined && other.systemId !== system.systemId && system.systemId !== FAIRPLAY) {
            yield {
              what: `${where} is a box of ${drmSystemName(other.systemId)} (${other.systemId}), expected one of ${system.name}`,
              at: element,
            }
          }
        }
      }
    },
  },
  {
    id: 'pssh-kid',
    group: 'pssh',
    subject: 'answer',
    severity: 'error',
    clause: 'ISO/IEC 23001-7, 8.1 (KID)',
    title: 'The kids of a version 1 box include the kid of its DRMSystem, in UUID byte order',
    why: 'Players select the box and ask for keys by these kids. W3C ClearKey has no other source.',
    fix: 'Write the 16 bytes of the kid in UUID order. Use the little-endian GUID order only in PlayReady headers.',
    *check({ answer }) {
      for (const system of answer.systems) {
        for (const { element, where, bytes } of psshPayloads(system)) {
          const boxes = readBoxes(bytes)
          const kids = 'value' in boxes ? boxes.value.flatMap((box) => box.kids) : []
          const what = kidProblem(system.kid, kids, `the header of ${where}`, 'uuid')
          if (what !== undefined) yield { what, at: element }
        }
      }
    },
  },
  {
    id: 'common-pssh-form',
    group: 'pssh',
    subject: 'answer',
    severity: 'error',
    clause: 'W3C "cenc" Initialization Data Format, 4 (Common SystemID)',
    title: 'The W3C common box has version 1, its own kid first, and no data',
    why: 'Chromium reads the first box. A player that asks for the first kid gets no key for this track if that kid is another.',
    fix: 'Write a version 1 box with the own kid first, then the other kids of the same key period, and data size 0.',
    *check({ answer }) {
      for (const system of answer.systems) {
        if (system.systemId !== COMMON_PSSH) continue
        for (const { element, where, bytes } of psshPayloads(system)) {
          const boxes = readBoxes(bytes)
          const [box] = 'value' in boxes ? boxes.value : []
          if (box === undefined) continue
          if (box.kids.length === 0) yield { what: `${where} has no kid`, at: element }
          else if (box.kids[0] !== system.kid)
            yield { what: `the first kid of ${where} is not the kid of its DRMSystem`, at: element }
          if (box.data.length > 0) yield { what: `${where} has data`, at: element }
        }
      }
    },
  },
  {
    id: 'protection-data-malformed',
    group: 'pssh',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, ContentProtectionData (a standalone fragment)',
    title: 'ContentProtectionData is a well-formed fragment that declares every prefix it uses',
    why: 'Packagers copy the fragment into the MPD. An undeclared cenc: or mspr: prefix makes the whole MPD unreadable (Unified Streaming, Axinom).',
    fix: 'Declare the namespace on each element: <cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">, <mspr:pro xmlns:mspr="urn:microsoft:playready">.',
    *check({ answer }) {
      for (const system of answer.systems) {
        for (const { element, bytes } of filledSlots(system, 'contentProtectionData')) {
          const fragment = readFragment(bytes)
          if ('problem' in fragment)
            yield { what: `ContentProtectionData is not a well-formed fragment: ${fragment.problem}`, at: element }
          else if (fragment.value.root.children.length === 0) yield { what: 'the fragment has no element', at: element }
        }
      }
    },
  },
  {
    id: 'protection-data-wrapped',
    group: 'pssh',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, ContentProtectionData (children of ContentProtection)',
    title: 'ContentProtectionData contains the children of ContentProtection, not the element itself',
    why: 'The packager adds the ContentProtection element. Players ignore one ContentProtection inside another.',
    fix: 'Remove the ContentProtection element and its schemeIdUri, and keep its children.',
    *check({ answer }) {
      for (const system of answer.systems) {
        for (const { element, bytes } of filledSlots(system, 'contentProtectionData')) {
          const fragment = readFragment(bytes)
          const root = 'value' in fragment ? fragment.value.root : undefined
          if (root?.children.some(({ local }) => local === 'ContentProtection')) {
            yield { what: 'the fragment has a ContentProtection element', at: element }
          }
        }
      }
    },
  },
  {
    id: 'protection-data-pssh-missing',
    group: 'pssh',
    spekeOnly: true,
    subject: 'answer',
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0; ISO/IEC 23001-7, 11.2',
    title: 'ContentProtectionData of Widevine and PlayReady contains cenc:pssh',
    why: 'DASH players read the box from the MPD. The MediaPackage guide says that "omitting it will cause failures".',
    fix: 'Add <cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013"> with the base64 of the box.',
    *check({ answer }) {
      for (const system of answer.systems) {
        if (system.systemId !== WIDEVINE && system.systemId !== PLAYREADY) continue
        const slot = filledSlot(system, 'contentProtectionData')
        if (slot === undefined || 'problem' in readFragment(slot.bytes)) continue
        const inFragment = psshPayloads(system).filter(({ where }) => where.endsWith('ContentProtectionData'))
        if (inFragment.length === 0) yield { what: 'cenc:pssh is missing', at: slot.element }
      }
    },
  },
  {
    id: 'protection-data-pssh-differs',
    group: 'pssh',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (both must be identical)',
    title: 'cenc:pssh in ContentProtectionData equals PSSH',
    why: 'The encryptor stops if the two boxes differ.',
    fix: 'Build the box once and write the same base64 to both places.',
    *check({ answer }) {
      for (const system of answer.systems) {
        const pssh = filledSlot(system, 'pssh')
        const slot = filledSlot(system, 'contentProtectionData')
        if (pssh === undefined || slot === undefined) continue
        const inFragment = psshPayloads(system).filter(({ where }) => where.endsWith('ContentProtectionData'))
        if (inFragment.some(({ bytes }) => !bytes.equals(pssh.bytes))) {
          yield { what: 'cenc:pssh differs from the PSSH element', at: slot.element }
        }
      }
    },
  },
  {
    id: 'pssh-names-other-kids',
    group: 'pssh',
    subject: 'answer',
    severity: 'note',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0 (one kid for each DRMSystem)',
    title: 'A box names only its own kid',
    why: 'A box with several kids is valid and asks for all keys at once, but MediaPackage documents one kid for each DRMSystem.',
    fix: 'Change nothing if your licence service requires it. Otherwise name only the kid of the DRMSystem.',
    *check({ answer }) {
      for (const system of answer.systems) {
        const slot = filledSlot(system, 'pssh')
        const boxes = slot && readBoxes(slot.bytes)
        const kids = boxes !== undefined && 'value' in boxes ? boxes.value.flatMap((box) => box.kids) : []
        if (slot !== undefined && kids.length > 1 && !listsOtherKids(system)) {
          yield { what: `the box names ${kids.length} kids`, at: slot.element }
        }
      }
    },
  },
]

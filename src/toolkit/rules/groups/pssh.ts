import { kidProblem } from '../kids.ts'
import { listsOtherKids, psshPayloads, readBoxes, readFragment } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import { COMMON_PSSH, FAIRPLAY, PLAYREADY, WIDEVINE } from '../systems.ts'
import { filledSlot, filledSlots } from '../view.ts'

/** Rules over pssh boxes and ContentProtectionData. @see ISO/IEC 23001-7, 8.1, 11.2; speke.md 5.2; drm-signaling.md 2 */
export const PSSH_RULES: readonly Rule[] = [
  {
    id: 'pssh-malformed',
    group: 'pssh',
    subject: 'answer',
    severity: 'error',
    clause: 'ISO/IEC 23001-7, 8.1',
    title: 'PSSH is a whole pssh box',
    why: 'It goes into segments and manifests as it is: a bare payload, or a size that does not fit, breaks the file for every player.',
    mend: 'Encode size, "pssh", version, flags, SystemID, in version 1 the kids, data size and data.',
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
    id: 'pssh-system',
    group: 'pssh',
    subject: 'answer',
    severity: 'error',
    clause: 'ISO/IEC 23001-7, 8.1 (SystemID)',
    title: 'A box is of the system of its DRMSystem',
    why: 'Players take the box by its SystemID: that of another system starts the wrong DRM.',
    mend: 'Write the SystemID of DRMSystem@systemId into the box. Marlin alone has another id in its box.',
    *check({ answer }) {
      for (const system of answer.systems) {
        if (system.facts === undefined) continue
        for (const { element, where, bytes } of psshPayloads(system)) {
          const boxes = readBoxes(bytes)
          const other = 'value' in boxes ? boxes.value.find(({ systemId }) => systemId !== system.systemId) : undefined
          if (other !== undefined && system.systemId !== FAIRPLAY) {
            yield { what: `${where} is of system ${other.systemId}, not of ${system.name}`, at: element }
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
    title: 'The kids in the head of a version 1 box include that of its DRMSystem, in written order',
    why: 'Players pick the box, and ask for keys, by these kids. W3C ClearKey has nothing else to go by.',
    mend: 'Write the 16 bytes of the kid as it is read, not as a little-endian GUID: that order is of PlayReady headers alone.',
    *check({ answer }) {
      for (const system of answer.systems) {
        for (const { element, where, bytes } of psshPayloads(system)) {
          const boxes = readBoxes(bytes)
          const kids = 'value' in boxes ? boxes.value.flatMap((box) => box.kids) : []
          const what = kidProblem(system.kid, kids, `the head of ${where}`, 'uuid')
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
    title: 'The W3C common box is of version 1, its own kid first, without data',
    why: 'It consists of kids alone; Chromium reads the first box, and a player that asks for the first kid gets no key for this track.',
    mend: 'Write a version 1 box with the own kid first, then those of the same key period, and a data size of 0.',
    *check({ answer }) {
      for (const system of answer.systems) {
        if (system.systemId !== COMMON_PSSH) continue
        for (const { element, where, bytes } of psshPayloads(system)) {
          const boxes = readBoxes(bytes)
          const [box] = 'value' in boxes ? boxes.value : []
          if (box === undefined) continue
          if (box.kids.length === 0) yield { what: `${where} names no kid`, at: element }
          else if (box.kids[0] !== system.kid) yield { what: `the first kid of ${where} is not its own`, at: element }
          if (box.data.length > 0) yield { what: `${where} holds data`, at: element }
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
    title: 'ContentProtectionData is well-formed on its own, every prefix declared in it',
    why: 'It is put into an MPD as it is: an unbound cenc: or mspr: makes the whole MPD unreadable (Unified Streaming, Axinom).',
    mend: 'Declare the namespaces on its own elements: <cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">, <mspr:pro xmlns:mspr="urn:microsoft:playready">.',
    *check({ answer }) {
      for (const system of answer.systems) {
        for (const { element, bytes } of filledSlots(system, 'contentProtectionData')) {
          const fragment = readFragment(bytes)
          if ('problem' in fragment) yield { what: `the fragment is not well-formed: ${fragment.problem}`, at: element }
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
    title: 'ContentProtectionData holds the children of ContentProtection, not the element itself',
    why: 'The packager writes ContentProtection around it: two of them nested mean nothing to a player.',
    mend: 'Leave out ContentProtection and its schemeIdUri.',
    *check({ answer }) {
      for (const system of answer.systems) {
        for (const { element, bytes } of filledSlots(system, 'contentProtectionData')) {
          const fragment = readFragment(bytes)
          const root = 'value' in fragment ? fragment.value.root : undefined
          if (root?.children.some(({ local }) => local === 'ContentProtection')) {
            yield { what: 'there is a ContentProtection element', at: element }
          }
        }
      }
    },
  },
  {
    id: 'protection-data-pssh-missing',
    group: 'pssh',
    subject: 'answer',
    severity: 'error',
    clause: 'MediaPackage User Guide, Implementing SPEKE 2.0; ISO/IEC 23001-7, 11.2',
    title: 'ContentProtectionData of Widevine and PlayReady holds cenc:pssh',
    why: 'Players of DASH take the box from the MPD; "omitting it will cause failures", says the guide of MediaPackage.',
    mend: 'Write <cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013"> with the base64 of the box.',
    *check({ answer }) {
      for (const system of answer.systems) {
        if (system.systemId !== WIDEVINE && system.systemId !== PLAYREADY) continue
        const slot = filledSlot(system, 'contentProtectionData')
        if (slot === undefined || 'problem' in readFragment(slot.bytes)) continue
        const inFragment = psshPayloads(system).filter(({ where }) => where.endsWith('ContentProtectionData'))
        if (inFragment.length === 0) yield { what: 'there is no cenc:pssh', at: slot.element }
      }
    },
  },
  {
    id: 'protection-data-pssh-differs',
    group: 'pssh',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (both must be identical)',
    title: 'The pssh in ContentProtectionData is that of PSSH',
    why: 'The encryptor stops where the two are not identical.',
    mend: 'Make the box once and put the same base64 into both.',
    *check({ answer }) {
      for (const system of answer.systems) {
        const pssh = filledSlot(system, 'pssh')
        const slot = filledSlot(system, 'contentProtectionData')
        if (pssh === undefined || slot === undefined) continue
        const inFragment = psshPayloads(system).filter(({ where }) => where.endsWith('ContentProtectionData'))
        if (inFragment.some(({ bytes }) => !bytes.equals(pssh.bytes))) {
          yield { what: 'its pssh is not that of the PSSH element', at: slot.element }
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
    title: 'A box names its own kid alone',
    why: 'A box with every kid is legal and asks for all keys at once; MediaPackage documents one kid for each DRMSystem.',
    mend: 'Nothing, where the licence service wants it so.',
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

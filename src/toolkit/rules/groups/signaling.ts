import { kidsInBoxes } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import type { SlotKind } from '../systems.ts'
import { filledSlot, type SystemView } from '../view.ts'

/** Rules over signalling, whatever the system. @see speke.md 5 */
export const SIGNALING_RULES: readonly Rule[] = [
  {
    id: 'signaling-empty',
    group: 'signaling',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints ("everything the encryptor put in the request shall carry a valid value")',
    title: 'What a request asks of a DRM system is filled',
    why: 'The encryptor stops with an error, or writes manifests without this DRM (MediaPackage, MediaConvert).',
    mend: 'Fill the element. What does not apply to a system (a PSSH of FairPlay) may stay empty.',
    *check({ answer }) {
      for (const system of answer.systems) {
        const { facts, slots } = system
        const must = facts?.fills[answer.version.major] ?? []
        for (const { kind, text, element } of slots) {
          if (text === '' && must.includes(kind))
            yield { what: `${element.local} of ${system.name} is empty`, at: element }
        }
        if (facts === undefined && slots.length > 0 && slots.every(({ text }) => text === '')) {
          yield {
            what: `nothing is signalled for the DRM system ${system.systemIdText.slice(0, 64)}`,
            at: system.element,
          }
        }
      }
    },
  },
  {
    id: 'signaling-not-base64',
    group: 'signaling',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, DRMSystem (xs:base64Binary)',
    title: 'What signals is base64',
    why: 'The encryptor decodes it and gets garbage, or stops: an HLS line or XML fragment was put in as it is.',
    mend: 'Encode the element as standard base64 (not base64url), with padding.',
    *check({ answer }) {
      for (const { slots } of answer.systems) {
        for (const { text, bytes, element } of slots) {
          if (text !== '' && bytes === undefined) yield { what: `${element.local} is not base64`, at: element }
        }
      }
    },
  },
  {
    id: 'drm-system-twice',
    group: 'signaling',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, DRMSystem',
    title: 'A DRM system stands once for a kid',
    why: 'Readers take the first, the last, or refuse the document.',
    mend: 'Answer each DRMSystem of the request with one.',
    *check({ answer }) {
      const seen = new Set<string>()
      for (const { element, systemIdText, kid } of answer.systems) {
        const pair = `${systemIdText.toLowerCase()} ${kid}`
        if (seen.has(pair)) yield { what: 'another DRMSystem has the same systemId and kid', at: element }
        seen.add(pair)
      }
    },
  },
  {
    id: 'signaling-same-for-kids',
    group: 'signaling',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (PSSH for each kid)',
    title: 'Every kid has signalling of its own',
    why: 'Players ask for a licence with the first box they see and never get the key of the others: one track plays, the rest is black.',
    mend: 'Make box and line for the kid of each DRMSystem; the AWS reference server returns one configured blob.',
    *check({ answer }) {
      for (const kind of ['pssh', 'hlsMedia', 'uriExtXKey'] as const) {
        const seen = new Map<string, SystemView>()
        for (const system of answer.systems) {
          const text = textOfSlot(system, kind)
          if (text === undefined) continue
          const key = `${system.systemId} ${text}`
          const other = seen.get(key)
          seen.set(key, system)
          if (other !== undefined && other.kid !== system.kid && !listsAll(system, other)) {
            yield { what: `it is signalled exactly as the kid ${other.kid}`, at: system.element }
          }
        }
      }
    },
  },
]

/** The base64 of a slot. */
function textOfSlot(system: SystemView, kind: SlotKind): string | undefined {
  return filledSlot(system, kind)?.bytes.toString('base64')
}

/** A box that names both kids may be the same for both. */
function listsAll(system: SystemView, other: SystemView): boolean {
  const bytes = filledSlot(system, 'pssh')?.bytes
  const kids = bytes === undefined ? [] : kidsInBoxes(bytes)
  return [system.kid, other.kid].every((kid) => kid !== undefined && kids.includes(kid))
}

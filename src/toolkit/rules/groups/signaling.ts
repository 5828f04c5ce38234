import { kidsInBoxes } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import { filledSlot, kindsToFill, type SlotKind, type SystemView } from '../view.ts'

/** Rules about the signalling of every DRM system. */
export const SIGNALING_RULES: readonly Rule[] = [
  {
    id: 'signaling-empty',
    group: 'signaling',
    spekeOnly: true,
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, Constraints ("everything the encryptor put in the request shall carry a valid value")',
    title: 'The answer fills every signalling element that the request asks for',
    why: 'MediaPackage and MediaConvert stop with an error or write manifests without this DRM system.',
    fix: 'Fill the element. An element that does not apply to a system, such as PSSH of FairPlay, may stay empty.',
    *check({ answer }) {
      for (const system of answer.systems) {
        const { facts, slots } = system
        const must = kindsToFill(system, answer.version)
        for (const { kind, text, element } of slots) {
          if (text === '' && must.includes(kind))
            yield { what: `${element.local} of ${system.name} is empty`, at: element }
        }
        if (facts === undefined && slots.length > 0 && slots.every(({ text }) => text === '')) {
          yield {
            what: `the DRM system ${system.systemIdText.slice(0, 64)} has no signalling`,
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
    title: 'Signalling elements contain base64',
    why: 'The encryptor decodes the text and gets garbage, or stops. The usual cause is an HLS line or XML fragment written without encoding.',
    fix: 'Encode the content as standard base64 (not base64url) with padding.',
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
    title: 'A DRM system occurs once for each kid',
    why: 'Readers use the first or the last element, or reject the document.',
    fix: 'Answer each DRMSystem of the request with exactly one DRMSystem.',
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
    title: 'Every kid has its own signalling',
    why: 'Players ask for a licence with the first box they find and never get the other keys: one track plays, the others stay black or silent.',
    fix: 'Build the box and the HLS line for the kid of each DRMSystem. Do not return one configured value for all kids, as the AWS reference server does.',
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
            yield { what: `the signalling equals that of the kid ${other.kid}`, at: system.element }
          }
        }
      }
    },
  },
]

function textOfSlot(system: SystemView, kind: SlotKind): string | undefined {
  return filledSlot(system, kind)?.bytes.toString('base64')
}

/** Whether the box of a system names both kids: then both may have the same box. */
function listsAll(system: SystemView, other: SystemView): boolean {
  const bytes = filledSlot(system, 'pssh')?.bytes
  const kids = bytes === undefined ? [] : kidsInBoxes(bytes)
  return [system.kid, other.kid].every((kid) => kid !== undefined && kids.includes(kid))
}

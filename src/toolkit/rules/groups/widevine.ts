import { fourCc } from '../../../formats/drm/payloads/widevine-pssh-data.ts'
import { kidProblem } from '../kids.ts'
import { psshPayloads, readBoxes, readWidevine } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import { WIDEVINE } from '../systems.ts'
import type { CpixView, SystemView } from '../view.ts'

/** Rules over WidevinePsshData. @see drm-signaling.md 3 */
export const WIDEVINE_RULES: readonly Rule[] = [
  {
    id: 'widevine-data-malformed',
    group: 'widevine',
    subject: 'answer',
    severity: 'error',
    clause: 'WidevinePsshData (protocol buffers)',
    title: 'The data of a Widevine box is a WidevinePsshData message',
    why: 'The CDM refuses the box; the player reports a failed licence request.',
    mend: 'Encode fields as protocol buffers: key_ids (2) with 16 bytes each, protection_scheme (9).',
    *check({ answer }) {
      for (const { system, element, where, data } of messagesIn(answer)) {
        const read = readWidevine(data)
        if ('problem' in read) yield { what: `${where}: ${read.problem}`, at: element }
        else if (data.length === 0 && system.kid !== undefined) yield { what: `${where} has no data`, at: element }
      }
    },
  },
  {
    id: 'widevine-kid',
    group: 'widevine',
    subject: 'answer',
    severity: 'error',
    clause: 'WidevinePsshData, key_ids',
    title: 'The key_ids of a Widevine box include the kid of its DRMSystem, in written order',
    why: 'The licence is for another key: the player waits for this one and shows nothing.',
    mend: 'Write the 16 bytes of the kid as it is read; libraries for .NET turn them into a little-endian GUID.',
    *check({ answer }) {
      for (const { system, element, where, data } of messagesIn(answer)) {
        const read = readWidevine(data)
        const kids = 'value' in read ? read.value.keyIds : []
        const what = kidProblem(system.kid, kids, `key_ids in ${where}`, 'uuid')
        if (what !== undefined) yield { what, at: element }
      }
    },
  },
  {
    id: 'widevine-scheme',
    group: 'widevine',
    subject: 'answer',
    severity: 'error',
    clause: 'WidevinePsshData, protection_scheme',
    title: 'protection_scheme says the scheme of the key',
    why: 'Without field 9 many clients take a cbcs stream for cenc and decode garbage.',
    mend: 'Write field 9 as the four letters of the scheme (cbcs: 1667392371); for cenc it may be left out.',
    *check({ answer }) {
      for (const { system, element, where, data } of messagesIn(answer)) {
        const read = readWidevine(data)
        if ('problem' in read || system.scheme === undefined) continue
        const written = read.value.protectionScheme ?? 0
        if (written === fourCc(system.scheme) || (written === 0 && system.scheme === 'cenc')) continue
        const what = written === 0 ? 'lacks protection_scheme (field 9)' : 'has the protection_scheme of another scheme'
        yield { what: `${where} ${what}, the key is for ${system.scheme}`, at: element }
      }
    },
  },
]

interface Message {
  readonly system: SystemView
  readonly element: SystemView['element']
  readonly where: string
  readonly data: Uint8Array
}

/** The data of every Widevine box. */
function messagesIn({ systems }: CpixView): readonly Message[] {
  return systems
    .filter(({ systemId }) => systemId === WIDEVINE)
    .flatMap((system) =>
      psshPayloads(system).flatMap(({ element, where, bytes }) => {
        const boxes = readBoxes(bytes)
        if ('problem' in boxes) return []
        // A version 1 box with kids may do without data.
        return boxes.value
          .filter(({ kids, data, systemId }) => systemId === WIDEVINE && (kids.length === 0 || data.length > 0))
          .map(({ data }) => ({ system, element, where, data }))
      }),
    )
}

import { uuidBytes } from '../../../formats/cenc.ts'
import { WIDEVINE } from '../../../formats/drm/facts.ts'
import { fourCc } from '../../../formats/drm/payloads/widevine-pssh-data.ts'
import { misplacedPayload } from '../../inspect/payload.ts'
import { kidProblem, psshPayloads, readBoxes, readWidevine } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import type { CpixView, SystemView } from '../view.ts'

/** Rules about WidevinePsshData. */
export const WIDEVINE_RULES: readonly Rule[] = [
  {
    id: 'widevine-data-malformed',
    group: 'widevine',
    subject: 'answer',
    severity: 'error',
    clause: 'WidevinePsshData (protocol buffers)',
    title: 'The data of a Widevine box is a WidevinePsshData message',
    why: 'The CDM rejects the box, and the player reports that the licence request failed.',
    fix: 'Encode the message with protocol buffers: key_ids (field 2) with 16 bytes each, and protection_scheme (field 9).',
    *check({ answer }) {
      for (const { system, element, where, data } of messagesIn(answer)) {
        const read = readWidevine(data)
        const isKid = system.kid !== undefined && Buffer.compare(data, uuidBytes(system.kid)) === 0
        if (isKid)
          yield {
            what: `${where}: it ${misplacedPayload({ kind: 'KID', kid: system.kid }, 'WidevinePsshData')}`,
            at: element,
          }
        else if ('problem' in read) yield { what: `${where}: ${read.problem}`, at: element }
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
    title: 'key_ids of a Widevine box include the kid of its DRMSystem, in UUID byte order',
    why: 'The player gets a licence for another key, waits for this one and shows nothing.',
    fix: 'Write the 16 bytes of the kid in UUID order. Note that .NET libraries write a little-endian GUID.',
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
    title: 'protection_scheme of a Widevine box names the scheme of the key',
    why: 'Without field 9, many clients treat a cbcs stream as cenc and decode garbage.',
    fix: 'Write the four letters of the scheme to field 9 (cbcs is 1667392371). You may omit the field for cenc.',
    *check({ answer }) {
      for (const { system, element, where, data } of messagesIn(answer)) {
        const read = readWidevine(data)
        if ('problem' in read || system.scheme === undefined) continue
        const written = read.value.protectionScheme ?? 0
        if (written === fourCc(system.scheme) || (written === 0 && system.scheme === 'cenc')) continue
        const what = written === 0 ? 'has no protection_scheme (field 9)' : 'names another protection_scheme'
        yield { what: `${where} ${what}; the scheme of the key is ${system.scheme}`, at: element }
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

/** The data of every Widevine box of an answer. */
function messagesIn({ systems }: CpixView): readonly Message[] {
  return systems
    .filter(({ systemId }) => systemId === WIDEVINE)
    .flatMap((system) =>
      psshPayloads(system).flatMap(({ element, where, bytes }) => {
        const boxes = readBoxes(bytes)
        if ('problem' in boxes) return []
        // A version 1 box with kids may have no data.
        return boxes.value
          .filter(({ kids, data, systemId }) => systemId === WIDEVINE && (kids.length === 0 || data.length > 0))
          .map(({ data }) => ({ system, element, where, data }))
      }),
    )
}

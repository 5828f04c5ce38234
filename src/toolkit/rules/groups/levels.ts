import { CPIX_NAMESPACE } from '../../../formats/cpix/names.ts'
import type { XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, childOf, textOf } from '../../../formats/xml/reader.ts'
import { readFragment } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import type { CpixView } from '../view.ts'

const HLS_LEVELS = ['NONE', 'TYPE-0', 'TYPE-1']

/** Rules over what SPEKE 2.1 adds to an answer. @see speke.md 4.3 */
export const LEVEL_RULES: readonly Rule[] = [
  {
    id: 'levels-before-2-1',
    group: 'levels',
    subject: 'answer',
    severity: 'warning',
    clause: 'SPEKE 2.1, Changes from SPEKE 2.0',
    title: 'HDCPData, robustness and HLSAllowedCPC are in answers of SPEKE 2.1 alone',
    why: 'Encryptors of SPEKE 1.0 and 2.0 do not know them; those that validate against CPIX 2.3 refuse the document.',
    mend: 'Return them only where the request came with X-Speke-Version 2.1.',
    *check({ answer }) {
      if (answer.version.returnsProtectionLevels) return
      for (const element of hdcpIn(answer)) yield { what: 'HDCPData is of SPEKE 2.1', at: element }
      for (const { element, slots } of answer.systems) {
        if (attributeOf(element, 'HLSAllowedCPC') !== undefined) {
          yield { what: 'HLSAllowedCPC is of SPEKE 2.1', at: element, attribute: 'HLSAllowedCPC' }
        }
        for (const slot of slots) {
          if (attributeOf(slot.element, 'robustness') !== undefined) {
            yield { what: 'robustness is of SPEKE 2.1', at: slot.element, attribute: 'robustness' }
          }
        }
      }
    },
  },
  {
    id: 'hdcp-data',
    group: 'levels',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.1, HDCP signaling; CPIX 2.4, HDCPData',
    title: 'HDCPData has a level of HLS and base64 of a well-formed fragment',
    why: 'HLSHDCPLevel becomes HDCP-LEVEL, the fragment stands in the MPD: what is no value there hides renditions or breaks the MPD.',
    mend: `HLSHDCPLevel is ${HLS_LEVELS.join(', ')}; HDCPOutputProtectionData is base64 of an OutputProtection element.`,
    *check({ answer }) {
      for (const element of hdcpIn(answer)) {
        const level = attributeOf(element, 'HLSHDCPLevel')
        if (level !== undefined && !HLS_LEVELS.includes(level)) {
          yield { what: `HLSHDCPLevel is none of ${HLS_LEVELS.join(', ')}`, at: element, attribute: 'HLSHDCPLevel' }
        }
        const fragment = childOf(element, CPIX_NAMESPACE, 'HDCPOutputProtectionData')
        const text = fragment && textOf(answer.document, fragment).replaceAll(/\s+/g, '')
        if (fragment === undefined || text === undefined) continue
        const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(text)
        if (!isBase64 || 'problem' in readFragment(Buffer.from(text, 'base64'))) {
          yield { what: 'HDCPOutputProtectionData is not base64 of a well-formed fragment', at: fragment }
        }
      }
    },
  },
  {
    id: 'allowed-cpc',
    group: 'levels',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.4, HLSAllowedCPC; RFC 8216bis, 4.4.6.2 (ALLOWED-CPC)',
    title: 'HLSAllowedCPC is KEYFORMAT:CPC/CPC, without quotation marks',
    why: 'It becomes ALLOWED-CPC: players hide renditions whose labels they cannot read.',
    mend: 'Write the KEYFORMAT, a colon, and labels with / between; several with commas.',
    *check({ answer }) {
      for (const { element } of answer.systems) {
        const value = attributeOf(element, 'HLSAllowedCPC')
        if (value !== undefined && !/^[^":,\s]+:[^":,\s]+(,[^":,\s]+:[^":,\s]+)*$/.test(value)) {
          yield { what: 'HLSAllowedCPC is not KEYFORMAT:CPC/CPC', at: element, attribute: 'HLSAllowedCPC' }
        }
      }
    },
  },
]

function hdcpIn({ keys }: CpixView): readonly XmlElement[] {
  return keys.flatMap(({ element }) => childOf(element, CPIX_NAMESPACE, 'HDCPData') ?? [])
}

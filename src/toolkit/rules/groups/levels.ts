import { CPIX_NAMESPACE } from '../../../formats/cpix/fields.ts'
import type { XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, childOf, textOf } from '../../../formats/xml/reader.ts'
import { readFragment } from '../payloads.ts'
import type { Rule } from '../rule.ts'
import type { CpixView } from '../view.ts'

const HLS_LEVELS = ['NONE', 'TYPE-0', 'TYPE-1']

/** Rules about the elements and attributes that SPEKE 2.1 adds to an answer. */
export const LEVEL_RULES: readonly Rule[] = [
  {
    id: 'levels-before-2-1',
    group: 'levels',
    spekeOnly: true,
    subject: 'answer',
    severity: 'warning',
    clause: 'SPEKE 2.1, Changes from SPEKE 2.0',
    title: 'Only SPEKE 2.1 answers have HDCPData, robustness and HLSAllowedCPC',
    why: 'Encryptors of SPEKE 1.0 and 2.0 do not know them. An encryptor that validates against the CPIX 2.3 schema rejects the document.',
    fix: 'Return them only if the request has `X-Speke-Version: 2.1`.',
    *check({ answer }) {
      if (answer.version.returnsProtectionLevels) return
      for (const element of hdcpIn(answer)) yield { what: 'HDCPData requires SPEKE 2.1', at: element }
      for (const { element, slots } of answer.systems) {
        if (attributeOf(element, 'HLSAllowedCPC') !== undefined) {
          yield { what: 'HLSAllowedCPC requires SPEKE 2.1', at: element, attribute: 'HLSAllowedCPC' }
        }
        for (const slot of slots) {
          if (attributeOf(slot.element, 'robustness') !== undefined) {
            yield { what: 'robustness requires SPEKE 2.1', at: slot.element, attribute: 'robustness' }
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
    title: 'HDCPData has an HDCP level of HLS and base64 of a well-formed fragment',
    why: 'HLSHDCPLevel becomes HDCP-LEVEL in the playlist, and the fragment is copied into the MPD. A wrong value hides renditions or makes the MPD unreadable.',
    fix: `Set HLSHDCPLevel to ${HLS_LEVELS.join(', ')}. Write HDCPOutputProtectionData as base64 of an OutputProtection element.`,
    *check({ answer }) {
      for (const element of hdcpIn(answer)) {
        const level = attributeOf(element, 'HLSHDCPLevel')
        if (level !== undefined && !HLS_LEVELS.includes(level)) {
          yield { what: `HLSHDCPLevel is not one of ${HLS_LEVELS.join(', ')}`, at: element, attribute: 'HLSHDCPLevel' }
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
    title: 'HLSAllowedCPC has the form KEYFORMAT:CPC/CPC without quotation marks',
    why: 'The value becomes ALLOWED-CPC in the playlist. Players hide renditions whose labels they cannot read.',
    fix: 'Write the KEYFORMAT, a colon, and the labels separated by slashes. Separate several entries with commas.',
    *check({ answer }) {
      for (const { element } of answer.systems) {
        const value = attributeOf(element, 'HLSAllowedCPC')
        if (value !== undefined && !/^[^":,\s]+:[^":,\s]+(,[^":,\s]+:[^":,\s]+)*$/.test(value)) {
          yield {
            what: 'HLSAllowedCPC does not have the form KEYFORMAT:CPC/CPC',
            at: element,
            attribute: 'HLSAllowedCPC',
          }
        }
      }
    },
  },
]

function hdcpIn({ keys }: CpixView): readonly XmlElement[] {
  return keys.flatMap(({ element }) => childOf(element, CPIX_NAMESPACE, 'HDCPData') ?? [])
}

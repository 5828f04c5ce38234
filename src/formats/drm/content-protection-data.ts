import { concat, type Template } from '../../core/template.ts'
import { escapeText } from '../xml/escape.ts'
import { base64Of } from './base64.ts'
import type { KeyFilling } from './system.ts'

/** A pssh box in an MPD. @see ISO/IEC 23001-7, 11.2 */
export function cencPsshElement(pssh: Template<KeyFilling>): Template<KeyFilling> {
  return concat('<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">', base64Of(pssh), '</cenc:pssh>')
}

/** The licence URL in an MPD, or nothing without one. @see DASH-IF IOP v5, part 6, 7.2 */
export function laurlElement(url: string | undefined): string {
  return url === undefined
    ? ''
    : `<dashif:Laurl xmlns:dashif="https://dashif.org/CPS">${escapeText(url)}</dashif:Laurl>`
}

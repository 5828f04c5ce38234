import { concat, type Template } from '../../core/template.ts'
import { base64Of } from './base64.ts'
import type { KeyFilling } from './system.ts'

/** The element that carries a box in an MPD. @see ISO/IEC 23001-7, 11.2 */
export function cencPsshElement(pssh: Template<KeyFilling>): Template<KeyFilling> {
  return concat('<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">', base64Of(pssh), '</cenc:pssh>')
}

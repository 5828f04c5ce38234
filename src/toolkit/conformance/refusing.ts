import { SPEKE_REFUSALS, type SpekeRefusal } from '../../protocols/speke/tables/refusals.ts'
import type { ExpectedRefusal } from '../rules/rule.ts'

/** A refusal for breaking a rule, in the words of SPEKE where it has some; `of` is the kid or system id as it was sent. */
export function refused(code?: SpekeRefusal, of = ''): ExpectedRefusal {
  const text = code === undefined ? undefined : SPEKE_REFUSALS[code].replace('$', () => of)
  return { kind: 'wrong', message: code === undefined || text === undefined ? undefined : { of: code, text } }
}

import { parseDuration, type RetentionSettings, retentionProblems } from '../../operations/lifetime/retention.ts'
import type { ReportProblem } from './fields.ts'
import type { Sections } from './schema.ts'

/** How long contents live. */
export interface Retention extends RetentionSettings {
  /** How often this node destroys what has expired; 0: it does not. */
  readonly sweepMinutes: number
}

/** The classes and rules, as `manage/retention.ts` reads them, and what is wrong with them. */
export function toRetention(
  written: Sections['retention'],
  policy: Sections['contentKeys']['policy'],
  report: ReportProblem,
): Retention {
  for (const { path, problem } of retentionProblems(written)) report(`retention.${path}`, problem)
  if (policy !== 'derived-root') return written
  for (const [name, { keep }] of Object.entries(written.classes)) {
    if (parseDuration(keep) === Number.POSITIVE_INFINITY) continue
    report(
      `retention.classes.${name}.keep`,
      'contentKeys.policy derived-root stores no secret that could be destroyed: expected forever',
    )
  }
  return written
}

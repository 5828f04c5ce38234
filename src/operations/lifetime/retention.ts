import { BoundedCache } from '../../core/bounded-cache.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { matchesPattern } from '../../core/glob.ts'
import { FOREVER, type RetentionClass, type RetentionOf } from '../../keys/content/lifetime.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'

/** The settings of one retention class. */
interface WrittenRetentionClass {
  /** A duration, or `forever`. */
  readonly keep: string
  readonly grace: string
  readonly afterwards: RetentionClass['afterwards']
}

/** The settings of `retention`. The class `forever` always exists. */
export interface RetentionSettings {
  /** The name of the class of contents that no pattern matches. */
  readonly default: string
  readonly classes: Readonly<Record<string, WrittenRetentionClass>>
  /** The first matching pattern names the class. */
  readonly contents: readonly { readonly contentId: string; readonly class: string }[]
  /** Patterns of contents under legal hold, whatever their class. */
  readonly hold: readonly string[]
}

/** An invalid setting. It has the path and never the value. */
interface SettingProblem {
  readonly path: string
  readonly problem: string
}

/** The text in every contentId of `keyspring verify`. */
const VERIFICATION_MARK = 'keyspring-verify'

/** In milliseconds. */
export const VERIFICATION_GRACE_MS = 3_600_000

/** The class of contents that `keyspring verify` creates, unless the configuration has a class for them. */
const VERIFICATION: RetentionClass = {
  name: 'verification',
  keepMs: 86_400_000,
  graceMs: VERIFICATION_GRACE_MS,
  afterwards: 'regenerate',
  held: false,
}

/** Whether a content was created by `keyspring verify`: it expires by itself, and its key periods raise no alarm. */
export function isVerification({ contentId }: ContentRef): boolean {
  return contentId.includes(VERIFICATION_MARK)
}

/** About 100,000 contents. */
const MAX_REMEMBERED_BYTES = 24 * 1024 * 1024
const MAX_DURATION_MS = 100 * 365 * 86_400_000
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** The milliseconds of `90s`, `30m`, `12h`, `7d` or `2w`; Infinity for `forever`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text === 'forever') return Number.POSITIVE_INFINITY
  const [, count = '', unit = ''] = /^(\d{1,9})([smhdw])$/.exec(text) ?? []
  const ms = Number(count) * (UNITS[unit] ?? Number.NaN)
  return ms <= MAX_DURATION_MS ? ms : undefined
}

/** Every invalid setting of `retention`. */
export function retentionProblems({ classes, contents, ...settings }: RetentionSettings): readonly SettingProblem[] {
  const isKnown = (name: string): boolean => name === FOREVER.name || Object.hasOwn(classes, name)
  const unknown = 'expected the name of a retention class'
  const expected = 'expected a duration such as 90s, 30m, 12h, 7d or 2w'
  return [
    ...Object.entries(classes).flatMap(([name, { keep, grace }]) => {
      const keepMs = parseDuration(keep)
      const graceMs = parseDuration(grace)
      return [
        ...problemIf(name === FOREVER.name, `classes.${name}`, 'the class forever always exists; use another name'),
        ...problemIf(keepMs === undefined || keepMs === 0, `classes.${name}.keep`, `${expected}, or forever`),
        ...problemIf(graceMs === undefined || graceMs === Number.POSITIVE_INFINITY, `classes.${name}.grace`, expected),
      ]
    }),
    ...problemIf(!isKnown(settings.default), 'default', unknown),
    ...contents.flatMap((rule, i) => problemIf(!isKnown(rule.class), `contents.${i}.class`, unknown)),
  ]
}

/** The retention class of each content. Throws ERR_CONFIG_INVALID for invalid settings. */
export function retentionRules(settings: RetentionSettings, expireVerification = false): RetentionOf {
  const problems = retentionProblems(settings)
  if (problems.length > 0) {
    const lines = problems.map(({ path, problem }) => `retention.${path}: ${problem}`)
    throw new KeyProviderError('ERR_CONFIG_INVALID', lines.join('\n'))
  }
  const classes = new Map(retentionClasses(settings).map((one) => [one.name, one]))
  const classOf = (name: string): RetentionClass => classes.get(name) ?? FOREVER
  const rules = settings.contents.map((rule) => ({ fits: contentPattern(rule.contentId), class: classOf(rule.class) }))
  const holds = settings.hold.map(contentPattern)
  const fallback = classOf(settings.default)
  const fallbackOf = (ref: ContentRef): RetentionClass =>
    expireVerification && fallback === FOREVER && isVerification(ref) ? VERIFICATION : fallback
  if (rules.length === 0 && holds.length === 0) return fallbackOf
  return remembered((ref) => {
    const chosen = rules.find(({ fits }) => fits(ref))?.class ?? fallbackOf(ref)
    return holds.some((fits) => fits(ref)) ? { ...chosen, keepMs: undefined, held: true } : chosen
  })
}

/** Every retention class, `forever` first. */
export function retentionClasses({ classes }: Pick<RetentionSettings, 'classes'>): readonly RetentionClass[] {
  return [FOREVER, ...Object.entries(classes).map(toClass)]
}

/** The shortest grace period of any class, in milliseconds. */
export function shortestGraceMs({ classes }: Pick<RetentionSettings, 'classes'>): number {
  return Math.min(...Object.values(classes).map(({ grace }) => parseDuration(grace) ?? 0), Number.POSITIVE_INFINITY)
}

/** Matches contents with `pattern`: TENANT/CONTENT_ID, or without a slash the contentId of any tenant. `*` matches any text. */
export function contentPattern(pattern: string): (ref: ContentRef) => boolean {
  if (!pattern.includes('/')) return ({ contentId }) => matchesPattern(pattern, contentId)
  return ({ tenant, contentId }) => matchesPattern(pattern, `${tenant}/${contentId}`)
}

/** Remembers the classes of requested contents: every request asks for one. */
function remembered(find: RetentionOf): RetentionOf {
  const known = new BoundedCache<RetentionClass>({ maxBytes: MAX_REMEMBERED_BYTES, sizeOf: () => 0 })
  return (ref) => {
    const id = `${ref.tenant.length}:${ref.tenant}${ref.contentId}`
    const before = known.get(id)
    if (before !== undefined) return before
    const found = find(ref)
    known.set(id, found)
    return found
  }
}

function toClass([name, { keep, grace, afterwards }]: [string, WrittenRetentionClass]): RetentionClass {
  const keepMs = parseDuration(keep)
  return {
    name,
    keepMs: keepMs === Number.POSITIVE_INFINITY ? undefined : keepMs,
    graceMs: parseDuration(grace) ?? 0,
    afterwards,
    held: false,
  }
}

function problemIf(wrong: boolean, path: string, problem: string): readonly SettingProblem[] {
  return wrong ? [{ path, problem }] : []
}

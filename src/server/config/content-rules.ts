import type { RetentionOf } from '../../keys/content/lifetime.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import { contentPattern, retentionRules, shortestGraceMs } from '../../operations/lifetime/retention.ts'
import type { Management } from '../../operations/management.ts'
import type { Config } from './config.ts'

/** What the configuration says of contents by their patterns. */
export interface ContentRules {
  readonly retention: RetentionOf
  readonly rotation: NonNullable<Management['rotation']>
  /** The longest interval of any content; 0 where none is written. */
  readonly longestIntervalMs: number
  /** How long the ledger keeps what was issued of a content; undefined: for ever. */
  readonly ledgerKeepMs: (ref: ContentRef) => number | undefined
  readonly shortestGraceMs: number
}

const DAY_MS = 86_400_000

/** The rules of a configuration. */
export function contentRules({ retention: written, rotation, ledger }: RuleSettings): ContentRules {
  const retention = retentionRules(written)
  const ledgerMs = ledger.retentionDays * DAY_MS
  const intervals = rotation.contents.map(({ contentId, seconds }) => {
    return { fits: contentPattern(contentId), intervalMs: seconds * 1_000 }
  })
  return {
    retention,
    rotation: (ref) => intervals.find(({ fits }) => fits(ref))?.intervalMs,
    longestIntervalMs: Math.max(0, ...intervals.map(({ intervalMs }) => intervalMs)),
    ledgerKeepMs(ref) {
      const { keepMs, graceMs, held } = retention(ref)
      if (held) return undefined
      // When a content was last asked for says when it expires: until it is destroyed, that must be known.
      return keepMs === undefined ? ledgerMs : Math.max(ledgerMs, keepMs + graceMs)
    },
    shortestGraceMs: shortestGraceMs(written),
  }
}

export type RuleSettings = Pick<Config, 'retention' | 'rotation' | 'ledger'>

/** Rules that can be replaced while others hold them. */
export interface ReplaceableRules extends ContentRules {
  replace(settings: RuleSettings): void
}

/** The rules of a configuration, until a reload brings others. */
export function replaceableRules(settings: RuleSettings): ReplaceableRules {
  let current = contentRules(settings)
  return {
    retention: (ref) => current.retention(ref),
    rotation: (ref) => current.rotation(ref),
    ledgerKeepMs: (ref) => current.ledgerKeepMs(ref),
    get longestIntervalMs() {
      return current.longestIntervalMs
    },
    get shortestGraceMs() {
      return current.shortestGraceMs
    },
    replace(next) {
      current = contentRules(next)
    },
  }
}

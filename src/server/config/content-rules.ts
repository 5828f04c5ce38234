import type { RetentionClass, RetentionOf } from '../../keys/content/lifetime.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import {
  contentPattern,
  retentionRules,
  shortestGraceMs,
  VERIFICATION_GRACE_MS,
} from '../../operations/lifetime/retention.ts'
import type { Config } from './config.ts'

type RuleSettings = Pick<Config, 'retention' | 'rotation' | 'ledger'> & {
  readonly contentKeys: Pick<Config['contentKeys'], 'policy'>
}

const DAY_MS = 86_400_000

/** The rules of a configuration for contents by pattern, until a reload replaces them. */
export class ContentRules {
  #settings: RuleSettings
  #retention: RetentionOf
  #intervals: readonly { readonly fits: (ref: ContentRef) => boolean; readonly intervalMs: number }[] = []

  constructor(settings: RuleSettings) {
    this.#settings = settings
    this.#retention = retentionOf(settings)
    this.replace(settings)
  }

  replace(settings: RuleSettings): void {
    this.#settings = settings
    this.#retention = retentionOf(settings)
    this.#intervals = settings.rotation.contents.map(({ contentId, seconds }) => ({
      fits: contentPattern(contentId),
      intervalMs: seconds * 1_000,
    }))
  }

  readonly retention = (ref: ContentRef): RetentionClass => this.#retention(ref)

  /** How often a content changes its keys, in milliseconds; undefined where no rule matches. */
  readonly rotation = (ref: ContentRef): number | undefined => this.#intervals.find(({ fits }) => fits(ref))?.intervalMs

  /** How long the ledger keeps the records of a content, in milliseconds; undefined: it never deletes them. */
  readonly ledgerKeepMs = (ref: ContentRef): number | undefined => {
    const ledgerMs = this.#settings.ledger.retentionDays * DAY_MS
    const { keepMs, graceMs, held } = this.#retention(ref)
    if (held) return undefined
    // The last request for a content decides when it expires: the record must last until the content is destroyed.
    return keepMs === undefined ? ledgerMs : Math.max(ledgerMs, keepMs + graceMs)
  }

  /** The longest rotation interval of any content, in milliseconds; 0 if there is no rule. */
  get longestIntervalMs(): number {
    return Math.max(0, ...this.#intervals.map(({ intervalMs }) => intervalMs))
  }

  /** The shortest time that any class leaves between expiry and destruction, in milliseconds. */
  get shortestGraceMs(): number {
    return Math.min(shortestGraceMs(this.#settings.retention), VERIFICATION_GRACE_MS)
  }
}

/** Keys that are derived from a root secret cannot be destroyed, so their contents do not expire. */
function retentionOf({ retention, contentKeys }: RuleSettings): RetentionOf {
  return retentionRules(retention, contentKeys.policy !== 'derived-root')
}

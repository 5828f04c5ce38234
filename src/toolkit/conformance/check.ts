import type { SpekeVersion } from '../../protocols/speke/tables/versions.ts'
import type { ExpectedRefusal, Relation } from '../rules/rule.ts'

/** The groups of checks, in the order they are reported in, and what each is about. */
export const CHECK_GROUPS = {
  http: 'headers, status, media types',
  v1: 'SPEKE 1.0, live and VOD, every system',
  'v2.0-live': 'SPEKE 2.0 with key periods, every preset',
  'v2.0-vod': 'SPEKE 2.0 without key periods, every preset',
  'v2.1': 'SPEKE 2.1: every preset, key periods with times, names of HLS methods',
  contract: 'encryption contracts that are sound and that are not',
  schemes: 'every scheme with every DRM system',
  systems: 'signalling of every combination of DRM systems, for every container',
  encryption: 'content key encryption',
  determinism: 'the same keys again, other keys for other kids',
  iv: 'explicitIV: echoed, made, left out',
  errors: 'the ten messages of SPEKE, word for word',
  negative: 'documents that break CPIX or SPEKE in other ways',
  robustness: 'unusual but right documents, and documents made to do harm',
  'mediapackage-v2': 'what MediaPackage v2 expects beyond the specification',
} as const
export type CheckGroup = keyof typeof CHECK_GROUPS

/** One request of a check. */
export interface Step {
  readonly xml: string
  /** What it is, and how its answer is judged. */
  readonly version: SpekeVersion
  /** What X-Speke-Version says, where that is not `version`; null: there is none. */
  readonly versionHeader?: string | null
  /** More headers. */
  readonly headers?: Readonly<Record<string, string>>
  /** Set: it must be refused. */
  readonly refusal?: ExpectedRefusal
  /** How its answer is related to that of the first step. */
  readonly relation?: { readonly relation: Relation; readonly how: string }
}

/** One thing to find out about a key provider, by one request or several. */
export interface Check {
  /** Its group, then what it sends: what `--only` picks by. */
  readonly name: string
  readonly group: CheckGroup
  /** What a key provider does when it passes. */
  readonly title: string
  readonly steps: readonly Step[]
  /** Whether the steps are sent at the same moment. */
  readonly atOnce?: true
}

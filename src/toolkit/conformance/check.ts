import { SPEKE_REFUSALS, type SpekeRefusal } from '../../protocols/speke/tables/refusals.ts'
import type { SpekeVersion } from '../../protocols/speke/tables/versions.ts'
import type { Finding } from '../rules/judge.ts'
import type { ExpectedRefusal, JudgedReply, Relation, Severity } from '../rules/rule.ts'

/** The groups of checks in the order of the report, with their topics. */
export const CHECK_GROUPS = {
  http: 'headers, status, media types',
  v1: 'SPEKE 1.0, live and VOD, every system',
  'v2.0-live': 'SPEKE 2.0 with key periods, every preset',
  'v2.0-vod': 'SPEKE 2.0 without key periods, every preset',
  'v2.1': 'SPEKE 2.1: every preset, key periods with times, HLS method names',
  contract: 'valid and invalid encryption contracts',
  schemes: 'every scheme with every DRM system',
  systems: 'signalling of every combination of DRM systems and every container',
  encryption: 'content key encryption',
  determinism: 'the same keys for the same kids, other keys for other kids',
  iv: 'explicitIV: returned, generated, omitted',
  errors: 'the ten error messages of SPEKE, word for word',
  negative: 'other documents that break CPIX or SPEKE',
  robustness: 'unusual but valid documents, and attacks on the XML reader',
  'mediapackage-v2': 'requirements of MediaPackage v2 beyond the specification',
} as const
export type CheckGroup = keyof typeof CHECK_GROUPS

/** One request of a check. */
export interface Step {
  readonly xml: string
  /** The version of the document, by which the rules check the answer. */
  readonly version: SpekeVersion
  /** The value of X-Speke-Version if it differs from `version`; null for no header. */
  readonly versionHeader?: string | null
  /** Additional headers. */
  readonly headers?: Readonly<Record<string, string>>
  /** Set if the key provider must reject the request. */
  readonly refusal?: ExpectedRefusal
  /** The relation of its answer to that of the first step. */
  readonly relation?: { readonly relation: Relation; readonly how: string }
}

/** One property of a key provider, checked with one or several requests. */
export interface Check {
  /** The group and the request, such as `errors/2.0/schemes-mixed`: the values of `--only` and `--skip`. */
  readonly name: string
  readonly group: CheckGroup
  /** The behaviour of a key provider that passes, as a fact. */
  readonly title: string
  readonly steps: readonly Step[]
  /** Whether the steps are sent at the same time. */
  readonly atOnce?: true
}

/** The rejection that a step expects: with the SPEKE error message of `code`, if any. `of` is the kid or system ID as sent. */
export function refused(code?: SpekeRefusal, of = ''): ExpectedRefusal {
  const text = code === undefined ? undefined : SPEKE_REFUSALS[code].replace('$', () => of)
  return { kind: 'wrong', message: code === undefined || text === undefined ? undefined : { of: code, text } }
}

/** A request and its reply. */
export interface Exchange {
  readonly step: Step
  /** Undefined if no reply arrived; `failure` then has the reason. */
  readonly reply: (JudgedReply & { readonly milliseconds: number }) | undefined
  readonly failure: string | undefined
}

/** A finding of a check, with the index of its request. */
export interface CheckFinding extends Finding {
  readonly step: number
}

export interface CheckResult {
  readonly check: Check
  readonly exchanges: readonly Exchange[]
  readonly findings: readonly CheckFinding[]
  /** The IDs of the rules that applied. */
  readonly rules: readonly string[]
  /** The severity of the worst finding; undefined if the check passed. */
  readonly worst: Severity | undefined
}

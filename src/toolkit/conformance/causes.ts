import type { RuleGroup, Severity } from '../rules/rule.ts'
import { RULE_BY_ID } from '../rules/rules.ts'
import type { CheckFinding, CheckResult } from './check.ts'

/** The consequences of findings, the most harmful first. */
const HARMS = ['keys at risk', 'playback fails', 'encryptor stops', 'other'] as const
type Harm = (typeof HARMS)[number]

/** A broken rule with the checks that found it. */
export interface Cause {
  readonly rule: string
  readonly severity: Severity
  readonly harm: Harm
  /** The checks with this finding. */
  readonly failed: readonly CheckResult[]
  /** Number of checks to which the rule applied. */
  readonly looked: number
  readonly first: CheckFinding
  /** Whether most checks found it: then only the first of them counts as failed, the others as affected. */
  readonly isWidespread: boolean
}

/** The result of a check. `affected`: it fails only for causes that another check already shows. */
export type Outcome = Severity | 'passed' | 'affected'

/** Returns the findings by cause: errors first, then by harm, then by the number of checks. */
export function causesOf(results: readonly CheckResult[]): readonly Cause[] {
  const order: readonly string[] = [...RULE_BY_ID.keys()]
  const found = results.flatMap((result) => result.findings.map((finding) => ({ result, finding })))
  return [...Map.groupBy(found, ({ finding }) => finding.rule)]
    .flatMap(([rule, own]): readonly Cause[] => {
      const [first] = own
      if (first === undefined) return []
      const failed = [...new Set(own.map(({ result }) => result))]
      const looked = results.filter(({ rules }) => rules.includes(rule)).length
      const { finding } = first
      const isWidespread = failed.length >= WIDESPREAD && failed.length * 2 >= looked
      return [{ rule, severity: finding.severity, harm: harmOf(finding), failed, looked, first: finding, isWidespread }]
    })
    .toSorted(
      (a, b) =>
        RANK[a.severity] - RANK[b.severity] ||
        HARMS.indexOf(a.harm) - HARMS.indexOf(b.harm) ||
        b.failed.length - a.failed.length ||
        order.indexOf(a.rule) - order.indexOf(b.rule),
    )
}

/** Returns the outcome of every check. A widespread cause fails one check and affects the others. */
export function outcomesOf(
  results: readonly CheckResult[],
  causes: readonly Cause[] = causesOf(results),
): ReadonlyMap<CheckResult, Outcome> {
  const shown = new Map(causes.filter(({ isWidespread }) => isWidespread).map((cause) => [cause.rule, cause.failed[0]]))
  return new Map(
    results.map((result) => {
      if (result.worst === undefined) return [result, 'passed']
      const own = result.findings.filter(({ rule }) => !shown.has(rule) || shown.get(rule) === result)
      const [worst] = own.map(({ severity }) => severity).toSorted((a, b) => RANK[a] - RANK[b])
      return [result, worst ?? 'affected']
    }),
  )
}

/** In this many checks at least, and half of those to which its rule applies. */
const WIDESPREAD = 3
const RANK: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 }

function harmOf({ rule, group }: CheckFinding): Harm {
  return HARM_OF_RULES[rule] ?? HARM_OF_GROUPS[group]
}

const HARM_OF_GROUPS: Readonly<Record<RuleGroup, Harm>> = {
  http: 'encryptor stops',
  document: 'encryptor stops',
  request: 'encryptor stops',
  contract: 'encryptor stops',
  echo: 'encryptor stops',
  keys: 'playback fails',
  encryption: 'encryptor stops',
  signaling: 'playback fails',
  hls: 'playback fails',
  pssh: 'playback fails',
  widevine: 'playback fails',
  playready: 'playback fails',
  fairplay: 'playback fails',
  levels: 'other',
  determinism: 'playback fails',
  refusals: 'other',
}

const HARM_OF_RULES: Readonly<Record<string, Harm>> = {
  ...Object.fromEntries(
    [
      'key-in-signaling',
      'key-guessable',
      'key-shared',
      'iv-equals-key',
      'iv-unasked-in-counter-mode',
      'plain-key-although-encrypted',
      'document-key-reused',
      'key-not-rotated',
      'cacheable-keys',
      'key-url',
      'wrong-request-accepted',
      'unsafe-contract-accepted',
      'bomb-accepted',
      'entity-resolved',
    ].map((rule) => [rule, 'keys at risk']),
  ),
  'key-missing': 'encryptor stops',
  'key-size': 'encryptor stops',
  'iv-size': 'encryptor stops',
  'signaling-empty': 'encryptor stops',
  'signaling-not-base64': 'encryptor stops',
  'hls-attribute-order': 'other',
  'pssh-names-other-kids': 'other',
  'user-agent-header': 'other',
  'feature-not-offered': 'other',
}

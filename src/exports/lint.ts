import type { KeyObject } from 'node:crypto'
import type { EncryptorName } from '../protocols/speke/tables/encryptors.ts'
import { SPEKE_2_0, SPEKE_VERSIONS } from '../protocols/speke/tables/versions.ts'
import { type Finding, judge } from '../toolkit/rules/judge.ts'
import type { Severity } from '../toolkit/rules/rule.ts'
import { RULE_BY_ID } from '../toolkit/rules/rules.ts'
import { readSide } from '../toolkit/rules/side.ts'

/** A request, its answer, or both: rules about their relation look at both. */
export interface LintDocuments {
  readonly request?: Uint8Array
  readonly answer?: Uint8Array
}

export interface LintOptions {
  /** Whose demands the documents are held to; `spec` when left out. */
  readonly as?: EncryptorName
  /** The X-Speke-Version they were sent with; left out: what their attributes say. */
  readonly spekeVersion?: '1.0' | '2.0' | '2.1'
  /** Reads keys that are encrypted, and checks their MACs. */
  readonly privateKey?: KeyObject
}

/** One thing that a rule finds, why it matters and how to fix it. No member ever holds a key. */
export interface LintFinding {
  readonly rule: string
  readonly severity: Severity
  readonly what: string
  readonly why: string
  readonly fix: string
  readonly side: 'request' | 'answer' | undefined
  /** An XPath; undefined: it is about the whole. */
  readonly path: string | undefined
  /** From 1. */
  readonly line: number | undefined
  readonly column: number | undefined
}

/** What `keyspring lint` finds, worst first as the rules stand. It never throws: what cannot be read is a finding. */
export function lintCpix(documents: LintDocuments, options: LintOptions = {}): readonly LintFinding[] {
  const { as = 'spec', spekeVersion = '', privateKey } = options
  const read = { version: SPEKE_VERSIONS.get(spekeVersion), privateKey }
  const request = documents.request && readSide(documents.request, read)
  const answer = documents.answer && readSide(documents.answer, read)
  const version = read.version ?? request?.view?.version ?? answer?.view?.version ?? SPEKE_2_0
  return judge({ as, version, request, answer, privateKey }).findings.map(toLintFinding)
}

function toLintFinding({ rule, severity, what, place }: Finding): LintFinding {
  const { why = '', fix = '' } = RULE_BY_ID.get(rule) ?? {}
  const side = place?.side === 'reply' ? undefined : place?.side
  return { rule, severity, what, why, fix, side, path: place?.path, line: place?.line, column: place?.column }
}

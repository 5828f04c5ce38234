import type { KeyObject } from 'node:crypto'
import type { EncryptorName } from '../protocols/speke/tables/presets.ts'
import { SPEKE_2_0, SPEKE_VERSIONS } from '../protocols/speke/tables/versions.ts'
import { type Finding, judge } from '../toolkit/rules/judge.ts'
import type { Severity } from '../toolkit/rules/rule.ts'
import { RULE_BY_ID } from '../toolkit/rules/rules.ts'
import { readSide } from '../toolkit/rules/side.ts'

/** A request, its answer, or both. Some rules compare the two. */
export interface LintDocuments {
  readonly request?: Uint8Array
  readonly answer?: Uint8Array
}

export interface LintOptions {
  /** The encryptor whose rules apply. Default: `spec`. */
  readonly as?: EncryptorName
  /** The X-Speke-Version of the documents. Default: read from their attributes. */
  readonly spekeVersion?: '1.0' | '2.0' | '2.1'
  /** Decrypts encrypted keys and checks their MACs. */
  readonly privateKey?: KeyObject
}

/** A finding of a rule, its consequence and the fix. No member contains a key. */
export interface LintFinding {
  readonly rule: string
  readonly severity: Severity
  readonly what: string
  readonly why: string
  readonly fix: string
  readonly side: 'request' | 'answer' | undefined
  /** An XPath; undefined for the whole document. */
  readonly path: string | undefined
  /** Line, starting at 1. */
  readonly line: number | undefined
  readonly column: number | undefined
}

/** Returns the findings of `keyspring lint` in document order. It never throws: an unreadable document is a finding. */
export function lintCpix(documents: LintDocuments, options: LintOptions = {}): readonly LintFinding[] {
  const { as = 'spec', spekeVersion = '', privateKey } = options
  const read = { version: SPEKE_VERSIONS.get(spekeVersion), as, privateKey }
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

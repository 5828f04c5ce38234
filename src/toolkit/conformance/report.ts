import { KeyProviderError } from '../../core/errors.ts'
import { decodeUtf16le } from '../../core/utf16.ts'
import type { EncryptorName } from '../../protocols/speke/tables/presets.ts'
import { RULE_BY_ID } from '../rules/rules.ts'
import { readSide } from '../rules/side.ts'
import { causesOf, type Outcome, outcomesOf } from './causes.ts'
import { CHECK_GROUPS, type CheckFinding, type CheckGroup, type CheckResult, type Exchange } from './check.ts'

/** The results of a run, for every report format. */
export interface ConformanceReport {
  readonly url: string
  readonly as: EncryptorName
  /** ISO 8601. */
  readonly startedAt: string
  readonly seconds: number
  /** The version of this program. */
  readonly version: string
  readonly results: readonly CheckResult[]
  readonly showKeys: boolean
}

interface GroupSummary {
  readonly group: CheckGroup
  readonly about: string
  readonly checks: number
  readonly passed: number
  /** Checks with a cause that another check already shows. */
  readonly affected: number
}

/** Returns the number of checks and passes for each group with checks. */
export function summarizeGroups(results: readonly CheckResult[]): readonly GroupSummary[] {
  const outcomes = outcomesOf(results)
  return (Object.keys(CHECK_GROUPS) as CheckGroup[]).flatMap((group) => {
    const own = results.filter(({ check }) => check.group === group).map((result) => outcomes.get(result))
    if (own.length === 0) return []
    const passed = own.filter((outcome) => outcome === 'passed' || outcome === 'note').length
    const affected = own.filter((outcome) => outcome === 'affected').length
    return [{ group, about: CHECK_GROUPS[group], checks: own.length, passed, affected }]
  })
}

/** Returns the number of checks, requests and results. */
export function totals(results: readonly CheckResult[]) {
  const outcomes = [...outcomesOf(results).values()]
  const count = (outcome: Outcome): number => outcomes.filter((one) => one === outcome).length
  return {
    checks: results.length,
    requests: results.reduce((sum, { exchanges }) => sum + exchanges.length, 0),
    passed: count('passed'),
    withErrors: count('error'),
    withWarnings: count('warning'),
    withNotes: count('note'),
    affected: count('affected'),
    causes: causesOf(results).length,
  }
}

/** Returns the report as JSON: every cause, and every check with its findings, requests and replies. */
export function jsonReport(report: ConformanceReport): string {
  const { results, showKeys, ...head } = report
  const outcomes = outcomesOf(results)
  const causes = causesOf(results).map(({ rule, severity, harm, failed, looked, first }) => ({
    ...explained(first),
    rule,
    severity,
    harm,
    checks: failed.map(({ check }) => check.name),
    applied: looked,
  }))
  const checks = results.map((result) => {
    const { check, exchanges, findings, rules } = result
    return {
      name: check.name,
      group: check.group,
      title: check.title,
      result: outcomes.get(result) ?? 'passed',
      rules,
      findings: findings.map(explained),
      exchanges: exchanges.map((exchange) => shownExchange(exchange, showKeys)),
    }
  })
  return `${JSON.stringify({ ...head, totals: totals(results), causes, checks }, undefined, 2)}\n`
}

/** Returns a finding with the texts of its rule. */
function explained(finding: CheckFinding): object {
  const rule = RULE_BY_ID.get(finding.rule)
  return { ...finding, clause: rule?.clause, why: rule?.why, fix: rule?.fix }
}

/** In characters. */
const MAX_SHOWN = 64 * 1024

/** Returns an exchange as a report shows it; each body has at most `most` characters. */
export function shownExchange(exchange: Exchange, showKeys: boolean, most: number = MAX_SHOWN) {
  const { step, reply, failure } = exchange
  const versionHeader = step.versionHeader === undefined ? step.version.header : step.versionHeader
  const sendsHeader = versionHeader !== null && (step.versionHeader !== undefined || step.version.major === 2)
  return {
    sent: {
      headers: { ...(sendsHeader && { 'X-Speke-Version': versionHeader }), ...step.headers },
      body: cut(step.xml, most),
    },
    came:
      reply === undefined
        ? { failure: failure ?? 'no answer' }
        : {
            status: reply.status,
            headers: withoutCookies(reply.headers),
            milliseconds: Math.round(reply.milliseconds),
            body: cut(shownBody(exchange, showKeys), most),
          },
  }
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}… (${text.length} characters)` : text
}

function withoutCookies(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'set-cookie'))
}

export const REDACTED = '[key removed]'

/**
 * Returns the body of a reply as text for a report. Without `showKeys`, it removes content keys in every encoding, also from a
 * body that is not a readable document.
 */
export function shownBody({ reply }: Exchange, showKeys: boolean): string {
  if (reply === undefined) return ''
  const text = Buffer.from(reply.body).toString('utf8')
  if (showKeys) return text
  const spellings = keysIn(reply.body, text).flatMap(spellingsOf)
  const plain = text.replaceAll(PLAIN_VALUE, (_, start: string) => start + REDACTED)
  const withoutKeys = spellings.reduce((redacted, spelling) => redacted.replaceAll(spelling, REDACTED), plain)
  return withoutKeys.replaceAll(BASE64, (run) => (hides(run, spellings, DEPTH) ? REDACTED : run))
}

const PLAIN_VALUE = /(<[^<>]*PlainValue[^<>]*>)[^<]*/g
const BASE64 = /[A-Za-z0-9+/]{24,}={0,2}/g
/** Levels of base64: an HLS line or fragment, the box in it, and the text in the box. */
const DEPTH = 3

function keysIn(bytes: Uint8Array, text: string): readonly Buffer[] {
  try {
    const keys = readSide(bytes).view?.keys ?? []
    const ofDocument = keys.flatMap(({ contentKey }) => (contentKey === undefined ? [] : [Buffer.from(contentKey)]))
    const ofText = [...text.matchAll(/PlainValue[^<>]*>\s*([A-Za-z0-9+/]{22,}={0,2})/g)].map(([, key = '']) =>
      Buffer.from(key, 'base64'),
    )
    return [...ofDocument, ...ofText]
  } catch (error) {
    if (error instanceof KeyProviderError) return []
    throw error
  }
}

function spellingsOf(key: Buffer): readonly string[] {
  const hex = key.toString('hex')
  return [key.toString('base64'), key.toString('base64url'), hex, hex.toUpperCase(), key.toString('latin1')]
}

/** Whether base64 text contains a key as bytes, text, UTF-16 or nested base64. */
function hides(base64: string, spellings: readonly string[], depth: number): boolean {
  if (spellings.length === 0) return false
  const bytes = Buffer.from(base64, 'base64')
  const texts = [bytes.toString('latin1'), decodeUtf16le(bytes)]
  if (texts.some((text) => spellings.some((spelling) => text.includes(spelling)))) return true
  if (depth === 0) return false
  return [...(texts[0] ?? '').matchAll(BASE64)].some(([inner]) => hides(inner, spellings, depth - 1))
}

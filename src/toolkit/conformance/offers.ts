import { toSystemId } from '../../formats/cenc.ts'
import { drmSystemName } from '../../formats/drm/facts.ts'
import { SEVERITIES } from '../rules/rule.ts'
import { RULE_BY_ID } from '../rules/rules.ts'
import type { CheckFinding, CheckResult, Exchange, Step } from './check.ts'

const RULE = 'feature-not-offered'

/**
 * Replaces the findings that follow from features a key provider does not offer: one finding for each such feature, such as
 * content key encryption or SPEKE 2.1, instead of an error in every check that uses it.
 *
 * A feature is not offered if the key provider rejects every valid request that uses it, and answers one that does not.
 */
export function explainMissingFeatures(results: readonly CheckResult[]): readonly CheckResult[] {
  const missing = missingFeatures(results.flatMap(({ exchanges }) => exchanges))
  if (missing.size === 0) return results
  const reported = new Set<string>()
  return results.map((result) => {
    const findings = result.findings.flatMap((finding): readonly CheckFinding[] => {
      const exchange = result.exchanges[finding.step]
      const feature = exchange && [...missing.keys()].find((one) => featuresOf(exchange.step).includes(one))
      if (exchange === undefined || feature === undefined || !isRejection(exchange)) return [finding]
      // A faulty request that uses the feature gets another error than expected.
      if (exchange.step.refusal !== undefined || reported.has(feature)) return []
      reported.add(feature)
      return [notOffered(feature, missing.get(feature) ?? 0, finding)]
    })
    const rules = findings.some(({ rule }) => rule === RULE) ? [...result.rules, RULE] : result.rules
    const worst = SEVERITIES.find((severity) => findings.some((finding) => finding.severity === severity))
    return { ...result, findings, rules, worst }
  })
}

function notOffered(feature: string, requests: number, { step, what }: CheckFinding): CheckFinding {
  const rule = RULE_BY_ID.get(RULE)
  const severity = rule === undefined || rule.severity === 'off' ? 'warning' : rule.severity
  const text = `not offered: ${feature} (${requests} valid requests rejected). First rejection: ${what}`
  return { rule: RULE, group: 'http', severity, what: text, place: undefined, step }
}

/** The features that are not offered, with the number of valid requests that were rejected for each. */
function missingFeatures(exchanges: readonly Exchange[]): ReadonlyMap<string, number> {
  const missing = new Map<string, number>()
  let open = exchanges
    .filter(({ step, reply }) => step.refusal === undefined && reply !== undefined)
    .map((exchange) => ({
      features: featuresOf(exchange.step),
      isRejected: isRejection(exchange),
      isAnswered: exchange.reply?.status === 200,
    }))
  for (;;) {
    const counts = new Map<string, number>()
    for (const { features, isRejected } of open) {
      if (isRejected) for (const feature of features) counts.set(feature, (counts.get(feature) ?? 0) + 1)
    }
    const candidates = [...counts].filter(([feature]) => {
      const others = open.filter(({ features }) => features.includes(feature))
      return others.every(({ isRejected }) => isRejected) && open.some(({ isAnswered }) => isAnswered)
    })
    const [first] = candidates.toSorted(([, a], [, b]) => b - a)
    if (first === undefined) return missing
    const [feature, requests] = first
    missing.set(feature, requests)
    open = open.filter(({ features }) => !features.includes(feature))
  }
}

/** Whether the key provider rejects a request, and neither fails nor asks for credentials. */
function isRejection({ reply }: Exchange): boolean {
  const status = reply?.status ?? 0
  return (status >= 400 && status < 500 && !NOT_OF_THE_REQUEST.has(status)) || status === 501
}

const NOT_OF_THE_REQUEST: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 408, 429])

/** The optional features that a request uses. */
function featuresOf({ xml, version, versionHeader }: Step): readonly string[] {
  const values = (attribute: string): readonly string[] => [
    ...new Set([...xml.matchAll(new RegExp(` ${attribute}="([^"]+)"`, 'g'))].map(([, value = '']) => value)),
  ]
  return [
    ...(xml.includes('DeliveryData') ? ['content key encryption'] : []),
    `SPEKE ${versionHeader ?? version.header}`,
    ...values('systemId').flatMap((text) => {
      const systemId = toSystemId(text)
      return systemId === undefined ? [] : [drmSystemName(systemId)]
    }),
    ...values('commonEncryptionScheme').map((scheme) => `the scheme ${scheme}`),
    ...(xml.includes('ContentKeyPeriod ') ? ['key periods'] : []),
  ]
}

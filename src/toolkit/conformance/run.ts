import type { KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { EncryptorName } from '../../protocols/speke/tables/presets.ts'
import { SPEKE_1_0 } from '../../protocols/speke/tables/versions.ts'
import type { Connection } from '../encryptor/send.ts'
import { judge } from '../rules/judge.ts'
import { type RelatedAnswer, SEVERITIES } from '../rules/rule.ts'
import { readSide, type Side } from '../rules/side.ts'
import type { Check, CheckFinding, CheckResult, Exchange, Step } from './check.ts'
import { explainMissingFeatures } from './offers.ts'

interface RunOptions {
  readonly as: EncryptorName
  /** Connects with additional headers. */
  readonly connect: (headers: Readonly<Record<string, string>>) => Connection
  readonly privateKey: KeyObject
  /** Number of checks that run at the same time. */
  readonly concurrency: number
  /** Called after each check. */
  readonly onResult: (result: CheckResult, done: number) => void
  readonly isStopped: () => boolean
}

/** Runs the checks and returns the results in the order of the checks. */
export async function runChecks(checks: readonly Check[], options: RunOptions): Promise<readonly CheckResult[]> {
  const connections = new Map<string, Connection>()
  const connectionFor = (headers: Readonly<Record<string, string>>): Connection => {
    const key = JSON.stringify(headers)
    const connection = connections.get(key) ?? options.connect(headers)
    connections.set(key, connection)
    return connection
  }
  const results: (CheckResult | undefined)[] = checks.map(() => undefined)
  const waiting = checks.entries()
  let done = 0
  const work = async (): Promise<void> => {
    // All workers take their checks from one shared iterator.
    for (const [i, check] of waiting) {
      if (options.isStopped()) return
      const result = await runCheck(check, connectionFor, options)
      results[i] = result
      done += 1
      options.onResult(result, done)
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.max(1, options.concurrency) }, work))
  } finally {
    for (const connection of connections.values()) connection.close()
  }
  return explainMissingFeatures(results.flatMap((result) => result ?? []))
}

type ConnectionFor = (headers: Readonly<Record<string, string>>) => Connection

async function runCheck(check: Check, connectionFor: ConnectionFor, options: RunOptions): Promise<CheckResult> {
  const exchanges = check.atOnce
    ? await Promise.all(check.steps.map((step) => exchange(step, connectionFor)))
    : await inTurn(check.steps, (step) => exchange(step, connectionFor))
  const findings: CheckFinding[] = []
  const looked = new Set<string>()
  let first: Side | undefined
  for (const [i, { step, reply, failure }] of exchanges.entries()) {
    const { version, refusal } = step
    const { privateKey } = options
    const isAnswer = reply?.status === 200 && refusal === undefined
    const answer = isAnswer ? readSide(reply.body, { version, privateKey }) : undefined
    first ??= answer
    const judgement = judge({
      as: options.as,
      version,
      request: refusal === undefined ? readSide(Buffer.from(step.xml), { version }) : undefined,
      answer,
      privateKey: step.xml.includes('X509Certificate') ? privateKey : undefined,
      reply: { reply, failure },
      refusal,
      related: relatedTo(first, step),
    })
    for (const finding of judgement.findings) findings.push({ ...finding, step: i })
    for (const rule of judgement.looked) looked.add(rule)
  }
  const worst = SEVERITIES.find((severity) => findings.some((finding) => finding.severity === severity))
  return { check, exchanges, findings, rules: [...looked], worst }
}

function relatedTo(first: Side | undefined, { relation }: Step): readonly RelatedAnswer[] {
  if (relation === undefined || first?.view === undefined) return []
  return [{ ...relation, answer: first.view }]
}

async function exchange(step: Step, connectionFor: ConnectionFor): Promise<Exchange> {
  const { version, versionHeader, headers = {} } = step
  const named = typeof versionHeader === 'string' ? { 'X-Speke-Version': versionHeader } : {}
  // As SPEKE 1.0, the client sends no version header of its own.
  const sentAs = versionHeader === undefined ? version : SPEKE_1_0
  try {
    const reply = await connectionFor({ ...headers, ...named }).send(step.xml, sentAs)
    return { step, reply, failure: undefined }
  } catch (error) {
    if (!(error instanceof KeyProviderError) || error.code !== 'ERR_KEY_PROVIDER_UNREACHABLE') throw error
    return { step, reply: undefined, failure: error.message }
  }
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = []
  for (const item of items) results.push(await work(item))
  return results
}

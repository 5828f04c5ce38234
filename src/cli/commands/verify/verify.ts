import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { createColors } from 'picocolors'
import { KeyProviderError } from '../../../core/errors.ts'
import type { EncryptorName } from '../../../protocols/speke/tables/encryptors.ts'
import { packageVersion } from '../../../server/version.ts'
import { CHECK_GROUPS, type Check } from '../../../toolkit/conformance/check.ts'
import { checksFor, pickChecks } from '../../../toolkit/conformance/checks.ts'
import { htmlReport } from '../../../toolkit/conformance/html.ts'
import { junitReport } from '../../../toolkit/conformance/junit.ts'
import {
  type ConformanceReport,
  jsonReport,
  summarizeGroups,
  summarizeRules,
  totals,
} from '../../../toolkit/conformance/report.ts'
import { type CheckResult, runChecks } from '../../../toolkit/conformance/run.ts'
import { newRecipient } from '../../../toolkit/encryptor/certificate.ts'
import { explainRefusal } from '../../../toolkit/encryptor/explain-refusal.ts'
import { SHAPES } from '../../../toolkit/encryptor/request/shapes.ts'
import { SYSTEM_NAMES } from '../../../toolkit/encryptor/systems.ts'
import { RULE_BY_ID } from '../../../toolkit/rules/rules.ts'
import { wantsColours } from '../../shared/colours.ts'
import { exitCodeFor, type FailOn } from '../../shared/findings.ts'
import { connector, type SendingOptions } from '../../shared/request-connection.ts'
import { readNumber, wrong } from '../../shared/request-options.ts'

interface VerifyOptions extends SendingOptions {
  readonly as: EncryptorName
  readonly only?: readonly string[]
  readonly list?: boolean
  readonly drm: string
  readonly contentId: string
  readonly concurrency: string
  readonly html?: string
  readonly junit?: string
  readonly json?: string
  readonly showKeys?: boolean
  readonly all?: boolean
  readonly failOn: FailOn
}

const MAX_CONCURRENCY = 64

/** Runs the checks against a key provider, prints what was found and writes reports. */
export async function verify(url: string | undefined, options: VerifyOptions): Promise<void> {
  const recipient = newRecipient(Date.now(), randomBytes)
  const checks = pick(options, recipient.certificate)
  if (options.list === true) {
    for (const { name, title } of checks) process.stdout.write(`${name.padEnd(48)}  ${title}\n`)
    process.stderr.write(`keyspring: ${checks.length} checks as ${options.as}\n`)
    return
  }
  if (url === undefined) throw wrong('give the URL of a key provider, or --list')
  const connect = connector(url, SHAPES[options.as], options)
  const concurrency = readNumber('--concurrency', options.concurrency, 1, MAX_CONCURRENCY) ?? 1
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  process.once('SIGTERM', () => stop.abort())
  const startedAt = new Date().toISOString()
  const start = performance.now()
  const showProgress = progress(checks.length)
  const door = watchDoor()
  const results = await runChecks(checks, {
    as: options.as,
    connect,
    privateKey: recipient.privateKey,
    concurrency,
    onResult: (result, done) => {
      showProgress(result, done)
      door.look(result)
    },
    isStopped: () => stop.signal.aborted || door.isShut(),
  })
  if (results.length === 0) throw wrong('nothing was checked')
  door.refuse()
  const seconds = (performance.now() - start) / 1000
  const showKeys = options.showKeys === true
  const report: ConformanceReport = {
    url,
    as: options.as,
    startedAt,
    seconds,
    version: packageVersion(),
    results,
    showKeys,
  }
  writeReports(report, options)
  if (options.json !== '-') process.stdout.write(printReport(report, options.all === true))
  process.exitCode = exitCodeFor(
    results.flatMap(({ worst }) => worst ?? []),
    options.failOn,
  )
}

function pick(options: VerifyOptions, certificate: Uint8Array): readonly Check[] {
  const drm = options.drm.split(',').map((name) => name.trim().toLowerCase())
  const unknown = drm.find((name) => !SYSTEM_NAMES.includes(name))
  if (unknown !== undefined) throw wrong(`--drm takes ${SYSTEM_NAMES.join(', ')}`)
  // Long enough to tell contents apart, short enough for the 256 characters that a contentId may have.
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(options.contentId)) {
    throw wrong('--content-id takes 1 to 128 of A-Z, a-z, 0-9, _ and -')
  }
  const fresh = randomBytes(6).toString('hex')
  const { as, contentId, only = [] } = options
  const checks = pickChecks(checksFor({ as, drm, contentId, fresh, certificate }), only)
  if (checks.length === 0) throw wrong('--only picks no check: --list shows them all')
  return checks
}

/** How many checks must come to nothing before the rest is not worth asking. */
const ENOUGH = 10
/** Statuses of a door: what is behind it was not asked. */
const SHUT: ReadonlySet<number> = new Set([401, 403, 404, 405, 407])

/** Watches whether anything is reached at all. */
function watchDoor() {
  const shut: CheckResult[] = []
  let isOpen = false
  const isShutFor = ({ exchanges }: CheckResult): boolean =>
    exchanges.every(({ reply }) => reply === undefined || SHUT.has(reply.status))
  return {
    look(result: CheckResult): void {
      if (isShutFor(result)) shut.push(result)
      else isOpen = true
    },
    isShut: () => !isOpen && shut.length >= ENOUGH,
    /** Throws when nothing but a door was found. */
    refuse(): void {
      const [first] = shut[0]?.exchanges ?? []
      if (isOpen || first === undefined) return
      const { reply, failure } = first
      if (reply === undefined) throw new KeyProviderError('ERR_KEY_PROVIDER_UNREACHABLE', failure ?? 'no answer')
      throw new KeyProviderError(
        'ERR_KEY_PROVIDER_REFUSED',
        explainRefusal({ ...reply, body: Buffer.from(reply.body) }),
      )
    },
  }
}

/** A line that is written over itself, on a terminal; nothing elsewhere. */
function progress(count: number): (result: CheckResult, done: number) => void {
  if (!process.stderr.isTTY) return () => undefined
  let failed = 0
  return ({ check, worst }, done) => {
    if (worst === 'error') failed += 1
    const line = `${done}/${count} checks, ${failed} with errors, ${check.name}`
    process.stderr.write(`\r\u001b[2K${done === count ? '' : line.slice(0, (process.stderr.columns ?? 80) - 1)}`)
  }
}

function writeReports(report: ConformanceReport, { html, junit, json }: VerifyOptions): void {
  const files: readonly (readonly [string | undefined, (report: ConformanceReport) => string])[] = [
    [html, htmlReport],
    [junit, junitReport],
    [json === '-' ? undefined : json, jsonReport],
  ]
  for (const [file, print] of files) {
    if (file === undefined) continue
    // Of this user alone: a report may hold keys, and says what is weak.
    writeFileSync(file, print(report), { mode: 0o600 })
    process.stderr.write(`keyspring: wrote ${file}${report.showKeys ? ', which holds content keys' : ''}\n`)
  }
  if (json === '-') process.stdout.write(jsonReport(report))
}

function printReport({ results, url, as, seconds }: ConformanceReport, all: boolean): string {
  const color = createColors(wantsColours(process.stdout, process.env))
  const paint = { error: color.red, warning: color.yellow, note: color.cyan } as const
  const lines: string[] = []
  for (const { rule, severity, failed, looked, first } of summarizeRules(results)) {
    const findings = all ? failed.flatMap((result) => result.findings.filter((one) => one.rule === rule)) : [first]
    for (const { what, place } of findings) {
      lines.push(`${paint[severity](severity)}: ${color.bold(what)} ${color.dim(`[${rule}]`)}`)
      if (place !== undefined)
        lines.push(`  where: ${place.side} ${place.path}${place.line === undefined ? '' : `, line ${place.line}`}`)
    }
    const names = failed.slice(0, all ? undefined : SHOWN_CHECKS).map(({ check }) => check.name)
    const more = failed.length > names.length ? ' …' : ''
    const told = RULE_BY_ID.get(rule)
    lines.push(`  sent:  ${failed.length} of ${looked} checks: ${names.join(', ')}${more}`)
    lines.push(`  why:   ${told?.why}`, `  fix:   ${told?.fix}`, color.dim(`  source: ${told?.clause}`), '')
  }
  for (const { group, checks, passed } of summarizeGroups(results)) {
    const mark = passed === checks ? color.green('passed') : color.red(`${checks - passed} of ${checks} not passed`)
    lines.push(`${group.padEnd(16)} ${String(checks).padStart(4)} checks  ${mark}  ${color.dim(CHECK_GROUPS[group])}`)
  }
  const { checks, requests, withErrors, withWarnings, withNotes } = totals(results)
  lines.push(
    '',
    `${url} as ${as}: ${checks} checks, ${requests} requests in ${seconds.toFixed(1)} s: ${withErrors} with errors, ${withWarnings} with warnings, ${withNotes} with notes`,
  )
  return lines.map((line) => `${line}\n`).join('')
}

const SHOWN_CHECKS = 3

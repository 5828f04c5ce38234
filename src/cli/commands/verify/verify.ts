import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { type Command, Option } from 'commander'
import { KeyProviderError, wrongUsage } from '../../../core/errors.ts'
import { ENCRYPTORS, type EncryptorName } from '../../../protocols/speke/tables/presets.ts'
import { packageVersion } from '../../../server/version.ts'
import { causesOf } from '../../../toolkit/conformance/causes.ts'
import { CHECK_GROUPS, type Check, type CheckResult } from '../../../toolkit/conformance/check.ts'
import { checksFor, pickChecks } from '../../../toolkit/conformance/checks.ts'
import { htmlReport } from '../../../toolkit/conformance/html.ts'
import { junitReport } from '../../../toolkit/conformance/junit.ts'
import { type ConformanceReport, jsonReport, summarizeGroups, totals } from '../../../toolkit/conformance/report.ts'
import { runChecks } from '../../../toolkit/conformance/run.ts'
import { newRecipient } from '../../../toolkit/encryptor/certificate.ts'
import { explainRefusal } from '../../../toolkit/encryptor/explain-refusal.ts'
import { SHAPES } from '../../../toolkit/encryptor/request/shapes.ts'
import { connect } from '../../../toolkit/encryptor/send.ts'
import { SYSTEM_NAMES } from '../../../toolkit/encryptor/systems.ts'
import { RULE_BY_ID } from '../../../toolkit/rules/rules.ts'
import { exitCodeFor, FAIL_ON, type FailOn, severityColours } from '../../shared/findings.ts'
import { readNumber } from '../../shared/options.ts'
import { addSendingOptions, readSending, type SendingOptions } from '../../shared/sending.ts'
import { interruption, stdoutColours, type World, writePrivateFile } from '../../shared/world.ts'

/** Defines `keyspring verify`. */
export function defineVerify(command: Command, world: World): void {
  command
    .argument('[url]', 'URL for SPEKE requests, such as https://host/speke/v2.0/copyProtection')
    .addOption(
      new Option('--as <encryptor>', 'send requests like this encryptor, and check what it requires')
        .choices(ENCRYPTORS)
        .default('spec'),
    )
    .option('--only <checks...>', 'run only these checks: a group, the start of a name, or a name with *')
    .option('--skip <checks...>', 'leave these checks out: a group, the start of a name, or a name with *')
    .option('--list', 'print the checks and send nothing')
    .option(
      '--drm <systems>',
      'DRM systems that the key provider must support, separated by commas',
      'widevine,playready,fairplay,aes-128',
    )
    .option('--content-id <id>', 'start of the contentIds', 'keyspring-verify')
    .option('--concurrency <n>', 'number of checks that run at the same time', '4')
  addSendingOptions(command)
    .option('--html <file>', 'write a report in one HTML file, to send to the operator of the key provider')
    .option('--junit <file>', 'write a report as JUnit XML')
    .option('--json <file>', 'write a report as JSON; - for standard output')
    .option('--show-keys', 'leave content keys in reports')
    .option('--all', 'print every finding, not only the first of each cause')
    .addOption(new Option('--fail-on <severity>', 'lowest severity that fails').choices(FAIL_ON).default('error'))
    .addHelpText('after', HELP)
    .action((url: string | undefined, options: VerifyOptions) => verify(url, options, world))
}

const HELP = `
The command requests keys for a few hundred contents whose IDs start with --content-id: use a tenant or stage for tests.
Keyspring lets these contents expire after 24 hours.
Reports contain no keys unless you give --show-keys.

Examples:
  keyspring verify http://127.0.0.1:8080/copyProtection
  keyspring verify URL --as mediapackage-v2 --html report.html
  keyspring verify URL --only v2.0-live --only 'systems/*fairplay*'
  keyspring verify URL --drm widevine,playready --skip encryption
  keyspring verify URL --junit report.xml --fail-on warning
  keyspring verify --list --as shaka
  keyspring verify https://ID.execute-api.eu-west-1.amazonaws.com/stage/copyProtection --auth sigv4

Exit codes: 0 nothing as severe as --fail-on, 1 no answer at all, 2 wrong usage, 6 errors found, 7 warnings, 8 notes.`

interface VerifyOptions extends SendingOptions {
  readonly as: EncryptorName
  readonly only?: readonly string[]
  readonly skip?: readonly string[]
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

/** Runs the checks against a key provider, prints the findings and writes reports. */
async function verify(url: string | undefined, options: VerifyOptions, world: World): Promise<void> {
  const recipient = newRecipient(Date.now(), randomBytes)
  const checks = pick(options, recipient.certificate)
  if (options.list === true) {
    for (const { name, title } of checks) world.stdout.line(`${name.padEnd(48)}  ${title}`)
    world.stderr.line(`keyspring: ${checks.length} checks as ${options.as}`)
    return
  }
  if (url === undefined) throw wrongUsage('expected the URL of a key provider, or --list')
  const sending = readSending(url, SHAPES[options.as], options, world)
  const concurrency = readNumber('--concurrency', options.concurrency, 1, MAX_CONCURRENCY)
  const interrupted = interruption(world)
  const startedAt = new Date().toISOString()
  const start = performance.now()
  const showProgress = progress(checks.length, world)
  const door = watchDoor()
  const results = await runChecks(checks, {
    as: options.as,
    connect: (headers) => connect({ ...sending, headers: { ...sending.headers, ...headers } }),
    privateKey: recipient.privateKey,
    concurrency,
    onResult: (result, done) => {
      showProgress(result, done)
      door.look(result)
    },
    isStopped: () => interrupted.signal.aborted || door.isShut(),
  })
  interrupted.dispose()
  if (results.length === 0) throw wrongUsage('no check was run: all were interrupted')
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
  writeReports(report, options, world)
  if (options.json !== '-') world.stdout.write(printReport(report, options.all === true, world))
  world.exitCode = exitCodeFor(
    results.flatMap(({ worst }) => worst ?? []),
    options.failOn,
  )
}

function pick(options: VerifyOptions, certificate: Uint8Array): readonly Check[] {
  const drm = options.drm.split(',').map((name) => name.trim().toLowerCase())
  const unknown = drm.find((name) => !SYSTEM_NAMES.includes(name))
  if (unknown !== undefined) throw wrongUsage(`--drm: expected ${SYSTEM_NAMES.join(', ')}`)
  // A contentId has at most 256 characters: the checks append to this text.
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(options.contentId)) {
    throw wrongUsage('--content-id: expected 1 to 128 of A-Z, a-z, 0-9, _ and -')
  }
  const fresh = randomBytes(6).toString('hex')
  const { as, only = [], skip = [] } = options
  // Keyspring lets contents with this text expire within a day, and expects no further key periods of them.
  const contentId = options.contentId.includes(MARK) ? options.contentId : `${options.contentId}-${MARK}`
  const checks = pickChecks(checksFor({ as, drm, contentId, fresh, certificate }), { only, skip })
  if (checks.length === 0) throw wrongUsage('--only, --skip: no check is left; --list shows all')
  return checks
}

const MARK = 'keyspring-verify'

/** How many checks may get no answer of a key provider before the others are not run. */
const ENOUGH = 10
/** Statuses that come from something in front of the key provider. */
const SHUT: ReadonlySet<number> = new Set([401, 403, 404, 405, 407])

/** Watches whether any check reaches the key provider. */
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
    /** Throws if no check reached the key provider. */
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

/** Reports progress on one line of a terminal; nothing elsewhere. */
function progress(count: number, { stderr }: World): (result: CheckResult, done: number) => void {
  if (!stderr.isTerminal) return () => undefined
  let failed = 0
  return ({ check, worst }, done) => {
    if (worst === 'error') failed += 1
    const line = `${done}/${count} checks, ${failed} with errors, ${check.name}`
    stderr.write(`\r\u001b[2K${done === count ? '' : line.slice(0, stderr.columns - 1)}`)
  }
}

function writeReports(
  report: ConformanceReport,
  { html, junit, json }: VerifyOptions,
  { stdout, stderr }: World,
): void {
  const files: readonly (readonly [string | undefined, (report: ConformanceReport) => string])[] = [
    [html, htmlReport],
    [junit, junitReport],
    [json === '-' ? undefined : json, jsonReport],
  ]
  for (const [file, print] of files) {
    if (file === undefined) continue
    // Readable only by this user: a report may contain keys, and lists weaknesses.
    writePrivateFile(file, print(report))
    stderr.line(`keyspring: wrote ${file}${report.showKeys ? ', which contains content keys' : ''}`)
  }
  if (json === '-') stdout.write(jsonReport(report))
}

function printReport({ results, url, as, seconds }: ConformanceReport, all: boolean, world: World): string {
  const color = stdoutColours(world)
  const paint = severityColours(color)
  const lines: string[] = []
  for (const { rule, severity, harm, failed, looked, first } of causesOf(results)) {
    const findings = all ? failed.flatMap((result) => result.findings.filter((one) => one.rule === rule)) : [first]
    for (const { what, place } of findings) {
      lines.push(`${paint[severity](severity)}: ${color.bold(what)} ${color.dim(`[${rule}]`)}`)
      if (place !== undefined)
        lines.push(`  where: ${place.side} ${place.path}${place.line === undefined ? '' : `, line ${place.line}`}`)
    }
    const names = failed.slice(0, all ? undefined : SHOWN_CHECKS).map(({ check }) => check.name)
    const more = failed.length > names.length ? ' …' : ''
    const told = RULE_BY_ID.get(rule)
    lines.push(`  harm:  ${harm}`, `  sent:  ${failed.length} of ${looked} checks: ${names.join(', ')}${more}`)
    lines.push(`  why:   ${told?.why}`, `  fix:   ${told?.fix}`, color.dim(`  source: ${told?.clause}`), '')
  }
  for (const { group, checks, passed, affected } of summarizeGroups(results)) {
    const failed = checks - passed - affected
    const parts = [
      ...(failed > 0 ? [color.red(`${failed} not passed`)] : []),
      ...(affected > 0 ? [color.yellow(`${affected} affected`)] : []),
    ]
    const mark = parts.join(', ') || color.green('passed')
    lines.push(`${group.padEnd(16)} ${String(checks).padStart(4)} checks  ${mark}  ${color.dim(CHECK_GROUPS[group])}`)
  }
  const { checks, requests, withErrors, withWarnings, withNotes, affected, causes } = totals(results)
  if (affected > 0) {
    lines.push('', `${affected} checks are affected only by causes that another check shows: ${causes} causes in all`)
  }
  lines.push(
    '',
    `${url} as ${as}: ${checks} checks, ${requests} requests in ${seconds.toFixed(1)} s: ${withErrors} with errors, ${withWarnings} with warnings, ${withNotes} with notes`,
  )
  return lines.map((line) => `${line}\n`).join('')
}

const SHOWN_CHECKS = 3

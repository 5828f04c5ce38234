import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { KeyProviderError } from '../../../core/errors.ts'
import type { Reader } from '../../../toolkit/encryptor/answer/keys.ts'
import { type Answer, readAnswer } from '../../../toolkit/encryptor/answer/read.ts'
import { newRecipient } from '../../../toolkit/encryptor/certificate.ts'
import { explainRefusal } from '../../../toolkit/encryptor/explain-refusal.ts'
import { follow, type RotationEvent } from '../../../toolkit/encryptor/follow.ts'
import { MAX_LOAD_SECONDS, MAX_REQUESTS_PER_SECOND, printLoad, runLoad } from '../../../toolkit/encryptor/load.ts'
import type { BuiltRequest } from '../../../toolkit/encryptor/request/build.ts'
import type { Connection } from '../../../toolkit/encryptor/send.ts'
import { EXIT, exitCodeOf } from '../../shared/exit-codes.ts'
import { connectWith, type SendingOptions } from '../../shared/request-connection.ts'
import { type Asking, type AskOptions, readAsking, readNumber, readStart, wrong } from '../../shared/request-options.ts'
import { type OutputChoice, runCommand, writeAnswer } from './output.ts'

interface RequestOptions extends AskOptions, SendingOptions, OutputChoice {
  readonly encryptTo?: string
  readonly privateKey?: string
  readonly run?: boolean
  readonly load?: string
  readonly duration: string
  readonly dryRun?: boolean
}

/** Asks a key provider and prints what came; or follows its key periods, or loads it. */
export async function request(url: string, command: readonly string[], options: RequestOptions): Promise<void> {
  if ((options.run === true) !== command.length > 0) throw wrong('--run and a command behind -- go together')
  const { certificates, reader } = readRecipient(options)
  const asking = readAsking(options, certificates)
  const start = readStart(options.start, asking.interval, Date.now())
  const built = asking.build(asking.firstPeriod, options.follow === true ? 1 : asking.periods, start)
  if (options.dryRun === true) {
    process.stdout.write(built.xml)
    return
  }
  const connection = connectWith(url, asking.shape, options)
  try {
    if (options.load !== undefined) await load(connection, built, options)
    else if (options.follow === true) await followPeriods(connection, asking, reader, options)
    else {
      const { answer } = await ask(connection, built, reader)
      for (const warning of answer.warnings) process.stderr.write(`warning: ${warning}\n`)
      if (options.run === true) process.exitCode = await runCommand(command, answer, options)
      else writeAnswer(answer, options)
    }
  } finally {
    connection.close()
  }
}

/** One request and its answer. Throws when it is refused or cannot be used. */
async function ask(connection: Connection, built: BuiltRequest, reader: Reader | undefined) {
  const reply = await connection.send(built.xml, built.version)
  if (reply.status !== 200) throw new KeyProviderError('ERR_KEY_PROVIDER_REFUSED', explainRefusal(reply))
  return { answer: readAnswer(reply, built, reader), milliseconds: reply.milliseconds }
}

function readRecipient({ encryptTo, privateKey }: RequestOptions): {
  readonly certificates: readonly Uint8Array[]
  readonly reader: Reader | undefined
} {
  if (encryptTo === undefined) {
    if (privateKey !== undefined) throw wrong('--private-key needs --encrypt-to with its certificate')
    return { certificates: [], reader: undefined }
  }
  if (encryptTo === 'new') {
    const recipient = newRecipient(Date.now(), randomBytes)
    return { certificates: [recipient.certificate], reader: recipient }
  }
  const x509 = parsed('--encrypt-to', encryptTo, (bytes) => new X509Certificate(bytes))
  const certificate = new Uint8Array(x509.raw)
  if (privateKey === undefined) return { certificates: [certificate], reader: undefined }
  const key = parsed('--private-key', privateKey, createPrivateKey)
  if (!x509.checkPrivateKey(key)) throw wrong('--private-key is not that of the certificate of --encrypt-to')
  return { certificates: [certificate], reader: { certificate, privateKey: key } }
}

function parsed<T>(option: string, file: string, parse: (bytes: Buffer) => T): T {
  const bytes = readFileSync(file)
  try {
    return parse(bytes)
  } catch (cause) {
    throw new KeyProviderError('ERR_USAGE_INVALID', `${option}: ${file} cannot be read as that`, { cause })
  }
}

async function load(connection: Connection, built: BuiltRequest, options: RequestOptions): Promise<void> {
  const report = await runLoad({
    send: () => connection.send(built.xml, built.version),
    requestsPerSecond: readNumber('--load', options.load, 1, MAX_REQUESTS_PER_SECOND) ?? 1,
    durationMs: (readNumber('--duration', options.duration, 1, MAX_LOAD_SECONDS) ?? 1) * 1000,
    ticks: () => performance.now(),
    sleep: (ms) => sleep(ms),
  })
  process.stdout.write(printLoad(report))
  if (report.failures.size > 0) process.exitCode = EXIT.failed
  else if ([...report.statuses.keys()].some((status) => status !== 200)) process.exitCode = EXIT.refused
}

async function followPeriods(
  connection: Connection,
  asking: Asking,
  reader: Reader | undefined,
  options: RequestOptions,
): Promise<void> {
  const { interval, firstPeriod } = asking
  if (interval === undefined) throw wrong('--follow needs --interval')
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  process.once('SIGTERM', () => stop.abort())
  const start = readStart(options.start, interval, Date.now())
  process.stderr.write(`following key periods of ${interval} s; Ctrl-C ends it with a report\n`)
  const events = await follow({
    ask: (period) => ask(connection, asking.build(period, 1, start + (period - firstPeriod) * interval * 1000), reader),
    firstPeriod,
    periods: options.periods === undefined ? Number.POSITIVE_INFINITY : asking.periods,
    intervalMs: interval * 1000,
    ticks: () => performance.now(),
    sleep: (ms) => sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined),
    isStopped: () => stop.signal.aborted,
    onEvent: (event) => process.stdout.write(`${new Date().toISOString()}  ${describeEvent(event)}\n`),
  })
  const failed = events.filter((event) => event.outcome === 'failed')
  const unchanged = events.filter((event) => event.outcome === 'unchanged').length
  process.stdout.write(
    `${events.length} key periods, ${failed.length} without keys, ${unchanged} with keys of the one before\n`,
  )
  const [first] = failed
  if (first !== undefined) process.exitCode = exitCodeOf(first.error)
}

function describeEvent(event: RotationEvent): string {
  if (event.outcome === 'failed') {
    const [first = ''] = event.error.message.split('\n')
    return `period ${event.period}  no keys, the last ones go on: ${first}`
  }
  const keys = event.outcome === 'rotated' ? 'new keys' : 'A KEY OF THE PERIOD BEFORE'
  return `period ${event.period}  ${event.milliseconds.toFixed(0)} ms  ${keys}  ${kidsOf(event.answer)}`
}

function kidsOf({ keys }: Answer): string {
  return keys.map(({ kid, requested }) => `${requested.intendedTrackType}=${kid}`).join(' ')
}

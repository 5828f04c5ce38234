import { type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import { KeyProviderError, wrongUsage } from '../../../core/errors.ts'
import { ENCRYPTORS } from '../../../protocols/speke/tables/presets.ts'
import type { Reader } from '../../../toolkit/encryptor/answer/keys.ts'
import { type Answer, readAnswer } from '../../../toolkit/encryptor/answer/read.ts'
import { newRecipient } from '../../../toolkit/encryptor/certificate.ts'
import { explainRefusal } from '../../../toolkit/encryptor/explain-refusal.ts'
import { follow, type RotationEvent } from '../../../toolkit/encryptor/follow.ts'
import { MAX_LOAD_SECONDS, MAX_REQUESTS_PER_SECOND, printLoad, runLoad } from '../../../toolkit/encryptor/load.ts'
import { COMMAND_PLACEHOLDERS, OUTPUT_NAMES } from '../../../toolkit/encryptor/outputs/output.ts'
import type { BuiltRequest } from '../../../toolkit/encryptor/request/build.ts'
import { PERIOD_TIMINGS } from '../../../toolkit/encryptor/request/periods.ts'
import { AUDIO_PRESET_NAMES, VIDEO_PRESET_NAMES } from '../../../toolkit/encryptor/request/presets.ts'
import { CONTAINERS, SHAPES } from '../../../toolkit/encryptor/request/shapes.ts'
import { type Connection, connect } from '../../../toolkit/encryptor/send.ts'
import { SYSTEM_NAMES } from '../../../toolkit/encryptor/systems.ts'
import { EXIT, exitCodeOf } from '../../shared/errors.ts'
import { readNumber, readPrivateKey } from '../../shared/options.ts'
import { addSendingOptions, readSending, type SendingOptions } from '../../shared/sending.ts'
import { interruption, type World } from '../../shared/world.ts'
import { type Asking, type AskOptions, readAsking, readStart } from './asking.ts'
import { type OutputChoice, runCommand, writeAnswer } from './output.ts'

/** Defines `keyspring request`. */
export function defineRequest(command: Command, world: World): void {
  command
    .argument('<url>', 'URL for SPEKE requests, such as https://host/speke/v2.0/copyProtection')
    .argument('[command...]', 'with --run, after --: the packager to start')
    .addOption(
      new Option('--as <encryptor>', 'write the request like this encryptor').choices(ENCRYPTORS).default('spec'),
    )
    .addOption(
      new Option('--speke <version>', 'version of SPEKE (default: the version of the encryptor)').choices([
        '1.0',
        '2.0',
        '2.1',
      ]),
    )
    .option('--content-id <id>', 'the content', 'keyspring-request')
    .option('--video <preset>', VIDEO_PRESET_NAMES.join(', '))
    .option('--audio <preset>', AUDIO_PRESET_NAMES.join(', '))
    .option('--drm <systems>', `${SYSTEM_NAMES.join(', ')} or UUIDs, separated by commas`, 'widevine,playready')
    .option(
      '--scheme <scheme>',
      'cenc, cbcs, cbc1, cens; in 2.1 also AES-128, SAMPLE-AES, SAMPLE-AES-CTR (default: fits the systems)',
    )
    .addOption(
      new Option('--container <kind>', 'request only the signalling for')
        .choices(Object.keys(CONTAINERS))
        .default('all'),
    )
    .option('--iv <iv>', 'explicitIV: new, none, or 32 hex digits for every key (default: like the encryptor)')
    .option(
      '--kid <[track=]kid...>',
      'kid of a track, or of the only key (default: derived from contentId, track and period)',
    )
    .option('--new-kids', 'use random kids, for keys that were never requested')
    .option(
      '--encrypt-to <file>',
      'encrypt the keys for this certificate (PEM or DER); new: for a new one, and decrypt them',
    )
    .option('--private-key <file>', 'decrypt with this private key (PEM) and check every MAC')
    .option('--live', 'request a key period')
    .option('--vod', 'request no key period, or with --periods offsets into the content')
    .option('--periods <n>', 'number of key periods in one request; with --follow, number of requests')
    .option('--interval <seconds>', 'duration of a key period')
    .option('--index <n>', 'index of the first key period')
    .option('--start <time>', 'start of the first key period (SPEKE 2.1; default: start of the current interval)')
    .addOption(new Option('--period-timing <timing>', 'how a key period gives its time').choices(PERIOD_TIMINGS))
    .option('--follow', 'request one key period after the other, each at its time, and report the timeline')

  addSendingOptions(command)
    .addOption(new Option('--format <format>', 'what to print').choices(OUTPUT_NAMES).default('table'))
    .option('--out <file>', 'write to this file (mode 0600)')
    .option('--show-keys', 'print content keys')
    .option('--track <track>', 'use only the key of this track, with its signalling (shaka, bento4, gpac, ffmpeg)')
    .option('--track-id <track=id...>', 'track ID in an MP4 file (bento4, gpac; default: counted from 1)')
    .option('--run', 'start the command after --, with its placeholders filled')
    .option('--load <rps>', 'send this many requests per second and print how long answers take')
    .option('--duration <seconds>', 'duration of --load', '10')
    .option('--dry-run', 'print the request and send nothing')
    .addHelpText('after', HELP)
    .action((url: string, packager: readonly string[], options: RequestOptions) =>
      request(url, packager, options, world),
    )
}

const HELP = `
Encryptors:
${ENCRYPTORS.map((name) => {
  const { title, assumed, versions, basis } = SHAPES[name]
  return `  ${name.padEnd(16)} ${title}, SPEKE ${versions.join(', ')}\n${' '.repeat(19)}${assumed ? 'ASSUMED: ' : ''}${basis}`
}).join('\n')}

Placeholders of --run:
  ${COMMAND_PLACEHOLDERS}

Examples:
  keyspring request http://127.0.0.1:8080/copyProtection
  keyspring request URL --as mediapackage-v2 --video VIDEO-2 --audio AUDIO-1 --drm widevine,playready,fairplay --scheme cbcs
  keyspring request URL --speke 2.1 --periods 3 --interval 60 --format json
  keyspring request URL --encrypt-to new --show-keys
  keyspring request https://ID.execute-api.eu-west-1.amazonaws.com/stage/copyProtection --auth sigv4
  keyspring request URL --auth digest --user encoder --secret-file password.txt
  keyspring request URL --format shaka --out keys.flags && packager --flagfile=keys.flags …
  keyspring request URL --run -- packager --flagfile={file:shaka} in=a.mp4,stream=video,out=v.mp4 --mpd_output a.mpd
  keyspring request URL --as elemental-live --drm aes-128 --format ffmpeg --out hls.keyinfo
  keyspring request URL --follow --periods 5 --interval 10
  keyspring request URL --load 200 --duration 10

Exit codes: 0 keys received, 1 no answer, 2 wrong usage, 4 rejected by the key provider, 5 unusable answer;
with --run, the exit code of the command.`

interface RequestOptions extends AskOptions, SendingOptions, OutputChoice {
  readonly encryptTo?: string
  readonly privateKey?: string
  readonly run?: boolean
  readonly load?: string
  readonly duration: string
  readonly dryRun?: boolean
}

/** Requests keys and prints the answer; or follows the key periods, or sends load. */
async function request(url: string, packager: readonly string[], options: RequestOptions, world: World): Promise<void> {
  if ((options.run === true) !== packager.length > 0)
    throw wrongUsage('--run needs a command after --, and the reverse')
  const { certificates, reader } = readRecipient(options, world)
  const asking = readAsking(options, certificates)
  const start = readStart(options.start, asking.interval, Date.now())
  const built = asking.build(asking.firstPeriod, options.follow === true ? 1 : asking.periods, start)
  if (options.dryRun === true) {
    world.stdout.write(built.xml)
    return
  }
  const connection = connect(readSending(url, asking.shape, options, world))
  try {
    if (options.load !== undefined) await load(connection, built, options, world)
    else if (options.follow === true) await followPeriods(connection, asking, reader, options, world)
    else {
      const { answer } = await ask(connection, built, reader)
      for (const warning of answer.warnings) world.stderr.line(`warning: ${warning}`)
      if (options.run === true) world.exitCode = await runCommand(packager, answer, options, world)
      else writeAnswer(answer, options, world)
    }
  } finally {
    connection.close()
  }
}

/** One request and its answer. Throws ERR_KEY_PROVIDER_REFUSED, and ERR_ANSWER_INVALID for an unusable answer. */
async function ask(connection: Connection, built: BuiltRequest, reader: Reader | undefined) {
  const reply = await connection.send(built.xml, built.version)
  if (reply.status !== 200) throw new KeyProviderError('ERR_KEY_PROVIDER_REFUSED', explainRefusal(reply))
  return { answer: readAnswer(reply, built, reader), milliseconds: reply.milliseconds }
}

function readRecipient(
  { encryptTo, privateKey }: RequestOptions,
  world: World,
): {
  readonly certificates: readonly Uint8Array[]
  readonly reader: Reader | undefined
} {
  if (encryptTo === undefined) {
    if (privateKey !== undefined) throw wrongUsage('--private-key needs --encrypt-to with its certificate')
    return { certificates: [], reader: undefined }
  }
  if (encryptTo === 'new') {
    const recipient = newRecipient(Date.now(), randomBytes)
    return { certificates: [recipient.certificate], reader: recipient }
  }
  const x509 = readCertificate(encryptTo)
  const certificate = new Uint8Array(x509.raw)
  if (privateKey === undefined) return { certificates: [certificate], reader: undefined }
  const key: KeyObject = readPrivateKey('--private-key', privateKey, world)
  if (!x509.checkPrivateKey(key))
    throw wrongUsage('--private-key: the key does not belong to the certificate of --encrypt-to')
  return { certificates: [certificate], reader: { certificate, privateKey: key } }
}

function readCertificate(file: string): X509Certificate {
  try {
    return new X509Certificate(readFileSync(file))
  } catch (cause) {
    throw wrongUsage(`--encrypt-to: ${file}: expected a certificate in PEM or DER`, cause)
  }
}

async function load(connection: Connection, built: BuiltRequest, options: RequestOptions, world: World): Promise<void> {
  const report = await runLoad({
    send: () => connection.send(built.xml, built.version),
    requestsPerSecond: readNumber('--load', options.load, 1, MAX_REQUESTS_PER_SECOND) ?? 1,
    durationMs: (readNumber('--duration', options.duration, 1, MAX_LOAD_SECONDS) ?? 1) * 1000,
    ticks: () => performance.now(),
    sleep: (ms) => sleep(ms),
  })
  world.stdout.write(printLoad(report))
  if (report.failures.size > 0) world.exitCode = EXIT.failed
  else if ([...report.statuses.keys()].some((status) => status !== 200)) world.exitCode = EXIT.refused
}

async function followPeriods(
  connection: Connection,
  asking: Asking,
  reader: Reader | undefined,
  options: RequestOptions,
  world: World,
): Promise<void> {
  const { interval, firstPeriod } = asking
  if (interval === undefined) throw wrongUsage('--follow needs --interval')
  const interrupted = interruption(world)
  const start = readStart(options.start, interval, Date.now())
  world.stderr.line(`following key periods of ${interval} s; press Ctrl-C to end with a report`)
  const events = await follow({
    ask: (period) => ask(connection, asking.build(period, 1, start + (period - firstPeriod) * interval * 1000), reader),
    firstPeriod,
    periods: options.periods === undefined ? Number.POSITIVE_INFINITY : asking.periods,
    intervalMs: interval * 1000,
    ticks: () => performance.now(),
    sleep: (ms) => sleep(ms, undefined, { signal: interrupted.signal }).catch(() => undefined),
    isStopped: () => interrupted.signal.aborted,
    onEvent: (event) => world.stdout.line(`${new Date().toISOString()}  ${describeEvent(event)}`),
  })
  interrupted.dispose()
  const failed = events.filter((event) => event.outcome === 'failed')
  const unchanged = events.filter((event) => event.outcome === 'unchanged').length
  world.stdout.line(
    `${events.length} key periods, ${failed.length} without keys, ${unchanged} with keys of the period before`,
  )
  const [first] = failed
  if (first !== undefined) world.exitCode = exitCodeOf(first.error)
}

function describeEvent(event: RotationEvent): string {
  if (event.outcome === 'failed') {
    const [first = ''] = event.error.message.split('\n')
    return `period ${event.period}  no keys, the last keys stay in use: ${first}`
  }
  const keys = event.outcome === 'rotated' ? 'new keys' : 'A KEY OF THE PERIOD BEFORE'
  return `period ${event.period}  ${event.milliseconds.toFixed(0)} ms  ${keys}  ${kidsOf(event.answer)}`
}

function kidsOf({ keys }: Answer): string {
  return keys.map(({ kid, requested }) => `${requested.intendedTrackType}=${kid}`).join(' ')
}

import { type Command, Option } from 'commander'
import { wrongUsage } from '../../core/errors.ts'
import { ENCRYPTORS, type EncryptorName } from '../../protocols/speke/tables/presets.ts'
import { SPEKE_2_0, SPEKE_VERSIONS } from '../../protocols/speke/tables/versions.ts'
import { judge } from '../../toolkit/rules/judge.ts'
import { isPlainCpix, readSide, type Side, withSignatures } from '../../toolkit/rules/side.ts'
import {
  countFindings,
  exitCodeFor,
  FAIL_ON,
  type FailOn,
  findingsAsJson,
  printAnnotations,
  printFindings,
  type SideNames,
} from '../shared/findings.ts'
import { readPrivateKey } from '../shared/options.ts'
import { printResult, readInput, stdoutColours, type World } from '../shared/world.ts'

/** Defines `keyspring lint`. */
export function defineLint(command: Command, world: World): void {
  command
    .argument('<file>', 'a request or an answer; with a second file, the request; - for standard input')
    .argument('[answer]', 'the answer to the request')
    .addOption(new Option('--as <encryptor>', 'check what this encryptor requires').choices(ENCRYPTORS).default('spec'))
    .addOption(
      new Option('--kind <kind>', 'what a single file is (default: an answer if it has keys)').choices([
        'request',
        'answer',
      ]),
    )
    .addOption(
      new Option('--speke <version>', 'version of SPEKE (default: from CPIX@version)').choices(['1.0', '2.0', '2.1']),
    )
    .option('--private-key <file>', 'decrypt the keys of an answer with this private key (PEM) and check every MAC')
    .option('--json', 'print JSON')
    .option('--annotations', 'print workflow commands of GitHub Actions')
    .option('--all', 'print every finding, not only the first three of each rule')
    .addOption(new Option('--fail-on <severity>', 'lowest severity that fails').choices(FAIL_ON).default('error'))
    .addHelpText('after', HELP)
    .action((file: string, answer: string | undefined, options: LintOptions) => lint(file, answer, options, world))
}

const HELP = `
The command sends nothing and never prints keys.

Examples:
  keyspring lint request.xml
  keyspring lint request.xml answer.xml
  keyspring lint request.xml answer.xml --as mediapackage-v2 --fail-on warning
  keyspring lint answer.xml --private-key recipient.pem
  keyspring lint request.xml --json | jq '.findings[].rule'
  keyspring lint request.xml answer.xml --annotations      in a workflow of GitHub Actions

Exit codes: 0 nothing as severe as --fail-on, 2 wrong usage, 6 errors found, 7 warnings, 8 notes.`

interface LintOptions {
  readonly as: EncryptorName
  readonly kind?: 'request' | 'answer'
  readonly speke?: string
  readonly privateKey?: string
  readonly json?: boolean
  readonly annotations?: boolean
  readonly all?: boolean
  readonly failOn: FailOn
}

/** Prints what the rules find in a document, or in an answer together with its request. */
async function lint(file: string, answerFile: string | undefined, options: LintOptions, world: World): Promise<void> {
  if (options.json === true && options.annotations === true)
    throw wrongUsage('--json and --annotations exclude each other')
  if (answerFile !== undefined && options.kind !== undefined) throw wrongUsage('--kind is for a single file')
  if (file === '-' && answerFile === '-') throw wrongUsage('only one of the two files can be standard input')
  const read = {
    version: SPEKE_VERSIONS.get(options.speke ?? ''),
    as: options.as,
    privateKey:
      options.privateKey === undefined ? undefined : readPrivateKey('--private-key', options.privateKey, world),
  }
  const first = await withSignatures(readSide(readInput(world, file), read))
  const second =
    answerFile === undefined ? undefined : await withSignatures(readSide(readInput(world, answerFile), read))
  const isAnswer = second === undefined && (options.kind ?? kindOf(first)) === 'answer'
  const [request, answer] = isAnswer ? [undefined, first] : [first, second]
  const version = read.version ?? request?.view?.version ?? answer?.view?.version ?? SPEKE_2_0
  const { findings, looked } = judge({ as: options.as, version, request, answer, privateKey: read.privateKey })

  const [requestName, answerName] = isAnswer ? [file, file] : [file, answerFile ?? file]
  const names: SideNames = { request: requestName, answer: answerName, reply: answerName }
  if (options.annotations === true) {
    world.stdout.write(printAnnotations(findings, names))
  } else if (options.json === true) {
    printResult(
      world,
      true,
      {
        as: options.as,
        speke: isPlainCpix(version) ? null : version.header,
        rules: looked.size,
        findings: findingsAsJson(findings, names),
      },
      () => [],
    )
  } else {
    world.stdout.write(printFindings(findings, { names, colours: stdoutColours(world), all: options.all === true }))
  }
  for (const { path, covers, fingerprint, problem } of [...(first.signatures ?? []), ...(second?.signatures ?? [])]) {
    if (problem !== undefined) continue
    world.stderr.line(
      `keyspring: ${path} is a valid signature of ${covers.join(', ')}, certificate SHA-256 ${fingerprint}`,
    )
  }
  const subject = isAnswer ? 'an answer' : answer === undefined ? 'a request' : 'a request and its answer'
  world.stderr.line(
    `keyspring: ${subject} of ${isPlainCpix(version) ? 'CPIX without SPEKE' : `SPEKE ${version.header}`} as ${options.as}, ${looked.size} rules: ${countFindings(findings)}`,
  )
  world.exitCode = exitCodeFor(
    findings.map(({ severity }) => severity),
    options.failOn,
  )
}

/** A document with a key in it is an answer. */
function kindOf({ view, document }: Side): 'request' | 'answer' {
  if (view?.keys.some(({ data }) => data !== undefined)) return 'answer'
  return document === undefined ? 'answer' : 'request'
}

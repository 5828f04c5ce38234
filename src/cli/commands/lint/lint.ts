import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { KeyProviderError } from '../../../core/errors.ts'
import type { EncryptorName } from '../../../protocols/speke/tables/encryptors.ts'
import { SPEKE_2_0, SPEKE_VERSIONS } from '../../../protocols/speke/tables/versions.ts'
import { judge } from '../../../toolkit/rules/judge.ts'
import { readSide, type Side } from '../../../toolkit/rules/side.ts'
import { wantsColours } from '../../shared/colours.ts'
import {
  countFindings,
  exitCodeFor,
  type FailOn,
  findingsAsJson,
  printAnnotations,
  printFindings,
  type SideNames,
} from '../../shared/findings.ts'
import { wrong } from '../../shared/request-options.ts'

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

/** Prints what the rules find in a document, or in an answer beside its request. */
export function lint(file: string, answerFile: string | undefined, options: LintOptions): void {
  if (options.json === true && options.annotations === true)
    throw wrong('--json and --annotations contradict each other')
  if (answerFile !== undefined && options.kind !== undefined) throw wrong('--kind is for a single file')
  if (file === '-' && answerFile === '-') throw wrong('only one of the two can be standard input')
  const read = { version: SPEKE_VERSIONS.get(options.speke ?? ''), privateKey: readPrivateKey(options.privateKey) }
  const first = readSide(readFile(file), read)
  const second = answerFile === undefined ? undefined : readSide(readFile(answerFile), read)
  const isAnswer = second === undefined && (options.kind ?? kindOf(first)) === 'answer'
  const [request, answer] = isAnswer ? [undefined, first] : [first, second]
  const version = read.version ?? request?.view?.version ?? answer?.view?.version ?? SPEKE_2_0
  const { findings, looked } = judge({ as: options.as, version, request, answer, privateKey: read.privateKey })

  const [requestName, answerName] = isAnswer ? [file, file] : [file, answerFile ?? file]
  const names: SideNames = { request: requestName, answer: answerName, reply: answerName }
  if (options.json === true) {
    const report = {
      as: options.as,
      speke: version.header,
      rules: looked.size,
      findings: findingsAsJson(findings, names),
    }
    process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`)
  } else if (options.annotations === true) {
    process.stdout.write(printAnnotations(findings, names))
  } else {
    const colors = wantsColours(process.stdout, process.env)
    process.stdout.write(printFindings(findings, { names, colors, all: options.all === true }))
  }
  const subject = isAnswer ? 'an answer' : answer === undefined ? 'a request' : 'a request and its answer'
  process.stderr.write(
    `keyspring: ${subject} of SPEKE ${version.header} as ${options.as}, ${looked.size} rules: ${countFindings(findings)}\n`,
  )
  process.exitCode = exitCodeFor(
    findings.map(({ severity }) => severity),
    options.failOn,
  )
}

/** A document with a key in it is an answer. */
function kindOf({ view, document }: Side): 'request' | 'answer' {
  if (view?.keys.some(({ data }) => data !== undefined)) return 'answer'
  return document === undefined ? 'answer' : 'request'
}

function readFile(file: string): Buffer {
  return readFileSync(file === '-' ? 0 : file)
}

function readPrivateKey(file: string | undefined): KeyObject | undefined {
  if (file === undefined) return undefined
  try {
    return createPrivateKey(readFileSync(file))
  } catch (cause) {
    throw new KeyProviderError('ERR_USAGE_INVALID', '--private-key cannot be read as a private key in PEM', { cause })
  }
}

import { KeyProviderError } from '../../../core/errors.ts'
import { concat, fillText, type Template, utf8Bytes } from '../../../core/template.ts'
import { DEFAULT_SETTINGS } from '../settings.ts'
import type { KeyFilling, SignalInput } from '../system.ts'
import {
  PLACEHOLDERS,
  printPieces,
  printTextTemplate,
  readTextTemplate,
  sampleFilling,
  sampleInput,
  xmlFragmentProblem,
} from './text.ts'

/** The data of a box: the text of `template`, with values escaped for `syntax`, encoded as `encoding` says. */
export interface PsshDataTemplate {
  readonly template: string
  /** Default `text`: nothing is escaped. */
  readonly syntax?: 'text' | 'json' | 'xml' | undefined
  /**
   * `utf8` and `base64url` (without padding) encode text; `hex` and `base64` are bytes. `irdeto` is UTF-8 text behind the head
   * of Irdeto's boxes.
   */
  readonly encoding: 'utf8' | 'base64url' | 'hex' | 'base64' | 'irdeto'
}

/** The bytes, one character each, that `config` describes. Throws ERR_CONFIG_INVALID, naming `where`. */
export function readPsshData(config: PsshDataTemplate, where: string): (input: SignalInput) => Template<KeyFilling> {
  const print = ENCODINGS[config.encoding](config, where)
  const problem = PROBLEMS[config.syntax ?? 'text'](config, where)
  if (problem !== undefined) throw invalid(`${where}: ${problem}`)
  return print
}

type ReadPsshData = (config: PsshDataTemplate, where: string) => (input: SignalInput) => Template<KeyFilling>

const ENCODINGS: Readonly<Record<PsshDataTemplate['encoding'], ReadPsshData>> = {
  utf8({ template, syntax }, where) {
    const text = readTextTemplate(template, where)
    return (input) => utf8Bytes(printTextTemplate(text, syntax ?? 'text', input))
  },
  irdeto(config, where) {
    const print = ENCODINGS.utf8(config, where)
    return (input) => {
      const text = print(input)
      return concat(irdetoHead(text.text.length), text)
    }
  },
  // The length of base64 without padding is not known before its holes are filled.
  base64url({ template, syntax }, where) {
    const text = readTextTemplate(
      template,
      where,
      PLACEHOLDERS.filter((name) => !IVS.has(name)),
    )
    return (input) => {
      const printed = printTextTemplate(text, syntax ?? 'text', input).text
      return { text: Buffer.from(printed).toString('base64url'), holes: [] }
    }
  },
  hex({ template }, where) {
    const text = readTextTemplate(template, where, ['kidHex', 'kidGuidHex', 'contentIdHex'])
    for (const piece of text) {
      if (typeof piece === 'string' && !/^(?:[\da-f]{2})*$/i.test(piece))
        throw invalid(`${where}: expected bytes in hex`)
    }
    return (input) => bytes(printPieces(text, 'text', input).join(''), 'hex')
  },
  base64({ template }, where) {
    readTextTemplate(template, where, [])
    if (!/^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/.test(template)) {
      throw invalid(`${where}: expected bytes in base64`)
    }
    const fixed = bytes(template, 'base64')
    return () => fixed
  },
}

const IVS = new Set(['iv', 'ivHex'])

/** Why the template lets a value change its structure, as `{"id":{contentId}}` does; undefined if it does not. */
const PROBLEMS: Readonly<
  Record<'text' | 'json' | 'xml', (config: PsshDataTemplate, where: string) => string | undefined>
> = {
  text: () => undefined,
  json: (config, where) => {
    try {
      JSON.parse(sample(config, 'json', where))
      return undefined
    } catch (error) {
      if (error instanceof SyntaxError) return 'not JSON; put placeholders into its strings'
      throw error
    }
  },
  xml: (config, where) => {
    const problem = xmlFragmentProblem(sample(config, 'xml', where))
    return problem && `not well-formed XML: ${problem}`
  },
}

function sample({ template }: PsshDataTemplate, syntax: 'json' | 'xml', where: string): string {
  const input = sampleInput('cenc', DEFAULT_SETTINGS)
  return fillText(printTextTemplate(readTextTemplate(template, where), syntax, input), sampleFilling())
}

/** Version 1, the size of the rest, and one record with its size, one character a byte. */
function irdetoHead(size: number): string {
  if (size > 0xffff) throw invalid(`the text of an Irdeto box has at most ${0xffff} bytes, got ${size}`)
  const head = Buffer.alloc(9)
  head.writeUInt8(1, 0)
  head.writeUInt32BE(4 + size, 1)
  head.writeUInt16BE(1, 5)
  head.writeUInt16BE(size, 7)
  return head.toString('latin1')
}

function bytes(text: string, encoding: 'hex' | 'base64'): Template<KeyFilling> {
  return { text: Buffer.from(text, encoding).toString('latin1'), holes: [] }
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_CONFIG_INVALID', problem)
}

import { KeyProviderError } from '../../../core/errors.ts'
import { concat, fillText, holeOf, type Part, type Template } from '../../../core/template.ts'
import { type CommonEncryptionScheme, guidBytes, kidOfBytes, uuidBytes } from '../../cenc.ts'
import { escapeAttribute } from '../../xml/markup.ts'
import { readXml } from '../../xml/reader.ts'
import { explicitIvBase64, explicitIvHex } from '../elements.ts'
import type { SignalingSettings } from '../settings.ts'
import type { KeyFilling, SignalInput } from '../system.ts'

/** Configured text with placeholders such as `{kid}`, read. Braces around anything but a name are text. */
type TextTemplate = readonly (string | { readonly placeholder: string })[]

/** The place of a template, which decides how values are escaped: quoted JSON, XML, a URI, or plain text. */
export type TemplatePlace = 'text' | 'json' | 'xml' | 'uri'

/** Values of some templates in addition to those of every template. */
type MoreValues = Readonly<Record<string, Part<KeyFilling>>>

/** The template in `text`. Throws ERR_CONFIG_INVALID, naming `where`, for a placeholder that it cannot have. */
export function readTextTemplate(text: string, where: string, known: readonly string[] = PLACEHOLDERS): TextTemplate {
  return text.split(/\{([A-Za-z][A-Za-z0-9]*)\}/).map((piece, index) => {
    if (index % 2 === 0) return piece
    if (known.includes(piece)) return { placeholder: piece }
    const names = known.map((name) => `{${name}}`).join(' ')
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      `${where}: {${piece}} is not a placeholder here; ${names === '' ? 'it has none' : `use one of ${names}`}`,
    )
  })
}

/** The pieces of `template` with their values, escaped for `place`. */
export function printPieces(
  template: TextTemplate,
  place: TemplatePlace,
  input: SignalInput,
  more: MoreValues = {},
): readonly Part<KeyFilling>[] {
  return template.map((piece) => {
    if (typeof piece === 'string') return piece
    const value = more[piece.placeholder] ?? VALUES[piece.placeholder]?.(input)
    if (value === undefined) {
      throw new KeyProviderError('ERR_SIGNALING_INVALID', `{${piece.placeholder}}: the answer returns no explicitIV`)
    }
    const escaped = ESCAPES[place][piece.placeholder]
    return escaped === undefined || typeof value !== 'string' ? value : escaped(value)
  })
}

/** `template` as text, escaped for `place`. */
export function printTextTemplate(
  template: TextTemplate,
  place: TemplatePlace,
  input: SignalInput,
  more?: MoreValues,
): Template<KeyFilling> {
  return withOneHole(concat(...printPieces(template, place, input, more)))
}

/** Two holes near each other cannot be base64 encoded one by one, so the text from the first to the last becomes one hole. */
function withOneHole(template: Template<KeyFilling>): Template<KeyFilling> {
  const { text, holes } = template
  const [first, last] = [holes[0], holes.at(-1)]
  if (first === undefined || last === undefined || first === last) return template
  const end = last.at + last.hole.length
  const span = {
    text: text.slice(first.at, end),
    holes: holes.map(({ at, hole }) => ({ at: at - first.at, hole })),
  }
  return concat(
    text.slice(0, first.at),
    holeOf(end - first.at, (filling) => fillText(span, filling)),
    text.slice(end),
  )
}

const VALUES: Readonly<Record<string, (input: SignalInput) => Part<KeyFilling> | undefined>> = {
  kid: ({ kid }) => kid,
  kidHex: ({ kid }) => uuidBytes(kid).toString('hex'),
  kidBase64: ({ kid }) => uuidBytes(kid).toString('base64'),
  kidTextBase64: ({ kid }) => Buffer.from(kid).toString('base64'),
  kidBase64Url: ({ kid }) => uuidBytes(kid).toString('base64url'),
  kidGuidBase64: ({ kid }) => guidBytes(kid).toString('base64'),
  kidGuidHex: ({ kid }) => guidBytes(kid).toString('hex'),
  contentId: ({ contentId }) => contentId,
  contentIdBase64: ({ contentId }) => Buffer.from(contentId).toString('base64'),
  contentIdBase64Url: ({ contentId }) => Buffer.from(contentId).toString('base64url'),
  contentIdHex: ({ contentId }) => Buffer.from(contentId).toString('hex'),
  scheme: ({ commonEncryptionScheme }) => commonEncryptionScheme,
  iv: explicitIvBase64,
  ivHex: explicitIvHex,
  keyUrl: ({ keyUrl }) => keyUrl,
  clearKeyLicenseUrl: ({ clearKeyLicenseUrl }) => clearKeyLicenseUrl,
}

/** The placeholders of every template. */
export const PLACEHOLDERS: readonly string[] = Object.keys(VALUES)

/** A contentId can contain any character, a URL those of URLs. The other values need no escape. */
const ESCAPES: Readonly<Record<TemplatePlace, Readonly<Record<string, (value: string) => string>>>> = {
  text: {},
  json: { contentId: jsonText, keyUrl: jsonText, clearKeyLicenseUrl: jsonText },
  xml: { contentId: escapeAttribute, keyUrl: escapeAttribute, clearKeyLicenseUrl: escapeAttribute },
  uri: { contentId: (value) => encodeURIComponent(value.toWellFormed()) },
}

function jsonText(value: string): string {
  return JSON.stringify(value).slice(1, -1)
}

/** Why `text` cannot be the content of an element; undefined for well-formed XML that declares each of its prefixes. */
export function xmlFragmentProblem(text: string): string | undefined {
  try {
    readXml(Buffer.from(`<fragment>${text}</fragment>`))
    return undefined
  } catch (error) {
    if (error instanceof KeyProviderError) return error.message
    throw error
  }
}

/** An input to try configured templates. Its contentId breaks a template that does not escape it. */
export function sampleInput(commonEncryptionScheme: CommonEncryptionScheme, settings: SignalingSettings): SignalInput {
  const kid = kidOfBytes(new Uint8Array(16))
  return {
    kid,
    contentId: '"\'\\<&>]]>\n é🔑%{kid}',
    commonEncryptionScheme,
    explicitIv: 'derived',
    periodKids: [kid],
    documentKids: [kid],
    periodIndex: 1,
    keyUrl: 'https://keys.example/k?a=1&b=2',
    clearKeyLicenseUrl: 'https://keys.example/c?a=1&b=2',
    pssh: undefined,
    settings,
  }
}

/** Zeros for the holes of a sample. */
export function sampleFilling(): KeyFilling {
  const zeros = new Uint8Array(16)
  return { memo: new Map(), keyAndIv: () => ({ contentKey: zeros, explicitIv: zeros }) }
}

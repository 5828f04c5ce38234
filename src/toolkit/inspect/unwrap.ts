/** An encoding around what is explained. */
export type Encoding = 'hex' | 'base64' | 'UTF-16' | 'data URI' | 'URL encoding' | 'HTML entities' | 'a list of bytes'

/** Text without what people paste around it. */
interface Unwrapped {
  readonly encoding: Encoding | 'quotes'
  readonly bytes: Uint8Array
}

/** What a text can hold if it was copied out of code, a URL or a web page. */
export function unwrapText(text: string): readonly Unwrapped[] {
  const made = (encoding: Unwrapped['encoding'], inner: string | undefined): readonly Unwrapped[] =>
    inner === undefined || inner === text ? [] : [{ encoding, bytes: Buffer.from(inner) }]
  const list = bytesOfList(text)
  return [
    ...made('quotes', withoutQuotes(text)),
    ...made('URL encoding', percentDecoded(text)),
    ...made('HTML entities', entitiesDecoded(text)),
    ...(list === undefined ? [] : [{ encoding: 'a list of bytes' as const, bytes: list }]),
  ]
}

/** Without quotes, and without the name before and the comma behind: `pssh = "…",`. */
function withoutQuotes(text: string): string | undefined {
  const quoted = /^(?:[\w$."'-]{1,64}\s*[=:]\s*)?(["'`])([^"'`]+)\1\s*[,;]?$/.exec(text)?.[2]
  if (quoted !== undefined) return quoted
  const named = /^[\w.-]{1,64}\s*[=:]\s*([A-Za-z0-9+/_=-]{16,})\s*[,;]?$/.exec(text)?.[1]
  return named ?? /^([A-Za-z0-9+/_=-]{16,})\s*[,;]$/.exec(text)?.[1]
}

function percentDecoded(text: string): string | undefined {
  if (!/%[\da-f]{2}/i.test(text)) return undefined
  try {
    return decodeURIComponent(text)
  } catch (problem) {
    if (problem instanceof URIError) return undefined
    throw problem
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'", '#39': "'" }

function entitiesDecoded(text: string): string | undefined {
  if (!text.startsWith('&lt;')) return undefined
  return text.replaceAll(/&(lt|gt|amp|quot|apos|#39);/g, (whole, name: string) => ENTITIES[name] ?? whole)
}

/** `0x00, 0x34, …`, `[0, 0, 0, 52, …]` or `\\x00\\x34…`, as code writes bytes. */
function bytesOfList(text: string): Uint8Array | undefined {
  const escaped = /^["']?((?:\\x[\da-f]{2})+)["']?$/i.exec(text)?.[1]
  if (escaped !== undefined) return Buffer.from(escaped.replaceAll(/\\x/gi, ''), 'hex')
  const inner =
    /^(?:[\w.()\s]{0,64})[[{(]?\s*((?:(?:0x[\da-f]{1,2}|\d{1,3})\s*,\s*){7,}(?:0x[\da-f]{1,2}|\d{1,3})?)\s*[\])}]*;?$/i.exec(
      text,
    )?.[1]
  if (inner === undefined) return undefined
  const values = inner
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .map(Number)
  return values.every((value) => value >= 0 && value <= 255) ? Uint8Array.from(values) : undefined
}

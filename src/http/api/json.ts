/** The deepest nesting of a JSON body. No operation needs more than 4. */
const MAX_DEPTH = 16
/** Values of a JSON body together: `kids` of an export may have 10 000. */
const MAX_VALUES = 20_000

const QUOTE = 0x22
const BACKSLASH = 0x5c
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT, COMMA] = [0x5b, 0x5d, 0x7b, 0x7d, 0x2c]

const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** The value of a JSON body, or what is wrong with it. Depth and count are checked before anything is built. */
export function readJson(bytes: Uint8Array): { readonly value?: unknown; readonly problem?: string } {
  const problem = sizeProblem(bytes)
  if (problem !== undefined) return { problem }
  try {
    return { value: JSON.parse(UTF8.decode(bytes)) }
  } catch (error) {
    // The message of V8 quotes the text.
    if (error instanceof SyntaxError || error instanceof TypeError) return { problem: 'expected JSON in UTF-8' }
    throw error
  }
}

/** Why a text of JSON is too deep or has too many values. One pass over the bytes; what is not JSON passes. */
function sizeProblem(bytes: Uint8Array): string | undefined {
  let depth = 0
  let values = 1
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) at = endOfString(bytes, at)
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
      depth++
      values++
      if (depth > MAX_DEPTH) return `expected JSON with at most ${MAX_DEPTH} levels`
    } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) depth--
    else if (byte === COMMA) values++
    if (values > MAX_VALUES) return `expected JSON with at most ${MAX_VALUES} values`
  }
  return undefined
}

/** The index of the quote that ends the string whose first quote is at `at`. */
function endOfString(bytes: Uint8Array, at: number): number {
  let end = at
  do {
    end = bytes.indexOf(QUOTE, end + 1)
    if (end < 0) return bytes.length
  } while (isEscaped(bytes, end))
  return end
}

/** Whether an odd number of backslashes precedes the byte. */
function isEscaped(bytes: Uint8Array, at: number): boolean {
  let first = at
  while (first > 0 && bytes[first - 1] === BACKSLASH) first--
  return (at - first) % 2 === 1
}

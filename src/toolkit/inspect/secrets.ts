import { type InspectFinding, type InspectOptions, note, warning } from './node.ts'

/** Text as it may be printed, and a finding if a content key is in it. */
interface ShownText {
  readonly text: string
  readonly findings: readonly InspectFinding[]
}

/**
 * Text without the content keys in it: the whole text if it could be a key, and the value of a parameter of a URL that is named
 * like a key or could be one. Kids are not hidden. `showKeys` shows everything.
 */
export function shownText(text: string, { showKeys }: InspectOptions): ShownText {
  if (couldBeKey(text)) return { text: showKeys === true ? text : 'hidden, it could be a key', findings: [] }
  const found = new Set<InspectFinding>()
  const cleaned = text.replaceAll(PARAMETER, (whole, before: string, name: string, between: string, value: string) => {
    const finding = findingOf(name, percentDecoded(value))
    if (finding === undefined) return whole
    found.add(finding)
    return `${before}${name}${between}hidden`
  })
  return { text: showKeys === true ? text : cleaned, findings: [...found] }
}

/** Whether text is 16 or 32 bytes in hex or base64, as keys are. */
export function couldBeKey(text: string): boolean {
  return COULD_BE_KEY.test(percentDecoded(text).replaceAll(/\s/g, ''))
}

const KEY: InspectFinding = warning('holds a content key: everyone who has this text has the key; remove it')
const MAYBE_KEY: InspectFinding = note('a value is hidden, it could be a key')

const COULD_BE_KEY = /^(?:(?:0x)?(?:[\da-f]{32}|[\da-f]{64})|[\w+/-]{22}(?:==)?|[\w+/-]{43}=?)$/i

/** `name=value` or `name:value`, at the start of text or behind what separates parameters of a query, a path or a list. */
const PARAMETER = /(^|[?&#;,(\s{"'])([\w.~-]{1,64})("?\s?[=:]\s?["']?)((?!\/\/)[\w+/=%.~-]{6,})/g

const KEY_NAME = /(?:^|[_.-])(?:content|clear|enc(?:ryption)?|aes|media|raw)?[_-]?key(?:_?(?:hex|value|data))?$|^k$/i
/** Names of values that are public, although they have the size of a key. */
const PUBLIC_NAME = /(?:k(?:ey)?[_.-]?ids?|iv|systemid)$/i

function findingOf(name: string, value: string): InspectFinding | undefined {
  if (PUBLIC_NAME.test(name)) return undefined
  // `?kid=key`, as ClearKey test pages have it.
  if (couldBeKey(value)) return KEY_NAME.test(name) || couldBeKey(name) ? KEY : MAYBE_KEY
  return KEY_NAME.test(name) && /^[\w+/=-]{16,}$/.test(value) ? KEY : undefined
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (problem) {
    if (problem instanceof URIError) return text
    throw problem
  }
}

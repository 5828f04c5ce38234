/** A number from 0 up to, not including, `below`. */
export type Random = (below: number) => number

/** The same numbers for the same seed (mulberry32). */
export function random(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * below)
  }
}

/** A document that is nearly always well-formed. */
export function anyDocument(next: Random): string {
  const declaration = next(6) === 0 ? pick(next, DECLARATIONS) : ''
  return declaration + misc(next) + element(next, 0, ['']) + misc(next)
}

/** `source` with one to three places changed. */
export function mutated(next: Random, source: string): string {
  let text = source
  for (let left = next(3) === 0 ? 2 : 1; left > 0; left--) text = pick(next, MUTATIONS)(next, text)
  // What cannot be said in UTF-8 is not part of this corpus.
  return text.toWellFormed()
}

/** `bytes` with one bit changed: more often than not no longer UTF-8 where they were not ASCII. */
export function withFlippedBit(next: Random, bytes: Uint8Array): Uint8Array {
  const at = next(bytes.length)
  return bytes.map((byte, i) => (i === at ? byte ^ (1 << next(8)) : byte))
}

const DECLARATIONS = [
  '<?xml version="1.0"?>',
  "<?xml version='1.0' encoding='utf-8' ?>",
  '<?xml\tversion = "1.0"\r\nencoding\n=\n"US-ASCII" standalone="yes"?>\n',
  '<?xml version="1.0" standalone=\'no\'?>',
  '<?xml version="1.0" encoding="ISO-8859-1"?>',
  '<?xml version="1.1"?>',
  '\ufeff',
  '\ufeff<?xml version="1.0" encoding="UTF-8"?>',
]
const SPACES = ['', '', ' ', '\n', '\r\n', '\t ', '\r', '\n    ']
const GAPS = [' ', ' ', '\n', '\r\n  ', '\t', '\r']
const LOCALS = ['a', 'b', 'ContentKey', 'kid', '_x', 'a-b.c', 'é', 'Ω1', '\u{10400}z', 'xml', 'xmlnsx', '__proto__']
const PREFIXES = ['p', 'q', 'cpix', 'é', 'constructor']
const NAMESPACES = ['urn:a', 'urn:b', 'urn:a', 'urn:dashif:org:cpix', 'http://é/?a&amp;b', 'urn:&#x61;', ' urn:a']
const TEXTS = [
  'text',
  'a b',
  '\n  ',
  ' \r\n',
  '\r',
  'é',
  '日本',
  '\u{1f511}',
  ']]',
  ']',
  '>',
  '"',
  "'",
  '\u0085',
  '\u007f',
  '=',
  '/',
]
const REFERENCES = [
  '&amp;',
  '&lt;',
  '&gt;',
  '&quot;',
  '&apos;',
  '&#13;',
  '&#10;',
  '&#x9;',
  '&#x1F511;',
  '&#0065;',
  '&#xE9;',
  '&#93;',
]
const COMMENTS = ['<!---->', '<!-- a -->', '<!-- <a b="&c;"> ]]> -->', '<!--\r\n-é-->', '<!-->-->']
const SECTIONS = [
  '<![CDATA[]]>',
  '<![CDATA[<a>&amp;]]>',
  '<![CDATA[]]]>',
  '<![CDATA[ ]] > \r\n ]]>',
  '<![CDATA[<!--]]>',
]
// biome-ignore format: a table of tokens
const MARKUP = [
  '<', '>', '/>', '</', '</a>', '<a>', '<a/>', '<p:a/>', '<xml:a/>', '<xmlns:a/>', '&', ';', '&#', '&#x', '&amp', '&foo;', '&#0;', '&#xD800;',
  '&#x110000;', '&#xFFFE;', '&#X41;', '&#x;', '&#;', '&#x10FFFF;', '&#99999999999999999999;', '"', "'", '=', ':', ' ', '\t', '\r', '\n', ']]>', ']]',
  '<![CDATA[', '<![CDATA[]]>', '<!--', '-->', '--', '-', '<!', '<!-', '<!---->', '<!--->', '<?', '?>', '<?pi x?>', '<?xml version="1.0"?>', '<?xml?>',
  '<!DOCTYPE a>', '<!DOCTYPE a [<!ENTITY b "c">]>', 'p:', 'xmlns:', ':a', 'p:1a', '1', '.',
]
// biome-ignore format: a table of tokens
const CHARACTERS = [
  '\u0300', '\u00b7', '\ufeff', '\ufffe', '\uffff', '\ufffd', '\0', '\u0001', '\u001f', '\u{1f511}', '\u{effff}', '\u{f0000}', '\u{10ffff}', '\u037e',
  '\u037f', '\u2028', '\u0085', '\u00a0', '\u00d7', '\u200b', '\u200c', '\u203f', '\u2190', '\u3000', '\ue000', '\u{10000}',
]
// biome-ignore format: a table of tokens
const ATTRIBUTES = [
  ' a', ' a=1', ' a="1"', ' a="1"', ' b=\'"\'', 'a="1"', ' a = "1"', ' a="<"', ' a="]]>"', ' a="&lt;\r\n\t&#10;"', ' a="', ' p:a="1"', ' q:a="2"',
  ' p:a="1" q:a="2"', ' xml:lang="en"', ' xml:a="1"', ' xmlns=""', ' xmlns="urn:b"', ' xmlns:p=""', ' xmlns:p="urn:a"', ' xmlns:q="urn:a"',
  ' xmlns:q="urn:&#97;"', ' xmlns:p="urn:b"', ' xmlns:xml="http://www.w3.org/XML/1998/namespace"', ' xmlns:xml="urn:x"',
  ' xmlns:xmlns="http://www.w3.org/2000/xmlns/"', ' xmlns:y="http://www.w3.org/XML/1998/namespace"', ' xmlns="http://www.w3.org/XML/1998/namespace"',
  ' xmlns="http://www.w3.org/2000/xmlns/"', ' xmlns:y="http://www.w3.org/2000/xmlns/"', ' xmlns:a:b="urn:a"', ' xmlns:="urn:a"', ' :a="1"', ' a:="1"',
  ' c="" d="" e="" f="" g="" h="" i="" j="" k=""', ' c="" d="" e="" f="" g="" h="" i="" j="" p:k="" q:k=""',
]
type Mutation = (next: Random, text: string) => string
const MUTATIONS: readonly Mutation[] = [
  (next, text) => splice(text, next(text.length + 1), 0, pick(next, MARKUP)),
  (next, text) => splice(text, next(text.length + 1), 1 + next(3), pick(next, MARKUP)),
  (next, text) => splice(text, next(text.length + 1), next(2), pick(next, CHARACTERS)),
  (next, text) => splice(text, tagEnd(next, text), 0, pick(next, ATTRIBUTES)),
  (next, text) => splice(text, tagEnd(next, text), 0, pick(next, ATTRIBUTES)),
  (next, text) => splice(text, tagEnd(next, text) + 1, 0, pick(next, MARKUP)),
  (next, text) =>
    splice(text, tagEnd(next, text) + 1, 0, pick(next, [...TEXTS, ...REFERENCES, ...SECTIONS, ...COMMENTS])),
  (next, text) => splice(text, next(text.length + 1), 1 + next(6), ''),
  (next, text) => splice(text, next(text.length + 1), 1, String.fromCharCode(0x20 + next(0x60))),
  (next, text) => {
    const at = next(text.length)
    return splice(text, at, 1, String.fromCharCode(text.charCodeAt(at) ^ (1 << next(7))))
  },
  (next, text) => {
    const from = next(text.length + 1)
    return splice(text, next(text.length + 1), 0, text.slice(from, from + next(40)))
  },
]

/** The place of some `>`. */
function tagEnd(next: Random, text: string): number {
  return Math.max(0, text.indexOf('>', next(text.length)))
}

function splice(text: string, at: number, removed: number, added: string): string {
  return text.slice(0, at) + added + text.slice(at + removed)
}

function pick<T>(next: Random, choices: readonly T[]): T {
  const choice = choices[next(choices.length)]
  if (choice === undefined) throw new RangeError('nothing to pick from')
  return choice
}

function misc(next: Random): string {
  return pick(next, SPACES) + (next(4) === 0 ? pick(next, COMMENTS) : '') + pick(next, SPACES)
}

/** An element with all it holds; `prefixes` are those that may be used. */
function element(next: Random, depth: number, prefixes: readonly string[]): string {
  const own = [...prefixes]
  const attributes = new Map<string, string>()
  while (next(3) === 0) {
    const prefix = pick(next, PREFIXES)
    attributes.set(`xmlns:${prefix}`, pick(next, NAMESPACES))
    own.push(prefix)
  }
  if (next(6) === 0) attributes.set('xmlns', next(3) === 0 ? '' : pick(next, NAMESPACES))
  while (next(2) === 0) attributes.set(qname(next, own), value(next))
  const name = qname(next, own)
  const pairs = [...attributes].map(([key, text]) => pick(next, GAPS) + attribute(next, key, text))
  const head = `<${name}${pairs.join('')}${pick(next, SPACES)}`
  const content = next(4) === 0 ? '' : contentOf(next, depth, own)
  return content === '' && next(2) === 0 ? `${head}/>` : `${head}>${content}</${name}${pick(next, SPACES)}>`
}

function attribute(next: Random, name: string, text: string): string {
  const quote = pick(next, ['"', "'"])
  return `${name}${pick(next, SPACES)}=${pick(next, SPACES)}${quote}${text.replaceAll(quote, '')}${quote}`
}

function qname(next: Random, prefixes: readonly string[]): string {
  const prefix = pick(next, prefixes)
  return prefix === '' ? pick(next, LOCALS) : `${prefix}:${pick(next, LOCALS)}`
}

function value(next: Random): string {
  let text = ''
  while (next(3) !== 0) text += pick(next, next(3) === 0 ? REFERENCES : TEXTS)
  return text
}

function contentOf(next: Random, depth: number, prefixes: readonly string[]): string {
  let content = ''
  for (let parts = next(depth === 0 ? 9 : 5); parts > 0; parts--) {
    const kind = next(8)
    if (kind < 3 && depth < 5) content += element(next, depth + 1, prefixes)
    else if (kind === 3) content += pick(next, COMMENTS)
    else if (kind === 4) content += pick(next, SECTIONS)
    else if (kind === 5) content += pick(next, REFERENCES)
    else content += pick(next, TEXTS)
  }
  return content
}

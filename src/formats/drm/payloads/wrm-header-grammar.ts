import type { XmlDocument, XmlElement } from '../../xml/document.ts'
import { XMLNS_NAMESPACE } from '../../xml/document.ts'
import { attributeOf, textOf } from '../../xml/reader.ts'
import { WRMHEADER_NAMESPACE } from './wrm-header.ts'

/** A rule of the PlayReady Header Specification that an element breaks. */
export interface WrmHeaderProblem {
  readonly element: XmlElement
  readonly problem: string
  /** The clause of the specification. */
  readonly clause: string
}

/**
 * Everything in which a WRMHEADER differs from the grammar of its version. Empty for a header without such a problem, and for a
 * document that is not a WRMHEADER or names an unknown version.
 *
 * @see https://learn.microsoft.com/en-us/playready/specifications/playready-header-specification
 */
export function wrmHeaderProblems(document: XmlDocument): readonly WrmHeaderProblem[] {
  const { root } = document
  const grammar = GRAMMARS.get(attributeOf(root, 'version') ?? '')
  if (root.local !== 'WRMHEADER' || root.namespace !== WRMHEADER_NAMESPACE || grammar === undefined) return []
  return [...syntaxProblems(document, root), ...structureProblems(document, root, grammar)]
}

/** The children that each element of a version may have, each at most once unless `repeats` names it. */
interface Grammar {
  readonly version: string
  readonly clause: string
  readonly children: Readonly<Record<string, readonly string[]>>
  readonly algids: readonly string[]
  /** Where KID belongs. */
  readonly kidParent: string
}

const DATA = ['PROTECTINFO', 'LA_URL', 'LUI_URL', 'DS_ID', 'CUSTOMATTRIBUTES', 'DECRYPTORSETUP']

const GRAMMARS: ReadonlyMap<string, Grammar> = new Map(
  [
    {
      version: '4.0.0.0',
      clause: '3.6',
      children: {
        WRMHEADER: ['DATA'],
        DATA: [...DATA.filter((name) => name !== 'DECRYPTORSETUP'), 'KID', 'CHECKSUM'],
        PROTECTINFO: ['KEYLEN', 'ALGID'],
      },
      algids: ['AESCTR', 'COCKTAIL'],
      kidParent: 'DATA',
    },
    {
      version: '4.1.0.0',
      clause: '3.5',
      children: { WRMHEADER: ['DATA'], DATA, PROTECTINFO: ['KID'] },
      algids: ['AESCTR', 'COCKTAIL'],
      kidParent: 'PROTECTINFO',
    },
    {
      version: '4.2.0.0',
      clause: '3.4',
      children: { WRMHEADER: ['DATA'], DATA, PROTECTINFO: ['KIDS'], KIDS: ['KID'] },
      algids: ['AESCTR', 'COCKTAIL'],
      kidParent: 'KIDS',
    },
    {
      version: '4.3.0.0',
      clause: '3.3',
      children: { WRMHEADER: ['DATA'], DATA, PROTECTINFO: ['KIDS'], KIDS: ['KID'] },
      algids: ['AESCTR', 'AESCBC', 'COCKTAIL'],
      kidParent: 'KIDS',
    },
  ].map((grammar) => [grammar.version, grammar]),
)

const NAMES = new Set([
  ...[...GRAMMARS.values()].flatMap(({ children }) => Object.values(children).flat()),
  'WRMHEADER',
])
/** Its content is the service's own XML. */
const FREE = 'CUSTOMATTRIBUTES'

/** What clause 3.2 requires of every element: explicit end tags, attributes in order, no empty element. */
function* syntaxProblems(document: XmlDocument, element: XmlElement): Generator<WrmHeaderProblem> {
  const { local, attributes } = element
  if (element.selfClosing)
    yield { element, clause: '3.2.3', problem: `${local} has no end tag. Write <${local}></${local}>.` }
  const isNamespace = attributes.map(({ namespace }) => namespace === XMLNS_NAMESPACE)
  if (isNamespace.lastIndexOf(true) > isNamespace.indexOf(false) && isNamespace.includes(false))
    yield {
      element,
      clause: '3.2.4',
      problem: `${local}: a namespace declaration comes after another attribute. Write xmlns first.`,
    }
  const names = attributes.filter((_, i) => isNamespace[i] === false).map(({ name }) => name)
  if (names.join() !== [...names].sort().join())
    yield {
      element,
      clause: '3.2.5',
      problem: `${local}: the attributes are not in alphabetical order. Write ${[...names].sort().join(', ')}.`,
    }
  if (attributes.some(({ valueStart }) => document.source[valueStart - 1] === "'"))
    yield {
      element,
      clause: '3.2.1',
      problem: `${local}: an attribute has single quotes. Canonical XML has double quotes.`,
    }
  if (local === FREE) return
  for (const child of element.children) yield* syntaxProblems(document, child)
}

function* structureProblems(document: XmlDocument, element: XmlElement, grammar: Grammar): Generator<WrmHeaderProblem> {
  const { version, clause } = grammar
  const { local } = element
  const allowed = grammar.children[local]
  if (allowed === undefined) {
    yield* leafProblems(document, element, grammar)
    return
  }
  const seen = new Set<string>()
  for (const child of element.children) {
    if (!allowed.includes(child.local) || child.namespace !== WRMHEADER_NAMESPACE) {
      yield { element: child, clause, problem: misplaced(child, local, grammar) }
      continue
    }
    if (seen.has(child.local) && child.local !== 'KID')
      yield { element: child, clause, problem: `${local} has ${child.local} twice. Write it once.` }
    if (seen.has(child.local) && child.local === 'KID' && grammar.kidParent !== 'KIDS')
      yield {
        element: child,
        clause,
        problem: `version ${version} has one KID. Use version 4.2.0.0 or later for more keys.`,
      }
    seen.add(child.local)
    yield* structureProblems(document, child, grammar)
  }
  for (const required of REQUIRED[version]?.[local] ?? [])
    if (!seen.has(required))
      yield { element, clause, problem: `${local} has no ${required}, which version ${version} requires.` }
  if (local === 'KIDS') yield* mixedProblems(element, clause)
}

/** A header without PROTECTINFO is for licences that come with the content. */
const REQUIRED: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  '4.0.0.0': { WRMHEADER: ['DATA'], DATA: ['PROTECTINFO', 'KID'], PROTECTINFO: ['KEYLEN', 'ALGID'] },
  '4.1.0.0': { WRMHEADER: ['DATA'], PROTECTINFO: ['KID'] },
  '4.2.0.0': { WRMHEADER: ['DATA'], PROTECTINFO: ['KIDS'], KIDS: ['KID'] },
  '4.3.0.0': { WRMHEADER: ['DATA'], PROTECTINFO: ['KIDS'], KIDS: ['KID'] },
}

function misplaced({ local, namespace }: XmlElement, parent: string, grammar: Grammar): string {
  const { version, children, kidParent } = grammar
  if (namespace !== WRMHEADER_NAMESPACE) return `${local} is not in the namespace of the header, so players ignore it.`
  const upper = local.toUpperCase()
  if (!NAMES.has(local) && NAMES.has(upper)) return `${local} is not known: names are case-sensitive. Write ${upper}.`
  if (local === 'KID') return `version ${version} has KID in ${kidParent}, not in ${parent}. Players find no KID here.`
  const places = Object.entries(children).flatMap(([name, list]) => (list.includes(local) ? [name] : []))
  if (places.length > 0)
    return `${local} belongs into ${places.join(' or ')}, not into ${parent}. Players ignore it here.`
  if (local === 'KIDS')
    return `version ${version} has no KIDS. Use version 4.2.0.0 or later, or write KID into ${kidParent}.`
  const later = [...GRAMMARS.values()].filter((one) => Object.values(one.children).some((list) => list.includes(local)))
  return later.length > 0
    ? `version ${version} has no ${local}. It is of ${later.map((one) => one.version).join(', ')}.`
    : `${local} is not an element of a WRMHEADER.`
}

/** The bytes of a checksum for each cipher. */
const CHECKSUM_BYTES: Readonly<Record<string, number>> = { AESCTR: 8, COCKTAIL: 7 }

function* leafProblems(document: XmlDocument, element: XmlElement, grammar: Grammar): Generator<WrmHeaderProblem> {
  const { version, clause, algids } = grammar
  const { local, children } = element
  const text = textOf(document, element).trim()
  if (local === 'KID' && version !== '4.0.0.0') {
    yield* kidProblems(element, grammar)
    return
  }
  if (text === '' && children.length === 0) {
    yield { element, clause, problem: `${local} is empty. Leave it out.` }
    return
  }
  if (local === 'ALGID' && !algids.includes(text)) yield { element, clause, problem: wrongAlgid(text, grammar) }
  if (local === 'KEYLEN' && !/^(?:16|7)$/.test(text))
    yield { element, clause, problem: 'KEYLEN is the bytes of the key: 16 for AESCTR, 7 for COCKTAIL.' }
  if (local === 'CHECKSUM' && bytesIn(text) !== 8 && bytesIn(text) !== 7)
    yield { element, clause, problem: 'CHECKSUM must be base64 of 8 bytes.' }
  if (local === 'DS_ID' && bytesIn(text) !== 16)
    yield { element, clause, problem: 'DS_ID must be base64 of 16 bytes, a little-endian GUID.' }
  if ((local === 'LA_URL' || local === 'LUI_URL') && !URL.canParse(text))
    yield { element, clause, problem: `${local} must be an absolute URL.` }
  if (local === 'DECRYPTORSETUP' && text !== 'ONDEMAND')
    yield { element, clause, problem: 'DECRYPTORSETUP must be ONDEMAND.' }
}

function* kidProblems(element: XmlElement, grammar: Grammar): Generator<WrmHeaderProblem> {
  const { clause, version, algids } = grammar
  const algid = attributeOf(element, 'ALGID')
  const checksum = attributeOf(element, 'CHECKSUM')
  const value = attributeOf(element, 'VALUE')
  if (element.hasText)
    yield { element, clause, problem: `version ${version} has the kid in the attribute VALUE, and no text in KID.` }
  if (value === undefined) yield { element, clause, problem: 'KID has no VALUE.' }
  if (algid !== undefined && !algids.includes(algid)) yield { element, clause, problem: wrongAlgid(algid, grammar) }
  if (algid === undefined && version !== '4.3.0.0')
    yield { element, clause, problem: `KID has no ALGID, which version ${version} requires.` }
  if (checksum === undefined) return
  if (algid === 'AESCBC') yield { element, clause, problem: 'a KID with AESCBC has no CHECKSUM. Remove it.' }
  else if (bytesIn(checksum) !== (CHECKSUM_BYTES[algid ?? 'AESCTR'] ?? 8))
    yield { element, clause, problem: `CHECKSUM must be base64 of ${CHECKSUM_BYTES[algid ?? 'AESCTR'] ?? 8} bytes.` }
}

function wrongAlgid(algid: string, { version, algids }: Grammar): string {
  if (algid === 'AESCBC') return `version ${version} has no AESCBC. Use version 4.3.0.0 for cbcs.`
  return `ALGID must be ${algids.join(' or ')} in version ${version}.`
}

function* mixedProblems(element: XmlElement, clause: string): Generator<WrmHeaderProblem> {
  const algids = new Set(element.children.map((kid) => attributeOf(kid, 'ALGID')))
  if (algids.has('AESCBC') && algids.size > 1)
    yield { element, clause, problem: 'KIDS mixes AESCBC with another ALGID. One header is for one cipher.' }
}

/** The bytes of canonical base64; -1 for other text. */
function bytesIn(base64: string): number {
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? bytes.length : -1
}

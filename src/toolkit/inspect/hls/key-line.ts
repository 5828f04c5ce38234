import { type SystemId, toSystemId } from '../../../formats/cenc.ts'
import { DRM_SYSTEM_FACTS, drmSystemName, FAIRPLAY, WIDEVINE } from '../../../formats/drm/facts.ts'
import { boxesIn, disagreement, disagreements } from '../kids.ts'
import {
  type Context,
  error,
  type InspectFinding,
  type InspectNode,
  kidsIn,
  node,
  nodesIn,
  note,
  warning,
} from '../node.ts'
import { couldBeKey, shownText } from '../secrets.ts'
import { widevineScheme } from '../widevine.ts'
import { explainKeyId, explainUri, replaceVariables, type Variables } from './uri.ts'

export const KEY_TAGS = ['#EXT-X-SESSION-KEY', '#EXT-X-KEY'] as const

interface LineContext {
  /** From 1. */
  readonly number: number
  /** Of the playlist; undefined for a line alone. */
  readonly version: number | undefined
  readonly variables: Variables
}

interface Attribute {
  readonly name: string
  readonly value: string
  readonly quoted: boolean
  readonly column: number
}

/** An EXT-X-KEY or EXT-X-SESSION-KEY line, and its KEYFORMAT. */
export function explainKeyLine(
  tag: (typeof KEY_TAGS)[number],
  line: string,
  { number, version, variables }: LineContext,
  context: Context,
): { readonly node: InspectNode; readonly format: string | undefined } {
  const { attributes, damage } = readAttributes(line, tag.length + 1)
  const format = attributes.find(({ name }) => name === 'KEYFORMAT')?.value
  const isNone = attributes.some(({ name, value }) => name === 'METHOD' && value === 'NONE')
  const children = attributes.map((one) => {
    const explained = explainAttribute(one, { format, number, variables }, context)
    return isNone && one.name !== 'METHOD' ? { ...explained, meaning: 'not used with METHOD=NONE' } : explained
  })
  const kids = kidsIn(children.filter(({ name }) => name === 'KEYID'))
  const uri = children.find(({ name }) => name === 'URI')
  const findings = [
    ...damage.map((column) => error(`breaks at column ${column}: expected NAME=value, with a comma between`)),
    ...repeatedAttributes(attributes),
    ...methodFindings(tag, attributes, uri),
    ...(uri === undefined ? [] : disagreement(kids, kidsIn([uri]), 'KEYID')),
    ...versionFindings(attributes, version),
  ]
  const explained = node(tag.slice(1), undefined, {
    place: { line: number, column: 1 },
    meaning:
      tag === '#EXT-X-KEY'
        ? 'for the segments that follow'
        : 'of a multivariant playlist: players can request the licence early',
    findings,
    children,
  })
  return { node: explained, format }
}

/** The attributes of a line from an offset on, and the columns where it is damaged. @see RFC 8216, 4.2 */
function readAttributes(line: string, from: number): { attributes: readonly Attribute[]; damage: readonly number[] } {
  const attributes: Attribute[] = []
  let at = from
  while (at < line.length) {
    ATTRIBUTE.lastIndex = at
    const found = ATTRIBUTE.exec(line)
    if (found === null) return { attributes, damage: [at + 1] }
    const [whole, name = '', quoted, plain] = found
    attributes.push({ name, value: quoted ?? plain ?? '', quoted: quoted !== undefined, column: at + 1 })
    at += whole.length
  }
  return { attributes, damage: attributes.length === 0 ? [from + 1] : [] }
}

const ATTRIBUTE = /\s*([A-Z0-9-]+)=(?:"([^"\r\n]*)"|([^",\s]+))\s*(?:,|$)/y

interface AttributeContext {
  readonly format: string | undefined
  readonly number: number
  readonly variables: Variables
}

type Explain = (value: string, format: string | undefined, context: Context) => Partial<InspectNode>

const METHODS: Readonly<Record<string, string>> = {
  NONE: 'not encrypted',
  'AES-128': 'whole segments, AES-128-CBC',
  'SAMPLE-AES': "samples: cbcs in fMP4, Apple's SAMPLE-AES in TS",
  'SAMPLE-AES-CTR': 'samples: cenc in fMP4',
  'AES-256': 'whole segments, AES-256-CBC (RFC 8216bis)',
  'AES-256-GCM': 'whole segments, AES-256-GCM (RFC 8216bis)',
}

/** What each KEYFORMAT means, by its lower-case spelling. */
const FORMATS: ReadonlyMap<string, { readonly meaning: string; readonly systemId?: SystemId }> = new Map<
  string,
  { readonly meaning: string; readonly systemId?: SystemId }
>([
  ...[...DRM_SYSTEM_FACTS.values()].flatMap(({ systemId, name, keyFormat, otherKeyFormats = [] }) => [
    ...(keyFormat === undefined ? [] : [[keyFormat.toLowerCase(), { meaning: name, systemId }] as const]),
    ...otherKeyFormats.map((one) => [one.toLowerCase(), { meaning: `${name}, another spelling`, systemId }] as const),
  ]),
  ['identity', { meaning: 'the URI returns the key itself, 16 bytes' }],
])

function formatOf(format: string | undefined): { readonly meaning: string; readonly systemId?: SystemId } | undefined {
  const text = format?.toLowerCase() ?? ''
  const known = FORMATS.get(text)
  if (known !== undefined) return known
  const systemId = /^urn:uuid:/.test(text) ? toSystemId(text.slice('urn:uuid:'.length)) : undefined
  return systemId && { meaning: drmSystemName(systemId), systemId }
}

const ATTRIBUTES: Readonly<Record<string, Explain>> = {
  METHOD: (value) =>
    Object.hasOwn(METHODS, value) ? { meaning: METHODS[value] ?? '' } : { findings: [error('is not a METHOD of HLS')] },
  KEYFORMAT(value) {
    const known = formatOf(value)
    return known === undefined
      ? { findings: [note('is a KEYFORMAT that is not known here')] }
      : { meaning: known.meaning }
  },
  KEYFORMATVERSIONS: (value) =>
    /^\d+(?:\/\d+)*$/.test(value)
      ? { meaning: 'versions of the format' }
      : { findings: [error('expected numbers with / between')] },
  IV: explainIv,
  KEYID: explainKeyId,
  URI: explainUri,
}

function explainIv(value: string, format: string | undefined): Partial<InspectNode> {
  if (!/^0x[\da-f]{1,32}$/i.test(value)) return { findings: [error('expected 0x and up to 32 hex digits')] }
  const systemId = formatOf(format)?.systemId
  if (systemId === undefined) return { meaning: 'without it, the IV is the media sequence number' }
  if (systemId === FAIRPLAY)
    return {
      meaning: 'FairPlay delivers the IV with the key',
      findings: [warning('FairPlay has no IV attribute: the IV comes with the key, and some players reject the line')],
    }
  return {
    meaning: 'not used by this DRM system',
    findings: [note('the media has its IVs; only KEYFORMAT="identity" uses this attribute')],
  }
}

function explainAttribute(attribute: Attribute, line: AttributeContext, context: Context): InspectNode {
  const { name, quoted, column } = attribute
  const place = { line: line.number, column }
  const { value, unknown } = replaceVariables(attribute.value, line.variables)
  if (unknown.length > 0) {
    const meaning = `has the variable ${unknown.join(', ')}, which is defined elsewhere`
    return node(name, attribute.value, { place, meaning })
  }
  const explain = Object.hasOwn(ATTRIBUTES, name) ? ATTRIBUTES[name] : undefined
  if (explain === undefined) return explainUnknown(name, value, place, context)
  const explained = explain(value, line.format, context)
  const mustQuote = name === 'URI' || name.startsWith('KEYFORMAT')
  const quoting = mustQuote === quoted ? [] : [warning(mustQuote ? 'must be quoted' : 'must not be quoted')]
  return node(name, explained.value ?? value, {
    place,
    ...explained,
    findings: [...(explained.findings ?? []), ...quoting],
  })
}

/** An attribute that HLS does not define. It is hidden if it could be a key, as some packagers write one. */
function explainUnknown(name: string, value: string, place: InspectNode['place'], context: Context): InspectNode {
  const isKey = /(?:^|-)KEY$/.test(name) || couldBeKey(value)
  if (isKey && !/(?:IV|ID)$/.test(name)) {
    const findings = [
      note('is not an attribute of RFC 8216'),
      warning('holds a content key: everyone who has the playlist has the key; remove it'),
    ]
    return node(name, context.showKeys === true ? value : 'hidden, it could be a key', { place, findings })
  }
  const { text, findings } = shownText(value, context)
  return node(name, text, { place, findings: [note('is not an attribute of RFC 8216'), ...findings] })
}

/** @see RFC 8216, 4.2 */
function repeatedAttributes(attributes: readonly Attribute[]): readonly InspectFinding[] {
  const names = attributes.map(({ name }) => name)
  const repeated = new Set(names.filter((name, i) => names.indexOf(name) !== i))
  return [...repeated].map((name) => error(`has ${name} twice: a line has each attribute once (RFC 8216, 4.2)`))
}

function methodFindings(
  tag: string,
  attributes: readonly Attribute[],
  uri: InspectNode | undefined,
): readonly InspectFinding[] {
  const method = attributes.find(({ name }) => name === 'METHOD')?.value
  if (method === undefined) return [error('METHOD is missing')]
  const findings: InspectFinding[] = []
  if (attributes[0]?.name !== 'METHOD') findings.push(note('METHOD is not first: MediaPackage expects it there'))
  if (method === 'NONE') {
    if (tag === '#EXT-X-SESSION-KEY') findings.push(warning('a session key cannot have METHOD=NONE'))
    const others = attributes.filter(({ name }) => name !== 'METHOD').map(({ name }) => name)
    if (others.length > 0)
      findings.push(error(`METHOD=NONE has no other attribute, here: ${others.join(', ')} (RFC 8216, 4.3.2.4)`))
    return findings
  }
  if (uri === undefined) findings.push(error('URI is missing'))
  const format = attributes.find(({ name }) => name === 'KEYFORMAT')?.value
  const { systemId } = formatOf(format) ?? {}
  return [...findings, ...schemeFindings(method, systemId, uri)]
}

/** What METHOD and KEYFORMAT must have in common with the payload of the URI. */
function schemeFindings(
  method: string,
  systemId: SystemId | undefined,
  uri: InspectNode | undefined,
): readonly InspectFinding[] {
  if (systemId === FAIRPLAY && method !== 'SAMPLE-AES') return [warning('FairPlay requires METHOD=SAMPLE-AES')]
  const findings: InspectFinding[] = []
  if (systemId !== undefined && method === 'AES-128')
    findings.push(
      warning(`${drmSystemName(systemId)} encrypts samples, AES-128 whole segments: no player decrypts both`),
    )
  const scheme = { 'SAMPLE-AES': 'cbcs', 'SAMPLE-AES-CTR': 'cenc' }[method]
  if (uri?.children === undefined || scheme === undefined) return findings
  const hasBox = systemId === WIDEVINE && boxesIn(uri.children).length > 0
  const widevine = hasBox ? widevineScheme(uri.children) : undefined
  if (widevine !== undefined && widevine !== scheme)
    findings.push(warning(`METHOD says ${scheme}, the pssh box ${widevine}: players request a key of the wrong scheme`))
  const algid = [...nodesIn(uri.children)].find(({ name }) => name === 'ALGID')?.value
  const playready = { AESCTR: 'cenc', AESCBC: 'cbcs' }[algid ?? '']
  if (playready !== undefined && playready !== scheme)
    findings.push(warning(`METHOD says ${scheme}, ALGID says ${playready}: players cannot decrypt`))
  const surroundings = { kids: [], kidsIn: '', scheme: undefined, schemeIn: '', systemId }
  return [...findings, ...disagreements(uri.children, surroundings)]
}

function versionFindings(attributes: readonly Attribute[], version: number | undefined): readonly InspectFinding[] {
  if (version === undefined) return []
  const has = (name: string): boolean => attributes.some((one) => one.name === name)
  const findings: InspectFinding[] = []
  if (version < 5 && (has('KEYFORMAT') || has('KEYFORMATVERSIONS')))
    findings.push(warning(`KEYFORMAT requires EXT-X-VERSION 5, the playlist has ${version}`))
  if (version < 2 && has('IV')) findings.push(warning(`IV requires EXT-X-VERSION 2, the playlist has ${version}`))
  return findings
}

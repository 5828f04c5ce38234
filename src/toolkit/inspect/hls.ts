import { type SystemId, toKid } from '../../formats/cenc.ts'
import { DRM_SYSTEM_FACTS, FAIRPLAY, WIDEVINE } from '../../formats/drm/facts.ts'
import { decodeBase64 } from './base64.ts'
import { disagreement, kidNode, kidOf } from './kids.ts'
import { explainBoxes, isBoxes, sourceOf } from './mp4/mp4.ts'
import { error, type InspectFinding, type InspectNode, kidsIn, node, note, warning } from './node.ts'
import { type Context, shownKey } from './options.ts'
import { explainPlayReadyObject } from './playready.ts'
import { explainSkd } from './skd.ts'
import { textOfBytes } from './text.ts'
import { widevineScheme } from './widevine.ts'

/** The tags of a playlist, or single lines of one, that are about keys. @see RFC 8216, 4.3.2.4 and 4.3.4.5 */
export function explainHls(text: string, context: Context): InspectNode[] {
  const lines = text.split(/\r\n|\n|\r/)
  const isPlaylist = lines[0]?.startsWith('#EXTM3U') === true
  const version = Number(/^#EXT-X-VERSION:(\d+)/m.exec(text)?.[1] ?? 1)
  const keys: InspectNode[] = []
  let others = 0
  lines.forEach((line, i) => {
    if (keys.length === MAX_LINES) return
    const tag = TAGS.find((one) => line.startsWith(`${one}:`))
    if (tag !== undefined) keys.push(explainKeyLine(tag, line, i + 1, isPlaylist ? version : undefined, context))
    else if (line.startsWith('#EXT-X-PLAYREADYHEADER:')) keys.push(explainPlayReadyHeader(line, i + 1, context))
    else if (line.trim() !== '') others++
  })
  if (keys.length === MAX_LINES)
    keys.push(node('more lines', undefined, { meaning: `only ${MAX_LINES} about keys are shown` }))
  if (!isPlaylist) return keys
  const findings = keys.length === 0 ? [note('no line of it is about keys')] : []
  return [
    node('playlist', undefined, { meaning: `version ${version}, ${others} lines that are not about keys`, findings }),
    ...keys,
  ]
}

/** Whether text is a playlist, or a line of one that is about keys. */
export function isHls(text: string): boolean {
  return text.startsWith('#EXTM3U') || /^#EXT-X-(?:SESSION-KEY|KEY|PLAYREADYHEADER):/.test(text)
}

const MAX_LINES = 1000
const TAGS = ['#EXT-X-SESSION-KEY', '#EXT-X-KEY'] as const

interface Attribute {
  readonly name: string
  readonly value: string
  readonly quoted: boolean
  readonly column: number
}

function explainKeyLine(
  tag: string,
  line: string,
  number: number,
  version: number | undefined,
  context: Context,
): InspectNode {
  const { attributes, damage } = readAttributes(line, tag.length + 1)
  const keyFormat = attributes.find((one) => one.name === 'KEYFORMAT')?.value
  const children = attributes.map((one) => explainAttribute(one, keyFormat, number, context))
  const kids = kidsIn(children.filter(({ name }) => name === 'KEYID'))
  const uri = children.find(({ name }) => name === 'URI')
  const findings = [
    ...damage.map((column) => error(`breaks at column ${column}: expected NAME=value, with a comma between`)),
    ...methodFindings(tag, attributes, uri),
    ...(uri === undefined ? [] : disagreement(kids, kidsIn([uri]), 'KEYID')),
  ]
  if (version !== undefined && version < 5 && keyFormat !== undefined)
    findings.push(warning(`KEYFORMAT needs EXT-X-VERSION 5, the playlist has ${version}`))
  return node(tag.slice(1), undefined, {
    place: { line: number, column: 1 },
    meaning:
      tag === '#EXT-X-KEY'
        ? 'for the segments that follow'
        : 'of a multivariant playlist: lets players ask for the licence early',
    findings,
    children,
  })
}

/** The attributes of a line from an offset on, and the columns where it is none. @see RFC 8216, 4.2 */
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

type Explain = (value: string, keyFormat: string | undefined, context: Context) => Partial<InspectNode>

const METHODS: Readonly<Record<string, string>> = {
  NONE: 'not encrypted',
  'AES-128': 'whole segments, AES-128-CBC',
  'SAMPLE-AES': "samples: cbcs in fMP4, Apple's SAMPLE-AES in TS",
  'SAMPLE-AES-CTR': 'samples: cenc in fMP4',
}

/** What each KEYFORMAT means, by its lower-case spelling. */
const FORMATS: ReadonlyMap<string, { readonly meaning: string; readonly systemId?: SystemId }> = new Map<
  string,
  { readonly meaning: string; readonly systemId?: SystemId }
>([
  ...[...DRM_SYSTEM_FACTS.values()].flatMap(({ systemId, name, keyFormat, otherKeyFormats = [] }) => [
    ...(keyFormat === undefined ? [] : [[keyFormat, { meaning: name, systemId }] as const]),
    ...otherKeyFormats.map((other) => [other, { meaning: `${name}, another spelling`, systemId }] as const),
  ]),
  ['identity', { meaning: 'the URI returns the key itself, 16 bytes' }],
])

const ATTRIBUTES: Readonly<Record<string, Explain>> = {
  METHOD: (value) => describe(METHODS, value, 'is no METHOD of HLS'),
  KEYFORMAT(value) {
    const known = FORMATS.get(value.toLowerCase())
    return known === undefined ? { findings: [note('is a format that is not known here')] } : { meaning: known.meaning }
  },
  KEYFORMATVERSIONS: () => ({ meaning: 'versions of the format, with / between' }),
  IV: (value) =>
    /^0x[\da-f]{1,32}$/i.test(value)
      ? { meaning: 'without it the IV is the sequence number' }
      : { findings: [error('expected 0x and up to 32 hex digits')] },
  KEYID: explainKeyId,
  URI: explainUri,
}

function explainAttribute(
  { name, value, quoted, column }: Attribute,
  keyFormat: string | undefined,
  line: number,
  context: Context,
): InspectNode {
  const explain = Object.hasOwn(ATTRIBUTES, name) ? ATTRIBUTES[name] : undefined
  const place = { line, column }
  const explained =
    explain === undefined ? { findings: [note('is no attribute of RFC 8216')] } : explain(value, keyFormat, context)
  const mustQuote = name === 'URI' || name.startsWith('KEYFORMAT')
  const quoting =
    mustQuote === quoted || explain === undefined ? [] : [warning(mustQuote ? 'must be quoted' : 'must not be quoted')]
  return node(name, explained.value ?? value, {
    place,
    ...explained,
    findings: [...(explained.findings ?? []), ...quoting],
  })
}

function describe(meanings: Readonly<Record<string, string>>, value: string, problem: string): Partial<InspectNode> {
  return Object.hasOwn(meanings, value) ? { meaning: meanings[value] ?? '' } : { findings: [note(problem)] }
}

/** No attribute of the RFC; players of Widevine want it. */
function explainKeyId(value: string): Partial<InspectNode> {
  const kid = /^0x[\da-f]{32}$/i.test(value) ? kidOf(Buffer.from(value.slice(2), 'hex'), 'uuid') : toKid(value)
  if (kid === undefined) return { findings: [error('expected 0x and 32 hex digits')] }
  const { name: _, ...explained } = kidNode('', kid, 'uuid')
  return { ...explained, value }
}

function explainUri(uri: string, keyFormat: string | undefined, context: Context): Partial<InspectNode> {
  const givesKey = keyFormat === undefined || keyFormat === 'identity'
  if (uri.startsWith('skd://')) {
    const { name: _, ...explained } = explainSkd(uri)
    return explained
  }
  const data = /^data:([^,]*),(.*)$/s.exec(uri)
  if (data === null) return { meaning: givesKey ? 'players fetch the key here' : 'where players go' }
  const [, type = '', payload = ''] = data
  const value = `data:${type},…`
  const decoded = /;base64$/i.test(type) ? decodeBase64(payload) : { bytes: Buffer.from(payload) }
  if ('problem' in decoded) return { value, findings: [error(decoded.problem)] }
  const { bytes } = decoded
  if (givesKey) {
    const findings = [
      warning('what players take for the key stands in the playlist itself (Shaka Packager writes the kid there)'),
    ]
    return { value, findings, children: [node('content key', shownKey(bytes, context))] }
  }
  const meaning = `${bytes.length} bytes; places are offsets in them`
  return { value, meaning, children: explainData(bytes, context) }
}

/** What stands in a data URI: whole boxes for Widevine, the object without its box for PlayReady. */
function explainData(bytes: Uint8Array, context: Context): readonly InspectNode[] {
  if (isBoxes(bytes, bytes.length)) return explainBoxes(sourceOf(bytes), context)
  const text = textOfBytes(bytes)
  return text === undefined ? explainPlayReadyObject(bytes, 0, context) : [node('text', text)]
}

function methodFindings(
  tag: string,
  attributes: readonly Attribute[],
  uri: InspectNode | undefined,
): readonly InspectFinding[] {
  const method = attributes.find(({ name }) => name === 'METHOD')?.value
  if (method === undefined) return [error('METHOD is missing')]
  const findings: InspectFinding[] = []
  if (attributes[0]?.name !== 'METHOD') findings.push(note('METHOD does not stand first: MediaPackage wants it there'))
  if (method === 'NONE' && tag === '#EXT-X-SESSION-KEY') findings.push(warning('a session key cannot have METHOD=NONE'))
  if (method !== 'NONE' && uri === undefined) findings.push(error('URI is missing'))
  const format = attributes.find(({ name }) => name === 'KEYFORMAT')?.value
  const { systemId } = FORMATS.get(format?.toLowerCase() ?? '') ?? {}
  if (systemId === FAIRPLAY && method !== 'SAMPLE-AES')
    findings.push(warning('FairPlay has METHOD=SAMPLE-AES and no other'))
  const wanted = { 'SAMPLE-AES': 'cbcs', 'SAMPLE-AES-CTR': 'cenc' }[method]
  const scheme = systemId === WIDEVINE && uri?.children !== undefined ? widevineScheme(uri.children) : undefined
  if (wanted !== undefined && scheme !== undefined && scheme !== wanted) {
    findings.push(warning(`METHOD says ${wanted}, the pssh box ${scheme}: players ask for a key of the wrong scheme`))
  }
  return findings
}

function explainPlayReadyHeader(line: string, number: number, context: Context): InspectNode {
  const place = { line: number, column: 1 }
  const decoded = decodeBase64(line.slice(line.indexOf(':') + 1))
  const findings = 'problem' in decoded ? [error(decoded.problem)] : []
  const children = 'bytes' in decoded ? explainPlayReadyObject(decoded.bytes, 0, context) : []
  return node('EXT-X-PLAYREADYHEADER', undefined, { place, meaning: 'PlayReady, a form of old', findings, children })
}

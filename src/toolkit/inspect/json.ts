import type { Kid } from '../../formats/cenc.ts'
import { kidNode, kidOf, kidOfText, looksLikeKid } from './kids.ts'
import { explainBoxes, sourceOf } from './mp4/mp4.ts'
import { type Context, error, type InspectFinding, type InspectNode, node, note, shownKey, warning } from './node.ts'
import { shownText } from './secrets.ts'
import { decodeBase64 } from './text.ts'

export type JsonKind = 'ClearKey licence' | 'ClearKey licence request' | 'FairPlay initialization data' | 'JSON'

/** JSON of players: ClearKey licences, licence requests and keyids data, and FairPlay initialization data. */
export function explainJson(
  value: Readonly<Record<string, unknown>>,
  context: Context,
): { readonly kind: JsonKind; readonly nodes: readonly InspectNode[] } {
  if (Array.isArray(value.keys) && value.keys.some(isJwk))
    return { kind: 'ClearKey licence', nodes: explainLicence(value.keys, value, context) }
  if ('k' in value && 'kid' in value) return { kind: 'ClearKey licence', nodes: explainLicence([value], {}, context) }
  if (Array.isArray(value.kids)) return { kind: 'ClearKey licence request', nodes: explainRequest(value.kids, value) }
  if (Array.isArray(value.sinf))
    return { kind: 'FairPlay initialization data', nodes: explainSinf(value.sinf, context) }
  const entries = Object.entries(value)
  const isKeyMap =
    entries.length > 0 && entries.every(([name, key]) => kidOfHexName(name) !== undefined && sixteen(key) !== undefined)
  if (isKeyMap)
    return {
      kind: 'ClearKey licence',
      nodes: entries.slice(0, MAX_ENTRIES).map(([name, key]) => explainPair(name, key, context)),
    }
  return {
    kind: 'JSON',
    nodes: entries.slice(0, MAX_ENTRIES).map(([name, one]) => explainMember(name, one, context, 0)),
  }
}

function isJwk(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('k' in value || 'kty' in value)
}

const MAX_ENTRIES = 1000
const MAX_DEPTH = 8

/** @see W3C Encrypted Media Extensions, 9.1.4 (License Format) */
function explainLicence(
  keys: readonly unknown[],
  value: Readonly<Record<string, unknown>>,
  context: Context,
): readonly InspectNode[] {
  return [...explainType(value.type), ...keys.slice(0, MAX_ENTRIES).map((key) => explainJwk(key, context))]
}

function explainJwk(value: unknown, context: Context): InspectNode {
  const { kty, k, kid } = (typeof value === 'object' && value !== null ? value : {}) as Readonly<
    Record<string, unknown>
  >
  const findings: InspectFinding[] = []
  if (kty !== 'oct') findings.push(error('kty must be "oct"'))
  const [keyBytes, kidBytes] = [sixteen(k), sixteen(kid)]
  if (keyBytes === undefined) findings.push(error('k must be base64url of 16 bytes'))
  if (kidBytes === undefined) findings.push(error('kid must be base64url of 16 bytes'))
  findings.push(...alphabetFindings('k', k), ...alphabetFindings('kid', kid))
  const areSwapped =
    keyBytes !== undefined &&
    kidBytes !== undefined &&
    !looksLikeKid(kidOf(kidBytes, 'uuid')) &&
    looksLikeKid(kidOf(keyBytes, 'uuid'))
  if (areSwapped)
    findings.push(
      warning('k looks like a kid and kid like a key: were they swapped? Players find no key for their kid'),
    )
  const kidChild =
    kidBytes === undefined
      ? []
      : areSwapped && context.showKeys !== true
        ? [node('kid', 'hidden, it could be the key')]
        : [kidNode('kid', kidOf(kidBytes, 'uuid'), 'uuid')]
  const keyChild =
    keyBytes === undefined ? [] : [node('k', shownKey(keyBytes, context), { meaning: 'the content key, in the clear' })]
  return node('key', undefined, { findings, children: [...kidChild, ...keyChild] })
}

/** `{"KID": "KEY"}` in hex or base64, as players take keys for tests. */
function explainPair(name: string, key: unknown, context: Context): InspectNode {
  const kid = kidOfHexName(name)
  const bytes = sixteen(key)
  const children =
    bytes === undefined ? [] : [node('k', shownKey(bytes, context), { meaning: 'the content key, in the clear' })]
  return kid === undefined ? node(name, undefined, { children }) : { ...kidNode('kid', kid, 'uuid'), children }
}

/** @see W3C Encrypted Media Extensions, 9.1.3 (License Request Format); "keyids" Initialization Data Format */
function explainRequest(kids: readonly unknown[], value: Readonly<Record<string, unknown>>): readonly InspectNode[] {
  const type = explainType(value.type)
  const what =
    type.length > 0 ? 'kids of a licence request' : 'kids of keyids initialization data, or of a licence request'
  return [
    ...type,
    node('kids', `${kids.length}`, {
      meaning: what,
      findings: kids.length === 0 ? [error('names no kid')] : [],
      children: kids.slice(0, MAX_ENTRIES).map((text) => {
        const bytes = sixteen(text)
        if (bytes !== undefined)
          return {
            ...kidNode('kid', kidOf(bytes, 'uuid'), 'uuid'),
            findings: [
              ...(kidNode('kid', kidOf(bytes, 'uuid'), 'uuid').findings ?? []),
              ...alphabetFindings('kid', text),
            ],
          }
        const kid = typeof text === 'string' ? kidOfText(text) : undefined
        const findings = [error('must be base64url of the 16 bytes of the kid')]
        return kid === undefined ? node('kid', undefined, { findings }) : { ...kidNode('kid', kid, 'uuid'), findings }
      }),
    }),
  ]
}

function explainType(type: unknown): readonly InspectNode[] {
  if (type === undefined) return []
  const findings =
    type === 'temporary' || type === 'persistent-license' ? [] : [warning('must be temporary or persistent-license')]
  return [node('type', String(type), { findings })]
}

/** The 16 bytes of base64 or base64url; undefined for any other value. */
function sixteen(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string') return undefined
  if (/^[\da-f]{32}$/i.test(value)) return Buffer.from(value, 'hex')
  const decoded = decodeBase64(value)
  return 'bytes' in decoded && decoded.bytes.length === 16 ? decoded.bytes : undefined
}

function kidOfHexName(name: string): Kid | undefined {
  return kidOfText(name)
}

function alphabetFindings(name: string, value: unknown): readonly InspectFinding[] {
  if (typeof value !== 'string') return []
  if (/^[\da-f]{32}$/i.test(value)) return [warning(`${name} is hex; the format has base64url`)]
  return /[+/=]/.test(value)
    ? [warning(`${name} is base64; the format has base64url without padding, and players may reject this`)]
    : []
}

/** Safari's sinf initialization data: the boxes of each track in base64. */
function explainSinf(sinf: readonly unknown[], context: Context): readonly InspectNode[] {
  return sinf.slice(0, MAX_ENTRIES).map((text) => {
    const decoded = typeof text === 'string' ? decodeBase64(text) : { problem: 'expected base64' }
    if ('problem' in decoded) return node('sinf', undefined, { findings: [error(decoded.problem)] })
    return node('sinf', `${decoded.bytes.length} bytes`, {
      meaning: 'protection of the sample entry; places are offsets in its bytes',
      children: explainBoxes(sourceOf(decoded.bytes), context),
    })
  })
}

function explainMember(name: string, value: unknown, context: Context, depth: number): InspectNode {
  if (typeof value === 'object' && value !== null) {
    if (depth === MAX_DEPTH) return node(name, undefined, { findings: [note('has more levels than are shown')] })
    const children = Object.entries(value)
      .slice(0, MAX_ENTRIES)
      .map(([inner, one]) => explainMember(Array.isArray(value) ? `${name}[${inner}]` : inner, one, context, depth + 1))
    return node(name, undefined, { children })
  }
  if (typeof value !== 'string') return node(name, JSON.stringify(value))
  const kid = /k(?:ey)?_?ids?(?:\[\d+\])?$/i.test(name) ? kidOfText(value) : undefined
  if (kid !== undefined) return kidNode(name, kid, 'uuid')
  const { text, findings } = shownText(value, context)
  return node(name, text, { findings })
}

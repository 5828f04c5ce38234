import {
  COMMON_ENCRYPTION_SCHEMES,
  type CommonEncryptionScheme,
  guidBytes,
  type Kid,
  kidOfBytes,
  type SystemId,
  toKid,
  toSystemId,
  uuidBytes,
} from '../../formats/cenc.ts'
import { DRM_SYSTEM_FACTS, drmSystemName, PLAYREADY, WIDEVINE } from '../../formats/drm/facts.ts'
import {
  type InspectFinding,
  type InspectNode,
  type InspectPlace,
  kidsIn,
  node,
  nodesIn,
  note,
  warning,
} from './node.ts'
import { decodeBase64 } from './text.ts'

/** How the bytes of a kid are written: in the order of its text, or as the little-endian GUID of PlayReady. */
type ByteOrder = 'uuid' | 'guid'

/** A kid in both byte orders. */
export function kidNode(name: string, kid: Kid, order: ByteOrder, place?: InspectPlace): InspectNode {
  const written = order === 'uuid' ? 'big-endian' : 'as a little-endian GUID'
  return node(name, kid, {
    kid,
    place,
    meaning: `written ${written}; in the other byte order ${swapped(kid)}`,
    findings: suspicionOf(kid),
  })
}

/** The kid of 16 bytes that are written in `order`. */
export function kidOf(bytes: Uint8Array, order: ByteOrder): Kid {
  const kid = kidOfBytes(bytes)
  return order === 'uuid' ? kid : swapped(kid)
}

/**
 * The kid that text names in any of its usual forms: a UUID (with `urn:uuid:` or in braces), 32 hex digits, base64 of the 16
 * bytes, or base64 of such a text. Undefined for other text.
 */
export function kidOfText(text: string): Kid | undefined {
  const written = kidOfHex(text.trim())
  if (written !== undefined) return written
  const decoded = decodeBase64(text)
  if ('problem' in decoded) return undefined
  if (decoded.bytes.length === 16) return kidOf(decoded.bytes, 'uuid')
  return decoded.bytes.length === 32 || decoded.bytes.length === 36
    ? kidOfHex(Buffer.from(decoded.bytes).toString('latin1'))
    : undefined
}

function kidOfHex(text: string): Kid | undefined {
  const hex = /^(?:0x)?([\da-f]{32})$/i.exec(text)?.[1]
  if (hex !== undefined) return kidOf(Buffer.from(hex, 'hex'), 'uuid')
  return toKid(text.replace(/^(?:urn:uuid:)?\{?(.*?)\}?$/i, '$1'))
}

/** The kid whose bytes in one order are those of `kid` in the other. */
function swapped(kid: Kid): Kid {
  return kidOfBytes(guidBytes(kid))
}

/** Whether a kid is a random or a name-based UUID, in one byte order or the other. Such bytes are hardly a content key. */
export function looksLikeKid(kid: Kid): boolean {
  return isUuidOf(kid, [4, 5]) || isUuidOf(swapped(kid), [4])
}

/**
 * The finding for kids that should be among `expected`, which `where` names. None for kids that fit, and none where no kid is
 * named: a licence server then goes by something else.
 */
export function disagreement(
  expected: readonly Kid[],
  found: readonly Kid[],
  where: string,
): readonly InspectFinding[] {
  if (expected.length === 0 || found.length === 0 || found.some((kid) => expected.includes(kid))) return []
  const reversed = found.find((kid) => expected.includes(swapped(kid)))
  if (reversed !== undefined) {
    return [
      warning(
        `the kid has the wrong byte order: ${reversed} here, ${swapped(reversed)} in ${where}; no player finds the key; reverse bytes 0 to 3, 4 and 5, 6 and 7 of one`,
      ),
    ]
  }
  return [
    warning(
      `names ${found.join(', ')}, but ${where} has ${expected.join(', ')}: players do not request a licence for this key`,
    ),
  ]
}

/** Most kids are random UUIDs: a kid that is one only with its bytes swapped was probably swapped. */
function suspicionOf(kid: Kid): readonly InspectFinding[] {
  if (isUuidOf(kid, WRITTEN_VERSIONS) || !isUuidOf(swapped(kid), [4])) return []
  return [note('is a random UUID only with its bytes in the other order: was it swapped?')]
}

/** The versions of UUIDs that key servers make: by time, by name, random. */
const WRITTEN_VERSIONS: readonly number[] = [1, 3, 4, 5, 7]

function isUuidOf(kid: Kid, versions: readonly number[]): boolean {
  const bytes = uuidBytes(kid)
  return versions.includes(bytes.readUInt8(6) >> 4) && bytes.readUInt8(8) >> 6 === 2
}

/** What signalling must agree with: the element or the line that it belongs to. */
export interface Surroundings {
  readonly kids: readonly Kid[]
  /** What names `kids`. */
  readonly kidsIn: string
  readonly scheme: string | undefined
  /** What names `scheme`. */
  readonly schemeIn: string
  readonly systemId: SystemId | undefined
}

/**
 * The differences between the signalling of one element and what surrounds it: kids, DRM system and scheme. Each pssh box is
 * compared alone, so that a right box does not hide a wrong one.
 */
export function disagreements(nodes: readonly InspectNode[], surroundings: Surroundings): readonly InspectFinding[] {
  const boxes = boxesIn(nodes)
  const units = boxes.length > 1 && boxes.every((box) => nodes.includes(box)) ? boxes.map((box) => [box]) : [nodes]
  return [...units.flatMap((unit) => compareUnit(unit, surroundings)), ...repeatedSystems(boxes)]
}

/** The same for the elements of one ContentProtection: each is compared alone, and their boxes are counted together. */
export function elementDisagreements(
  elements: readonly InspectNode[],
  surroundings: Surroundings,
): readonly InspectFinding[] {
  const withBoxes = elements.filter((element) => boxesIn([element]).length > 0)
  return [
    ...elements.flatMap((element) => disagreements([element], surroundings)),
    ...(withBoxes.length > 1 ? repeatedSystems(boxesIn(withBoxes)) : []),
  ]
}

/** The pssh boxes in the trees. An element can have the same name. */
export function boxesIn(nodes: readonly InspectNode[]): readonly InspectNode[] {
  return [...nodesIn(nodes)].filter(
    ({ name, children = [] }) => name === 'pssh' && children.some((child) => child.name === 'SystemID'),
  )
}

function compareUnit(nodes: readonly InspectNode[], surroundings: Surroundings): readonly InspectFinding[] {
  const { kids, scheme, schemeIn, systemId } = surroundings
  const findings = [...disagreement(kids, kidsIn(nodes), surroundings.kidsIn)]
  let isWidevine = false
  let namesScheme = false
  for (const { name, value } of nodesIn(nodes)) {
    if (name === 'SystemID' && value === WIDEVINE) isWidevine = true
    if (name === 'protection_scheme') namesScheme = true
    if (name === 'SystemID' && value !== undefined && isOtherSystem(value, systemId)) {
      findings.push(warning(`the box is of ${nameOf(value)}, not of the system of this element`))
    }
    if (name === PLAYREADY_OBJECT && systemId !== undefined && systemId !== PLAYREADY) {
      findings.push(warning(`${name} is of PlayReady, not of the system of this element`))
    }
    const wanted = SCHEME_WORDS[`${name} ${value}`]
    if (wanted !== undefined && isScheme(scheme) && !wanted.includes(scheme)) {
      findings.push(warning(`says ${wanted[0]} (${name} ${value}), ${schemeIn} ${scheme}: players cannot decrypt`))
    }
  }
  if (isWidevine && !namesScheme && scheme === 'cbcs')
    findings.push(note('the Widevine box names no protection_scheme: some players assume cenc'))
  return findings
}

/** The DRM systems of which there are several boxes where players expect one. */
export function repeatedSystems(boxes: readonly InspectNode[]): readonly InspectFinding[] {
  const systems = boxes.flatMap((box) => box.children?.find(({ name }) => name === 'SystemID')?.value ?? [])
  const repeated = new Set(systems.filter((systemId, i) => systems.indexOf(systemId) !== i))
  return [...repeated].map((systemId) => {
    const count = systems.filter((one) => one === systemId).length
    return warning(`there are ${count} pssh boxes of ${nameOf(systemId)}: many players use only the first`)
  })
}

function nameOf(text: string): string {
  const systemId = toSystemId(text)
  return systemId === undefined ? text : drmSystemName(systemId)
}

function isOtherSystem(value: string, systemId: SystemId | undefined): boolean {
  return systemId !== undefined && value !== systemId && value !== DRM_SYSTEM_FACTS.get(systemId)?.psshSystemId
}

/** The element of an MPD that holds a PlayReady Object. */
const PLAYREADY_OBJECT = 'mspr:pro'

function isScheme(text: string | undefined): text is CommonEncryptionScheme {
  return (COMMON_ENCRYPTION_SCHEMES as readonly (string | undefined)[]).includes(text)
}

/**
 * The values of signalling that mean a scheme, and the schemes that they fit. ALGID names only the cipher mode. SAMPLE-AES is
 * written for both by servers of encryptors that know no other METHOD.
 */
const SCHEME_WORDS: Readonly<Record<string, readonly CommonEncryptionScheme[]>> = {
  'protection_scheme cenc': ['cenc'],
  'protection_scheme cens': ['cens'],
  'protection_scheme cbc1': ['cbc1'],
  'protection_scheme cbcs': ['cbcs'],
  'ALGID AESCTR': ['cenc', 'cens'],
  'ALGID AESCBC': ['cbcs', 'cbc1'],
  'METHOD SAMPLE-AES-CTR': ['cenc', 'cens'],
}

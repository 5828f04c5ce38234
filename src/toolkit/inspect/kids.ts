import { guidBytes, type Kid, kidOfBytes, toKid, uuidBytes } from '../../formats/cenc.ts'
import { decodeBase64 } from './base64.ts'
import { type InspectFinding, type InspectNode, type InspectPlace, node, note, warning } from './node.ts'

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

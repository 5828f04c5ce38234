import { guidBytes, type Kid, kidOfBytes, uuidBytes } from '../../formats/cenc.ts'
import { type InspectFinding, type InspectNode, type InspectPlace, node, note, warning } from './node.ts'

/** How the bytes of a kid are written: as it is spelled, or as the little-endian GUID of PlayReady. */
export type ByteOrder = 'uuid' | 'guid'

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

/** The kid whose bytes in one order are those of `kid` in the other. */
export function swapped(kid: Kid): Kid {
  return kidOfBytes(guidBytes(kid))
}

/**
 * What there is to say when `found` should name a key of `expected`, in a byte order that `where` has. Nothing for a part
 * that names none: a licence server then goes by something else.
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
        `the kid stands in the wrong byte order: ${reversed} here, ${swapped(reversed)} in ${where}; no player finds the key; reverse bytes 0 to 3, 4 and 5, 6 and 7 of one`,
      ),
    ]
  }
  return [
    warning(
      `names ${found.join(', ')}, but ${where} has ${expected.join(', ')}: a licence for this key is not asked for`,
    ),
  ]
}

/** Most kids are random UUIDs of version 4: one that is so only with its bytes swapped was probably swapped. */
function suspicionOf(kid: Kid): readonly InspectFinding[] {
  if (isRandomUuid(kid) || !isRandomUuid(swapped(kid))) return []
  return [note('is a random UUID only with its bytes in the other order: was it swapped?')]
}

function isRandomUuid(kid: Kid): boolean {
  const bytes = uuidBytes(kid)
  return bytes.readUInt8(6) >> 4 === 4 && bytes.readUInt8(8) >> 6 === 2
}

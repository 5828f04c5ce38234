/** How deep and how large a JSON text may be. */
interface JsonLimits {
  /** Nested arrays and objects. */
  readonly depth: number
  /** Values, counted by commas and colons. */
  readonly values: number
  /** Members of one object: parsing an object with tens of thousands of names is slow. */
  readonly members: number
}

const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c]
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

/**
 * Why a JSON text exceeds the limits; undefined if it does not. Reads the bytes once and stops at the first limit: a
 * megabyte takes some milliseconds. Parsing deep or long JSON would take much longer. Does not check the syntax.
 */
export function jsonShapeProblem(bytes: Uint8Array, limits: JsonLimits): string | undefined {
  /** For each open array or object the number of its colons. */
  const members: number[] = [0]
  let values = 0
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE:
        for (at++; at < bytes.length && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++
        break
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        members.push(0)
        if (members.length - 1 > limits.depth) return `expected at most ${limits.depth} nested arrays and objects`
        break
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        if (members.length > 1) members.pop()
        break
      case COLON: {
        const inner = members.length - 1
        const count = (members[inner] ?? 0) + 1
        if (count > limits.members) return `expected at most ${limits.members} members in an object`
        members[inner] = count
        if (++values > limits.values) return `expected at most ${limits.values} values`
        break
      }
      case COMMA:
        if (++values > limits.values) return `expected at most ${limits.values} values`
        break
    }
  }
  return undefined
}

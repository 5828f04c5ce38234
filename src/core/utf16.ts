/**
 * The text of bytes in UTF-16LE, as it is: with lone surrogates, with a byte order mark, and without the last byte if their
 * number is odd.
 *
 * The bytes are copied first. `Buffer.toString('utf16le')` of Node 24.21 writes past its own memory if the bytes start at an odd
 * address and their number is odd; no other code of this project may decode UTF-16 (docs/dependencies.md).
 */
export function decodeUtf16le(bytes: Uint8Array): string {
  return evenCopy(bytes).toString('utf16le')
}

/** The same for UTF-16BE. */
export function decodeUtf16be(bytes: Uint8Array): string {
  return evenCopy(bytes).swap16().toString('utf16le')
}

/** The bytes of `text` in UTF-16LE, without a byte order mark. */
export function encodeUtf16le(text: string): Buffer {
  return Buffer.from(text, 'utf16le')
}

/** A copy of an even number of bytes in memory of its own, which starts at an even address. */
function evenCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length - (bytes.length % 2))
  copy.set(bytes.subarray(0, copy.length))
  return copy
}

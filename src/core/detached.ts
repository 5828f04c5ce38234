/**
 * The same text, by itself. A slice of a string keeps the whole string in memory for as long as it lives, so what outlives
 * the document it was read from is detached first.
 */
export function detached<T extends string>(text: T): T {
  return Buffer.from(text).toString() as T
}

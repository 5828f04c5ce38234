import { timingSafeEqual } from 'node:crypto'

/** Whether two values are the same, in a time that does not tell where they differ. Their lengths are no secret. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

import type { KeyObject } from 'node:crypto'
import type { Kid } from '../../formats/cenc.ts'

/** What to look with. */
export interface InspectOptions {
  /** Whether content keys are shown. Without it a node says only that there is one. */
  readonly showKeys?: boolean
  /** RSA: opens what is encrypted for it. */
  readonly privateKey?: KeyObject
  /** Milliseconds since 1970, to tell whether certificates are valid. Without it that is not judged. */
  readonly now?: number
}

/** The same, with what one part of a document tells of another. */
export interface Context extends InspectOptions {
  /** Keys that came with the document: checksums are checked under them. */
  readonly contentKeys: ReadonlyMap<Kid, Uint8Array>
  readonly budget: Budget
}

/** How many more fields of binary structures are taken in: hostile input must not fill the memory with them. */
export interface Budget {
  left: number
}

/** What a document is looked at with, before any of it is known. */
export function newContext(options: InspectOptions): Context {
  return { ...options, contentKeys: new Map(), budget: { left: MAX_FIELDS } }
}

const MAX_FIELDS = 50_000

/** How many bytes are taken in, of a file whose parts are not read one by one. */
export const MAX_BYTES = 16 * 1024 * 1024

/** A key as it is shown: only when that was asked for. */
export function shownKey(bytes: Uint8Array, { showKeys }: InspectOptions): string {
  return showKeys === true ? Buffer.from(bytes).toString('hex') : `hidden, ${bytes.length} bytes`
}

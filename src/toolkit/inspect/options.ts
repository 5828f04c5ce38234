import type { KeyObject } from 'node:crypto'
import type { Kid } from '../../formats/cenc.ts'

/** How an inspection reads. */
export interface InspectOptions {
  /** Whether content keys are shown. Otherwise a node says only that there is one. */
  readonly showKeys?: boolean
  /** RSA: decrypts what is encrypted for it. */
  readonly privateKey?: KeyObject
  /** Milliseconds since 1970. Without it, inspect does not check the dates of certificates. */
  readonly now?: number
}

/** The same, with what one part of a document says about another. */
export interface Context extends InspectOptions {
  /** The content keys of the document, to check checksums. */
  readonly contentKeys: ReadonlyMap<Kid, Uint8Array>
  readonly budget: Budget
}

/** What an inspection may still do, so that hostile input fills neither the memory nor the stack. */
export interface Budget {
  /** Fields of binary structures. */
  left: number
  /** How deep the pssh box that is read is inside other boxes' data. */
  depth: number
}

/** The context of a document before any of it is read. */
export function newContext(options: InspectOptions): Context {
  return { ...options, contentKeys: new Map(), budget: { left: MAX_FIELDS, depth: 0 } }
}

const MAX_FIELDS = 50_000

/** The most bytes of a file whose parts are not read one by one. */
export const MAX_BYTES = 16 * 1024 * 1024

/** A key in hex, if keys are shown. */
export function shownKey(bytes: Uint8Array, { showKeys }: InspectOptions): string {
  return showKeys === true ? Buffer.from(bytes).toString('hex') : `hidden, ${bytes.length} bytes`
}

import type { ContentRef } from '../ports/content-ref.ts'

/** How long contents of one kind live. */
export interface RetentionClass {
  readonly name: string
  /** How long after the last request for its keys a content expires, in milliseconds; undefined: it never does. */
  readonly keepMs: number | undefined
  /** How long after it expired a content is destroyed: until then a request for keys revives it. */
  readonly graceMs: number
  /** What a request for keys meets after that: 410, or a new secret. */
  readonly afterwards: 'gone' | 'regenerate'
  /** Whether the class itself is a legal hold: such contents neither expire nor can they be deleted. */
  readonly held: boolean
}

/** The class of a content, by the rules of the configuration. */
export type RetentionOf = (ref: ContentRef) => RetentionClass

/** What contents are kept by where nothing is configured: nothing is ever lost. */
export const FOREVER: RetentionClass = {
  name: 'forever',
  keepMs: undefined,
  graceMs: 0,
  afterwards: 'gone',
  held: false,
}

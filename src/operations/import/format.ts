import type { KeyObject } from 'node:crypto'
import type { ImportDraft } from './draft.ts'

/** The recipient that others encrypt keys for, so that this server can import them. */
export interface ImportKey {
  /** DER. */
  readonly certificate: Uint8Array
  readonly privateKey: KeyObject
}

/** The text of an import, and what reading it needs. */
export interface ImportInput {
  readonly bytes: Uint8Array
  /** The content of keys that name none. */
  readonly contentId?: string | undefined
  readonly importKey?: ImportKey | undefined
  /** Whether the XML signatures of a document are not verified. */
  readonly ignoreSignature?: boolean | undefined
}

/** An import format. To add one, write one file that exports this, and one line in `IMPORT_FORMATS`. */
export interface ImportFormat {
  readonly name: string
  /** Reads keys into the draft. Throws a problem that makes the rest unreadable, and adds every other problem to the draft. */
  read(input: ImportInput, draft: ImportDraft): void | Promise<void>
}

/** The text of `bytes`; undefined, with a problem, if it is not UTF-8. */
export function readText(bytes: Uint8Array, draft: ImportDraft): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    draft.problem('the file', 'expected UTF-8')
    return undefined
  }
}

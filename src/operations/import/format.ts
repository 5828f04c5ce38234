import type { KeyObject } from 'node:crypto'
import type { ImportDraft } from './draft.ts'

/** Whom keys may be encrypted to, so that they can be imported: a certificate of this server. */
export interface ImportKey {
  /** DER. */
  readonly certificate: Uint8Array
  readonly privateKey: KeyObject
}

/** What is to be read, and with what. */
export interface ImportInput {
  readonly bytes: Uint8Array
  /** The content of keys that are read without one. */
  readonly contentId?: string | undefined
  readonly importKey?: ImportKey | undefined
}

/** A way to write keys down. To add one, write one file that exports this and one line in `import-formats.ts`. */
export interface ImportFormat {
  readonly name: string
  /** Reads keys into the draft. Throws at once what makes the rest unreadable; notes every other problem. */
  read(input: ImportInput, draft: ImportDraft): void | Promise<void>
}

/** The text of `bytes`, or undefined and a problem when it is not UTF-8. */
export function readText(bytes: Uint8Array, draft: ImportDraft): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    draft.problem('the file', 'expected UTF-8')
    return undefined
  }
}

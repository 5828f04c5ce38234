import type { CurrentKey } from '../../keys/content/current-keys.ts'
import type { LedgerRecord } from '../../keys/ports/ledger-store.ts'
import type { IssuedKey } from '../contents/known-keys.ts'

/** What an export is written from, without its keys. */
export interface ExportInput {
  readonly contentId: string
  readonly keys: readonly IssuedKey[]
  readonly periods: readonly LedgerRecord[]
  /** DER. */
  readonly certificates: readonly Uint8Array[]
  /** Milliseconds since 1970. */
  readonly now: number
}

/** An export before its keys are opened: whatever could be refused was. */
export interface PreparedExport {
  /** SHA-256 fingerprints of the recipients. */
  readonly recipients: readonly string[]
  /** `opened` are the keys in the order of the input's. */
  write(opened: readonly CurrentKey[], randomBytes: (size: number) => Uint8Array): Uint8Array
}

/** A way to write keys down. To add one, write one file that exports this and one line here. */
export interface ExportFormat {
  readonly name: string
  readonly mediaType: string
  /** Whether it can hold keys encrypted for recipients. */
  readonly encrypts: boolean
  prepare(input: ExportInput): PreparedExport
}

import type { CurrentKey } from '../../keys/content/current-keys.ts'
import type { LedgerRecord } from '../../keys/ports/ledger-store.ts'
import type { IssuedKey } from '../contents/known-keys.ts'

/** The content of an export, without its keys. */
export interface ExportInput {
  readonly contentId: string
  readonly keys: readonly IssuedKey[]
  readonly periods: readonly LedgerRecord[]
  /** DER. */
  readonly certificates: readonly Uint8Array[]
  /** Milliseconds since 1970. */
  readonly now: number
}

/** An export before its keys are opened. Every check is done. */
interface PreparedExport {
  /** SHA-256 fingerprints of the recipients. */
  readonly recipients: readonly string[]
  /** `opened` has the keys in the order of the input. */
  write(opened: readonly CurrentKey[], randomBytes: (size: number) => Uint8Array): Uint8Array
}

/** An export format. To add one, write one file that exports this, and one line in `EXPORT_FORMATS`. */
export interface ExportFormat {
  readonly name: string
  readonly mediaType: string
  /** Whether it can hold keys encrypted for recipients. */
  readonly encrypts: boolean
  prepare(input: ExportInput): PreparedExport
}

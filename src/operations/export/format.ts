import type { CurrentKey } from '../../keys/content/find.ts'
import type { LedgerRecord } from '../../keys/ports/ledger-store.ts'
import type { IssuedKey } from '../contents/known-keys.ts'
import { toCell } from '../import/csv.ts'

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

/** `{ "keys": [...] }`, which the import format `json` reads. */
export const jsonExport: ExportFormat = {
  name: 'json',
  mediaType: 'application/json',
  encrypts: false,
  prepare: (input) => ({
    recipients: [],
    write: (opened) => Buffer.from(`${JSON.stringify({ keys: rowsOf(input, opened) }, undefined, 2)}\n`),
  }),
}

/** `contentId,kid,key,iv,class`, which the import format `csv` reads. @see RFC 4180 */
export const csvExport: ExportFormat = {
  name: 'csv',
  mediaType: 'text/csv; charset=utf-8; header=present',
  encrypts: false,
  prepare: (input) => ({
    recipients: [],
    write(opened) {
      const lines = rowsOf(input, opened).map((row) =>
        COLUMNS.map((column) => quoted(toCell(row[column] ?? ''))).join(','),
      )
      return Buffer.from([COLUMNS.join(','), ...lines, ''].join('\r\n'))
    },
  }),
}

const COLUMNS = ['contentId', 'kid', 'key', 'iv', 'class'] as const

function rowsOf({ contentId, keys }: ExportInput, opened: readonly CurrentKey[]) {
  return keys.flatMap(({ kid, contentKeyClass }, i) => {
    const found = opened[i]
    if (found === undefined) return []
    const { contentKey, explicitIv } = found
    return { contentId, kid, key: hex(contentKey), iv: explicitIv && hex(explicitIv), class: contentKeyClass }
  })
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

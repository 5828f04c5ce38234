import type { CurrentKey } from '../../keys/content/current-keys.ts'
import { toCell } from '../import/csv.ts'
import type { ExportFormat, ExportInput } from './format.ts'

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

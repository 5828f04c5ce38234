import type { Answer } from '../answer/read.ts'
import { hex, type Output, schemeOf } from './output.ts'

/** A table for people: kids, tracks, IVs and signalling. Keys need --show-keys. */
export const table: Output = {
  name: 'table',
  title: 'for reading',
  holdsKeys: () => false,
  render(answer, { showKeys }) {
    const keys = answer.keys.map(({ kid, requested, explicitIv, contentKey }) => [
      kid,
      requested.intendedTrackType,
      requested.period === undefined ? '-' : String(requested.period.number),
      explicitIv === undefined ? '-' : hex(explicitIv),
      contentKey === undefined ? 'encrypted' : showKeys ? hex(contentKey.reveal()) : 'hidden',
    ])
    const parts = [
      headline(answer),
      aligned([['KID', 'TRACK', 'PERIOD', 'IV', 'KEY'], ...keys]),
      aligned([['DRM SYSTEM', 'KID', 'SIGNALLING'], ...answer.systems.flatMap((system) => rowsOf(system))]),
    ]
    return { text: parts.join('\n') }
  },
}

function headline(answer: Answer): string {
  const { request } = answer
  const names = [...new Set(answer.systems.map(({ name }) => name))]
  return `${request.contentId}: SPEKE ${request.version.header}, ${schemeOf(answer)}, ${names.join(', ')}\n`
}

function rowsOf({ name, kid, contents, hlsMedia, contentProtectionData, smooth }: Answer['systems'][number]) {
  const lines = [
    ...contents.map(printable),
    ...(contentProtectionData === undefined
      ? []
      : [`ContentProtectionData, ${contentProtectionData.length} characters`]),
    ...(hlsMedia === undefined ? [] : [short(hlsMedia)]),
    ...(smooth === undefined ? [] : [`PlayReady Object for Smooth Streaming, ${smooth.length} characters`]),
  ]
  return (lines.length === 0 ? ['-'] : lines).map((line, i) => (i === 0 ? [name, kid, line] : ['', '', line]))
}

/** Shortens the base64 in HLS lines. */
function short(line: string): string {
  return printable(line).replaceAll(/[A-Za-z0-9+/=]{48,}/g, (text) => `${text.slice(0, 16)}…`)
}

/** Removes control characters: the text of a key provider must not control the terminal. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ')
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

import {
  type Context,
  error,
  type InspectFinding,
  type InspectNode,
  kidsIn,
  node,
  note,
  warning,
  withFindings,
} from '../node.ts'
import { explainPayload } from '../pssh.ts'
import { decodeCutBase64 } from '../text.ts'
import { explainKeyLine, KEY_TAGS } from './key-line.ts'
import { readVariables } from './uri.ts'

/** The lines about keys of a playlist, or of any part of one. @see RFC 8216, 4.3.2.4 and 4.3.4.5 */
export function explainHls(text: string, context: Context): InspectNode[] {
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/)
  const isPlaylist = lines.some((line) => line.startsWith('#EXTM3U'))
  const version = Number(/^#EXT-X-VERSION:(\d+)/m.exec(text)?.[1] ?? 1)
  const variables = readVariables(lines)
  const keys: KeyLine[] = []
  let others = 0
  lines.forEach((line, i) => {
    if (keys.length === MAX_LINES) return
    const tag = KEY_TAGS.find((one) => line.startsWith(`${one}:`))
    if (tag !== undefined) {
      const { node: explained, format } = explainKeyLine(
        tag,
        line,
        { number: i + 1, version: isPlaylist ? version : undefined, variables },
        context,
      )
      keys.push({ node: explained, format, tag, line: i })
    } else if (line.startsWith('#EXT-X-PLAYREADYHEADER:')) {
      keys.push({ node: explainPlayReadyHeader(line, i + 1, context), format: undefined, tag: undefined, line: i })
    } else if (line.trim() !== '') others++
  })
  const nodes = compareLines(keys)
  if (keys.length === MAX_LINES)
    nodes.push(node('more lines', undefined, { meaning: `only ${MAX_LINES} about keys are shown` }))
  if (!isPlaylist && keys.length > 0) return nodes
  return [
    node(isPlaylist ? 'playlist' : 'part of a playlist', undefined, {
      meaning: `${isPlaylist ? `version ${version}, ` : ''}${others} lines that are not about keys`,
      findings: [...startFindings(lines, isPlaylist), ...(keys.length === 0 ? [note('has no line about keys')] : [])],
    }),
    ...nodes,
  ]
}

/** Whether text is a playlist, or any lines of one. */
export function isHls(text: string): boolean {
  return TAG_LINE.test(text)
}

const TAG_LINE = /^\ufeff?#EXT(?:M3U\b|INF:|-X-[A-Z-]+)/m
const MAX_LINES = 1000

interface KeyLine {
  readonly node: InspectNode
  /** Undefined for a line without KEYFORMAT. */
  readonly format: string | undefined
  readonly tag: (typeof KEY_TAGS)[number] | undefined
  /** From 0. */
  readonly line: number
}

function startFindings(lines: readonly string[], isPlaylist: boolean): readonly InspectFinding[] {
  if (!isPlaylist || lines[0]?.startsWith('#EXTM3U') === true) return []
  return [error('#EXTM3U must be the first line: players reject the playlist (RFC 8216, 4.3.1.1)')]
}

/**
 * The lines, with findings for those that belong together and name different keys: EXT-X-KEY lines of different formats that
 * follow each other are for the same segments, and give the same key.
 */
function compareLines(keys: readonly KeyLine[]): InspectNode[] {
  const runs: KeyLine[][] = []
  for (const key of keys) {
    const run = runs.at(-1)
    const before = run?.at(-1)
    const follows = before?.tag === '#EXT-X-KEY' && key.tag === '#EXT-X-KEY' && key.line - before.line === 1
    if (run !== undefined && follows) run.push(key)
    else runs.push([key])
  }
  return runs.flatMap((run) => (run.length > MAX_RUN ? run.map(({ node: one }) => one) : compareRun(run)))
}

/** Content has one line for each DRM system. */
const MAX_RUN = 16

function compareRun(run: readonly KeyLine[]): readonly InspectNode[] {
  return run.map(({ node: one, format }) => {
    const kids = kidsIn([one])
    const others = run
      .filter((other) => other.format !== format)
      .map(({ node: other }) => kidsIn([other]))
      .filter((named) => named.length > 0)
    if (kids.length === 0 || others.every((named) => named.some((kid) => kids.includes(kid)))) return one
    const named = [...new Set(others.flat())].join(', ')
    return withFindings(one, [
      warning(
        `names the key ${kids.join(', ')}, the line of another DRM system beside it ${named}: players of one of them get the wrong key`,
      ),
    ])
  })
}

function explainPlayReadyHeader(line: string, number: number, context: Context): InspectNode {
  const place = { line: number, column: 1 }
  const meaning = 'PlayReady, an older form'
  const decoded = decodeCutBase64(line.slice(line.indexOf(':') + 1).trim())
  if ('problem' in decoded)
    return node('EXT-X-PLAYREADYHEADER', undefined, { place, meaning, findings: [error(decoded.problem)] })
  const { children, findings = [] } = explainPayload(decoded.bytes, 0, 'PlayReady Object', context)
  const cut = decoded.cut === undefined ? [] : [error(`not base64: ${decoded.cut}`)]
  return node('EXT-X-PLAYREADYHEADER', undefined, { place, meaning, findings: [...cut, ...findings], children })
}

import type { CpixDiff } from './diff.ts'
import type { Inspection } from './inspection.ts'
import type { InspectFinding, InspectNode, InspectPlace } from './node.ts'
import { printable } from './text.ts'

/** The colours of the parts of the text. Each returns its text with the codes of the colour. */
export interface Colours {
  readonly dim: (text: string) => string
  readonly bold: (text: string) => string
  readonly red: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

const asItIs = (text: string): string => text
/** No colour at all. */
const NO_COLOURS: Colours = { dim: asItIs, bold: asItIs, red: asItIs, yellow: asItIs, cyan: asItIs }

/** A tree as lines: the place of each part, its name and value, their meaning, and the findings. */
export function renderInspection({ kind, encodings, nodes }: Inspection, colours: Colours = NO_COLOURS): string {
  const wrapped = encodings.length === 0 ? '' : colours.dim(` in ${[...encodings].reverse().join(' in ')}`)
  const lines = [`${colours.bold(kind)}${wrapped}`]
  renderNodes(nodes, '', lines, colours)
  return `${lines.join('\n')}\n`
}

/** The differences of two documents, one a paragraph. */
export function renderDiff({ differences, notCompared }: CpixDiff, colours: Colours = NO_COLOURS): string {
  const lines = differences.flatMap(({ path, kind, first, second }) => [
    `${colours.bold(path.map(shown).join(' › '))}${kind === 'changed' ? '' : `: ${colours.yellow(kind)}`}`,
    ...(first === undefined ? [] : [colours.red(`  - ${shown(first)}`)]),
    ...(second === undefined ? [] : [colours.cyan(`  + ${shown(second)}`)]),
  ])
  if (lines.length === 0) lines.push('both have the same meaning')
  return [...lines, ...notCompared.map((what) => `not compared: ${what}`), ''].join('\n')
}

/** Width of the column of places. */
const PLACE_WIDTH = 14
/** A longer value is cut; `--json` has all of it. */
const MAX_VALUE = 400

function renderNodes(nodes: readonly InspectNode[], indent: string, lines: string[], colours: Colours): void {
  nodes.forEach((one, i) => {
    const isLast = i === nodes.length - 1
    const place = one.place === undefined ? '' : describePlace(one.place)
    const meaning = one.meaning === undefined ? '' : colours.dim(`  (${shown(one.meaning)})`)
    const value = one.value === undefined ? '' : `: ${shown(one.value)}`
    lines.push(
      `${colours.dim(place.padEnd(PLACE_WIDTH))}${indent}${isLast ? '└─ ' : '├─ '}${colours.cyan(shown(one.name))}${value}${meaning}`,
    )
    const inner = `${indent}${isLast ? '   ' : '│  '}`
    const stem = (one.children ?? []).length > 0 ? '│  ' : '   '
    for (const finding of one.findings ?? [])
      lines.push(`${' '.repeat(PLACE_WIDTH)}${inner}${stem}${renderFinding(finding, colours)}`)
    renderNodes(one.children ?? [], inner, lines, colours)
  })
}

/** `error: …`, `warning: …` or `note: …`. */
function renderFinding({ severity, message }: InspectFinding, colours: Colours): string {
  const colour = { error: colours.red, warning: colours.yellow, note: colours.dim }[severity]
  return colour(`${severity}: ${shown(message)}`)
}

/** `0x1c +16` or `line:column`. */
function describePlace(place: InspectPlace): string {
  return 'offset' in place
    ? `0x${place.offset.toString(16).padStart(2, '0')} +${place.length}`
    : `${place.line}:${place.column}`
}

function shown(text: string): string {
  const safe = printable(text)
  return safe.length > MAX_VALUE ? `${safe.slice(0, MAX_VALUE)}… (${safe.length} characters)` : safe
}

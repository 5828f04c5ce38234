import { readdirSync, writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { sourceFiles } from '../test/source-files.ts'

/**
 * Draws the rooms of `src/` from the imports of its files: `npm run picture` writes docs/images/architecture.svg. An arrow
 * means "imports"; one that follows from two others is left out.
 */

export const PICTURE = fileURLToPath(new URL('../docs/images/architecture.svg', import.meta.url))
const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** Modules that read files, open sockets or start threads. */
const WORLD = [
  'node:fs',
  'node:fs/promises',
  'node:http',
  'node:https',
  'node:net',
  'node:sqlite',
  'node:worker_threads',
]

/** What a room is for, and where its middle is drawn, in pixels from the left; MIDDLE if not given. */
const MIDDLE = 320
const ROOMS: Readonly<Record<string, readonly [purpose: string, x?: number]>> = {
  cli: ['commands'],
  exports: ['what the package exports', 790],
  demo: ['packaging and a page that plays', 1040],
  server: ['settings and assembly'],
  http: ['listener and routes', 165],
  adapters: ['stores, root keys, audit files', 475],
  operations: ["the operator's side"],
  toolkit: ['acts as an encryptor, checks any provider', 760],
  protocols: ['how keys are requested'],
  auth: ['who calls'],
  keys: ['content keys, derived and sealed'],
  formats: ['XML, CPIX and DRM: pure'],
  core: ['errors, secrets, caches: imports nothing'],
}
const WIDTH = 1180
const MARGIN = 24
const LINE = 18
const GAP = 46
const FOLDERS_IN_LINE = 44

interface Room {
  readonly name: string
  readonly folders: readonly string[]
  readonly reachesWorld: boolean
  readonly imports: readonly string[]
}

interface Box extends Room {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly purpose: string
  readonly lines: readonly string[]
}

/** The rooms of `src/`, by name. */
function readRooms(): ReadonlyMap<string, Room> {
  const files = sourceFiles()
  const names = readdirSync(SRC, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  return new Map(
    names.sort().map((name) => {
      const imports = files.filter(({ path }) => path.startsWith(`${name}/`)).flatMap((file) => file.imports)
      const rooms = imports.filter(({ isFile }) => isFile).map(({ target }) => target.split('/')[0] ?? '')
      const folders = readdirSync(`${SRC}/${name}`, { withFileTypes: true }).filter((entry) => entry.isDirectory())
      const reachesWorld = imports.some(({ target, isTypeOnly }) => WORLD.includes(target) && !isTypeOnly)
      const others = [...new Set(rooms)].filter((other) => other !== name).sort()
      return [name, { name, folders: folders.map((folder) => folder.name).sort(), reachesWorld, imports: others }]
    }),
  )
}

/** The rooms that `name` imports, directly or through others. */
function reachable(rooms: ReadonlyMap<string, Room>, name: string): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (room: string): void => {
    for (const next of rooms.get(room)?.imports ?? []) {
      if (found.has(next)) continue
      found.add(next)
      visit(next)
    }
  }
  visit(name)
  return found
}

/** The imports of a room that do not follow from its other imports. */
function ownImports(rooms: ReadonlyMap<string, Room>, { imports }: Room): readonly string[] {
  return imports.filter((one) => !imports.some((other) => other !== one && reachable(rooms, other).has(one)))
}

/** Rows of rooms: a room is above all that it imports, and rooms that nobody imports are in the first row. */
function rowsOf(rooms: ReadonlyMap<string, Room>): readonly (readonly Room[])[] {
  const heights = new Map<string, number>()
  const heightOf = (name: string): number => {
    const known = heights.get(name)
    if (known !== undefined) return known
    const below = (rooms.get(name)?.imports ?? []).map((other) => heightOf(other) + 1)
    const height = Math.max(0, ...below)
    heights.set(name, height)
    return height
  }
  const all = [...rooms.values()]
  const top = Math.max(...all.map(({ name }) => heightOf(name)))
  const isImported = new Set(all.flatMap(({ imports }) => imports))
  const rowOf = ({ name }: Room): number => (isImported.has(name) ? top - heightOf(name) : 0)
  return Array.from({ length: top + 1 }, (_, row) => all.filter((room) => rowOf(room) === row))
}

/** Names in lines of at most FOLDERS_IN_LINE characters. */
function linesOf(names: readonly string[]): readonly string[] {
  const lines: string[] = []
  for (const name of names) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + name.length + 3 <= FOLDERS_IN_LINE)
      lines[lines.length - 1] = `${last} · ${name}`
    else lines.push(name)
  }
  return lines
}

function boxesOf(rows: readonly (readonly Room[])[]): readonly Box[] {
  const boxes: Box[] = []
  let y = MARGIN
  for (const row of rows) {
    const drawn = row.map((room): Box => {
      const lines = linesOf(room.folders)
      const [purpose = '', x = MIDDLE] = ROOMS[room.name] ?? []
      const width = Math.max(150, ...[purpose, ...lines].map((line) => line.length * 7 + 28))
      return { ...room, purpose, lines, width, height: 58 + lines.length * LINE, x, y }
    })
    const height = Math.max(...drawn.map((box) => box.height))
    boxes.push(...drawn.map((box) => ({ ...box, height })))
    y += height + GAP
  }
  return boxes
}

/** An arrow from a box down to another: straight, or round a corner where a box is in the way. */
function arrow(from: Box, to: Box, boxes: readonly Box[]): string {
  const isFree = boxes.every((box) => box === from || box === to || !isCrossed(box, from, to))
  if (isFree) {
    const [a, b] = ends(from, to)
    return `M${a} ${from.y + from.height} L${b} ${to.y - 2}`
  }
  if (to.x > from.x) {
    const [x, middle] = [to.x - to.width / 2 + 24, from.y + from.height / 2]
    return `M${from.x + from.width / 2} ${middle} H${x - 12} Q${x} ${middle} ${x} ${middle + 12} V${to.y - 2}`
  }
  const middle = to.y + to.height / 2
  return `M${from.x} ${from.y + from.height} V${middle - 12} Q${from.x} ${middle} ${from.x - 12} ${middle} H${to.x + to.width / 2 + 2}`
}

/** Where an arrow leaves and arrives: as near to each other as the boxes allow. */
function ends(from: Box, to: Box): readonly [number, number] {
  const clamp = (x: number, box: Box): number =>
    Math.min(box.x + box.width / 2 - 22, Math.max(box.x - box.width / 2 + 22, x))
  const leave = clamp(to.x, from)
  return [leave, clamp(leave, to)]
}

function isCrossed(box: Box, from: Box, to: Box): boolean {
  if (box.y <= from.y || box.y >= to.y) return false
  const [a, b] = ends(from, to)
  const at = (y: number): number => a + ((b - a) * (y - from.y - from.height)) / (to.y - from.y - from.height)
  return [box.y, box.y + box.height].some((y) => Math.abs(at(y) - box.x) < box.width / 2 + 8)
}

/** The picture as SVG. */
export function architecturePicture(): string {
  const rooms = readRooms()
  const boxes = boxesOf(rowsOf(rooms))
  const byName = new Map(boxes.map((box) => [box.name, box]))
  const arrows = boxes.flatMap((from) =>
    ownImports(rooms, from).flatMap((name) => {
      const to = byName.get(name)
      return to === undefined ? [] : [`  <path d="${arrow(from, to, boxes)}" marker-end="url(#tip)"/>`]
    }),
  )
  const bottom = Math.max(...boxes.map(({ y, height }) => y + height))
  const height = bottom + 64
  const drawn = boxes.map(({ name, purpose, lines, reachesWorld, x, y, width, height }) => {
    const first = y + (height - lines.length * LINE) / 2 - 3
    return [
      `  <rect class="${reachesWorld ? 'world' : 'inner'}" x="${x - width / 2}" y="${y}" width="${width}" height="${height}" rx="9"/>`,
      `  <text class="name" x="${x}" y="${first}">${name}/</text>`,
      `  <text class="purpose" x="${x}" y="${first + 20}">${purpose}</text>`,
      ...lines.map((line, i) => `  <text class="folders" x="${x}" y="${first + 40 + i * LINE}">${line}</text>`),
    ].join('\n')
  })
  const legend = bottom + 34
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="The rooms of src/ and their imports">
  <!-- Made by scripts/architecture-picture.ts from the imports of src/: npm run picture. -->
  <style>
    text { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 14px; fill: #748399 }
    .name { fill: #fff; font-size: 17px; font-weight: 600; text-anchor: middle }
    .purpose { fill: #fff; font-size: 13px; font-style: italic; text-anchor: middle }
    .folders { fill: #e3e9f1; font-size: 13px; text-anchor: middle }
    .world { fill: #4f6280 } .inner { fill: #0b7a75 }
    path { fill: none; stroke: #7d8ba0; stroke-width: 2 }
    .tip { fill: #7d8ba0; stroke: none }
  </style>
  <defs>
    <marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">
      <path class="tip" d="M0 1 L10 5 L0 9 Z"/>
    </marker>
  </defs>
${arrows.join('\n')}
${drawn.join('\n')}
  <rect class="world" x="${MARGIN}" y="${legend - 13}" width="18" height="18" rx="4"/>
  <text x="${MARGIN + 26}" y="${legend + 1}">reads files, opens sockets or starts threads</text>
  <rect class="inner" x="${MARGIN + 340}" y="${legend - 13}" width="18" height="18" rx="4"/>
  <text x="${MARGIN + 366}" y="${legend + 1}">gets everything as parameters</text>
  <path d="M${MARGIN + 610} ${legend - 4} H${MARGIN + 650}" marker-end="url(#tip)"/>
  <text x="${MARGIN + 662}" y="${legend + 1}">imports, directly; longer ways are left out</text>
</svg>
`
}

if (argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PICTURE, architecturePicture())

import { encodeUtf16le } from './utf16.ts'

/**
 * Text with holes: an answer before its keys are known.
 *
 * Keyspring can keep an answer in memory, but not its keys. So everything made for a kid (a pssh box, an HLS line, a whole document) is a
 * `Template`: final text in which each value computed from a content key is a hole of known length. A template can be
 * encoded (UTF-16, base64, base64 inside base64) before it is filled, because only the bytes around a hole depend on it.
 */

/** The source of the values of one answer's holes. `memo` lets holes that share a part compute it once. */
export interface Filling {
  readonly memo: Map<object, string>
}

/** A value that is known only when an answer is made. `render` returns exactly `length` characters. */
export interface Hole<F extends Filling> {
  readonly length: number
  render(filling: F): string
}

/** Final text, except at the holes, where `text` has filler. */
export interface Template<F extends Filling = Filling> {
  readonly text: string
  readonly holes: readonly { readonly at: number; readonly hole: Hole<F> }[]
}

/** A part of a template under construction. */
export type Part<F extends Filling> = string | Template<F>

/** A template that is one hole of `length` characters. */
export function holeOf<F extends Filling>(length: number, render: (filling: F) => string): Template<F> {
  return { text: 'A'.repeat(length), holes: [{ at: 0, hole: { length, render } }] }
}

/** The parts one after the other. */
export function concat<F extends Filling>(...parts: readonly Part<F>[]): Template<F> {
  let text = ''
  const holes: { at: number; hole: Hole<F> }[] = []
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part
    } else {
      for (const { at, hole } of part.holes) holes.push({ at: at + text.length, hole })
      text += part.text
    }
  }
  return { text, holes }
}

/** The UTF-8 bytes of `part`, one character a byte (0–255). Its holes must render ASCII. */
export function utf8Bytes<F extends Filling>(part: Part<F>): Template<F> {
  const { text, holes } = typeof part === 'string' ? { text: part, holes: [] } : part
  if (Buffer.byteLength(text) === text.length) return { text, holes }
  const bytesOf = (slice: string): string => Buffer.from(slice, 'utf8').toString('latin1')
  return concat(...piecesOf({ text, holes }).map((piece) => (typeof piece === 'string' ? bytesOf(piece) : piece)))
}

/** The UTF-16LE bytes of `part`, one character a byte (0–255). */
export function utf16leBytes<F extends Filling>(part: Part<F>): Template<F> {
  const { text, holes } = typeof part === 'string' ? { text: part, holes: [] } : part
  return {
    text: utf16leText(text),
    holes: holes.map(({ at, hole }) => ({ at: at * 2, hole: derivedHole(hole, hole.length * 2, utf16leText) })),
  }
}

/** The base64 of `part`, whose characters are bytes (0–255). */
export function base64<F extends Filling>(part: Part<F>): Template<F> {
  const { text, holes } = typeof part === 'string' ? { text: part, holes: [] } : part
  const placed = holes.map(({ at, hole }) => {
    const start = at - (at % 3)
    const end = Math.min(text.length, Math.ceil((at + hole.length) / 3) * 3)
    const before = text.slice(start, at)
    const after = text.slice(at + hole.length, end)
    const length = Math.ceil((end - start) / 3) * 4
    return { at: (start / 3) * 4, hole: derivedHole(hole, length, (inner) => btoa(before + inner + after)) }
  })
  for (let i = 1; i < placed.length; i++) {
    const [left, right] = [placed[i - 1], placed[i]]
    if (left && right && left.at + left.hole.length > right.at) throw new RangeError('two holes share a base64 group')
  }
  return { text: btoa(text), holes: placed }
}

/** The text of `template` with its holes filled: for tests and for values that are used at once. */
export function fillText<F extends Filling>(template: Template<F>, filling: F): string {
  let filled = ''
  let from = 0
  for (const { at, hole } of template.holes) {
    filled += template.text.slice(from, at) + hole.render(filling)
    from = at + hole.length
  }
  return filled + template.text.slice(from)
}

/** A template as UTF-8 bytes, ready to be copied and filled. Its size in memory is `bytes.length`. */
export interface Skeleton<F extends Filling> {
  readonly bytes: Buffer
  readonly holes: readonly { readonly at: number; readonly hole: Hole<F> }[]
}

/** The skeleton of `template`: encoded once, filled for every answer. */
export function toSkeleton<F extends Filling>(template: Template<F>): Skeleton<F> {
  const { text, holes } = template
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length === text.length) return { bytes, holes }
  let from = 0
  let offset = 0
  const placed = holes.map(({ at, hole }) => {
    offset += Buffer.byteLength(text.slice(from, at))
    from = at
    return { at: offset, hole }
  })
  return { bytes, holes: placed }
}

/** The template as UTF-8 bytes, filled: for a template that is used once. */
export function fillOnce<F extends Filling>(template: Template<F>, filling: F): Buffer {
  const { bytes, holes } = toSkeleton(template)
  fillHoles(bytes, holes, filling)
  return bytes
}

/** A fresh copy of the skeleton with every hole filled. */
export function fillSkeleton<F extends Filling>(skeleton: Skeleton<F>, filling: F): Buffer {
  const bytes = Buffer.allocUnsafeSlow(skeleton.bytes.length)
  skeleton.bytes.copy(bytes)
  fillHoles(bytes, skeleton.holes, filling)
  return bytes
}

function fillHoles<F extends Filling>(bytes: Buffer, holes: Skeleton<F>['holes'], filling: F): void {
  for (const { at, hole } of holes) bytes.write(hole.render(filling), at, hole.length, 'latin1')
}

/** A hole computed from another. Templates that share a part share its holes, so each is computed once a filling. */
function derivedHole<F extends Filling>(inner: Hole<F>, length: number, encode: (value: string) => string): Hole<F> {
  const hole: Hole<F> = {
    length,
    render(filling) {
      const known = filling.memo.get(hole)
      if (known !== undefined) return known
      const value = encode(inner.render(filling))
      filling.memo.set(hole, value)
      return value
    },
  }
  return hole
}

function piecesOf<F extends Filling>({ text, holes }: Template<F>): Part<F>[] {
  const pieces: Part<F>[] = []
  let from = 0
  for (const { at, hole } of holes) {
    pieces.push(text.slice(from, at), { text: text.slice(at, at + hole.length), holes: [{ at: 0, hole }] })
    from = at + hole.length
  }
  pieces.push(text.slice(from))
  return pieces
}

function utf16leText(text: string): string {
  return encodeUtf16le(text).toString('latin1')
}

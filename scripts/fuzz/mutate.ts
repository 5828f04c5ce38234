/** Numbers from 0 up to 1 that the seed alone decides. */
export type Random = () => number

/** A small generator (mulberry32): the same seed, the same numbers, everywhere. */
export function random(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Pieces that parsers and key providers have stumbled over. */
const TOKENS = [
  '<!DOCTYPE x [<!ENTITY a "b">]>',
  '<?php ?>',
  '<![CDATA[',
  ']]>',
  '<!--',
  '-->',
  '&amp;',
  '&#0;',
  '&#x10FFFF;',
  '&undeclared;',
  ' xmlns:x="urn:aws:amazon:com:speke"',
  ' xmlns=""',
  ' id="x"',
  ' kid=""',
  ' kid="00000000-0000-0000-0000-000000000000"',
  ' explicitIV="AAAA"',
  ' commonEncryptionScheme="cbc1"',
  ' __proto__="x"',
  '<cpix:DeliveryDataList/>',
  '<cpix:DeliveryDataList><cpix:DeliveryData><cpix:DeliveryKey/></cpix:DeliveryData></cpix:DeliveryDataList>',
  '<cpix:PSSH/>',
  '<cpix:URIExtXKey/>',
  '<cpix:HLSSignalingData playlist="media"/>',
  '<cpix:ContentKeyUsageRule kid="x" intendedTrackType="ALL"/>',
  '<cpix:LabelFilter label="x"/>',
  'constructor',
  'SD+HD+UHD',
  '\u0000',
  '\ufeff',
  '\ufffd',
  '𝒳',
  '"',
  "'",
  '>',
  '/>',
]
/** What means something in a document: a value, an attribute, an empty element, an element with what it holds. */
const SHAPES: readonly [RegExp, RegExp, RegExp, RegExp] = [
  /(?<=")[^"<>]*(?=")/,
  / [\w:]+="[^"]*"/,
  /<[\w:]+(?: [^<>]*)?\/>/,
  /<([\w:]+)(?: [^<>]*)?>(?:(?!<\1).)*?<\/\1>/s,
]
const VALUES = [
  '',
  'x',
  '0',
  '-1',
  '99999999999999999999',
  'cenc',
  'cbcs',
  'cbc1',
  'SAMPLE-AES',
  'media',
  'ALL',
  'UHD1',
  'é𝒳',
  '2.4',
]
const VERSIONS = [undefined, '', '1.0', '2.0', '2.1', '2.2', '2.0, 2.0', '__proto__']

/** One request made from a sound one: a few changes of bytes, structure, values, or the version header. */
export function mutate(
  next: Random,
  source: Buffer,
  version: string | undefined,
): { readonly bytes: Buffer; readonly versionHeader: string | undefined } {
  const upTo = (limit: number): number => Math.floor(next() * limit)
  const pick = <T>(items: readonly T[]): T => items[upTo(items.length)] as T
  let bytes = source
  const cut = (): [number, number] => {
    const from = upTo(bytes.length + 1)
    return [from, Math.min(bytes.length, from + upTo(next() < 0.9 ? 40 : bytes.length))]
  }
  const splice = (from: number, to: number, middle: Uint8Array): void => {
    bytes = Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(to)])
  }
  /** A place of this shape after a random one; any place where there is none. */
  const placeOf = (shape: RegExp): [number, number] => {
    const match = shape.exec(bytes.toString('latin1').slice(upTo(bytes.length)))
    if (match === null) return cut()
    const from = bytes.length - match.input.length + match.index
    return [from, from + match[0].length]
  }
  const meaningful = (): [number, number] => placeOf(pick(SHAPES))
  const changes: readonly (() => void)[] = [
    () => {
      const at = upTo(bytes.length)
      bytes = Buffer.from(bytes)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << upTo(8))
    },
    () => splice(...cut(), Buffer.alloc(0)),
    () => splice(...cut(), Buffer.from(pick(TOKENS))),
    () => splice(...meaningful(), Buffer.from(pick(TOKENS))),
    () => splice(...meaningful(), Buffer.alloc(0)),
    () => {
      const [from, to] = meaningful()
      splice(to, to, bytes.subarray(from, to))
    },
    () => {
      const [from, to] = meaningful()
      const [otherFrom, otherTo] = meaningful()
      splice(otherFrom, otherTo, bytes.subarray(from, to))
    },
    () => {
      const [from, to] = cut()
      splice(from, from, Buffer.concat(Array.from({ length: 1 + upTo(50) }, () => bytes.subarray(from, to))))
    },
    () => splice(...meaningful(), Buffer.from(String(upTo(2 ** 31)).repeat(1 + upTo(20)))),
  ]
  /** Changes that leave the document well-formed, so that what reads it is reached. */
  const sound: readonly (() => void)[] = [
    () => splice(...placeOf(SHAPES[0]), Buffer.from(pick(VALUES))),
    () => splice(...placeOf(SHAPES[1]), Buffer.alloc(0)),
    () => splice(...placeOf(pick([SHAPES[2], SHAPES[3]])), Buffer.alloc(0)),
    () => {
      const [from, to] = placeOf(pick([SHAPES[2], SHAPES[3]]))
      splice(to, to, bytes.subarray(from, to))
    },
    () => {
      const [from, to] = placeOf(SHAPES[0])
      const [otherFrom, otherTo] = placeOf(SHAPES[0])
      splice(otherFrom, otherTo, bytes.subarray(from, to))
    },
  ]
  const among = next() < 0.6 ? sound : changes
  for (let i = 1 + upTo(4); i > 0; i--) pick(among)()
  return { bytes, versionHeader: next() < 0.05 ? pick(VERSIONS) : version }
}

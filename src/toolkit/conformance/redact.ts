import { KeyProviderError } from '../../core/errors.ts'
import { decodeUtf16le } from '../../core/utf16.ts'
import { readSide } from '../rules/side.ts'
import type { Exchange } from './check.ts'

export const REDACTED = '[key removed]'

/**
 * Returns the body of a reply as text for a report. Without `showKeys`, it removes content keys in every encoding, also from a
 * body that is not a readable document.
 */
export function shownBody({ reply }: Exchange, showKeys: boolean): string {
  if (reply === undefined) return ''
  const text = Buffer.from(reply.body).toString('utf8')
  if (showKeys) return text
  const spellings = keysIn(reply.body, text).flatMap(spellingsOf)
  const plain = text.replaceAll(PLAIN_VALUE, (_, start: string) => start + REDACTED)
  const withoutKeys = spellings.reduce((redacted, spelling) => redacted.replaceAll(spelling, REDACTED), plain)
  return withoutKeys.replaceAll(BASE64, (run) => (hides(run, spellings, DEPTH) ? REDACTED : run))
}

const PLAIN_VALUE = /(<[^<>]*PlainValue[^<>]*>)[^<]*/g
const BASE64 = /[A-Za-z0-9+/]{24,}={0,2}/g
/** Levels of base64: an HLS line or fragment, the box in it, and the text in the box. */
const DEPTH = 3

function keysIn(bytes: Uint8Array, text: string): readonly Buffer[] {
  try {
    const keys = readSide(bytes).view?.keys ?? []
    const ofDocument = keys.flatMap(({ contentKey }) => (contentKey === undefined ? [] : [Buffer.from(contentKey)]))
    const ofText = [...text.matchAll(/PlainValue[^<>]*>\s*([A-Za-z0-9+/]{22,}={0,2})/g)].map(([, key = '']) =>
      Buffer.from(key, 'base64'),
    )
    return [...ofDocument, ...ofText]
  } catch (error) {
    if (error instanceof KeyProviderError) return []
    throw error
  }
}

function spellingsOf(key: Buffer): readonly string[] {
  const hex = key.toString('hex')
  return [key.toString('base64'), key.toString('base64url'), hex, hex.toUpperCase(), key.toString('latin1')]
}

/** Whether base64 text contains a key as bytes, text, UTF-16 or nested base64. */
function hides(base64: string, spellings: readonly string[], depth: number): boolean {
  if (spellings.length === 0) return false
  const bytes = Buffer.from(base64, 'base64')
  const texts = [bytes.toString('latin1'), decodeUtf16le(bytes)]
  if (texts.some((text) => spellings.some((spelling) => text.includes(spelling)))) return true
  if (depth === 0) return false
  return [...(texts[0] ?? '').matchAll(BASE64)].some(([inner]) => hides(inner, spellings, depth - 1))
}

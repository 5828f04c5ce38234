import { KeyProviderError } from '../errors.ts'

const VERSION = '1'

/** A place in a list, for whoever is to ask for what follows it: nothing to be read or made by others. */
export function encodeCursor(place: string): string {
  return Buffer.from(VERSION + place).toString('base64url')
}

/** The place that `encodeCursor` was given. Throws ERR_API_REQUEST_INVALID for anything else. */
export function decodeCursor(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString()
  if (!text.startsWith(VERSION) || encodeCursor(text.slice(1)) !== cursor) {
    throw new KeyProviderError(
      'ERR_API_REQUEST_INVALID',
      'cursor: expected what the page before gave as next, with the same search',
    )
  }
  return text.slice(1)
}

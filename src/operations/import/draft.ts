import { KeyProviderError } from '../../core/errors.ts'
import { type ContentKeyClass, type Kid, toKid } from '../../formats/cenc.ts'
import { SIXTEEN_BYTES } from '../../formats/cpix/fields.ts'

/** A key that somebody brings. Its bytes are overwritten when the import is over. */
export interface ImportedKey {
  readonly contentId: string
  readonly contentKeyClass: ContentKeyClass
  readonly kid: Kid
  readonly key: Uint8Array
  readonly iv: Uint8Array | undefined
  /** Where it stands in what was given. */
  readonly place: string
}

/** The fields of a key as they were written. Bytes: they were derived or decrypted. */
export interface ImportFields {
  readonly contentId: string | undefined
  readonly kid: string | undefined
  readonly key: string | Uint8Array | undefined
  readonly iv?: string | undefined
  readonly class?: string | undefined
}

/** What is read of an import: its keys, and everything that is wrong with it. */
export interface ImportDraft {
  readonly keys: readonly ImportedKey[]
  /** Takes a key, or notes what is wrong with each of its fields. */
  add(fields: ImportFields, placeOf: (field: keyof ImportFields) => string): void
  /** `problem` is our own words: it never quotes what was given. */
  problem(place: string, problem: string): void
  /** Throws ERR_IMPORT_INVALID with every problem, if there is one. */
  refuse(): void
  /** Overwrites the keys. */
  wipe(): void
}

/** How many keys one import may bring. */
export const MAX_IMPORTED_KEYS = 10_000
const MAX_PROBLEMS_SHOWN = 50
const MAX_CONTENT_ID = 256
/** What XML 1.0 cannot write: a document could not name the content. */
const UNWRITABLE = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u
const CLASSES: readonly ContentKeyClass[] = ['drm', 'clear']

/** An empty draft; `defaults` hold where a field is not given. */
export function createImportDraft(defaults: {
  readonly contentId?: string | undefined
  readonly contentKeyClass: ContentKeyClass
}): ImportDraft {
  const keys: ImportedKey[] = []
  const placeOfKey = new Map<string, string>()
  const problems: string[] = []
  let count = 0

  const problem = (place: string, text: string): void => {
    count++
    if (problems.length < MAX_PROBLEMS_SHOWN) problems.push(`${place}: ${text}`)
  }

  const add: ImportDraft['add'] = (fields, placeOf) => {
    const expect = <T>(field: keyof ImportFields, value: T | undefined, expected: string): T | undefined => {
      if (value === undefined) problem(placeOf(field), `expected ${expected}`)
      return value
    }
    const contentId = expect('contentId', contentIdOf(fields.contentId, defaults.contentId), CONTENT_ID_EXPECTED)
    const kid = expect('kid', toKid(fields.kid ?? ''), 'a UUID')
    const key = expect('key', sixteenBytes(fields.key), '16 bytes as 32 hex digits or base64')
    const iv = fields.iv && expect('iv', sixteenBytes(fields.iv), '16 bytes as 32 hex digits or base64')
    const contentKeyClass = fields.class ? CLASSES.find((one) => one === fields.class) : defaults.contentKeyClass
    expect('class', contentKeyClass, CLASSES.join(' or '))
    if (contentId === undefined || kid === undefined || key === undefined || contentKeyClass === undefined) return
    if (iv && Buffer.compare(iv, key) === 0) {
      problem(placeOf('iv'), 'the IV is the key: an IV is public, so the key would be too')
      return
    }
    const id = JSON.stringify([contentId, contentKeyClass, kid])
    const other = placeOfKey.get(id)
    if (other !== undefined) {
      problem(placeOf('kid'), `the same content, class and kid stand at ${other}`)
    } else if (keys.length >= MAX_IMPORTED_KEYS) {
      throw invalid([`${placeOf('kid')}: an import brings at most ${MAX_IMPORTED_KEYS} keys; split it`])
    } else {
      placeOfKey.set(id, placeOf('kid'))
      keys.push({ contentId, contentKeyClass, kid, key, iv: iv || undefined, place: placeOf('kid') })
    }
  }

  return {
    keys,
    add,
    problem,
    refuse() {
      if (count > problems.length) throw invalid([...problems, `and ${count - problems.length} more`])
      if (count > 0) throw invalid(problems)
      if (keys.length === 0) throw invalid(['expected at least one key'])
    },
    wipe() {
      for (const { key, iv } of keys) {
        key.fill(0)
        iv?.fill(0)
      }
    },
  }
}

const CONTENT_ID_EXPECTED = `a content id of 1 to ${MAX_CONTENT_ID} characters that XML can write`

function contentIdOf(text: string | undefined, fallback: string | undefined): string | undefined {
  const contentId = text || fallback
  if (!contentId || contentId.length > MAX_CONTENT_ID || UNWRITABLE.test(contentId)) return undefined
  return contentId
}

function sixteenBytes(value: string | Uint8Array | undefined): Uint8Array | undefined {
  if (typeof value !== 'string') return value?.length === 16 ? value : undefined
  if (/^[0-9a-f]{32}$/i.test(value)) return Buffer.from(value, 'hex')
  return SIXTEEN_BYTES.read(value)
}

function invalid(problems: readonly string[]): KeyProviderError {
  return new KeyProviderError('ERR_IMPORT_INVALID', problems.join('\n'))
}

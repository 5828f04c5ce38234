import type { KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { type ContentKeyClass, type Kid, toKid } from '../../formats/cenc.ts'
import { SIXTEEN_BYTES } from '../../formats/cpix/fields.ts'

/** A key to import. Its bytes are overwritten when the import is over. */
export interface ImportedKey {
  readonly contentId: string
  readonly contentKeyClass: ContentKeyClass
  readonly kid: Kid
  readonly key: Uint8Array
  readonly iv: Uint8Array | undefined
  /** Its place in the file. */
  readonly place: string
}

/** The fields of a key as written. A key in bytes was derived or decrypted. */
export interface ImportFields {
  readonly contentId: string | undefined
  readonly kid: string | undefined
  readonly key: string | Uint8Array | undefined
  readonly iv?: string | undefined
  readonly class?: string | undefined
}

interface ImportDefaults {
  readonly contentId?: string | undefined
  readonly contentKeyClass: ContentKeyClass
}

type PlaceOf = (field: keyof ImportFields) => string

/** How many keys one import may bring. */
export const MAX_IMPORTED_KEYS = 10_000
const MAX_PROBLEMS_SHOWN = 50
const MAX_NOTES = 50
const MAX_CONTENT_ID = 256
/** Characters that XML 1.0 cannot write: no document could name the content. */
const UNWRITABLE = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u
const CLASSES: readonly ContentKeyClass[] = ['drm', 'clear']
const SIXTEEN_BYTES_EXPECTED = '16 bytes as 32 hex digits or base64'

/** The keys of an import, and every problem of its file. */
export class ImportDraft {
  readonly #defaults: ImportDefaults
  readonly #keys: ImportedKey[] = []
  readonly #placeOfKey = new Map<string, string>()
  readonly #problems: string[] = []
  readonly #notes: string[] = []
  #problemCount = 0
  #noteCount = 0

  /** The defaults apply to keys that name no content or no class. */
  constructor(defaults: ImportDefaults) {
    this.#defaults = defaults
  }

  get keys(): readonly ImportedKey[] {
    return this.#keys
  }

  /** What the operator should know of an import without problems. */
  get notes(): readonly string[] {
    const more = this.#noteCount - this.#notes.length
    return more > 0 ? [...this.#notes, `and ${more} more notes`] : this.#notes
  }

  /** Adds a key, or the problems of its fields. Throws ERR_IMPORT_INVALID for too many keys. */
  add(fields: ImportFields, placeOf: PlaceOf): void {
    const contentId = this.#contentId(fields, placeOf)
    const kid = this.#expect(placeOf, 'kid', readKid(fields.kid ?? ''), 'a UUID')
    const key = this.#expect(placeOf, 'key', sixteenBytes(fields.key), SIXTEEN_BYTES_EXPECTED)
    const iv = fields.iv && this.#expect(placeOf, 'iv', sixteenBytes(fields.iv), SIXTEEN_BYTES_EXPECTED)
    const named = fields.class ? CLASSES.find((one) => one === fields.class) : this.#defaults.contentKeyClass
    const contentKeyClass = this.#expect(placeOf, 'class', named, CLASSES.join(' or '))
    if (contentId === undefined || kid === undefined || key === undefined || contentKeyClass === undefined) return
    if (iv && Buffer.compare(iv, key) === 0) {
      this.problem(placeOf('iv'), 'the IV equals the key. An IV is public, so the key would be too')
      return
    }
    const id = JSON.stringify([contentId, contentKeyClass, kid])
    const other = this.#placeOfKey.get(id)
    if (other !== undefined) {
      this.problem(placeOf('kid'), `${other} has the same content, class and kid`)
      return
    }
    if (this.#keys.length >= MAX_IMPORTED_KEYS) {
      throw invalid([`${placeOf('kid')}: an import has at most ${MAX_IMPORTED_KEYS} keys; split it`])
    }
    this.#placeOfKey.set(id, placeOf('kid'))
    this.#keys.push({ contentId, contentKeyClass, kid, key, iv: iv || undefined, place: placeOf('kid') })
  }

  /** Adds a problem. `problem` never quotes the file: it may hold keys. */
  problem(place: string, problem: string): void {
    this.#problemCount++
    if (this.#problems.length < MAX_PROBLEMS_SHOWN) this.#problems.push(`${place}: ${problem}`)
  }

  /** Adds a note. `note` never quotes a key. */
  note(place: string, note: string): void {
    this.#noteCount++
    if (this.#notes.length < MAX_NOTES) this.#notes.push(`${place}: ${note}`)
  }

  /** Throws ERR_IMPORT_INVALID with every problem, if there is one. */
  refuse(): void {
    const more = this.#problemCount - this.#problems.length
    if (more > 0) throw invalid([...this.#problems, `and ${more} more`])
    if (this.#problemCount > 0) throw invalid(this.#problems)
    if (this.#keys.length === 0) throw invalid([...this.#notes, 'expected at least one key'])
  }

  /** Overwrites the keys. */
  wipe(): void {
    for (const { key, iv } of this.#keys) {
      key.fill(0)
      iv?.fill(0)
    }
  }

  #contentId(fields: ImportFields, placeOf: PlaceOf): string | undefined {
    const text = fields.contentId || this.#defaults.contentId
    if (!text) {
      this.problem(placeOf('contentId'), 'the key names no content; name it here, or with --content-id (contentId)')
      return undefined
    }
    const isValid = text.length <= MAX_CONTENT_ID && !UNWRITABLE.test(text)
    const expected = `a contentId of 1 to ${MAX_CONTENT_ID} characters that XML can write`
    return this.#expect(placeOf, 'contentId', isValid ? text : undefined, expected)
  }

  #expect<T>(placeOf: PlaceOf, field: keyof ImportFields, value: T | undefined, expected: string): T | undefined {
    if (value === undefined) this.problem(placeOf(field), `expected ${expected}`)
    return value
  }
}

/** A kid as a UUID, or as packagers write it: 32 hex digits, with or without `0x`. */
export function readKid(text: string): Kid | undefined {
  const [, digits] = /^(?:0x)?([0-9a-f]{32})$/i.exec(text) ?? []
  if (digits === undefined) return toKid(text)
  return toKid(digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'))
}

function sixteenBytes(value: string | Uint8Array | undefined): Uint8Array | undefined {
  if (typeof value !== 'string') return value?.length === 16 ? value : undefined
  const [, digits] = /^(?:0x)?([0-9a-f]{32})$/i.exec(value) ?? []
  return digits === undefined ? SIXTEEN_BYTES.read(value) : Buffer.from(digits, 'hex')
}

function invalid(problems: readonly string[]): KeyProviderError {
  return new KeyProviderError('ERR_IMPORT_INVALID', problems.join('\n'))
}

/** The recipient that others encrypt keys for, so that this server can import them. */
export interface ImportKey {
  /** DER. */
  readonly certificate: Uint8Array
  readonly privateKey: KeyObject
}

/** The text of an import, and what reading it needs. */
export interface ImportInput {
  readonly bytes: Uint8Array
  /** The content of keys that name none. */
  readonly contentId?: string | undefined
  readonly importKey?: ImportKey | undefined
  /** Whether the XML signatures of a document are not verified. */
  readonly ignoreSignature?: boolean | undefined
}

/** An import format. To add one, write one file that exports this, and one line in `IMPORT_FORMATS`. */
export interface ImportFormat {
  readonly name: string
  /** Reads keys into the draft. Throws a problem that makes the rest unreadable, and adds every other problem to the draft. */
  read(input: ImportInput, draft: ImportDraft): void | Promise<void>
}

/** The text of `bytes`; undefined, with a problem, if it is not UTF-8. */
export function readText(bytes: Uint8Array, draft: ImportDraft): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    draft.problem('the file', 'expected UTF-8')
    return undefined
  }
}

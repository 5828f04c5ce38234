import type { ContentKeyClass, KeyAndIv, Kid, SystemId } from '../../formats/cenc.ts'
import type { KidLabel } from '../crypto/derive.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { KidOverride } from '../ports/content-store.ts'

/** Identifies a content key within a content. */
export interface WantedKey {
  readonly contentKeyClass: ContentKeyClass
  readonly kid: Kid
}

/** The keys of one answer, in the order of the wanted keys. */
export interface IssuedKeys {
  readonly keys: readonly KeyAndIv[]
  /** Whether this request created the content's secret or, under the policy `random`, the key of a kid. */
  readonly first: boolean
}

/** Kids that a content derives, in the order of the requested parts. */
export interface DerivedKids {
  readonly kids: readonly Kid[]
  /** Whether this request created the content's secret. */
  readonly first: boolean
}

/** A key that exists already, without its IV. */
export interface FoundKey {
  readonly contentKey: Uint8Array
  readonly source: 'derived' | 'override'
}

/** A key that exists already. */
export interface FoundKeyAndIv extends FoundKey {
  readonly explicitIv: Uint8Array | undefined
}

/** A content as one request sees it: its stored state, read in one transaction, at most 5 s old. */
export interface OpenContent {
  readonly kidOverrides: readonly KidOverride[]
  /** Milliseconds since 1970; undefined if the content is not stored or the store does not know. */
  readonly createdAt: number | undefined
  /**
   * Changes with the kid overrides and the ready-made pssh boxes; '' if there are none. The layout of an answer depends on no other
   * stored value.
   */
  readonly signalingRevision: string
  /** The ready-made pssh boxes of an override. */
  pssh(wanted: WantedKey): Readonly<Record<SystemId, Uint8Array>> | undefined
  /**
   * The keys. Creates and durably stores what they come from, if needed. Throws ERR_CONTENT_GONE, ERR_STORE_UNAVAILABLE,
   * ERR_SEAL_BROKEN.
   */
  issue(wanted: readonly WantedKey[]): Promise<IssuedKeys>
  /**
   * The content key; undefined if `issue` would have to create something. Creates nothing. The kid must be one of those passed to
   * `open`. Throws ERR_CONTENT_GONE, ERR_CONTENT_EXPIRED, ERR_SEAL_BROKEN.
   */
  find(wanted: WantedKey): FoundKey | undefined
  /** As `find`, with the IV. The IV is undefined for an override without an IV in a content without a secret. */
  findWithIv(wanted: WantedKey): FoundKeyAndIv | undefined
  /**
   * One kid for each list of parts. The same label and parts always give the same kid. Creates the content secret if needed. Throws
   * as `issue` does.
   */
  deriveKids(label: KidLabel, parts: readonly (readonly string[])[]): Promise<DerivedKids>
}

/** The source of every content key. */
export interface ContentKeys {
  /** Opens a content for one request, which may use the keys of `kids`. Creates nothing. */
  open(ref: ContentRef, kids: readonly Kid[]): Promise<OpenContent>
}

/** A string that identifies a content key within a content. */
export function wantedId({ contentKeyClass, kid }: WantedKey): string {
  return contentKeyClass + kid
}

export function kidsOf(wanted: readonly WantedKey[]): readonly Kid[] {
  return wanted.map(({ kid }) => kid)
}

import type { ContentKeyClass, KeyAndIv, Kid, SystemId } from '../../formats/cenc.ts'
import type { KidLabel } from '../crypto/derive.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { KidOverride } from '../ports/content-store.ts'

/** A content key that a request asks for. */
export interface WantedKey {
  readonly contentKeyClass: ContentKeyClass
  readonly kid: Kid
}

/** The keys of one answer, in the order they were wanted. */
export interface IssuedKeys {
  readonly keys: readonly KeyAndIv[]
  /** Whether this request created what the keys come from: the first issue of a content (or, under `random`, of a kid). */
  readonly first: boolean
}

/** Kids of a content's own making, in the order they were wanted. */
export interface DerivedKids {
  readonly kids: readonly Kid[]
  /** Whether this request created the secret that they come from. */
  readonly first: boolean
}

/** A content key that stands. */
export interface FoundKeyAndIv {
  readonly contentKey: Uint8Array
  readonly explicitIv: Uint8Array | undefined
  readonly source: 'derived' | 'override'
}

/** A content as one request sees it: what is stored of it, read at one moment and at most 5 s old. */
export interface OpenContent {
  readonly kidOverrides: readonly KidOverride[]
  /** Changes whenever kid overrides or ready-made pssh boxes do; '' when there are none. An answer's layout depends on nothing else stored. */
  readonly signalingRevision: string
  /** The ready-made pssh boxes of an override. */
  pssh(wanted: WantedKey): Readonly<Record<SystemId, Uint8Array>> | undefined
  /** The keys, created if need be: durable before this resolves. Throws ERR_CONTENT_GONE, ERR_STORE_UNAVAILABLE, ERR_SEAL_BROKEN. */
  issue(wanted: readonly WantedKey[]): Promise<IssuedKeys>
  /**
   * The content key that stands, or undefined where `issue` would have to create something: this creates nothing. The kid is
   * one of those given to `open`. Throws ERR_CONTENT_GONE, ERR_CONTENT_EXPIRED, ERR_SEAL_BROKEN.
   */
  find(wanted: WantedKey): Uint8Array | undefined
  /** As `find`, with the IV; that is undefined for an override that brings none, of a content without a secret. */
  findWithIv(wanted: WantedKey): FoundKeyAndIv | undefined
  /**
   * A kid for each list of parts, for callers that ask by something else than a kid: the same label and parts give the same kid
   * for ever. Creates the content secret if need be. Throws as `issue` does.
   */
  deriveKids(label: KidLabel, parts: readonly (readonly string[])[]): Promise<DerivedKids>
}

/** The source of every content key. @see docs/architecture.md, "Content keys" */
export interface ContentKeys {
  /** Creates nothing. `kids` are those the caller means to ask for. */
  open(ref: ContentRef, kids: readonly Kid[]): Promise<OpenContent>
}

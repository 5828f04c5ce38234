import type { ContentKeyClass, KeyAndIv, Kid, SystemId } from '../cenc.ts'
import type { ContentRef, KidOverride } from './store.ts'

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

/** A content as one request sees it: what is stored of it, read at one moment and at most 5 s old. */
export interface OpenContent {
  readonly kidOverrides: readonly KidOverride[]
  /** Changes whenever kid overrides or ready-made pssh boxes do; '' when there are none. An answer's layout depends on nothing else stored. */
  readonly signalingRevision: string
  /** The ready-made pssh boxes of an override. */
  pssh(wanted: WantedKey): Readonly<Record<SystemId, Uint8Array>> | undefined
  /** The keys, created if need be: durable before this resolves. Throws ERR_CONTENT_GONE, ERR_STORE_UNAVAILABLE, ERR_SEAL_BROKEN. */
  issue(wanted: readonly WantedKey[]): Promise<IssuedKeys>
}

/** The source of every content key. @see docs/architecture.md, "Content keys" */
export interface ContentKeys {
  /** Creates nothing. `kids` are those the caller means to ask for. */
  open(ref: ContentRef, kids: readonly Kid[]): Promise<OpenContent>
}

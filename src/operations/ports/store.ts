import type { ContentRef, Tenant } from '../../keys/ports/content-ref.ts'
import type { Birth, ContentLife, StoredOverride, Tombstone } from '../../keys/ports/content-store.ts'

/** The CPIX document of a content as its owner last wrote it. It holds no key: keys are where all keys are. */
export interface StoredDocument {
  readonly xml: string
  /** Changes with every write: the ETag is made from it. */
  readonly revision: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** The keys that a document brings. */
export interface DocumentOverrides {
  readonly overrides: readonly StoredOverride[]
  readonly birth: Birth
  /** Whether nothing is stored if the content has a secret: then encryptors may hold other keys. */
  readonly unlessSecret: boolean
}

/** Where documents of CPIX transfer live. A content that is destroyed loses its document in the same step. Every adapter passes `test/adapters/store/document-store-contract.ts`. */
export interface DocumentStore {
  findDocument(ref: ContentRef): Promise<StoredDocument | undefined>

  /** Stores the document if the revision that stands is `before` (undefined: none stands); false, and nothing stored, if not. Throws ERR_CONTENT_GONE. */
  putDocument(ref: ContentRef, document: StoredDocument, before: string | undefined): Promise<boolean>

  /**
   * Stores a document and the overrides that it brings in one transaction, or nothing. Returns `changed` if the stored
   * revision is not `before`; `taken` if an override of the same class and kid is stored, or by `unlessSecret`. Throws
   * ERR_CONTENT_GONE, ERR_DATA_KEY_REMOVED.
   */
  putDocumentWithKeys(
    ref: ContentRef,
    document: StoredDocument,
    before: string | undefined,
    keys: DocumentOverrides,
  ): Promise<'stored' | 'changed' | 'taken'>
}

/** What is told of a content in a list: no key, no secret. */
export interface ContentSummary extends ContentLife {
  readonly contentId: string
  readonly tombstone: Tombstone | undefined
  /** Whether keys can be derived for it. */
  readonly hasSecret: boolean
  /** Counted up to 10,000. */
  readonly overrides: number
  readonly kidOverrides: number
}

export interface ContentQuery {
  readonly tenant: Tenant
  /** Only contents whose id starts with this. */
  readonly startsWith?: string | undefined
  /** Only contents whose id contains this, letter case counting. */
  readonly contains?: string | undefined
  /** Only what follows this contentId, in the order of the ids' UTF-8 bytes. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface ContentPage {
  readonly contents: readonly ContentSummary[]
  /** Where the next page starts; undefined at the end. A page may hold fewer than `limit`, even none, and have a next one: a search looks at a bounded number of rows at a time. */
  readonly next: string | undefined
}

/** What is stored, for people who look for it. Every adapter passes `test/adapters/store/catalogue-contract.ts`. */
export interface ContentCatalogue {
  searchContents(query: ContentQuery): Promise<ContentPage>
  findSummary(ref: ContentRef): Promise<ContentSummary | undefined>
}

/** A write that was asked for with an idempotency key. */
export interface IdempotentWrite {
  readonly tenant: Tenant
  readonly client: string
  /** As the caller gave it. */
  readonly key: string
  /** SHA-256 of method, path, media type and body, in hex: the same key with another request is refused. */
  readonly requestHash: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** What was answered, without any key; undefined while it is under way. */
  readonly reply: { readonly status: number; readonly body: string } | undefined
}

/** Where writes with an idempotency key are remembered. Every adapter passes `test/adapters/store/idempotency-contract.ts`. */
export interface IdempotencyStore {
  /** Stores the write unless one of its (tenant, client, key) stands that is younger than `notBefore`; returns the one that stood, or undefined when this one stands now. */
  beginWrite(write: IdempotentWrite, notBefore: number): Promise<IdempotentWrite | undefined>
  /** Stores what was answered. */
  endWrite(write: IdempotentWrite): Promise<void>
  /** Forgets a write that failed, so that it can be tried again. */
  forgetWrite(write: Pick<IdempotentWrite, 'tenant' | 'client' | 'key'>): Promise<void>
  /** Forgets at most `limit` writes older than `before`; how many. */
  pruneWrites(before: number, limit: number): Promise<number>
}

/** The last record of an audit chain, kept apart from its file: what shows that the file was cut. */
export interface AuditHead {
  /** Node and day: `n3/2026-11-21`. */
  readonly chain: string
  /** The number of the record, from 1. */
  readonly seq: number
  /** Sealed with a data key: nobody without the root key makes another. */
  readonly sealed: Uint8Array
}

/** The tenant whose data keys seal heads: one of its own, since a log tells of all tenants. */
export const AUDIT_TENANT = 'audit-log'

/** Where the heads of audit chains live. Every adapter passes `test/adapters/store/audit-head-contract.ts`. */
export interface AuditHeadStore {
  /** Stores the head unless one of a later record stands; the same record's may be sealed anew. Throws ERR_DATA_KEY_REMOVED. */
  putAuditHead(head: AuditHead): Promise<void>
  listAuditHeads(): Promise<readonly AuditHead[]>
}

/** Everything that management asks of a store, beside keys. */
export type ManageStore = DocumentStore & ContentCatalogue & IdempotencyStore & AuditHeadStore

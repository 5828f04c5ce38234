import type { ContentRef, Tenant } from '../../keys/ports/content-ref.ts'
import type { Birth, ContentLife, StoredOverride, Tombstone } from '../../keys/ports/content-store.ts'

/** The CPIX document of a content as its owner last wrote it. It holds no key: overrides hold imported keys. */
export interface StoredDocument {
  readonly xml: string
  /** Changes with every write. The ETag contains it. */
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

/** The CPIX documents. Destroying a content deletes its document in the same step. Every adapter passes `test/adapters/store/document-store-contract.ts`. */
export interface DocumentStore {
  findDocument(ref: ContentRef): Promise<StoredDocument | undefined>

  /** Stores the document if the stored revision is `before` (undefined: no document is stored). Returns false, and stores nothing, otherwise. Throws ERR_CONTENT_GONE. */
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

/** The listed facts of a content: no key, no secret. */
export interface ContentSummary extends ContentLife {
  readonly contentId: string
  readonly tombstone: Tombstone | undefined
  /** Whether keys can be derived for it. */
  readonly hasSecret: boolean
  /** The number of overrides, at most 10,000. */
  readonly overrides: number
  readonly kidOverrides: number
}

export interface ContentQuery {
  readonly tenant: Tenant
  /** Only contents whose contentId starts with this text. */
  readonly startsWith?: string | undefined
  /** Only contents whose contentId contains this text, in the same letter case. */
  readonly contains?: string | undefined
  /** Only contents after this contentId, in the order of UTF-8 bytes. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface ContentPage {
  readonly contents: readonly ContentSummary[]
  /** Where the next page starts; undefined at the end. A page can hold fewer contents than `limit`, or none, and still have a next page: a search reads a bounded number of rows. */
  readonly next: string | undefined
}

/** A searchable list of contents. Every adapter passes `test/adapters/store/catalogue-contract.ts`. */
export interface ContentCatalogue {
  searchContents(query: ContentQuery): Promise<ContentPage>
  findSummary(ref: ContentRef): Promise<ContentSummary | undefined>
}

/** A write with an idempotency key. */
export interface IdempotentWrite {
  readonly tenant: Tenant
  readonly client: string
  /** The idempotency key as sent. */
  readonly key: string
  /** SHA-256 of method, path, media type and body, in hex. The same key with another request is rejected. */
  readonly requestHash: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** The answer, without any key; undefined while the write is under way. */
  readonly reply: { readonly status: number; readonly body: string } | undefined
}

/** The writes with an idempotency key. Every adapter passes `test/adapters/store/idempotency-contract.ts`. */
export interface IdempotencyStore {
  /** Stores the write unless one of the same tenant, client and key since `notBefore` is stored. Returns that one, or undefined if this write was stored. */
  beginWrite(write: IdempotentWrite, notBefore: number): Promise<IdempotentWrite | undefined>
  /** Stores the answer. */
  endWrite(write: IdempotentWrite): Promise<void>
  /** Deletes a failed write, so that the client can retry it. */
  forgetWrite(write: Pick<IdempotentWrite, 'tenant' | 'client' | 'key'>): Promise<void>
  /** Deletes at most `limit` writes older than `before`. Returns how many it deleted. */
  pruneWrites(before: number, limit: number): Promise<number>
}

/** The last record of an audit chain, stored apart from its file, so that a cut file is found. */
export interface AuditHead {
  /** Node and day: `n3/2026-11-21`. */
  readonly chain: string
  /** The number of the record, from 1. */
  readonly seq: number
  /** Sealed with a data key: making another one needs the root key. */
  readonly sealed: Uint8Array
}

/** The tenant whose data keys seal heads. It has no contents: an audit log records all tenants. */
export const AUDIT_TENANT = 'audit-log'

/** The heads of audit chains. Every adapter passes `test/adapters/store/audit-head-contract.ts`. */
export interface AuditHeadStore {
  /** Stores the head unless the head of a later record is stored. The head of the same record can be sealed again. Throws ERR_DATA_KEY_REMOVED. */
  putAuditHead(head: AuditHead): Promise<void>
  listAuditHeads(): Promise<readonly AuditHead[]>
}

/** Everything that operations need of a store, apart from keys. */
export type ManageStore = DocumentStore & ContentCatalogue & IdempotencyStore & AuditHeadStore

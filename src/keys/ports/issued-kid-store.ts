import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import type { ContentRef } from './content-ref.ts'

/** A kid that was issued to an encryptor, and the class of its key. */
export interface IssuedKid {
  readonly kid: Kid
  readonly contentKeyClass: ContentKeyClass
}

/** The issued kids of a content among those that were asked for. */
export interface FoundIssued {
  readonly issued: readonly IssuedKid[]
  /**
   * Since when the store has recorded every issued kid, in milliseconds since 1970. For a content that was created before this
   * time, the record may be incomplete.
   */
  readonly completeSince: number
}

/**
 * The kids that were issued, one entry per content, class and kid. An entry stays until its content is destroyed, unlike the ledger,
 * which is pruned earlier. `LedgerStore.record` adds the entries, for contents that are stored. The contract tests are
 * `test/adapters/store/issued-kid-store-contract.ts`.
 */
export interface IssuedKidStore {
  /** The issued kids among `kids`, in one query. Never reads from a replica. */
  findIssued(ref: ContentRef, kids: readonly Kid[]): Promise<FoundIssued>

  /** At most `limit` issued kids of a content after `after`, ordered by kid and class, for copies of a store. */
  listIssued(ref: ContentRef, after: IssuedKid | undefined, limit: number): Promise<readonly IssuedKid[]>

  /** Adds issued kids to a stored content, for copies of a store. */
  putIssued(ref: ContentRef, issued: readonly IssuedKid[]): Promise<void>

  /** Sets `completeSince` to a later time, for copies of a store. An earlier time changes nothing. */
  putCompleteSince(at: number): Promise<void>
}

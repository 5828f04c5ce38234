import type { Tenant } from '../keys/store.ts'

/** A SPEKE request as it came in. */
export interface SpekeRequest {
  /** The X-Speke-Version header as sent. */
  readonly versionHeader: string | undefined
  readonly bytes: Buffer
  readonly tenant: Tenant
  /** The name of the authenticated caller, for the ledger. */
  readonly client: string
}

/** An answer document and what the log wants to know of it. */
export interface SpekeAnswer {
  readonly body: Uint8Array
  readonly contentId: string
  /** How many content keys it holds. */
  readonly keys: number
  /** Whether this request created the keys' source. */
  readonly first: boolean
}

/** Answers a CPIX request document with a CPIX response document; throws KeyProviderError for what it refuses. */
export type AnswerSpeke = (request: SpekeRequest) => Promise<SpekeAnswer>

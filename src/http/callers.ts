import type { Intent } from '../auth/clients/client.ts'
import type { Operator } from '../operations/management.ts'
import type { AuthorizeContent } from '../protocols/speke/answer.ts'
import type { Call } from './call.ts'

/** The caller of a SPEKE request. */
export interface Encryptor {
  /** The tenant whose contents it may name. */
  readonly tenant: string
  /** The name of the client, for the ledger. */
  readonly client: string
  /** How it authenticated. */
  readonly method: string
  /** Throws ERR_FORBIDDEN unless it may have the keys of a content, encrypted for the holders of these certificates. */
  readonly authorize: AuthorizeContent
}

/** Finds the encryptor that sent a call. Throws, or rejects, if the call is not authenticated. */
export type IdentifyEncryptor = (call: Call) => Encryptor | Promise<Encryptor>

/** The caller of the management API or of CPIX transfer. */
export interface ApiCaller {
  readonly operator: Operator
  /** The name of the client. */
  readonly client: string
  /** Throws ERR_FORBIDDEN unless the client may do what it intends. */
  readonly authorize: (intent: Intent) => void
  /** Whether the client may see a content; undefined: it may see each. */
  readonly sees: ((contentId: string) => boolean) | undefined
}

/** Finds the operator that sent a call. Throws, or rejects, if the call is not authenticated. */
export type IdentifyOperator = (call: Call) => ApiCaller | Promise<ApiCaller>

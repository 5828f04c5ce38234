import type { Intent } from '../../auth/clients/client.ts'
import type { Operator } from '../../operations/management.ts'
import type { Call } from '../call.ts'

/** Who calls the management API. */
export interface ApiCaller {
  readonly operator: Operator
  /** The name of the client. */
  readonly client: string
  /** Throws ERR_FORBIDDEN unless the client may do that. */
  readonly authorize: (intent: Intent) => void
  /** Whether the client may know of a content; undefined: of each. */
  readonly sees: ((contentId: string) => boolean) | undefined
}

/** Knows who sent a call. Throws, or rejects with, what refuses it. */
export type IdentifyOperator = (call: Call) => ApiCaller | Promise<ApiCaller>

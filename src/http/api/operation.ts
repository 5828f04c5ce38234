import type { z } from 'zod'
import type { Scope } from '../../auth/clients/client.ts'
import type { ErrorCode } from '../../core/errors.ts'
import type { RetentionClass } from '../../keys/content/lifetime.ts'
import type { ImportKey } from '../../operations/import/draft.ts'
import type { Sweeper } from '../../operations/lifetime/sweep.ts'
import type { Management } from '../../operations/management.ts'
import type { ApiCaller } from '../callers.ts'

/** What operations need. */
export interface ApiWorld {
  readonly management: Management
  readonly sweeper: Sweeper
  readonly retention: {
    readonly default: string
    readonly classes: readonly RetentionClass[]
  }
  /** Opens imported keys that are encrypted to the certificate of this server. */
  readonly importKey: ImportKey | undefined
}

/** A body that is not JSON, or that no schema describes: the operation gets its bytes. */
export interface RawBody {
  readonly mediaType: string
  readonly description: string
  readonly example: unknown
}

type Shape = z.ZodRawShape
type Params = z.ZodObject<Shape> | undefined
type Body = z.ZodType | undefined

/** A request of an operation, checked. */
export interface OperationRequest<P extends Params, Q extends Params, B extends Body> {
  readonly path: P extends z.ZodType ? z.output<P> : undefined
  readonly query: Q extends z.ZodType ? z.output<Q> : undefined
  /** Undefined for a body that is not JSON. */
  readonly body: B extends z.ZodType ? z.output<B> : undefined
  readonly bytes: Buffer
  /** Without its parameters; empty if absent. */
  readonly mediaType: string
  readonly caller: ApiCaller
}

/** One operation of the management API: its description and its function. */
interface OperationDefinition<P extends Params, Q extends Params, B extends Body, R extends z.ZodType> {
  readonly id: string
  readonly method: 'get' | 'post' | 'put' | 'delete'
  readonly path: `/api/${string}`
  readonly tag: string
  readonly summary: string
  readonly description: string
  readonly scope: Scope
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  readonly bodyExample?: unknown
  /** Other media types that the body may have. */
  readonly rawBodies?: readonly RawBody[]
  readonly answer: R
  readonly example: unknown
  /** The media types of an answer that is not JSON: `encode` writes it. */
  readonly rawAnswers?: readonly RawBody[]
  encode?(result: Result<z.input<R>>): { readonly mediaType: string; readonly bytes: Uint8Array }
  /** Its error codes, besides those of every operation. */
  readonly refusals: readonly ErrorCode[]
  /** Whether it accepts an Idempotency-Key. Never for an operation that returns keys: replies are stored. */
  readonly once?: boolean
  handle(request: OperationRequest<P, Q, B>, world: ApiWorld): Promise<Result<z.input<R>>>
}

/** The type of an answer, deeply readonly. */
type Result<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Result<Item>[]
    : T extends object
      ? { readonly [Name in keyof T]: Result<T[Name]> }
      : T

/** Any operation. */
export type Operation = OperationDefinition<Params, Params, Body, z.ZodType>

/** Adds an operation to the list after its schemas and its function were checked against each other. */
export function operation<
  R extends z.ZodType,
  P extends Params = undefined,
  Q extends Params = undefined,
  B extends Body = undefined,
>(definition: OperationDefinition<P, Q, B, R>): Operation {
  // Requests are read with the schemas of this definition.
  return definition as unknown as Operation
}

import type { z } from '@hono/zod-openapi'
import type { Scope } from '../../auth/clients/client.ts'
import type { ErrorCode } from '../../core/errors.ts'
import type { RetentionClass } from '../../keys/content/lifetime.ts'
import type { ImportKey } from '../../operations/import/format.ts'
import type { Sweeper } from '../../operations/lifetime/sweep.ts'
import type { Management } from '../../operations/management.ts'
import type { ApiCaller } from './caller.ts'

/** What operations work on. */
export interface ApiWorld {
  readonly management: Management
  readonly sweeper: Sweeper
  readonly retention: {
    readonly default: string
    readonly classes: readonly RetentionClass[]
  }
  /** What opens keys that others encrypted for us. */
  readonly importKey: ImportKey | undefined
}

/** A body that is no JSON, or is read by another schema: its bytes are handed on as they are. */
export interface RawBody {
  readonly mediaType: string
  readonly description: string
  readonly example: unknown
}

type Shape = z.ZodRawShape
type Params = z.ZodObject<Shape> | undefined
type Body = z.ZodType | undefined

/** What an operation was asked, checked. */
export interface OperationRequest<P extends Params, Q extends Params, B extends Body> {
  readonly path: P extends z.ZodType ? z.output<P> : undefined
  readonly query: Q extends z.ZodType ? z.output<Q> : undefined
  /** Undefined for a body that is no JSON. */
  readonly body: B extends z.ZodType ? z.output<B> : undefined
  readonly bytes: Buffer
  /** Without its parameters; '' where there is none. */
  readonly mediaType: string
  readonly caller: ApiCaller
}

/** One thing that the management API does, as it is described and as it is done. */
export interface OperationDefinition<P extends Params, Q extends Params, B extends Body, R extends z.ZodType> {
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
  /** What else the body may be. */
  readonly rawBodies?: readonly RawBody[]
  readonly answer: R
  readonly example: unknown
  /** What the answer is where it is no JSON: then it is what `encode` makes of the result. */
  readonly rawAnswers?: readonly RawBody[]
  encode?(result: Told<z.input<R>>): { readonly mediaType: string; readonly bytes: Uint8Array }
  /** Why it may refuse, beside what refuses any request. */
  readonly refusals: readonly ErrorCode[]
  /** Whether it takes an Idempotency-Key. Never what gives out keys: replies are remembered. */
  readonly once?: boolean
  handle(request: OperationRequest<P, Q, B>, world: ApiWorld): Promise<Told<z.input<R>>>
}

/** What is told is not changed any more. */
type Told<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Told<Item>[]
    : T extends object
      ? { readonly [Name in keyof T]: Told<T[Name]> }
      : T

/** An operation of any types. */
export type Operation = OperationDefinition<Params, Params, Body, z.ZodType>

/** An operation as one of the list; its types hold between its schemas and its function. */
export function operation<
  R extends z.ZodType,
  P extends Params = undefined,
  Q extends Params = undefined,
  B extends Body = undefined,
>(definition: OperationDefinition<P, Q, B, R>): Operation {
  // The request is read by the schemas of this very definition.
  return definition as unknown as Operation
}

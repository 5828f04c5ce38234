import { createHash } from 'node:crypto'
import type { Tenant } from '../keys/ports/content-ref.ts'
import type { IdempotencyStore } from './ports/store.ts'

/** Something that several nodes see and one of them is to tell. */
export interface ClaimableEvent {
  readonly tenant: Tenant
  /** What and when, so that no other happening of the tenant has the same parts. */
  readonly parts: readonly (string | number)[]
}

/** How long it is remembered who told what: nobody may ask to tell anything older. */
export const CLAIM_MS = 86_400_000

/** No client of the configuration has this name: theirs have no slash in front. */
const CLAIMANT = '/server'

/** The id of the event that tells of something: the same on every node. */
export function claimIdOf({ tenant, parts }: ClaimableEvent): string {
  return createHash('sha256')
    .update(JSON.stringify([tenant, ...parts]))
    .digest('hex')
    .slice(0, 32)
}

/** Whether this node is the one that tells: true once, whichever of the nodes on a store ask, before a restart or after. */
export async function claim(store: IdempotencyStore, happening: ClaimableEvent, at: number): Promise<boolean> {
  const id = claimIdOf(happening)
  const reply = { status: 204, body: '' }
  const write = { tenant: happening.tenant, client: CLAIMANT, key: id, requestHash: id, at, reply }
  return (await store.beginWrite(write, at - 2 * CLAIM_MS)) === undefined
}

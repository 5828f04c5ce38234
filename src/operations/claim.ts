import { createHash } from 'node:crypto'
import type { Tenant } from '../keys/ports/content-ref.ts'
import type { IdempotencyStore } from './ports/store.ts'

/** Something that several nodes observe and exactly one of them reports. */
export interface ClaimableEvent {
  readonly tenant: Tenant
  /** What happened and when. No other event of the tenant has the same parts. */
  readonly parts: readonly (string | number)[]
}

/** How long claims are remembered, in milliseconds. Never claim an event that is older. */
export const CLAIM_MS = 86_400_000

/** No configured client has this name: client names do not start with a slash. */
const CLAIMANT = '/server'

/** The id of the event that reports it: the same on every node. */
export function claimIdOf({ tenant, parts }: ClaimableEvent): string {
  return createHash('sha256')
    .update(JSON.stringify([tenant, ...parts]))
    .digest('hex')
    .slice(0, 32)
}

/** Whether this node reports the event: true for exactly one call on all nodes of a store, across restarts. */
export async function claim(store: IdempotencyStore, event: ClaimableEvent, at: number): Promise<boolean> {
  const id = claimIdOf(event)
  const reply = { status: 204, body: '' }
  const write = { tenant: event.tenant, client: CLAIMANT, key: id, requestHash: id, at, reply }
  return (await store.beginWrite(write, at - 2 * CLAIM_MS)) === undefined
}

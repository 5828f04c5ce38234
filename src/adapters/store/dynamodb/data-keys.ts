import { setTimeout as wait } from 'node:timers/promises'
import { sealGeneration } from '../../../keys/crypto/seal.ts'
import type { Tenant } from '../../../keys/ports/content-ref.ts'
import type { ContentStore } from '../../../keys/ports/content-store.ts'
import type { StoredDataKey } from '../../../keys/ports/data-key-store.ts'
import type { StoreMaintenance } from '../../../keys/ports/maintenance-store.ts'
import { dataKeyRemoved, rowGone, toBytes, toDataKey } from '../rows.ts'
import { contentOfPartition, DATA_KEYS, type DynamoDbItem, dataKeyKeyOf, dataKeyPrefix } from './items.ts'
import type { DynamoDbTable } from './table.ts'

/**
 * Data keys, and the removal of one although no foreign key ties it to the values that it seals. The remover marks it
 * `closing`, waits until no earlier write can still arrive, searches for values that need it, and marks it `removed`.
 * A writer deletes the mark `closing` before it stores a value, which ends the removal, and checks again afterwards. A
 * removed data key is kept for a day, so that a write that arrives even later can restore it.
 */
export interface DynamoDbDataKeys
  extends Pick<ContentStore, 'findDataKeys' | 'putDataKeyIfAbsent' | 'sampleDataKeys'>,
    Pick<StoreMaintenance, 'listDataKeys' | 'rewrapDataKey' | 'removeDataKey'> {
  /** Call before storing sealed values: keeps their data keys. Throws ERR_DATA_KEY_REMOVED. */
  claim(tenant: Tenant, sealed: readonly Uint8Array[]): Promise<void>
  /** Call after storing them. */
  confirm(tenant: Tenant, sealed: readonly Uint8Array[]): Promise<void>
}

interface DynamoDbDataKeysOptions {
  readonly table: DynamoDbTable
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Milliseconds, longer than any write can take. */
  readonly settleMs: number
  /** Whether a client or the head of an audit chain needs the data key. */
  readonly isNeeded: (tenant: Tenant, generation: number) => Promise<boolean>
}

const DAY_SECONDS = 86_400

export function dynamoDbDataKeys({ table, now, settleMs, isNeeded }: DynamoDbDataKeysOptions): DynamoDbDataKeys {
  const list = async (prefix?: string): Promise<readonly StoredDataKey[]> => {
    const items: DynamoDbItem[] = []
    for await (const page of table.query(DATA_KEYS, prefix)) items.push(...page)
    return items.filter(({ state }) => state !== 'removed').map(toDataKey)
  }

  /** Deletes the mark of a removal that has begun. */
  const keep = async (tenant: Tenant, generation: number, over: readonly string[]): Promise<void> => {
    const key = dataKeyKeyOf(tenant, generation)
    for (;;) {
      const dataKey = await table.get(key)
      if (dataKey === undefined) throw dataKeyRemoved(tenant)
      const { state } = dataKey
      if (state === undefined) return
      if (typeof state !== 'string' || !over.includes(state)) throw dataKeyRemoved(tenant)
      if (await table.update(key, { state: undefined, ttl: undefined }, { equal: { state } })) return
    }
  }
  const keepAll = async (tenant: Tenant, sealed: readonly Uint8Array[], over: readonly string[]): Promise<void> => {
    const generations = new Set(sealed.map(sealGeneration).filter((one) => one !== undefined))
    await Promise.all(Array.from(generations, (generation) => keep(tenant, generation, over)))
  }

  const isUsed = async (tenant: Tenant, generation: number): Promise<boolean> => {
    for await (const page of table.scan({ present: ['sealed'] })) {
      const needs = ({ pk, sealed }: DynamoDbItem): boolean =>
        contentOfPartition(pk).tenant === tenant && sealGeneration(toBytes(sealed)) === generation
      if (page.some(needs)) return true
    }
    return isNeeded(tenant, generation)
  }

  return {
    claim: (tenant, sealed) => keepAll(tenant, sealed, ['closing']),
    confirm: (tenant, sealed) => keepAll(tenant, sealed, ['closing', 'removed']),

    findDataKeys: (tenant) => list(dataKeyPrefix(tenant)),
    listDataKeys: async () => [...(await list())].sort(byTenant),

    async sampleDataKeys() {
      // Ordered by generation: the newest of a tenant comes last and stays.
      return [...new Map((await list()).map((dataKey) => [dataKey.tenant, dataKey])).values()]
    },

    async putDataKeyIfAbsent({ tenant, generation, wrapped }) {
      const key = dataKeyKeyOf(tenant, generation)
      await table.put({ ...key, tenant, generation, wrapped }, { absent: ['pk'] })
      const standing = await table.get(key)
      if (standing === undefined) throw rowGone()
      if (standing.state === 'removed') throw dataKeyRemoved(tenant)
      return toDataKey(standing)
    },

    rewrapDataKey: ({ tenant, generation, wrapped }, before) =>
      table.update(dataKeyKeyOf(tenant, generation), { wrapped }, { equal: { wrapped: before }, absent: ['state'] }),

    async removeDataKey(tenant, generation) {
      const key = dataKeyKeyOf(tenant, generation)
      const standing = await table.get(key)
      if (standing === undefined || standing.state === 'removed') return false
      const removal = Number(standing.removal ?? 0) + 1
      const asRead = standing.removal === undefined ? { absent: ['removal'] } : { equal: { removal: removal - 1 } }
      if (!(await table.update(key, { state: 'closing', removal }, { ...asRead, present: ['pk'] }))) return false
      await wait(settleMs)
      const ours = { equal: { state: 'closing', removal } }
      if (await isUsed(tenant, generation)) {
        await table.update(key, { state: undefined }, ours)
        return false
      }
      return table.update(key, { state: 'removed', ttl: Math.ceil(now() / 1_000) + DAY_SECONDS }, ours)
    },
  }
}

function byTenant(a: StoredDataKey, b: StoredDataKey): number {
  return a.tenant === b.tenant ? a.generation - b.generation : a.tenant < b.tenant ? -1 : 1
}

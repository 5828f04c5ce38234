import type { ClientStore } from '../../../auth/clients/client.ts'
import { sealGeneration } from '../../../keys/crypto/seal.ts'
import type { Tenant } from '../../../keys/ports/content-ref.ts'
import {
  AUDIT_TENANT,
  type AuditHead,
  type AuditHeadStore,
  type IdempotencyStore,
  type IdempotentWrite,
} from '../../../operations/ports/store.ts'
import { dataKeysOf, fromClientJson, toClientJson } from '../client-rows.ts'
import { toBytes, toText } from '../rows.ts'
import { toNumber } from './contents.ts'
import type { DynamoDbDataKeys } from './data-keys.ts'
import { CLIENTS, type DynamoDbItem, pack, unpack } from './items.ts'
import { putOnce, replaceItem } from './once.ts'
import type { DynamoDbTable } from './table.ts'

/** Much longer than any caller retries a write. `pruneWrites` deletes it sooner. */
const KEPT_SECONDS = 30 * 86_400
const AUDIT_HEADS = 'audit-heads'

/** Writes with an idempotency key, and the heads of audit chains, in the table. */
export function dynamoDbRecords(
  table: DynamoDbTable,
  dataKeys: Pick<DynamoDbDataKeys, 'claim' | 'confirm'>,
): IdempotencyStore & AuditHeadStore {
  return {
    async beginWrite(write, notBefore) {
      const item = toItem(write)
      for (;;) {
        if (await putOnce(table, item, { absent: ['pk'] })) return undefined
        const standing = await table.get(item)
        if (standing === undefined) continue
        if (toTime(standing) >= notBefore) return toWrite(standing)
        if (await putOnce(table, item, { equal: { writtenAt: toTime(standing) } })) return undefined
      }
    },

    async endWrite(write) {
      const { pk, sk, ...values } = toItem(write)
      await table.update({ pk, sk }, values, { equal: { writtenAt: write.at, requestHash: write.requestHash } })
    },

    async forgetWrite(write) {
      await table.remove(keyOf(write))
    },

    async pruneWrites(before, limit) {
      let pruned = 0
      if (limit <= 0) return pruned
      for await (const page of table.scan({ below: { writtenAt: before } })) {
        for (const item of page) {
          if (!(await table.remove(item, { equal: { writtenAt: toTime(item) } }))) continue
          pruned++
          if (pruned === limit) return pruned
        }
      }
      return pruned
    },

    async putAuditHead({ chain, seq, sealed }) {
      const item = { pk: AUDIT_HEADS, sk: `chain ${chain}`, chain, seq, head: sealed }
      await dataKeys.claim(AUDIT_TENANT, [sealed])
      const isFirst = await table.put(item, { absent: ['pk'] })
      // The same record can be sealed again.
      if (!isFirst && !(await table.put(item, { below: { seq: seq + 1 } }))) return
      await dataKeys.confirm(AUDIT_TENANT, [sealed])
    },

    listAuditHeads: () => listAuditHeads(table),
  }
}

/** The number of audit heads that need a data key. */
export async function countHeadsSealedBy(table: DynamoDbTable, tenant: Tenant, generation: number): Promise<number> {
  if (tenant !== AUDIT_TENANT) return 0
  return (await listAuditHeads(table)).filter(({ sealed }) => sealGeneration(sealed) === generation).length
}

async function listAuditHeads(table: DynamoDbTable): Promise<readonly AuditHead[]> {
  const items: DynamoDbItem[] = []
  for await (const page of table.query(AUDIT_HEADS)) items.push(...page)
  // DynamoDB returns them in byte order.
  return items.map(({ chain, seq, head }) => ({
    chain: toText(chain),
    seq: toNumber(seq),
    sealed: toBytes(head),
  }))
}

function keyOf({ tenant, client, key }: Pick<IdempotentWrite, 'tenant' | 'client' | 'key'>) {
  return { pk: `write ${JSON.stringify([tenant, client, key])}`, sk: '#write' }
}

function toItem(write: IdempotentWrite) {
  const { tenant, client, key, requestHash, at, reply } = write
  return {
    ...keyOf(write),
    tenant,
    client,
    key,
    requestHash,
    writtenAt: at,
    ttl: Math.ceil(at / 1_000) + KEPT_SECONDS,
    status: reply?.status,
    body: reply && pack(reply.body),
  }
}

function toWrite(item: DynamoDbItem): IdempotentWrite {
  const { tenant, client, key, requestHash, status, body } = item
  return {
    tenant: toText(tenant),
    client: toText(client),
    key: toText(key),
    requestHash: toText(requestHash),
    at: toTime(item),
    reply: typeof status === 'number' ? { status, body: unpack(body) } : undefined,
  }
}

function toTime({ writtenAt }: DynamoDbItem): number {
  return toNumber(writtenAt)
}

/** Clients in the DynamoDB table. */
interface DynamoDbClients extends Pick<ClientStore, 'listClients' | 'removeClient'> {
  putClient(registered: Parameters<ClientStore['putClient']>[0], dataKeys: Guard): Promise<void>
  /** The number of clients that need a data key. */
  countSealedBy(tenant: Tenant, generation: number): Promise<number>
}
type Guard = Pick<DynamoDbDataKeys, 'claim' | 'confirm'>

export function dynamoDbClients(table: DynamoDbTable): DynamoDbClients {
  const keyOf = (name: string) => ({ pk: CLIENTS, sk: `client ${name}` })
  const listClients = async () => {
    const clients = []
    for await (const page of table.query(CLIENTS)) clients.push(...page.map(({ json }) => fromClientJson(json)))
    return clients.sort(({ client: a }, { client: b }) => (a.name < b.name ? -1 : 1))
  }
  return {
    listClients,

    async putClient(registered, dataKeys) {
      const { client, credentials } = registered
      const sealed = credentials.flatMap((one) => ('sealed' in one ? [one.sealed] : []))
      await dataKeys.claim(client.tenant, sealed)
      await replaceItem(table, { ...keyOf(client.name), json: toClientJson(registered) })
      await dataKeys.confirm(client.tenant, sealed)
    },

    removeClient: (name) => table.remove(keyOf(name), { present: ['pk'] }),

    async countSealedBy(tenant, generation) {
      const needed = (await listClients()).flatMap(dataKeysOf)
      return needed.filter((one) => one.tenant === tenant && one.generation === generation).length
    },
  }
}

import type { AuditHeadStore, IdempotencyStore, IdempotentWrite } from '../manage/store.ts'
import { toNumber } from './dynamodb-contents.ts'
import { type DynamoDbItem, pack, unpack } from './dynamodb-items.ts'
import type { DynamoDbTable } from './dynamodb-table.ts'
import { toBytes, toText } from './rows.ts'

/** Long after anybody would try a write again; `pruneWrites` forgets it sooner. */
const KEPT_SECONDS = 30 * 86_400
const AUDIT_HEADS = 'audit-heads'

/** Writes with an idempotency key, and the heads of audit chains, in the table. */
export function dynamoDbRecords(table: DynamoDbTable): IdempotencyStore & AuditHeadStore {
  return {
    async beginWrite(write, notBefore) {
      const item = toItem(write)
      for (;;) {
        if (await table.put(item, { absent: ['pk'] })) return undefined
        const standing = await table.get(item)
        if (standing === undefined) continue
        if (toTime(standing) >= notBefore) return toWrite(standing)
        if (await table.put(item, { equal: { writtenAt: toTime(standing) } })) return undefined
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
      if (await table.put(item, { absent: ['pk'] })) return
      await table.put(item, { below: { seq } })
    },

    async listAuditHeads() {
      const items: DynamoDbItem[] = []
      for await (const page of table.query(AUDIT_HEADS)) items.push(...page)
      // DynamoDB has them in the order of their bytes.
      return items.map(({ chain, seq, head }) => ({
        chain: toText(chain),
        seq: toNumber(seq),
        sealed: toBytes(head),
      }))
    },
  }
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

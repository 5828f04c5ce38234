import { sealGeneration } from '../../../keys/crypto/seal.ts'
import type { ContentRef, Tenant } from '../../../keys/ports/content-ref.ts'
import type { StoreMaintenance } from '../../../keys/ports/maintenance-store.ts'
import { toBytes } from '../rows.ts'
import { toNumber } from './contents.ts'
import type { DynamoDbDataKeys } from './data-keys.ts'
import { CONTENT, contentOfPartition, contentPartition, overrideKeyOf, secretKeyOf } from './items.ts'
import type { DynamoDbLife } from './life.ts'
import type { DynamoDbTable } from './table.ts'

interface DynamoDbMaintenanceOptions {
  readonly table: DynamoDbTable
  readonly dataKeys: DynamoDbDataKeys
  /** The number of values outside contents that need a data key. */
  readonly countOthers: (tenant: Tenant, generation: number) => Promise<number>
  readonly life: DynamoDbLife
}

/** Maintenance of the whole table. It reads every item, so requests never use it. */
export function dynamoDbMaintenance({
  table,
  dataKeys,
  countOthers,
  life,
}: DynamoDbMaintenanceOptions): Pick<StoreMaintenance, 'listContents' | 'reseal' | 'countSeals' | 'putLife'> {
  const itemKey = (ref: ContentRef) => ({ pk: contentPartition(ref), sk: CONTENT })
  return {
    async listContents(after, limit) {
      const refs: ContentRef[] = []
      for await (const page of table.scan({ equal: { sk: CONTENT } }, after && itemKey(after))) {
        refs.push(...page.map(({ pk }) => contentOfPartition(pk)))
        if (refs.length >= limit) break
      }
      return refs.slice(0, limit)
    },

    async reseal(values) {
      let resealed = 0
      for (const { override, before, after, ...ref } of values) {
        const content = await table.get(itemKey(ref))
        if (content === undefined) continue
        const pk = contentPartition(ref)
        const epoch = toNumber(content.epoch)
        const key = override === undefined ? secretKeyOf(pk, epoch) : overrideKeyOf(pk, epoch, override)
        await dataKeys.claim(ref.tenant, [after])
        if (!(await table.update(key, { sealed: after }, { equal: { sealed: before } }))) continue
        await dataKeys.confirm(ref.tenant, [after])
        resealed++
      }
      return resealed
    },

    async countSeals() {
      const counts = new Map<string, number>()
      for await (const page of table.scan({ present: ['sealed'] })) {
        for (const { pk, sealed } of page) {
          const id = JSON.stringify([contentOfPartition(pk).tenant, sealGeneration(toBytes(sealed))])
          counts.set(id, (counts.get(id) ?? 0) + 1)
        }
      }
      const all = await dataKeys.listDataKeys()
      return Promise.all(
        all.map(async ({ tenant, generation }) => {
          const rows = counts.get(JSON.stringify([tenant, generation])) ?? 0
          return { tenant, generation, rows: rows + (await countOthers(tenant, generation)) }
        }),
      )
    },

    async putLife(ref, { createdAt, expiresAt, hold, epoch }) {
      const content = await table.get(itemKey(ref))
      if (content === undefined) return
      const change = { born: 1, createdAt, epochOffset: epoch - toNumber(content.epoch) }
      await table.update(itemKey(ref), change, { present: ['pk'] })
      await life.change(ref, { expiresAt, hold })
    },
  }
}

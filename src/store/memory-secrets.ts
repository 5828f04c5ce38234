import type { Kid } from '../cenc.ts'
import { sealGeneration } from '../keys/seal.ts'
import type {
  ContentRef,
  KidOverride,
  SecretStore,
  StoredContent,
  StoredDataKey,
  StoredOverride,
  StoreMaintenance,
  Tenant,
  Tombstone,
} from '../keys/store.ts'
import { COMPLETE_OVERRIDES, contentGone, dataKeyRemoved } from './content.ts'

interface Row {
  sealedSecret: Uint8Array | undefined
  tombstone: Tombstone | undefined
  readonly overrides: Map<string, StoredOverride>
  readonly kidOverrides: Map<string, KidOverride>
}

/** Secrets in memory. */
export function memorySecretStore(
  /** How many clients need a data key. */
  clientsSealedBy: (tenant: Tenant, generation: number) => number = () => 0,
): Omit<SecretStore, 'close'> & StoreMaintenance {
  const contents = new Map<string, Row>()
  const dataKeys = new Map<string, StoredDataKey>()
  const removed = new Set<string>()
  const refuseRemoved = ({ tenant }: ContentRef, sealed: Uint8Array): void => {
    if (removed.has(JSON.stringify([tenant, sealGeneration(sealed)]))) throw dataKeyRemoved(tenant)
  }

  const find = (ref: ContentRef): Row | undefined => contents.get(idOf(ref))
  /** The row to write to; a destroyed content has none. */
  const rowOf = (ref: ContentRef): Row => {
    const row = find(ref) ?? {
      sealedSecret: undefined,
      tombstone: undefined,
      overrides: new Map(),
      kidOverrides: new Map(),
    }
    contents.set(idOf(ref), row)
    return row
  }
  const writableRowOf = (ref: ContentRef): Row => {
    const row = rowOf(ref)
    if (row.tombstone !== undefined) throw contentGone(ref)
    return row
  }

  return {
    async findContent(ref, kids) {
      const row = find(ref)
      return row && isStored(row) ? readContent(row, kids) : undefined
    },

    async putSecretIfAbsent(ref, sealedSecret, kids) {
      refuseRemoved(ref, sealedSecret)
      const row = rowOf(ref)
      if (row.tombstone === undefined) row.sealedSecret ??= new Uint8Array(sealedSecret)
      return readContent(row, kids)
    },

    async putOverridesIfAbsent(ref, overrides) {
      for (const { sealed } of overrides) refuseRemoved(ref, sealed)
      const row = rowOf(ref)
      for (const override of row.tombstone === undefined ? overrides : []) {
        const id = overrideId(override)
        if (!row.overrides.has(id)) row.overrides.set(id, copyOverride(override))
      }
      return readContent(
        row,
        overrides.map(({ kid }) => kid),
      )
    },

    async replaceOverride(ref, override) {
      refuseRemoved(ref, override.sealed)
      writableRowOf(ref).overrides.set(overrideId(override), copyOverride(override))
    },

    async removeOverride(ref, contentKeyClass, kid) {
      return find(ref)?.overrides.delete(overrideId({ contentKeyClass, kid })) ?? false
    },

    async listOverrides(ref) {
      return [...(find(ref)?.overrides.values() ?? [])].sort(byKid)
    },

    async putKidOverride(ref, rule) {
      const { intendedTrackType, periodIndex, kid } = rule
      writableRowOf(ref).kidOverrides.set(ruleId(rule), { intendedTrackType, periodIndex, kid })
    },

    async removeKidOverride(ref, rule) {
      return find(ref)?.kidOverrides.delete(ruleId(rule)) ?? false
    },

    async putTombstone(ref, { at, reason }) {
      const row = rowOf(ref)
      row.sealedSecret = undefined
      row.overrides.clear()
      row.kidOverrides.clear()
      row.tombstone ??= { at, reason }
    },

    async findDataKeys(tenant) {
      return [...dataKeys.values()].filter((dataKey) => dataKey.tenant === tenant).sort(byGeneration)
    },

    async putDataKeyIfAbsent({ tenant, generation, wrapped }) {
      const id = JSON.stringify([tenant, generation])
      const standing = dataKeys.get(id) ?? { tenant, generation, wrapped: new Uint8Array(wrapped) }
      dataKeys.set(id, standing)
      return standing
    },

    async sampleDataKeys() {
      return [
        ...new Map([...dataKeys.values()].sort(byGeneration).map((dataKey) => [dataKey.tenant, dataKey])).values(),
      ]
    },

    async listContents(after, limit) {
      return [...contents]
        .filter(([id, row]) => isStored(row) && (after === undefined || id > idOf(after)))
        .map(([id]) => id)
        .sort()
        .slice(0, limit)
        .map((id) => {
          const [tenant, contentId] = JSON.parse(id) as [string, string]
          return { tenant, contentId }
        })
    },

    async listDataKeys() {
      return [...dataKeys.values()].sort((a, b) =>
        a.tenant === b.tenant ? byGeneration(a, b) : a.tenant < b.tenant ? -1 : 1,
      )
    },

    async rewrapDataKey({ tenant, generation, wrapped }, before) {
      const id = JSON.stringify([tenant, generation])
      const standing = dataKeys.get(id)
      if (standing === undefined || !isSame(standing.wrapped, before)) return false
      dataKeys.set(id, { tenant, generation, wrapped: new Uint8Array(wrapped) })
      return true
    },

    async removeDataKey(tenant, generation) {
      if (sealsOf(tenant, generation) > 0 || !dataKeys.delete(JSON.stringify([tenant, generation]))) return false
      removed.add(JSON.stringify([tenant, generation]))
      return true
    },

    async reseal(values) {
      let resealed = 0
      for (const { override, before, after, ...ref } of values) {
        const row = find(ref)
        const id = override === undefined ? undefined : overrideId(override)
        const standing = id === undefined ? undefined : row?.overrides.get(id)
        if (row === undefined || !isSame(id === undefined ? row.sealedSecret : standing?.sealed, before)) continue
        if (id === undefined) row.sealedSecret = new Uint8Array(after)
        else if (standing !== undefined) row.overrides.set(id, { ...standing, sealed: new Uint8Array(after) })
        resealed++
      }
      return resealed
    },

    async countSeals() {
      return (await this.listDataKeys()).map(({ tenant, generation }) => {
        return { tenant, generation, rows: sealsOf(tenant, generation) }
      })
    },
  }

  function sealsOf(tenant: string, generation: number): number {
    let rows = clientsSealedBy(tenant, generation)
    for (const [id, row] of contents) {
      if ((JSON.parse(id) as [string, string])[0] !== tenant) continue
      const seals = [row.sealedSecret, ...Array.from(row.overrides.values(), ({ sealed }) => sealed)]
      rows += seals.filter((one) => one !== undefined && sealGeneration(one) === generation).length
    }
    return rows
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0
}

function readContent(row: Row, kids: readonly Kid[]): StoredContent {
  const all = [...row.overrides.values()].sort(byKid)
  const overridesComplete = all.length <= COMPLETE_OVERRIDES
  return {
    sealedSecret: row.sealedSecret,
    overrides: overridesComplete ? all : all.filter(({ kid }) => kids.includes(kid)),
    overridesComplete,
    kidOverrides: [...row.kidOverrides.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rule]) => rule),
    tombstone: row.tombstone,
  }
}

function isStored(row: Row): boolean {
  return row.sealedSecret !== undefined || row.tombstone !== undefined || row.overrides.size + row.kidOverrides.size > 0
}

const idOf = ({ tenant, contentId }: ContentRef): string => JSON.stringify([tenant, contentId])
const overrideId = ({ kid, contentKeyClass }: Pick<StoredOverride, 'kid' | 'contentKeyClass'>): string =>
  `${kid} ${contentKeyClass}`
const ruleId = ({ intendedTrackType, periodIndex }: Pick<KidOverride, 'intendedTrackType' | 'periodIndex'>): string =>
  JSON.stringify([intendedTrackType ?? null, periodIndex ?? null])
const byKid = (a: StoredOverride, b: StoredOverride): number => (overrideId(a) < overrideId(b) ? -1 : 1)
const byGeneration = (a: StoredDataKey, b: StoredDataKey): number => a.generation - b.generation

function copyOverride({ contentKeyClass, kid, sealed, pssh }: StoredOverride): StoredOverride {
  const boxes = Object.entries(pssh).map(([systemId, box]) => [systemId, new Uint8Array(box)])
  return { contentKeyClass, kid, sealed: new Uint8Array(sealed), pssh: Object.fromEntries(boxes) }
}

import { contentGone, contentHeld } from '../../../keys/content/errors.ts'
import { sealGeneration } from '../../../keys/crypto/seal.ts'
import type { ContentRef, Tenant } from '../../../keys/ports/content-ref.ts'
import type { Birth, ContentStore, KidOverride, StoredOverride } from '../../../keys/ports/content-store.ts'
import type { StoredDataKey } from '../../../keys/ports/data-key-store.ts'
import type { StoreMaintenance } from '../../../keys/ports/maintenance-store.ts'
import { dataKeyRemoved, NOTHING } from '../rows.ts'
import { byKid, byName, destroy, type MemoryContent, type MemoryContents, overrideId, readContent } from './contents.ts'

/** Content secrets and overrides in memory. */
export function memorySecretStore(
  contents: MemoryContents,
  /** The number of values outside contents that need a data key. */
  othersSealedBy: (tenant: Tenant, generation: number) => number,
): Omit<ContentStore, 'close'> &
  StoreMaintenance & {
    /** Throws ERR_DATA_KEY_REMOVED for a value whose data key was removed. */
    readonly refuseRemoved: (of: Pick<ContentRef, 'tenant'>, sealed: Uint8Array) => void
  } {
  const dataKeys = new Map<string, StoredDataKey>()
  const removed = new Set<string>()
  const refuseRemoved = ({ tenant }: Pick<ContentRef, 'tenant'>, sealed: Uint8Array): void => {
    if (removed.has(JSON.stringify([tenant, sealGeneration(sealed)]))) throw dataKeyRemoved(tenant)
  }
  /** The content to write to. Throws for a destroyed one. */
  const writable = (ref: ContentRef): MemoryContent => {
    const content = contents.get(ref)
    if (content.tombstone !== undefined) throw contentGone(ref)
    return content
  }

  return {
    refuseRemoved,

    async findContent(ref, kids) {
      const content = contents.find(ref)
      return content && readContent(content, kids)
    },

    async putSecretIfAbsent(ref, sealedSecret, kids, birth) {
      refuseRemoved(ref, sealedSecret)
      const content = contents.get(ref)
      if (content.tombstone === undefined && content.sealedSecret === undefined) {
        bear(content, birth)
        content.sealedSecret = new Uint8Array(sealedSecret)
      }
      return readContent(content, kids) ?? NOTHING
    },

    async putOverridesIfAbsent(ref, overrides, birth, { unlessSecret = false } = {}) {
      for (const { sealed } of overrides) refuseRemoved(ref, sealed)
      const kids = overrides.map(({ kid }) => kid)
      const content = overrides.length === 0 ? contents.find(ref) : contents.get(ref)
      if (content === undefined) return NOTHING
      const takesNone = content.tombstone !== undefined || (unlessSecret && content.sealedSecret !== undefined)
      if (!takesNone && overrides.length > 0) bear(content, birth)
      for (const override of takesNone ? [] : overrides) {
        const id = overrideId(override)
        if (!content.overrides.has(id)) content.overrides.set(id, copyOverride(override))
      }
      return readContent(content, kids) ?? NOTHING
    },

    async replaceOverride(ref, override, birth) {
      refuseRemoved(ref, override.sealed)
      const content = writable(ref)
      bear(content, birth)
      content.overrides.set(overrideId(override), copyOverride(override))
    },

    async removeOverride(ref, contentKeyClass, kid) {
      return contents.find(ref)?.overrides.delete(overrideId({ contentKeyClass, kid })) ?? false
    },

    async listOverrides(ref) {
      return [...(contents.find(ref)?.overrides.values() ?? [])].sort(byKid)
    },

    async putKidOverride(ref, rule) {
      const { intendedTrackType, periodIndex, kid } = rule
      writable(ref).kidOverrides.set(ruleId(rule), { intendedTrackType, periodIndex, kid })
    },

    async removeKidOverride(ref, rule) {
      return contents.find(ref)?.kidOverrides.delete(ruleId(rule)) ?? false
    },

    async putTombstone(ref, tombstone) {
      const content = contents.get(ref)
      if (content.life.hold !== undefined) throw contentHeld(ref, content.life.hold)
      if (content.tombstone?.cause === tombstone.cause || content.tombstone?.cause === 'deleted') return
      destroy(content, tombstone)
    },

    async putExpiry(expiries) {
      for (const { expiresAt, ...ref } of expiries) {
        const content = contents.find(ref)
        if (content === undefined || content.tombstone !== undefined) continue
        content.life = { ...content.life, expiresAt }
      }
    },

    async putNextSecret(ref, sealedSecret, epoch, kids, birth) {
      refuseRemoved(ref, sealedSecret)
      const content = contents.find(ref)
      if (content === undefined) return NOTHING
      if (content.tombstone?.cause === 'expired' && content.life.epoch === epoch - 1) {
        content.life = { createdAt: birth.at, expiresAt: birth.expiresAt, hold: undefined, epoch }
        content.tombstone = undefined
        content.sealedSecret = new Uint8Array(sealedSecret)
      }
      return readContent(content, kids) ?? NOTHING
    },

    async putLife(ref, { createdAt, expiresAt, hold, epoch }) {
      const content = contents.find(ref)
      if (content !== undefined) content.life = { createdAt, expiresAt, hold, epoch }
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
      return contents
        .all()
        .filter((content) => after === undefined || byName(content, { ref: after }) > 0)
        .sort(byName)
        .slice(0, limit)
        .map(({ ref }) => ref)
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
        const row = contents.find(ref)
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
    let rows = othersSealedBy(tenant, generation)
    for (const row of contents.all()) {
      if (row.ref.tenant !== tenant) continue
      const seals = [row.sealedSecret, ...Array.from(row.overrides.values(), ({ sealed }) => sealed)]
      rows += seals.filter((one) => one !== undefined && sealGeneration(one) === generation).length
    }
    return rows
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0
}

/** A content gets its birth once, with its first key. */
function bear(content: MemoryContent, { at, expiresAt }: Birth): void {
  const { life, sealedSecret } = content
  if (life.createdAt === undefined && sealedSecret === undefined) content.life = { ...life, createdAt: at, expiresAt }
}

const ruleId = ({ intendedTrackType, periodIndex }: Pick<KidOverride, 'intendedTrackType' | 'periodIndex'>): string =>
  JSON.stringify([intendedTrackType ?? null, periodIndex ?? null])
const byGeneration = (a: StoredDataKey, b: StoredDataKey): number => a.generation - b.generation

function copyOverride({ contentKeyClass, kid, sealed, pssh }: StoredOverride): StoredOverride {
  const boxes = Object.entries(pssh).map(([systemId, box]) => [systemId, new Uint8Array(box)])
  return { contentKeyClass, kid, sealed: new Uint8Array(sealed), pssh: Object.fromEntries(boxes) }
}

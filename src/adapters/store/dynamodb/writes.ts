import { contentGone, contentHeld } from '../../../keys/content/errors.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { Birth, ContentStore, StoredContent } from '../../../keys/ports/content-store.ts'
import { NOTHING, rowGone, toMatch, toPsshJson } from '../rows.ts'
import type { DynamoDbContents, ReadContent } from './contents.ts'
import type { DynamoDbDataKeys } from './data-keys.ts'
import { CONTENT, contentPartition, type DynamoDbValue, overrideKeyOf, ruleKeyOf, secretKeyOf } from './items.ts'
import type { DynamoDbLife } from './life.ts'
import { replaceItem } from './once.ts'
import type { DynamoDbTable } from './table.ts'

export type DynamoDbWrites = Pick<
  ContentStore,
  | 'findContent'
  | 'putSecretIfAbsent'
  | 'putOverridesIfAbsent'
  | 'replaceOverride'
  | 'removeOverride'
  | 'listOverrides'
  | 'putKidOverride'
  | 'removeKidOverride'
  | 'putTombstone'
  | 'putNextSecret'
>

interface DynamoDbWritesOptions {
  readonly table: DynamoDbTable
  readonly contents: DynamoDbContents
  readonly life: DynamoDbLife
  readonly dataKeys: Pick<DynamoDbDataKeys, 'claim' | 'confirm'>
}

/** The number of concurrent puts: a table takes many, a process has a limited number of sockets. */
const AT_ONCE = 25

/** The writes of a ContentStore. `ReadContent` explains their order. */
export function dynamoDbWrites({ table, contents, life, dataKeys }: DynamoDbWritesOptions): DynamoDbWrites {
  const read = contents.read

  /** Creates the content item, or adds its birth and secret. A destroyed content stays unchanged. */
  const putItem = async (ref: ContentRef, before: ReadContent, birth?: Birth, secret?: 'secret'): Promise<void> => {
    const key = { pk: contentPartition(ref), sk: CONTENT }
    const { epoch } = before
    const born = birth === undefined ? {} : { born: 1, createdAt: birth.at, expiresAt: birth.expiresAt }
    const has = secret === undefined ? {} : { hasSecret: 1 }
    if (!before.hasItem && (await table.put({ ...key, ...born, ...has, epoch, revision: 0 }, { absent: ['pk'] })))
      return
    const living = { present: ['pk'], equal: { epoch } }
    if (!before.isBorn && birth !== undefined) {
      if (await table.update(key, { ...born, ...has }, { ...living, absent: ['born', 'tombstoneAt'] })) return
    }
    if (secret !== undefined) await table.update(key, has, { ...living, absent: ['tombstoneAt'] })
  }

  /**
   * The content after a write, as every reader sees it. What was written to a content that was destroyed meanwhile is
   * removed again.
   */
  const standing = async (ref: ContentRef, kids: Parameters<typeof read>[1]): Promise<ReadContent & Stored> => {
    const found = await read(ref, kids)
    const { stored } = found
    if (stored === undefined) throw rowGone()
    if (stored.tombstone !== undefined && found.isTombstoneStored) await contents.clear(ref, found.epoch)
    return { ...found, stored }
  }

  /** A write for a content that must still exist. */
  const writeTo = async (ref: ContentRef, write: (pk: string, epoch: number) => Promise<unknown>, birth?: Birth) => {
    const before = await read(ref, [])
    if (before.stored?.tombstone !== undefined) throw contentGone(ref)
    await putItem(ref, before, birth)
    await write(contentPartition(ref), before.epoch)
    const after = await standing(ref, [])
    if (after.stored.tombstone !== undefined) throw contentGone(ref)
  }

  /** Stores the secret of an epoch unless one exists. Its data key is already claimed. */
  const putSecret = async (ref: ContentRef, epoch: number, sealed: Uint8Array, birth: Birth): Promise<boolean> => {
    // No `ttl` yet: it follows once the content item answers for the content.
    const item = { ...secretKeyOf(contentPartition(ref), epoch), sealed, createdAt: birth.at, revision: -1 }
    return table.put(item, { absent: ['pk'] })
  }

  return {
    findContent: async (ref, kids) => (await read(ref, kids)).stored,
    listOverrides: contents.listOverrides,

    async putSecretIfAbsent(ref, sealedSecret, kids, birth) {
      const [before] = await Promise.all([read(ref, kids), dataKeys.claim(ref.tenant, [sealedSecret])])
      const { stored, epoch } = before
      const hasSecret = stored?.sealedSecret !== undefined
      if (stored?.tombstone !== undefined || (hasSecret && before.isBorn)) return stored
      if (!hasSecret) await putSecret(ref, epoch, sealedSecret, birth)
      await Promise.all([
        putItem(ref, before, birth, 'secret'),
        // A writer that seems to have lost may in fact have won: its answer was lost.
        hasSecret ? undefined : dataKeys.confirm(ref.tenant, [sealedSecret]),
      ])
      const after = await standing(ref, kids)
      await life.mayErase(ref, after)
      return after.stored
    },

    /**
     * `unlessSecret` takes several steps here. If a secret appears while the overrides are being stored, it is found
     * afterwards and the overrides are removed again. A caller that asked in those milliseconds got their keys. If the
     * process ends before it removes them, every later caller gets them too.
     */
    async putOverridesIfAbsent(ref, overrides, birth, { unlessSecret = false } = {}) {
      const kids = overrides.map(({ kid }) => kid)
      const before = await read(ref, kids)
      if (overrides.length === 0) return before.stored ?? NOTHING
      if (before.stored?.tombstone !== undefined) return before.stored
      if (unlessSecret && before.stored?.sealedSecret !== undefined) return before.stored
      const seals = overrides.map(({ sealed }) => sealed)
      await dataKeys.claim(ref.tenant, seals)
      await putItem(ref, before, birth)
      const pk = contentPartition(ref)
      await inTurns(overrides, (override) =>
        table.put({ ...overrideKeyOf(pk, before.epoch, override), ...overrideValues(override) }, { absent: ['pk'] }),
      )
      await dataKeys.confirm(ref.tenant, seals)
      const { stored } = await standing(ref, kids)
      if (!unlessSecret || stored.sealedSecret === undefined) return stored
      await inTurns(overrides, (override) =>
        table.remove(overrideKeyOf(pk, before.epoch, override), { equal: { sealed: override.sealed } }),
      )
      return (await standing(ref, kids)).stored
    },

    async replaceOverride(ref, override, birth) {
      await dataKeys.claim(ref.tenant, [override.sealed])
      const write = (pk: string, epoch: number) =>
        replaceItem(table, { ...overrideKeyOf(pk, epoch, override), ...overrideValues(override) })
      await writeTo(ref, write, birth)
      await dataKeys.confirm(ref.tenant, [override.sealed])
    },

    async removeOverride(ref, contentKeyClass, kid) {
      const { epoch } = await read(ref, [])
      return table.remove(overrideKeyOf(contentPartition(ref), epoch, { kid, contentKeyClass }), { present: ['pk'] })
    },

    async putKidOverride(ref, rule) {
      const { intendedTrackType, periodIndex, kid } = rule
      const values = { track_type: toMatch(intendedTrackType), period_index: toMatch(periodIndex), kid }
      await writeTo(ref, (pk, epoch) => replaceItem(table, { ...ruleKeyOf(pk, epoch, rule), ...values }))
    },

    async removeKidOverride(ref, rule) {
      const { epoch } = await read(ref, [])
      return table.remove(ruleKeyOf(contentPartition(ref), epoch, rule), { present: ['pk'] })
    },

    async putTombstone(ref, tombstone) {
      const { epoch, hasItem } = await read(ref, [])
      const isDestroyed = await life.putTombstone(ref, tombstone, hasItem ? {} : { epoch, revision: 0 })
      const { stored } = isDestroyed ? { stored: undefined } : await read(ref, [])
      if (stored?.life.hold !== undefined) throw contentHeld(ref, stored.life.hold)
      await contents.clear(ref, epoch)
    },

    async putNextSecret(ref, sealedSecret, epoch, kids, birth) {
      const before = await read(ref, kids)
      const { stored } = before
      if (stored?.tombstone?.cause !== 'expired' || stored.life.epoch !== epoch - 1) return stored ?? NOTHING
      // Time alone destroyed it: its leftovers must not return with the new secret.
      if (!before.isTombstoneStored) await life.putTombstone(ref, stored.tombstone)
      await contents.clear(ref, before.epoch)
      await dataKeys.claim(ref.tenant, [sealedSecret])
      await putSecret(ref, before.epoch + 1, sealedSecret, birth)
      await dataKeys.confirm(ref.tenant, [sealedSecret])
      const next = {
        ...NO_TOMBSTONE,
        epoch: before.epoch + 1,
        hasSecret: 1,
        born: 1,
        createdAt: birth.at,
        expiresAt: birth.expiresAt,
        revision: before.revision + 1,
      }
      const key = { pk: contentPartition(ref), sk: CONTENT }
      await table.update(key, next, { equal: { epoch: before.epoch, tombstoneCause: 'expired' } })
      const after = await standing(ref, kids)
      await life.mayErase(ref, after)
      return after.stored
    },
  }
}

interface Stored {
  readonly stored: StoredContent
}

const NO_TOMBSTONE = { tombstoneAt: undefined, tombstoneReason: undefined, tombstoneCause: undefined }

function overrideValues({ kid, contentKeyClass, sealed, pssh }: Parameters<ContentStore['replaceOverride']>[1]) {
  return { kid, class: contentKeyClass, sealed, pssh: toPsshJson(pssh) } satisfies Record<string, DynamoDbValue>
}

async function inTurns<T>(all: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < all.length; at += AT_ONCE) await Promise.all(all.slice(at, at + AT_ONCE).map(work))
}

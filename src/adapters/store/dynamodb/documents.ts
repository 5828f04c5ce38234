import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { StoredOverride } from '../../../keys/ports/content-store.ts'
import type { DocumentStore } from '../../../operations/ports/store.ts'
import { contentGone } from '../content.ts'
import { toText } from '../rows.ts'
import { type DynamoDbContents, toNumber } from './contents.ts'
import { CONTENT, contentPartition, documentKeyOf, overrideKeyOf, pack, unpack } from './items.ts'
import type { DynamoDbTable } from './table.ts'
import type { DynamoDbWrites } from './writes.ts'

/**
 * Documents, each in a partition of its own: no answer has to read it. It has the epoch of its content in its key, so that one put
 * while the content is destroyed is never that of the next.
 */
export function dynamoDbDocuments(
  table: DynamoDbTable,
  contents: DynamoDbContents,
  writes: Pick<DynamoDbWrites, 'putOverridesIfAbsent'>,
): DocumentStore {
  const find = async (ref: ContentRef, epoch: number) => {
    const item = await table.get(documentKeyOf(ref, epoch))
    return item && { xml: unpack(item.xml), revision: toText(item.revision), at: toNumber(item.at) }
  }
  const documents: DocumentStore = {
    async findDocument(ref) {
      const { stored, epoch } = await contents.read(ref, [])
      return stored?.tombstone === undefined ? find(ref, epoch) : undefined
    },

    async putDocument(ref, { xml, revision, at }, before) {
      const { stored, epoch } = await contents.read(ref, [])
      if (stored?.tombstone !== undefined) throw contentGone(ref)
      await table.put({ pk: contentPartition(ref), sk: CONTENT, epoch, revision: 0 }, { absent: ['pk'] })
      const asRead = before === undefined ? { absent: ['pk'] } : { equal: { revision: before } }
      if (!(await table.put({ ...documentKeyOf(ref, epoch), xml: pack(xml), revision, at }, asRead))) return false
      const after = await contents.read(ref, [])
      if (after.stored?.tombstone === undefined) return true
      if (after.isTombstoneStored) await contents.clear(ref, after.epoch)
      throw contentGone(ref)
    },

    /**
     * The table has no transactions. The revision is checked first, then the overrides are put, then the document, on the
     * condition that its revision is still `before`. What a lost race leaves is removed; an encryptor that asks within these
     * milliseconds gets an override that is removed.
     */
    async putDocumentWithKeys(ref, document, before, { overrides, birth, unlessSecret }) {
      const { stored, epoch } = await contents.read(
        ref,
        overrides.map(({ kid }) => kid),
      )
      if (stored?.tombstone !== undefined) throw contentGone(ref)
      if ((await find(ref, epoch))?.revision !== before) return 'changed'
      const taken = new Set(stored?.overrides.map(idOf))
      if (overrides.some((override) => taken.has(idOf(override)))) return 'taken'
      const after = await writes.putOverridesIfAbsent(ref, overrides, birth, { unlessSecret })
      if (after.tombstone !== undefined) throw contentGone(ref)
      const isOwn = (override: StoredOverride): boolean =>
        after.overrides.some((one) => idOf(one) === idOf(override) && Buffer.compare(one.sealed, override.sealed) === 0)
      const own = overrides.filter(isOwn)
      const isStored = own.length === overrides.length && (await documents.putDocument(ref, document, before))
      if (isStored) return 'stored'
      const pk = contentPartition(ref)
      for (const override of own)
        await table.remove(overrideKeyOf(pk, epoch, override), { equal: { sealed: override.sealed } })
      return own.length === overrides.length ? 'changed' : 'taken'
    },
  }
  return documents
}

function idOf({ contentKeyClass, kid }: Pick<StoredOverride, 'contentKeyClass' | 'kid'>): string {
  return `${contentKeyClass}:${kid}`
}

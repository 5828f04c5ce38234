import { contentGone } from '../../../keys/content/errors.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { StoredOverride } from '../../../keys/ports/content-store.ts'
import type { ContentCatalogue, ContentSummary, DocumentStore } from '../../../operations/ports/store.ts'
import { COUNTED_OVERRIDES, pageOf, rowsToRead, toText } from '../rows.ts'
import { type DynamoDbContents, toNumber } from './contents.ts'
import {
  CONTENT,
  contentOfPartition,
  contentPartition,
  documentKeyOf,
  epochOf,
  overrideKeyOf,
  pack,
  partOf,
  unpack,
} from './items.ts'
import type { DynamoDbTable } from './table.ts'
import type { DynamoDbWrites } from './writes.ts'

/**
 * Lists what is stored. The table has no list in the order of names, because every first request would have to write
 * to it. A search reads the whole table and keeps only one page of it in memory.
 */
export function dynamoDbCatalogue(table: DynamoDbTable, contents: DynamoDbContents): ContentCatalogue {
  const summaryOf = async (ref: ContentRef): Promise<ContentSummary | undefined> => {
    const { stored, epoch, hasItem } = await contents.read(ref, [])
    if (stored === undefined) return hasItem ? { ...EMPTY, contentId: ref.contentId } : undefined
    const parts = { 'stored-override': 0, 'kid-override': stored.kidOverrides.length }
    if (stored.overridesComplete) parts['stored-override'] = stored.overrides.length
    else {
      for await (const page of table.query(contentPartition(ref))) {
        const own = page.filter((item) => item.sk !== CONTENT && epochOf(item) === epoch)
        parts['stored-override'] += own.filter((item) => partOf(item) === 'stored-override').length
        if (parts['stored-override'] >= COUNTED_OVERRIDES) break
      }
    }
    return {
      contentId: ref.contentId,
      ...stored.life,
      tombstone: stored.tombstone,
      hasSecret: stored.sealedSecret !== undefined,
      overrides: Math.min(parts['stored-override'], COUNTED_OVERRIDES),
      kidOverrides: parts['kid-override'],
    }
  }

  return {
    findSummary: summaryOf,

    async searchContents(query) {
      const { tenant, after, startsWith = '' } = query
      let names: string[] = []
      for await (const page of table.scan({ equal: { sk: CONTENT } })) {
        const refs = page.map(({ pk }) => contentOfPartition(pk)).filter((ref) => ref.tenant === tenant)
        const following = refs.map(({ contentId }) => contentId).filter((name) => byBytes(name, startsWith) >= 0)
        names.push(...following.filter((name) => after === undefined || byBytes(name, after) > 0))
        names = names.sort(byBytes).slice(0, rowsToRead(query))
      }
      const { contentIds, next } = pageOf(names, query)
      const found = await Promise.all(contentIds.map((contentId) => summaryOf({ tenant, contentId })))
      return { contents: found.filter((one) => one !== undefined), next }
    },
  }
}

const EMPTY = {
  createdAt: undefined,
  expiresAt: undefined,
  hold: undefined,
  epoch: 0,
  tombstone: undefined,
  hasSecret: false,
  overrides: 0,
  kidOverrides: 0,
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/**
 * Documents, each in its own partition, so that answers never read them. The key contains the epoch of the content: a
 * document stored while the content is destroyed never belongs to the next epoch.
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
     * DynamoDB transactions are not used. The revision is checked first, then the overrides are stored, then the
     * document on the condition that its revision is still `before`. The leftovers of a lost race are removed. An
     * encryptor that asks within these milliseconds can get an override that is then removed.
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

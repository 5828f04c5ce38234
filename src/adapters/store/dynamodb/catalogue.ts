import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { ContentCatalogue, ContentSummary } from '../../../operations/ports/store.ts'
import { COUNTED_OVERRIDES, pageOf, rowsToRead } from '../content.ts'
import type { DynamoDbContents } from './contents.ts'
import { CONTENT, contentOfPartition, contentPartition, epochOf, partOf } from './items.ts'
import type { DynamoDbTable } from './table.ts'

/**
 * What is stored, for people who look for it. The table keeps no list in the order of names, which every first request would have to
 * write to: a search reads the whole table, and holds no more of it than a page.
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

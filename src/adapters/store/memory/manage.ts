import type { ContentCatalogue, ContentSummary, DocumentStore } from '../../../operations/ports/store.ts'
import { COUNTED_OVERRIDES, contentGone, pageOf, rowsToRead } from '../content.ts'
import { byBytes, type MemoryContent, type MemoryContents } from './contents.ts'

/** Documents and the list of contents, in memory. */
export function memoryManageStore(
  contents: MemoryContents,
): Omit<DocumentStore, 'putDocumentWithKeys'> & ContentCatalogue {
  return {
    findDocument: async (ref) => contents.find(ref)?.document,

    async putDocument(ref, { xml, revision, at }, before) {
      const standing = contents.find(ref)
      if (standing?.tombstone !== undefined) throw contentGone(ref)
      if (standing?.document?.revision !== before) return false
      contents.get(ref).document = { xml, revision, at }
      return true
    },

    async searchContents(query) {
      const { tenant, after, startsWith = '' } = query
      const rows = contents
        .all()
        .filter(({ ref }) => ref.tenant === tenant && byBytes(ref.contentId, startsWith) >= 0)
        .filter(({ ref }) => after === undefined || byBytes(ref.contentId, after) > 0)
        .sort((a, b) => byBytes(a.ref.contentId, b.ref.contentId))
        .slice(0, rowsToRead(query))
      const { contentIds, next } = pageOf(
        rows.map(({ ref }) => ref.contentId),
        query,
      )
      const found = contentIds.flatMap((contentId) => contents.find({ tenant, contentId }) ?? [])
      return { contents: found.map(summaryOf), next }
    },

    async findSummary(ref) {
      const content = contents.find(ref)
      return content && summaryOf(content)
    },
  }
}

function summaryOf({ ref, life, tombstone, sealedSecret, overrides, kidOverrides }: MemoryContent): ContentSummary {
  return {
    contentId: ref.contentId,
    ...life,
    tombstone,
    hasSecret: sealedSecret !== undefined,
    overrides: Math.min(overrides.size, COUNTED_OVERRIDES),
    kidOverrides: kidOverrides.size,
  }
}

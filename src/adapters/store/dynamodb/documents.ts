import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { DocumentStore } from '../../../operations/ports/store.ts'
import { contentGone } from '../content.ts'
import { toText } from '../rows.ts'
import { type DynamoDbContents, toNumber } from './contents.ts'
import { CONTENT, contentPartition, documentKeyOf, pack, unpack } from './items.ts'
import type { DynamoDbTable } from './table.ts'

/**
 * Documents, each in a partition of its own: no answer has to read it. It has the epoch of its content in its key, so that one put
 * while the content is destroyed is never that of the next.
 */
export function dynamoDbDocuments(table: DynamoDbTable, contents: DynamoDbContents): DocumentStore {
  const find = async (ref: ContentRef, epoch: number) => {
    const item = await table.get(documentKeyOf(ref, epoch))
    return item && { xml: unpack(item.xml), revision: toText(item.revision), at: toNumber(item.at) }
  }
  return {
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
  }
}

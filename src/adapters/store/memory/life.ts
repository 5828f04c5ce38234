import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { Expiry, LifeStore } from '../../../keys/ports/lifetime-store.ts'
import { byName, destroy, type MemoryContents } from './contents.ts'

/** Expiry and legal holds in memory. */
export function memoryLifeStore(contents: MemoryContents): LifeStore {
  return {
    async putHold(ref, hold) {
      const content = contents.find(ref)
      if (content === undefined || content.tombstone !== undefined) return false
      content.life = { ...content.life, hold }
      return true
    },

    async listExpired(before, after, limit) {
      return contents
        .all()
        .flatMap(({ ref, life: { expiresAt = Infinity, hold } }): readonly Expiry[] =>
          expiresAt < before && hold === undefined ? [{ ...ref, expiresAt }] : [],
        )
        .filter((one) => after === undefined || byExpiry(one, after) > 0)
        .sort(byExpiry)
        .slice(0, limit)
    },

    async destroyExpired(expired, at, reason) {
      return expired.flatMap(({ expiresAt, ...ref }): readonly ContentRef[] => {
        const content = contents.find(ref)
        if (content === undefined || content.life.expiresAt !== expiresAt || content.life.hold !== undefined) return []
        destroy(content, { at, reason, cause: 'expired' })
        return [content.ref]
      })
    },

    async listUnlimited(after, limit) {
      return contents
        .all()
        .filter(({ life, tombstone }): boolean => (life.expiresAt ?? life.hold ?? tombstone) === undefined)
        .filter((content) => after === undefined || byName(content, { ref: after }) > 0)
        .sort(byName)
        .slice(0, limit)
        .map(({ ref }) => ref)
    },
  }
}

function byExpiry(a: Expiry, b: Expiry): number {
  return a.expiresAt - b.expiresAt || byName({ ref: a }, { ref: b })
}

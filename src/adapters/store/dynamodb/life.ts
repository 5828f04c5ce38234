import { KeyProviderError } from '../../../core/errors.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { ContentLife, ContentStore, Tombstone } from '../../../keys/ports/content-store.ts'
import type { Expiry, LifeStore } from '../../../keys/ports/lifetime-store.ts'
import { toText } from '../rows.ts'
import {
  type DynamoDbContents,
  type DynamoDbContentsOptions,
  type ReadContent,
  toLife,
  tombstoneOfTime,
  toNumber,
} from './contents.ts'
import {
  CONTENT,
  contentOfPartition,
  contentPartition,
  type DynamoDbItem,
  type DynamoDbValue,
  secretKeyOf,
} from './items.ts'
import { updateOnce } from './once.ts'

/**
 * When contents expire, and what then. The expiry stands in the item of the content; the `ttl` of the secret, by which DynamoDB
 * erases it, must never be earlier than that and the grace. There are no transactions, so:
 *
 * - A later expiry, or a hold, is written to the secret first; an earlier one to the content first.
 * - Each change has a revision, one more than those of both items. It is written to an item only if that is as it was read; the
 *   secret gets an earlier `ttl` only if no change of a later revision has begun.
 *
 * Wherever a process ends, the secret then lives as long as the content item says, or longer.
 */
export interface DynamoDbLife extends LifeStore, Pick<ContentStore, 'putExpiry'> {
  /** Sets expiry and hold; false for a content that is not there or destroyed. */
  change(ref: ContentRef, change: Partial<Pick<ContentLife, 'expiresAt' | 'hold'>>): Promise<boolean>
  /** Lets DynamoDB erase the secret that was read, when the content says it expires. */
  mayErase(ref: ContentRef, content: ReadContent): Promise<void>
  /** False for a content under legal hold, or with a tombstone that stays. `more` is set besides. */
  putTombstone(ref: ContentRef, tombstone: Tombstone, more?: Readonly<Record<string, DynamoDbValue>>): Promise<boolean>
}

export interface DynamoDbLifeOptions extends DynamoDbContentsOptions {
  readonly contents: DynamoDbContents
}

/** How often a change is tried again because of others. */
const TRIES = 10

export function dynamoDbLife({ table, contents, now, graceMs }: DynamoDbLifeOptions): DynamoDbLife {
  const itemKey = (ref: ContentRef) => ({ pk: contentPartition(ref), sk: CONTENT })
  /** The second at which a secret may be erased; undefined: never. */
  const ttlOf = ({ expiresAt, hold }: Pick<ContentLife, 'expiresAt' | 'hold'>): number | undefined =>
    expiresAt === undefined || hold !== undefined ? undefined : Math.ceil((expiresAt + graceMs) / 1_000)
  const until = (ttl: DynamoDbValue): number => (ttl === undefined ? Number.POSITIVE_INFINITY : toNumber(ttl))

  /** Undefined: others were faster. */
  const changeOnce = async (ref: ContentRef, change: Partial<ContentLife>): Promise<boolean | undefined> => {
    const content = await table.get(itemKey(ref))
    if (content === undefined || isDestroyed(content)) return false
    const epoch = toNumber(content.epoch)
    const secretKey = secretKeyOf(contentPartition(ref), epoch)
    const secret = await table.get(secretKey)
    const before = toLife(content)
    const after = { ...before, ...change }
    const [earlier, later] = [ttlOf(before), ttlOf(after)]
    const revision = Math.max(toNumber(content.revision), toNumber(secret?.revision ?? -1)) + 1

    const writeContent = () =>
      table.update(
        itemKey(ref),
        { expiresAt: after.expiresAt, hold: after.hold, revision },
        { equal: { revision: toNumber(content.revision), epoch }, absent: ['tombstoneAt'] },
      )
    if (until(later) < until(earlier)) {
      if (!(await writeContent())) return undefined
      await table.update(secretKey, { ttl: later, revision }, { present: ['pk'], below: { revision } })
      return true
    }
    if (secret !== undefined) {
      const ttl = until(later) > until(secret.ttl) ? later : secret.ttl
      const asRead = { equal: { revision: toNumber(secret.revision) } }
      if (!(await table.update(secretKey, { ttl, revision }, asRead))) return undefined
    }
    return (await writeContent()) ? true : undefined
  }

  const isDestroyed = (content: DynamoDbItem): boolean =>
    content.tombstoneAt !== undefined || tombstoneOfTime(toLife(content), now(), graceMs) !== undefined

  const life: DynamoDbLife = {
    async change(ref, change) {
      // Reading puts the item of a content that has none yet.
      if ((await contents.read(ref, [])).stored === undefined) return false
      for (let tries = 0; tries < TRIES; tries++) {
        const done = await changeOnce(ref, change)
        if (done !== undefined) return done
      }
      throw new KeyProviderError(
        'ERR_STORE_UNAVAILABLE',
        `the life of content ${JSON.stringify(ref.contentId)} is changed by many at once: ask again`,
      )
    },

    async mayErase(ref, { stored, epoch, revision }) {
      const ttl = stored?.tombstone === undefined && stored !== undefined ? ttlOf(stored.life) : undefined
      if (ttl === undefined) return
      await table.update(
        secretKeyOf(contentPartition(ref), epoch),
        { ttl, revision },
        { present: ['pk'], below: { revision } },
      )
    },

    async putTombstone(ref, { at, reason, cause }, more = {}) {
      const change = {
        ...more,
        tombstoneAt: at,
        tombstoneReason: reason,
        tombstoneCause: cause,
        hasSecret: undefined,
      }
      if (await table.update(itemKey(ref), change, { absent: ['hold', 'tombstoneAt'] })) return true
      const overExpired = { absent: ['hold'], equal: { tombstoneCause: 'expired' } }
      return cause === 'deleted' && (await table.update(itemKey(ref), change, overExpired))
    },

    async putExpiry(expiries) {
      for (const { expiresAt, ...ref } of expiries) await life.change(ref, { expiresAt })
    },

    putHold: (ref, hold) => life.change(ref, { hold }),

    async listExpired(before, after, limit) {
      let expired: Expiry[] = []
      for await (const page of table.scan({ equal: { sk: CONTENT }, absent: ['hold'], below: { expiresAt: before } })) {
        expired.push(...page.map((item) => ({ ...refOf(item), expiresAt: toNumber(item.expiresAt) })))
        expired = expired.filter((one) => after === undefined || byExpiry(one, after) > 0)
        expired = expired.sort(byExpiry).slice(0, limit)
      }
      return expired
    },

    async destroyExpired(expired, at, reason) {
      const destroyed: ContentRef[] = []
      for (const { expiresAt, tenant, contentId } of expired) {
        const ref = { tenant, contentId }
        const content = await table.get(itemKey(ref))
        if (content?.expiresAt !== expiresAt) continue
        const change = { tombstoneAt: at, tombstoneReason: reason, tombstoneCause: 'expired', hasSecret: undefined }
        const asListed = { equal: { expiresAt }, absent: ['hold'] }
        const isNew = await updateOnce(table, itemKey(ref), change, { ...asListed, absent: ['hold', 'tombstoneAt'] })
        if (isNew || content.tombstoneAt !== undefined) await contents.clear(ref, toNumber(content.epoch))
        if (isNew) destroyed.push(ref)
      }
      return destroyed
    },

    async listUnlimited(after, limit) {
      const from = after && itemKey(after)
      const unlimited: ContentRef[] = []
      const filter = { equal: { sk: CONTENT }, absent: ['expiresAt', 'hold', 'tombstoneAt'] }
      for await (const page of table.scan(filter, from)) {
        unlimited.push(...page.map(refOf))
        if (unlimited.length >= limit) break
      }
      return unlimited.slice(0, limit)
    },
  }
  return life
}

function refOf({ pk }: DynamoDbItem): ContentRef {
  return contentOfPartition(toText(pk))
}

function byExpiry(a: Expiry, b: Expiry): number {
  if (a.expiresAt !== b.expiresAt) return a.expiresAt - b.expiresAt
  return Buffer.compare(Buffer.from(contentPartition(a)), Buffer.from(contentPartition(b)))
}

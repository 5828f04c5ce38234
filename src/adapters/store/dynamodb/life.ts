import { KeyProviderError } from '../../../core/errors.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { ContentLife, ContentStore, Expiry, LifeStore, Tombstone } from '../../../keys/ports/content-store.ts'
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
 * Expiry and legal holds. The content item holds the expiry. The `ttl` of the secret, after which DynamoDB deletes it,
 * must never be earlier than expiry plus grace period. There are no transactions, so:
 *
 * - A later expiry, or a hold, is written to the secret first; an earlier expiry to the content item first.
 * - Each change has a revision, one higher than those of both items. It is written to an item only if that item is
 * unchanged. The secret gets an earlier `ttl` only if no later change has begun.
 *
 * Wherever a process ends, the secret then lives at least as long as the content item says.
 */
export interface DynamoDbLife extends LifeStore, Pick<ContentStore, 'putExpiry'> {
  /** Sets expiry and hold. Returns false for a content that does not exist or is destroyed. */
  change(ref: ContentRef, change: Partial<Pick<ContentLife, 'expiresAt' | 'hold'>>): Promise<boolean>
  /** Sets the `ttl` of the secret that was read, once the content item has the expiry. */
  mayErase(ref: ContentRef, content: ReadContent): Promise<void>
  /** Returns false for a content under legal hold or with a stored tombstone. Sets `more` in the same write. */
  putTombstone(ref: ContentRef, tombstone: Tombstone, more?: Readonly<Record<string, DynamoDbValue>>): Promise<boolean>
}

interface DynamoDbLifeOptions extends DynamoDbContentsOptions {
  readonly contents: DynamoDbContents
}

/** The number of retries after other writers won. */
const TRIES = 10

export function dynamoDbLife({ table, contents, now, graceMs }: DynamoDbLifeOptions): DynamoDbLife {
  const itemKey = (ref: ContentRef) => ({ pk: contentPartition(ref), sk: CONTENT })
  /** The second from which DynamoDB may delete a secret; undefined: never. */
  const ttlOf = ({ expiresAt, hold }: Pick<ContentLife, 'expiresAt' | 'hold'>): number | undefined =>
    expiresAt === undefined || hold !== undefined ? undefined : Math.ceil((expiresAt + graceMs) / 1_000)
  const until = (ttl: DynamoDbValue): number => (ttl === undefined ? Number.POSITIVE_INFINITY : toNumber(ttl))

  /** Undefined if another writer won. */
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
      // Reading creates the item of a content that has none yet.
      if ((await contents.read(ref, [])).stored === undefined) return false
      for (let tries = 0; tries < TRIES; tries++) {
        const done = await changeOnce(ref, change)
        if (done !== undefined) return done
      }
      throw new KeyProviderError(
        'ERR_STORE_UNAVAILABLE',
        `the life of content ${JSON.stringify(ref.contentId)} is being changed by many callers: retry`,
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

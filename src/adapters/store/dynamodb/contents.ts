import { KeyProviderError } from '../../../core/errors.ts'
import type { Kid } from '../../../formats/cenc.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { ContentLife, StoredContent, StoredOverride, Tombstone } from '../../../keys/ports/content-store.ts'
import { COMPLETE_OVERRIDES, damaged, NOTHING, toBytes, toKidOverride, toOverride, toText, UNBORN } from '../rows.ts'
import {
  CONTENT,
  contentPartition,
  type DynamoDbItem,
  documentPartition,
  epochOf,
  issuedPartition,
  overrideKeyOf,
  partOf,
} from './items.ts'
import type { DynamoDbTable } from './table.ts'

/**
 * The items of a content. All are in one partition, so that one consistent query reads them.
 *
 * - `#content`: its life, epoch, `hasSecret` and tombstone. It never has a `ttl`: it answers for the content as long
 * as anyone can ask.
 * - `<epoch> secret`: the sealed secret. If the content expires, it has a `ttl`, and DynamoDB deletes it some time
 * afterwards.
 * - `<epoch> kid-override …`, `<epoch> stored-override …`. The epoch in the key protects the current items from a late
 * clean-up of an earlier epoch.
 *
 * There are no transactions. Every step must leave a table from which no key is lost or changed if the process ends
 * there:
 *
 * - A secret is stored before the content item says that it exists, and gets its `ttl` after that. A secret that the
 * content item does not mention is valid and found. A secret that it mentions but that is missing was deleted or is
 * lost.
 * - A content past its expiry and grace period reads as destroyed, whether DynamoDB has deleted its secret or not. If
 * a secret disappears before that time, reads fail with ERR_STORE_UNAVAILABLE; there is never a new secret.
 * - The `ttl` of a secret is never earlier than the content item says. life.ts explains how.
 * - A tombstone is stored before the items of its epoch are removed.
 */
export interface ReadContent {
  /** The stored content; undefined if nothing is stored. */
  readonly stored: StoredContent | undefined
  readonly epoch: number
  /** Counts the changes of expiry and hold. */
  readonly revision: number
  /** Whether the tombstone is stored. It is not when only time has destroyed the content. */
  readonly isTombstoneStored: boolean
  readonly hasItem: boolean
  /** Whether a birth was recorded. */
  readonly isBorn: boolean
}

export interface DynamoDbContentsOptions {
  readonly table: DynamoDbTable
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Milliseconds between the expiry and the time from which a content reads as destroyed. */
  readonly graceMs: number
}

export interface DynamoDbContents {
  /** Throws ERR_STORE_UNAVAILABLE for a content whose secret is lost. */
  read(ref: ContentRef, kids: readonly Kid[]): Promise<ReadContent>
  listOverrides(ref: ContentRef): Promise<readonly StoredOverride[]>
  /** Removes the items of all epochs up to this one, except the content item. */
  clear(ref: ContentRef, epoch: number): Promise<void>
}

/** The number of concurrent removals. */
const AT_ONCE = 25

export function dynamoDbContents({ table, now, graceMs }: DynamoDbContentsOptions): DynamoDbContents {
  const readOnce = async (
    ref: ContentRef,
    kids: readonly Kid[],
  ): Promise<ReadContent & { readonly isLost: boolean }> => {
    const pk = contentPartition(ref)
    const items = await itemsOf(table, pk)
    const content = items.find(({ sk }) => sk === CONTENT)
    const epoch = content === undefined ? 0 : toNumber(content.epoch)
    const life = content === undefined ? UNBORN : toLife(content)
    const own = items.filter((item) => item !== content && epochOf(item) === epoch)
    const secret = own.find((item) => partOf(item) === 'secret')
    const tombstone = content && (toStoredTombstone(content) ?? tombstoneOfTime(life, now(), graceMs))
    const known = {
      epoch,
      revision: content === undefined ? 0 : toNumber(content.revision),
      isTombstoneStored: content?.tombstoneAt !== undefined,
      hasItem: content !== undefined,
      isBorn: content?.born !== undefined,
      isLost: false,
    }
    if (tombstone !== undefined) {
      return { ...known, stored: { ...NOTHING, life: { ...life, expiresAt: undefined, hold: undefined }, tombstone } }
    }
    const kept = own.filter((item) => partOf(item) === 'stored-override')
    const overridesComplete = kept.length <= COMPLETE_OVERRIDES
    const overrides = overridesComplete ? kept : await table.getMany(keysOf(pk, epoch, kids))
    const kidOverrides = own.filter((item) => partOf(item) === 'kid-override').map(toKidOverride)
    // The item belongs to an epoch that the content item does not know: someone else deleted or restored items.
    const isForgotten = items.some((item) => item !== content && epochOf(item) > epoch)
    const isBare = secret === undefined && kept.length + kidOverrides.length === 0 && content?.hasSecret === undefined
    if (isBare && !isForgotten && Object.values(life).every((one) => one === undefined || one === 0)) {
      return { ...known, stored: undefined }
    }
    if (secret !== undefined && content?.hasSecret === undefined) await saySecret(pk, epoch)
    return {
      ...known,
      isLost: secret === undefined && (content?.hasSecret !== undefined || isForgotten),
      stored: {
        life,
        sealedSecret: secret && toBytes(secret.sealed),
        overrides: sorted(overrides.map(toOverride)),
        overridesComplete,
        kidOverrides,
        tombstone: undefined,
      },
    }
  }

  /** The writer of the secret ended before it could update the content item, or is about to. */
  const saySecret = async (pk: string, epoch: number): Promise<void> => {
    const key = { pk, sk: CONTENT }
    try {
      if (await table.put({ ...key, epoch, revision: 0, hasSecret: 1 }, { absent: ['pk'] })) return
      await table.update(key, { hasSecret: 1 }, { equal: { epoch }, absent: ['tombstoneAt'] })
    } catch (error) {
      // A process with read access only leaves this to others. Without a `ttl` the secret stays.
      if (!(error instanceof KeyProviderError) || error.code !== 'ERR_STORE_UNAVAILABLE') throw error
    }
  }

  return {
    async read(ref, kids) {
      const first = await readOnce(ref, kids)
      // The items were not read at one moment: the content may just have been destroyed.
      const { isLost, ...found } = first.isLost ? await readOnce(ref, kids) : first
      if (isLost) throw secretLost(ref)
      return found
    },

    async listOverrides(ref) {
      const pk = contentPartition(ref)
      const items: DynamoDbItem[] = []
      for await (const page of table.query(pk)) items.push(...page)
      const content = items.find(({ sk }) => sk === CONTENT)
      const epoch = content === undefined ? 0 : toNumber(content.epoch)
      if (content !== undefined && toStoredTombstone(content) !== undefined) return []
      const own = items.filter((item) => item !== content && epochOf(item) === epoch)
      return sorted(own.filter((item) => partOf(item) === 'stored-override').map(toOverride))
    },

    async clear(ref, epoch) {
      for (const pk of [contentPartition(ref), documentPartition(ref), issuedPartition(ref)]) {
        for await (const page of table.query(pk)) {
          const old = page.filter((item) => item.sk !== CONTENT && epochOf(item) <= epoch)
          for (let at = 0; at < old.length; at += AT_ONCE) {
            await Promise.all(old.slice(at, at + AT_ONCE).map((item) => table.remove(item)))
          }
        }
      }
      // Until this point the content is listed as expired, so that the next sweep finishes an interrupted one.
      const done = { equal: { epoch }, present: ['tombstoneAt', 'expiresAt'] }
      await table.update({ pk: contentPartition(ref), sk: CONTENT }, { expiresAt: undefined }, done)
    },
  }
}

/** The partition up to the overrides beyond the limit, which are read only for requested kids. */
async function itemsOf(table: DynamoDbTable, pk: string): Promise<readonly DynamoDbItem[]> {
  const items: DynamoDbItem[] = []
  for await (const page of table.query(pk)) {
    items.push(...page)
    const epoch = items[0]?.sk === CONTENT ? toNumber(items[0].epoch) : 0
    const overrides = items.filter(
      (item) => item.sk !== CONTENT && epochOf(item) === epoch && partOf(item) === 'stored-override',
    )
    if (overrides.length > COMPLETE_OVERRIDES) break
  }
  return items
}

function keysOf(pk: string, epoch: number, kids: readonly Kid[]) {
  return [...new Set(kids)].flatMap((kid) =>
    (['clear', 'drm'] as const).map((contentKeyClass) => overrideKeyOf(pk, epoch, { kid, contentKeyClass })),
  )
}

/** The life of a content as its item states it. A copy starts its epochs at another number. */
export function toLife({ createdAt, expiresAt, hold, epoch, epochOffset = 0 }: DynamoDbItem): ContentLife {
  return {
    createdAt: toTime(createdAt),
    expiresAt: toTime(expiresAt),
    hold: hold === undefined ? undefined : toText(hold),
    epoch: toNumber(epoch) + toNumber(epochOffset),
  }
}

function toStoredTombstone({ tombstoneAt, tombstoneReason, tombstoneCause }: DynamoDbItem): Tombstone | undefined {
  if (tombstoneAt === undefined) return undefined
  const cause = tombstoneCause === 'expired' || tombstoneCause === 'deleted' ? tombstoneCause : damaged('a cause')
  return { at: toNumber(tombstoneAt), reason: toText(tombstoneReason), cause }
}

/** The tombstone of a content that time alone has destroyed. */
export function tombstoneOfTime({ expiresAt, hold }: ContentLife, now: number, graceMs: number): Tombstone | undefined {
  if (expiresAt === undefined || hold !== undefined || now < expiresAt + graceMs) return undefined
  return { at: expiresAt + graceMs, reason: 'expired', cause: 'expired' }
}

export function toNumber(value: unknown): number {
  return typeof value === 'number' ? value : damaged('a number')
}

function toTime(value: unknown): number | undefined {
  return value === undefined ? undefined : toNumber(value)
}

/** Ordered by kid and class, as in every store. */
function sorted(overrides: readonly StoredOverride[]): readonly StoredOverride[] {
  const order = ({ kid, contentKeyClass }: StoredOverride): string => `${kid} ${contentKeyClass}`
  return [...overrides].sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

function secretLost({ tenant, contentId }: ContentRef): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `the table has lost the secret of content ${JSON.stringify(contentId)} of tenant ${JSON.stringify(tenant)}, which has not ` +
      'expired: restore the table to an earlier point in time; Keyspring never creates another secret for it',
  )
}

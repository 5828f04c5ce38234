import { KeyProviderError } from '../../../core/errors.ts'
import type { Kid } from '../../../formats/cenc.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { ContentLife, StoredContent, StoredOverride, Tombstone } from '../../../keys/ports/content-store.ts'
import { COMPLETE_OVERRIDES, NOTHING, UNBORN } from '../content.ts'
import { damaged, toBytes, toKidOverride, toOverride, toText } from '../rows.ts'
import {
  CONTENT,
  contentPartition,
  type DynamoDbItem,
  documentPartition,
  epochOf,
  overrideKeyOf,
  partOf,
} from './items.ts'
import type { DynamoDbTable } from './table.ts'

/**
 * How a content lies in the table. All its items have one partition, so that one consistent query reads it.
 *
 * - `#content`: its life, its epoch, whether it `hasSecret`, its tombstone. It never has a `ttl`: while anything may still ask for
 *   the content, it says what became of it.
 * - `<epoch> secret`: the sealed secret. With an expiry it has a `ttl`, and DynamoDB erases it some time after that.
 * - `<epoch> kid-override …`, `<epoch> stored-override …`. They have the epoch in their key, so that whoever clears away what an
 *   earlier epoch left, however late, cannot touch the keys of the present one.
 *
 * There are no transactions, so every step must leave a table from which no key is lost or changed if the process ends there:
 *
 * - A secret is put before the content item says that there is one, and gets its `ttl` after that. A secret that nobody says is
 *   there stands and is found; one that is said to be there and is not was erased, or is lost.
 * - A content that has passed its expiry by the grace reads as destroyed, whether DynamoDB has erased its secret or not. A secret
 *   that is gone before that time is lost: ERR_STORE_UNAVAILABLE, never a new one.
 * - The `ttl` of a secret is never earlier than what the content item says: `dynamodb-life.ts` says how.
 * - A tombstone is put before the items of its epoch are removed.
 */
export interface ReadContent {
  /** What stands, as a ContentStore tells it; undefined when nothing is stored. */
  readonly stored: StoredContent | undefined
  readonly epoch: number
  /** Counts the changes of expiry and hold. */
  readonly revision: number
  /** Whether the tombstone is in the table; one that only time has set is not. */
  readonly isTombstoneStored: boolean
  readonly hasItem: boolean
  /** Whether a birth was recorded. */
  readonly isBorn: boolean
}

export interface DynamoDbContentsOptions {
  readonly table: DynamoDbTable
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How long after it expired a content reads as destroyed. */
  readonly graceMs: number
}

export interface DynamoDbContents {
  /** Throws ERR_STORE_UNAVAILABLE for a content whose secret is lost. */
  read(ref: ContentRef, kids: readonly Kid[]): Promise<ReadContent>
  listOverrides(ref: ContentRef): Promise<readonly StoredOverride[]>
  /** Removes what epochs up to this one left; the content item stays. */
  clear(ref: ContentRef, epoch: number): Promise<void>
}

/** Removals under way at once. */
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
    // Of an epoch that the content item does not know: it was erased or put back by somebody else.
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

  /** Whoever put the secret has ended before it could say so, or is about to. */
  const saySecret = async (pk: string, epoch: number): Promise<void> => {
    const key = { pk, sk: CONTENT }
    try {
      if (await table.put({ ...key, epoch, revision: 0, hasSecret: 1 }, { absent: ['pk'] })) return
      await table.update(key, { hasSecret: 1 }, { equal: { epoch }, absent: ['tombstoneAt'] })
    } catch (error) {
      // A process that may only read leaves it to others: without a `ttl` the secret stays.
      if (!(error instanceof KeyProviderError) || error.code !== 'ERR_STORE_UNAVAILABLE') throw error
    }
  }

  return {
    async read(ref, kids) {
      const first = await readOnce(ref, kids)
      // Its items are not of one moment: it may be destroyed just now.
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
      for await (const page of both(table.query(contentPartition(ref)), table.query(documentPartition(ref)))) {
        const old = page.filter((item) => item.sk !== CONTENT && epochOf(item) <= epoch)
        for (let at = 0; at < old.length; at += AT_ONCE) {
          await Promise.all(old.slice(at, at + AT_ONCE).map((item) => table.remove(item)))
        }
      }
      // Until here it is listed as expired, so that whoever sweeps finishes what another began.
      const done = { equal: { epoch }, present: ['tombstoneAt', 'expiresAt'] }
      await table.update({ pk: contentPartition(ref), sk: CONTENT }, { expiresAt: undefined }, done)
    },
  }
}

async function* both<T>(first: AsyncIterable<T>, second: AsyncIterable<T>): AsyncIterable<T> {
  yield* first
  yield* second
}

/** The partition up to the overrides that are too many to be read whatever was asked for. */
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

/** What the item of a content says of its life. A copy counts its epochs from another than the one it began with. */
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

/** The tombstone that a content has by the passing of time alone. */
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

/** In the order of kid and class, as every store gives them. */
function sorted(overrides: readonly StoredOverride[]): readonly StoredOverride[] {
  const order = ({ kid, contentKeyClass }: StoredOverride): string => `${kid} ${contentKeyClass}`
  return [...overrides].sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

function secretLost({ tenant, contentId }: ContentRef): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `the table has lost the secret of content ${JSON.stringify(contentId)} of tenant ${JSON.stringify(tenant)}, which has not ` +
      'expired: restore the table to a point in time before; no other secret is made for it',
  )
}

import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { IssuedKid, IssuedKidStore } from '../../../keys/ports/ledger-store.ts'
import { toIssuedKid } from '../rows.ts'
import { toNumber } from './contents.ts'
import { CONTENT, contentPartition, type DynamoDbKey, epochPrefix, issuedPartition } from './items.ts'
import type { DynamoDbTable } from './table.ts'

const SINCE: DynamoDbKey = { pk: 'issued-since', sk: '#' }
/** How long processes of an earlier version may issue kids of a table without recording them. */
const UPGRADE_MS = 86_400_000
/** The number of concurrent puts. */
const AT_ONCE = 25

interface DynamoDbIssuedOptions {
  readonly table: DynamoDbTable
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** The issued kids in the table: one item per kid and class, in a partition that answers never read. */
export function dynamoDbIssued({ table, now }: DynamoDbIssuedOptions): IssuedKidStore {
  /** The epoch of a content; undefined if it is not stored or is destroyed. */
  const epochOf = async (ref: ContentRef): Promise<number | undefined> => {
    const content = await table.get({ pk: contentPartition(ref), sk: CONTENT })
    return content === undefined || content.tombstoneAt !== undefined ? undefined : toNumber(content.epoch)
  }

  /** From when on the records are complete; a day from now for a table in which nothing was recorded yet. Writes nothing. */
  const completeSince = async (): Promise<number> => {
    const stored = await table.get(SINCE)
    return stored === undefined ? now() + UPGRADE_MS : toNumber(stored.at)
  }
  let isMarked = false
  /** Marks the table once, by the first process of a version that records issued kids. */
  const markBegin = async (): Promise<void> => {
    if (isMarked) return
    await table.put({ ...SINCE, at: now() + UPGRADE_MS }, { absent: ['pk'] })
    isMarked = true
  }

  return {
    async findIssued(ref, kids) {
      const [epoch, since] = await Promise.all([epochOf(ref), completeSince()])
      if (epoch === undefined) return { issued: [], completeSince: since }
      const keys = [...new Set(kids)].flatMap((kid) =>
        (['clear', 'drm'] as const).map((contentKeyClass) => keyOf(ref, epoch, { kid, contentKeyClass })),
      )
      const items = await table.getMany(keys)
      return { issued: items.map(toIssuedKid).sort(byKid), completeSince: since }
    },

    async listIssued(ref, after, limit) {
      const epoch = await epochOf(ref)
      if (epoch === undefined) return []
      const issued: IssuedKid[] = []
      const place = after && keyOf(ref, epoch, after)
      for await (const page of table.query(issuedPartition(ref), `${epochPrefix(epoch)} `, place)) {
        issued.push(...page.map(toIssuedKid))
        if (issued.length >= limit) break
      }
      return issued.slice(0, limit)
    },

    async putIssued(ref, issued) {
      const epoch = issued.length === 0 ? undefined : await epochOf(ref)
      if (epoch === undefined) return
      await markBegin()
      for (let at = 0; at < issued.length; at += AT_ONCE) {
        await Promise.all(
          issued
            .slice(at, at + AT_ONCE)
            .map(({ kid, contentKeyClass }) =>
              table.put({ ...keyOf(ref, epoch, { kid, contentKeyClass }), kid, class: contentKeyClass }),
            ),
        )
      }
    },

    async putCompleteSince(at) {
      if (await table.put({ ...SINCE, at }, { absent: ['pk'] })) return
      await table.update(SINCE, { at }, { below: { at } })
    },
  }
}

function keyOf(ref: ContentRef, epoch: number, { kid, contentKeyClass }: IssuedKid): DynamoDbKey {
  return { pk: issuedPartition(ref), sk: `${epochPrefix(epoch)} ${kid} ${contentKeyClass}` }
}

function byKid(a: IssuedKid, b: IssuedKid): number {
  return a.kid + a.contentKeyClass < b.kid + b.contentKeyClass ? -1 : 1
}

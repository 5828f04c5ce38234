import { KeyProviderError } from '../../core/errors.ts'
import { inGroups } from '../../core/in-groups.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type { LedgerKey, LedgerRecord, LedgerStore } from '../../keys/ports/ledger-store.ts'
import type { Answered } from '../answers/fields.ts'
import type { KID_CONTENT, KID_LOOK_UP } from '../answers/keys.ts'
import type { Management, Operator } from '../management.ts'

/** The contents and key periods of a kid. No key. Times are ISO 8601. */
type KidLookUp = Answered<typeof KID_LOOK_UP>

type KidContent = Answered<typeof KID_CONTENT>

const MAX_PERIODS = 100

/**
 * The contents and key periods in which a kid was issued. Throws ERR_KEY_NOT_FOUND. The ledger records requests within a second
 * and deletes them after the retention period. It does not know imported keys that no encryptor requested.
 */
export async function lookUpKid(
  { store }: Pick<Management, 'store'>,
  { tenant }: Pick<Operator, 'tenant'>,
  { kid }: { readonly kid: Kid },
): Promise<KidLookUp> {
  const records = await store.findByKid(tenant, kid)
  if (records.length === 0) throw kidNotFound(kid)
  const byContent = Map.groupBy(records, ({ contentId }) => contentId)
  return { kid, contents: Array.from(byContent, ([contentId, periods]) => toContent(kid, contentId, periods)) }
}

/** The error of a kid that was not issued. */
export function kidNotFound(kid: Kid): KeyProviderError {
  return new KeyProviderError(
    'ERR_KEY_NOT_FOUND',
    `kid ${kid} was not issued in this tenant, or the ledger has deleted the record. ` +
      'To find an imported key that no encryptor requested, name its contentId.',
  )
}

function toContent(kid: Kid, contentId: string, records: readonly LedgerRecord[]): KidContent {
  const keys = records.flatMap((record) => record.keys.filter((key) => key.kid === kid))
  const unique = <T>(of: (key: LedgerKey) => readonly T[]): readonly T[] => [...new Set(keys.flatMap(of))]
  return {
    contentId,
    classes: unique((key) => [key.contentKeyClass]),
    commonEncryptionSchemes: unique((key) => [key.commonEncryptionScheme]),
    intendedTrackTypes: unique((key) => key.intendedTrackTypes),
    systemIds: unique((key) => key.systemIds),
    firstAt: isoOf(records.reduce((first, { firstAt }) => Math.min(first, firstAt), Number.POSITIVE_INFINITY)),
    lastAt: isoOf(records.reduce((last, { lastAt }) => Math.max(last, lastAt), Number.NEGATIVE_INFINITY)),
    requests: records.reduce((sum, { requests }) => sum + requests, 0),
    periods: records
      .slice(0, MAX_PERIODS)
      .map(({ periodId, periodIndex, periodStart, periodEnd, firstAt, lastAt }) => ({
        periodId,
        index: periodIndex,
        start: periodStart,
        end: periodEnd,
        firstAt: isoOf(firstAt),
        lastAt: isoOf(lastAt),
      })),
  }
}

function isoOf(at: number): string {
  return new Date(at).toISOString()
}

/** The ledger records of each kid. The result has no entry for a kid without records. */
export async function issuedKids(
  store: Pick<LedgerStore, 'findByContent' | 'findByKid'>,
  { tenant, contentId, kids, sees = () => true }: IssuedKidsQuery,
): Promise<ReadonlyMap<Kid, RecordsByContent>> {
  const found = new Map<Kid, RecordsByContent>()
  if (contentId !== undefined && kids.length > FEW) {
    const newest = await store.findByContent({ tenant, contentId }, NEWEST_PERIODS)
    for (const kid of kids) {
      const records = newest.filter(({ keys }) => keys.some((key) => key.kid === kid))
      if (records.length > 0) found.set(kid, new Map([[contentId, records]]))
    }
  }
  const others = kids.filter((kid) => !found.has(kid))
  await inGroups(others, async (kid) => {
    const records = await store.findByKid(tenant, kid, { contentId, periods: 1 })
    const seen = records.filter((record) => sees(record.contentId))
    const byContent = Map.groupBy(seen, (record) => record.contentId)
    if (byContent.size > 0) found.set(kid, byContent)
  })
  return found
}

/** The newest records of a kid, by contentId. */
export type RecordsByContent = ReadonlyMap<string, readonly LedgerRecord[]>

interface IssuedKidsQuery {
  readonly tenant: Tenant
  /** Only this content. */
  readonly contentId: string | undefined
  readonly kids: readonly Kid[]
  /** Whether the caller may see a content; without it, the caller sees all. */
  readonly sees?: ((contentId: string) => boolean) | undefined
}

/** For more kids of one content than this, the newest periods are read first. */
const FEW = 4

const NEWEST_PERIODS = 64

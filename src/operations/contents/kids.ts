import { KeyProviderError } from '../../core/errors.ts'
import type { ContentKeyClass, Kid, SystemId } from '../../formats/cenc.ts'
import type { LedgerKey, LedgerRecord } from '../../keys/ports/ledger-store.ts'
import type { Management, Operator } from '../management.ts'

/** Where a kid was issued. No key. Times are of ISO 8601. */
export interface KidLookUp {
  readonly kid: Kid
  /** More than one where encryptors gave several contents the same kid: their keys differ. */
  readonly contents: readonly KidContent[]
}

export interface KidContent {
  readonly contentId: string
  /** More than one where it was asked for with and without a DRM system: the keys differ. */
  readonly classes: readonly ContentKeyClass[]
  readonly commonEncryptionSchemes: readonly string[]
  readonly intendedTrackTypes: readonly string[]
  readonly systemIds: readonly SystemId[]
  readonly firstAt: string
  readonly lastAt: string
  readonly requests: number
  /** The newest first, at most 100. */
  readonly periods: readonly {
    readonly periodId: string
    readonly index: number | undefined
    /** As the encryptor wrote it. */
    readonly start: string | undefined
    readonly end: string | undefined
    readonly firstAt: string
    readonly lastAt: string
  }[]
}

const MAX_PERIODS = 100

/**
 * The contents and key periods in which a kid was issued. Throws ERR_KEY_NOT_FOUND. The ledger knows what encryptors asked for, up
 * to a second ago, and forgets with the content's retention: a key that was only imported is found by its content alone.
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

/** The refusal of a kid that nobody was given. */
export function kidNotFound(kid: Kid): KeyProviderError {
  return new KeyProviderError(
    'ERR_KEY_NOT_FOUND',
    `kid ${kid} was not issued in this tenant, or so long ago that it is forgotten; ` +
      'a key that was imported and never asked for is found by its content',
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

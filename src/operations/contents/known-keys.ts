import type { ContentKeyClass, Kid, SystemId } from '../../formats/cenc.ts'
import { kidConflict } from '../../keys/content/errors.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { ContentStore } from '../../keys/ports/content-store.ts'
import type { LedgerKey, LedgerRecord, LedgerStore } from '../../keys/ports/ledger-store.ts'

/** A key that was issued, or is stored as an override. */
export interface IssuedKey {
  readonly kid: Kid
  readonly contentKeyClass: ContentKeyClass
  /** As the encryptor wrote it; undefined for an override that nobody asked for yet. */
  readonly commonEncryptionScheme: string | undefined
  readonly intendedTrackTypes: readonly string[]
  readonly systemIds: readonly SystemId[]
  /** The key periods it was issued for; none where documents had none. */
  readonly periodIds: readonly string[]
}

/** A known key, and where it is known from. */
export interface StoredKey extends IssuedKey {
  /** Whether it is stored: imported, random, or given by an operator. */
  readonly isOverride: boolean
  /** Whether an encryptor was given it, as far as the ledger goes back. */
  readonly isIssued: boolean
}

/** What is known of a content without any key. */
export interface KnownContent {
  /** The oldest first. */
  readonly periods: readonly LedgerRecord[]
  /** In the order of the periods, then overrides that nobody asked for yet. */
  readonly keys: readonly StoredKey[]
  /** Whether there are more periods than were read. */
  readonly isCut: boolean
}

/** The keys of a content as its ledger and its overrides have them, those of the newest `maxPeriods` periods. */
export async function findKnownKeys(
  store: Pick<LedgerStore, 'findByContent'> & Pick<ContentStore, 'listOverrides'>,
  ref: ContentRef,
  maxPeriods: number,
): Promise<KnownContent> {
  const [records, overrides] = await Promise.all([store.findByContent(ref, maxPeriods + 1), store.listOverrides(ref)])
  const periods = records.slice(0, maxPeriods).toReversed()
  const stored = new Set(overrides.map(({ kid, contentKeyClass }) => contentKeyClass + kid))
  const known = new Map<string, StoredKey>()
  for (const seen of Map.groupBy(periods.flatMap(keysOf), ({ key }) => key.contentKeyClass + key.kid).values()) {
    const last = seen.at(-1)?.key
    if (last === undefined) continue
    const { kid, contentKeyClass, commonEncryptionScheme } = last
    known.set(contentKeyClass + kid, {
      kid,
      contentKeyClass,
      commonEncryptionScheme,
      intendedTrackTypes: unique(seen.flatMap(({ key }) => key.intendedTrackTypes)),
      systemIds: unique(seen.flatMap(({ key }) => key.systemIds)),
      periodIds: unique(seen.flatMap(({ periodId }) => (periodId === '' ? [] : [periodId]))),
      isOverride: stored.has(contentKeyClass + kid),
      isIssued: true,
    })
  }
  for (const { kid, contentKeyClass } of overrides) {
    if (known.has(contentKeyClass + kid)) continue
    known.set(contentKeyClass + kid, {
      kid,
      contentKeyClass,
      commonEncryptionScheme: undefined,
      intendedTrackTypes: [],
      systemIds: [],
      periodIds: [],
      isOverride: true,
      isIssued: false,
    })
  }
  return { periods, keys: [...known.values()], isCut: records.length > maxPeriods }
}

/** One entry for each kid: a document has a kid once. Throws for one that is known in both classes. */
export function refuseTwoClasses(keys: readonly Pick<IssuedKey, 'kid' | 'contentKeyClass'>[]): void {
  const seen = new Map<Kid, ContentKeyClass>()
  for (const { kid, contentKeyClass } of keys) {
    if ((seen.get(kid) ?? contentKeyClass) !== contentKeyClass) {
      throw kidConflict(
        `kid ${kid} has a key of each class, drm and clear, and a CPIX document has a kid once: say which class`,
      )
    }
    seen.set(kid, contentKeyClass)
  }
}

function keysOf({ periodId, keys }: LedgerRecord): readonly { readonly periodId: string; readonly key: LedgerKey }[] {
  return keys.map((key) => ({ periodId, key }))
}

function unique<T>(all: readonly T[]): readonly T[] {
  return [...new Set(all)]
}

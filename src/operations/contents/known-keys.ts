import type { ContentKeyClass, Kid, SystemId } from '../../formats/cenc.ts'
import { kidConflict } from '../../keys/content/errors.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { ContentStore } from '../../keys/ports/content-store.ts'
import type { LedgerKey, LedgerRecord, LedgerStore } from '../../keys/ports/ledger-store.ts'

/** A key that was issued, or is stored as an override. */
export interface IssuedKey {
  readonly kid: Kid
  readonly contentKeyClass: ContentKeyClass
  /** In the spelling of the encryptor; undefined for an override that no encryptor requested yet. */
  readonly commonEncryptionScheme: string | undefined
  readonly intendedTrackTypes: readonly string[]
  readonly systemIds: readonly SystemId[]
  /** The key periods it was issued for; empty if the requests had none. */
  readonly periodIds: readonly string[]
}

/** A key, and whether it is stored, issued or both. */
export interface StoredKey extends IssuedKey {
  /** Whether it is stored: imported, random, or set by an operator. */
  readonly isOverride: boolean
  /** Whether the ledger records that an encryptor received it. */
  readonly isIssued: boolean
}

/** The key periods and kids of a content, without any key. */
export interface KnownContent {
  /** The oldest first. */
  readonly periods: readonly LedgerRecord[]
  /** In the order of the periods, then overrides that no encryptor requested yet. */
  readonly keys: readonly StoredKey[]
  /** Whether older periods were not read. */
  readonly isCut: boolean
}

/** The keys of a content from the ledger and the overrides, of the newest `maxPeriods` periods. */
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

/** Throws ERR_KID_CONFLICT for a kid in both classes: a CPIX document has a kid once. */
export function refuseTwoClasses(keys: readonly Pick<IssuedKey, 'kid' | 'contentKeyClass'>[]): void {
  const seen = new Map<Kid, ContentKeyClass>()
  for (const { kid, contentKeyClass } of keys) {
    if ((seen.get(kid) ?? contentKeyClass) !== contentKeyClass) {
      throw kidConflict(
        `kid ${kid} has a key of each class, drm and clear, and a CPIX document has a kid once: name the class`,
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

import type { ContentKeyClass, Kid } from '../cenc.ts'
import { KeyProviderError } from '../errors.ts'
import { listOverrides } from '../keys/overrides.ts'
import type { ContentRef, LedgerKey } from '../keys/store.ts'
import { checkValue } from './check-value.ts'
import { contentNotFound } from './contents.ts'
import type { Management, Operator } from './management.ts'

/** What is told of a key of a content. Not the key. */
export interface ListedKey {
  readonly kid: Kid
  readonly class: ContentKeyClass
  /** `override`: imported, random or given by an operator. */
  readonly source: 'derived' | 'override'
  /** Whether an encryptor was given it, as far as the ledger goes back. */
  readonly issued: boolean
  readonly commonEncryptionSchemes: readonly string[]
  readonly intendedTrackTypes: readonly string[]
}

export interface ListedKeys {
  readonly contentId: string
  readonly keys: readonly ListedKey[]
  /** Whether there are key periods that were not looked at: those asked for before the last 1,000. */
  readonly more: boolean
}

/** A key with its check value. */
export interface ShownKey extends ListedKey {
  /** The first three bytes of AES-ECB of a block of zeros, in hex: it tells two keys apart, and no more. */
  readonly checkValue: string
}

const MAX_PERIODS = 1_000

/** The keys of a content: those stored as overrides, and those that encryptors were given. Throws ERR_CONTENT_NOT_FOUND. */
export async function listKeys(
  { store }: Pick<Management, 'store'>,
  { tenant }: Pick<Operator, 'tenant'>,
  { contentId }: { readonly contentId: string },
): Promise<ListedKeys> {
  const ref = { tenant, contentId }
  const [overrides, periods] = await Promise.all([
    listOverrides({ store }, ref),
    store.findByContent(ref, MAX_PERIODS + 1),
  ])
  if (overrides.length + periods.length === 0 && (await store.findSummary(ref)) === undefined) {
    throw contentNotFound(contentId)
  }
  const issued = Map.groupBy(
    periods.slice(0, MAX_PERIODS).flatMap(({ keys }) => keys),
    idOf,
  )
  const stored = new Set(overrides.map(idOf))
  const named = new Map([...overrides, ...Array.from(issued.values(), ([first]) => first)].flatMap(toNamed))
  const keys = Array.from(named, ([id, { kid, contentKeyClass }]): ListedKey => {
    const times = issued.get(id) ?? []
    return {
      kid,
      class: contentKeyClass,
      source: stored.has(id) ? 'override' : 'derived',
      issued: times.length > 0,
      commonEncryptionSchemes: unique(times, (key) => [key.commonEncryptionScheme]),
      intendedTrackTypes: unique(times, (key) => key.intendedTrackTypes),
    }
  })
  return { contentId, keys, more: periods.length > MAX_PERIODS }
}

/** What is known of the key of a kid, in each class it has. Throws ERR_KEY_NOT_FOUND, ERR_CONTENT_NOT_FOUND, ERR_CONTENT_GONE, ERR_CONTENT_EXPIRED. */
export async function showKey(
  management: Pick<Management, 'store' | 'contentKeys'>,
  operator: Pick<Operator, 'tenant'>,
  { contentId, kid, contentKeyClass }: KeyName,
): Promise<readonly ShownKey[]> {
  const { keys } = await listKeys(management, operator, { contentId })
  const wanted = keys.filter((key) => key.kid === kid && (contentKeyClass ?? key.class) === key.class)
  if (wanted.length === 0) {
    throw new KeyProviderError(
      'ERR_KEY_NOT_FOUND',
      `content ${JSON.stringify(contentId)} was not given a key for kid ${kid}: see the list of its keys`,
    )
  }
  const ref: ContentRef = { tenant: operator.tenant, contentId }
  const content = await management.contentKeys.open(ref, [kid])
  return wanted.flatMap((key) => {
    const found = content.findWithIv({ contentKeyClass: key.class, kid })
    return found === undefined ? [] : [{ ...key, checkValue: checkValue(found.contentKey) }]
  })
}

/** What names a key; without a class those of both. */
export interface KeyName {
  readonly contentId: string
  readonly kid: Kid
  readonly contentKeyClass?: ContentKeyClass | undefined
}

type Named = Pick<LedgerKey, 'kid' | 'contentKeyClass'>

function idOf({ kid, contentKeyClass }: Named): string {
  return `${kid} ${contentKeyClass}`
}

function toNamed(one: Named | undefined): readonly (readonly [string, Named])[] {
  return one === undefined ? [] : [[idOf(one), one]]
}

function unique(keys: readonly LedgerKey[], of: (key: LedgerKey) => readonly string[]): readonly string[] {
  return [...new Set(keys.flatMap(of))]
}

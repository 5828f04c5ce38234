import type { KeyAndIv } from '../cenc.ts'
import { KeyProviderError } from '../errors.ts'
import { contentCacheId, createContentCache } from './content-cache.ts'
import type { ContentKeys, IssuedKeys, OpenContent, WantedKey } from './content-keys.ts'
import type { DataKeys } from './data-keys.ts'
import { assertIvIsNotKey } from './derive.ts'
import type { DeriveContentSecret } from './root-secret.ts'
import { type DataKey, type RandomBytes, seal } from './seal.ts'
import {
  covers,
  openOverride,
  openOverrideKey,
  overrideContext,
  type Snapshot,
  sameBytes,
  wantedId,
} from './snapshot.ts'
import type { ContentRef, SecretStore, StoredOverride } from './store.ts'

export interface ContentKeysOptions {
  readonly store: Pick<SecretStore, 'findContent' | 'putSecretIfAbsent' | 'putOverridesIfAbsent'>
  readonly dataKeys: DataKeys
  /**
   * `derived`: a content key comes from the content's secret. `random`: each is drawn when first asked for and stored as an
   * override; a content that already has a secret keeps the keys it derives, which are then stored likewise. `derived-root`: the
   * secret of a content that has none stored is itself derived, and nothing is written.
   */
  readonly policy: 'derived' | 'random' | 'derived-root'
  /** What `derived-root` derives content secrets with. */
  readonly deriveContentSecret?: DeriveContentSecret | undefined
  /** Milliseconds, of a clock that does not go back. */
  readonly now: () => number
  readonly randomBytes: RandomBytes
  /** How long a content is used before the store is asked again. */
  readonly revalidateMs?: number
  /** How many contents are kept in memory; each override counts as one more. */
  readonly maxEntries?: number
  /** Told when keys are issued from memory because the store does not confirm them. */
  readonly onStale?: (error: KeyProviderError) => void
}

/** What a creation left standing, and whether it was ours. */
interface Creation {
  readonly snapshot: Snapshot
  readonly first: boolean
}

const SECRET_SIZE = 32
const KEY_SIZE = 16

/** The content keys of a store: derived or random, overridden where an override stands, the same for ever. */
export function createContentKeys(options: ContentKeysOptions): ContentKeys {
  const { store, dataKeys, policy, now, randomBytes } = options
  const { revalidateMs = 5_000, maxEntries = 100_000, onStale = () => {} } = options
  const deriveSecret = policy === 'derived-root' ? options.deriveContentSecret : undefined
  if (policy === 'derived-root' && deriveSecret === undefined) throw new TypeError('derived-root without a root secret')
  const cache = createContentCache({ store, dataKeys, now, revalidateMs, maxEntries, onStale, deriveSecret })
  const creating = new Map<string, Promise<Creation>>()

  return {
    async open(ref, kids) {
      const content = cache.fresh(contentCacheId(ref), kids) ?? (await cache.load(ref, kids))
      return openContent(ref, content.snapshot)
    },
  }

  function openContent(ref: ContentRef, snapshot: Snapshot): OpenContent {
    return {
      kidOverrides: snapshot.kidOverrides,
      signalingRevision: snapshot.signalingRevision,
      pssh(wanted) {
        const pssh = snapshot.overrides.get(wantedId(wanted))?.pssh
        return pssh !== undefined && Object.keys(pssh).length > 0 ? pssh : undefined
      },
      async issue(wanted) {
        const keys = keysOf(ref, snapshot, wanted)
        return keys !== undefined ? { keys, first: false } : issueNew(ref, snapshot, wanted)
      },
      find: (wanted) => findKey(ref, snapshot, wanted),
      async deriveKids(label, parts) {
        refuseGone(ref, snapshot)
        const secret = snapshot.derivation === undefined ? await createSecret(ref, []) : { snapshot, first: false }
        refuseGone(ref, secret.snapshot)
        const from = secret.snapshot.derivation
        if (from === undefined) throw keysVanished(ref)
        return { kids: parts.map((part) => from.kid(label, part)), first: secret.first }
      },
    }
  }

  /** The keys as far as everything they need is at hand, else undefined. */
  function keysOf(ref: ContentRef, snapshot: Snapshot, wanted: readonly WantedKey[]): readonly KeyAndIv[] | undefined {
    refuseGone(ref, snapshot)
    if (snapshot.covered !== undefined && !covers(snapshot, kidsOf(wanted))) return undefined
    const keys: KeyAndIv[] = []
    for (const one of wanted) {
      const keyAndIv = keyOf(ref, snapshot, one)
      if (keyAndIv === undefined) return undefined
      keys.push(keyAndIv)
    }
    return keys
  }

  function keyOf(ref: ContentRef, snapshot: Snapshot, wanted: WantedKey): KeyAndIv | undefined {
    const override = snapshot.overrides.size > 0 ? snapshot.overrides.get(wantedId(wanted)) : undefined
    if (override !== undefined) return openOverride(ref, override, snapshot.derivation)
    return policy !== 'random' ? snapshot.derivation?.keyAndIv(wanted.contentKeyClass, wanted.kid) : undefined
  }

  /** Reads or creates what is lacking. Each content is created by one request at a time; the others take what it made. */
  async function issueNew(ref: ContentRef, seen: Snapshot, wanted: readonly WantedKey[]): Promise<IssuedKeys> {
    const id = contentCacheId(ref)
    for (let running = creating.get(id); running !== undefined; running = creating.get(id)) await running
    const before = cache.fresh(id, kidsOf(wanted))?.snapshot ?? (await covering(ref, seen, wanted))
    const keys = keysOf(ref, before, wanted)
    if (keys !== undefined) return { keys, first: false }
    if (creating.has(id)) return issueNew(ref, before, wanted)

    const creation = create(ref, before, wanted).finally(() => creating.delete(id))
    creating.set(id, creation)
    const { snapshot, first } = await creation
    const created = keysOf(ref, snapshot, wanted)
    if (created === undefined) throw keysVanished(ref)
    return { keys: created, first }
  }

  /** `seen`, or what the store says when `seen` does not know the overrides of every wanted kid. */
  async function covering(ref: ContentRef, seen: Snapshot, wanted: readonly WantedKey[]): Promise<Snapshot> {
    const kids = kidsOf(wanted)
    return covers(seen, kids) ? seen : (await cache.load(ref, kids)).snapshot
  }

  /** Stores what the keys lack, unless another process is first, and tells what stands. */
  async function create(ref: ContentRef, before: Snapshot, wanted: readonly WantedKey[]): Promise<Creation> {
    const missing = wanted.filter((one) => !before.overrides.has(wantedId(one)))
    const overridden =
      policy === 'random' && missing.length > 0
        ? await createOverrides(ref, before, missing)
        : { snapshot: before, first: false }
    const snapshot = await covering(ref, overridden.snapshot, wanted)
    // Derived keys come from the secret, and so does the IV of an override that brings none.
    if (keysOf(ref, snapshot, wanted) !== undefined) return { snapshot, first: overridden.first }
    const secret = await createSecret(ref, wanted)
    return { snapshot: secret.snapshot, first: secret.first || overridden.first }
  }

  async function createSecret(ref: ContentRef, wanted: readonly WantedKey[]): Promise<Creation> {
    const secret = randomBytes(SECRET_SIZE)
    try {
      return await withCurrentDataKey(ref, async (dataKey) => {
        const sealed = seal(dataKey, { kind: 'content-secret', ref }, secret, randomBytes)
        const stored = await store.putSecretIfAbsent(ref, sealed, kidsOf(wanted))
        const { snapshot } = await cache.enter(ref, stored, kidsOf(wanted))
        return { snapshot, first: sameBytes(stored.sealedSecret, sealed) }
      })
    } finally {
      secret.fill(0)
    }
  }

  /** Writes with the newest data key; once more, the same content, when a rotation removed the one that was the newest here. */
  async function withCurrentDataKey<T>({ tenant }: ContentRef, write: (dataKey: DataKey) => Promise<T>): Promise<T> {
    const dataKey = await dataKeys.current(tenant)
    try {
      return await write(dataKey)
    } catch (error) {
      if (!(error instanceof KeyProviderError) || error.code !== 'ERR_DATA_KEY_REMOVED') throw error
      return write(await dataKeys.current(tenant, dataKey))
    }
  }

  async function createOverrides(ref: ContentRef, before: Snapshot, missing: readonly WantedKey[]): Promise<Creation> {
    const distinct = new Map(missing.map((one) => [wantedId(one), one]))
    const clears = Array.from(distinct.values(), (one) => {
      const { contentKey, explicitIv } =
        before.derivation?.keyAndIv(one.contentKeyClass, one.kid) ?? randomKeyAndIv(randomBytes)
      return { ...one, clear: Buffer.concat([contentKey, explicitIv]) }
    })
    try {
      return await withCurrentDataKey(ref, async (dataKey) => {
        const overrides = clears.map(({ clear, ...one }): StoredOverride => {
          const sealed = seal(dataKey, overrideContext(ref, one), clear, randomBytes)
          return { contentKeyClass: one.contentKeyClass, kid: one.kid, sealed, pssh: {} }
        })
        const stored = await store.putOverridesIfAbsent(ref, overrides)
        const { snapshot } = await cache.enter(ref, stored, kidsOf(missing))
        const first = overrides.some((one) => sameBytes(snapshot.overrides.get(wantedId(one))?.sealed, one.sealed))
        return { snapshot, first }
      })
    } finally {
      for (const { clear } of clears) clear.fill(0)
    }
  }
}

function randomKeyAndIv(randomBytes: RandomBytes): KeyAndIv {
  const keyAndIv = { contentKey: randomBytes(KEY_SIZE), explicitIv: randomBytes(KEY_SIZE) }
  assertIvIsNotKey(keyAndIv)
  return keyAndIv
}

/** What was issued, or would be without a write; under `random` too, for a secret gives the keys that are stored next. */
function findKey(ref: ContentRef, snapshot: Snapshot, wanted: WantedKey): Uint8Array | undefined {
  refuseGone(ref, snapshot)
  if (!covers(snapshot, [wanted.kid])) throw new TypeError('find: expected a kid that was given to open')
  const override = snapshot.overrides.get(wantedId(wanted))
  if (override !== undefined) return openOverrideKey(ref, override)
  return snapshot.derivation?.contentKey(wanted.contentKeyClass, wanted.kid)
}

function refuseGone(ref: ContentRef, { tombstone }: Snapshot): void {
  if (tombstone !== undefined) throw contentGone(ref, tombstone.at)
}

function kidsOf(wanted: readonly WantedKey[]) {
  return wanted.map(({ kid }) => kid)
}

function contentGone({ tenant, contentId }: ContentRef, at: number): KeyProviderError {
  return new KeyProviderError(
    'ERR_CONTENT_GONE',
    `content ${JSON.stringify(contentId)} of tenant ${JSON.stringify(tenant)} was destroyed on ${new Date(at).toISOString()}; ` +
      'it never gets keys again: use another contentId',
  )
}

function keysVanished({ tenant, contentId }: ContentRef): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `the store does not return the keys just stored for content ${JSON.stringify(contentId)} of tenant ` +
      `${JSON.stringify(tenant)}; ask again, and check the store when this stays`,
  )
}

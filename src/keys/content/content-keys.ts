import type { KeyProviderError } from '../../core/errors.ts'
import type { KeyAndIv } from '../../formats/cenc.ts'
import { type DataKeys, withCurrentDataKey } from '../crypto/data-keys.ts'
import { assertIvIsNotKey } from '../crypto/derive.ts'
import type { DeriveContentSecret } from '../crypto/root-secret.ts'
import { type RandomBytes, seal } from '../crypto/seal.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { Birth, ContentStore, StoredOverride } from '../ports/content-store.ts'
import type { LifeStore } from '../ports/lifetime-store.ts'
import { type CachedContent, contentCacheId, createContentCache } from './cache.ts'
import type { ContentKeys, FoundKeyAndIv, IssuedKeys, OpenContent, WantedKey } from './content-key.ts'
import { contentChanged, keysVanished, refuseExpired, refuseGone } from './errors.ts'
import { birthOf, isMortal, needsRenewal, phaseOf } from './lifetime.ts'
import { createRenewals, type Renewals } from './renewals.ts'
import { FOREVER, type RetentionOf } from './retention.ts'
import { createRevival, type RevivalOptions, type Revived } from './revival.ts'
import {
  covers,
  openOverride,
  openOverrideKey,
  openStandingOverride,
  overrideContext,
  type SealedOverride,
  type Snapshot,
  sameBytes,
  wantedId,
} from './snapshot.ts'

export interface ContentKeysOptions {
  readonly store: Pick<
    ContentStore & LifeStore,
    'findContent' | 'putSecretIfAbsent' | 'putOverridesIfAbsent' | 'putExpiry' | 'putNextSecret' | 'destroyExpired'
  >
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
  /** Milliseconds since 1970. */
  readonly time: () => number
  /** What contents are kept by; without it all are kept for ever. */
  readonly retention?: RetentionOf
  /** Takes the new expiry of contents that were asked for; it must be closed in the end. Without it they are written all the same. */
  readonly renewals?: Pick<Renewals, 'renew'>
  readonly randomBytes: RandomBytes
  /** How long a content is used before the store is asked again. */
  readonly revalidateMs?: number
  /** How many contents are kept in memory; each override counts as one more. */
  readonly maxEntries?: number
  /** Told when keys are issued from memory because the store does not confirm them. */
  readonly onStale?: (error: KeyProviderError) => void
  /** Told of a content that a request destroyed because its time was up, so that it gets a new secret. Must not throw. */
  readonly onExpired?: RevivalOptions['onExpired']
}

/** What a creation left standing, and whether it was ours. */
interface Creation {
  readonly content: CachedContent
  readonly first: boolean
}

const SECRET_SIZE = 32
const KEY_SIZE = 16

/** The content keys of a store: derived or random, overridden where an override stands, the same for ever. */
export function createContentKeys(options: ContentKeysOptions): ContentKeys {
  const { store, dataKeys, policy, now, time, randomBytes, retention = () => FOREVER } = options
  const { revalidateMs = 5_000, maxEntries = 100_000, onStale = () => {}, onExpired } = options
  const deriveSecret = policy === 'derived-root' ? options.deriveContentSecret : undefined
  if (policy === 'derived-root' && deriveSecret === undefined) throw new TypeError('derived-root without a root secret')
  const cache = createContentCache({
    store,
    dataKeys,
    now,
    time,
    revalidateMs,
    maxEntries,
    onStale,
    retention,
    deriveSecret,
  })
  const creating = new Map<string, Promise<Creation>>()
  const renewals = options.renewals ?? createRenewals({ store })
  const renewed = new WeakSet<CachedContent>()
  const revive = createRevival({ store, cache, withNewSecret, ...(onExpired && { onExpired }) })
  const reviving = new Map<string, Promise<Revived>>()

  return {
    async open(ref, kids) {
      return openContent(ref, cache.fresh(contentCacheId(ref), kids) ?? (await cache.load(ref, kids)))
    },
  }

  function openContent(ref: ContentRef, content: CachedContent): OpenContent {
    const { snapshot } = content
    let at: number | undefined
    // One look at the clock for all keys of a request.
    const moment = (): number => {
      at ??= time()
      return at
    }
    return {
      kidOverrides: snapshot.kidOverrides,
      signalingRevision: snapshot.signalingRevision,
      pssh(wanted) {
        const pssh = snapshot.overrides.get(wantedId(wanted))?.pssh
        return pssh !== undefined && Object.keys(pssh).length > 0 ? pssh : undefined
      },
      async issue(wanted) {
        const revived = isAlive(ref, content, moment) ? undefined : await keepAlive(ref, content, moment())
        const standing = revived?.content ?? content
        const keys = keysOf(ref, standing, wanted)
        if (keys !== undefined) return { keys, first: revived?.first ?? false }
        const issued = await issueNew(ref, standing, wanted)
        return { keys: issued.keys, first: issued.first || (revived?.first ?? false) }
      },
      find(wanted) {
        if (isMortal(content)) refuseExpired(ref, content, moment())
        return findKey(ref, snapshot, wanted)
      },
      findWithIv(wanted) {
        if (isMortal(content)) refuseExpired(ref, content, moment())
        return findKeyAndIv(ref, snapshot, wanted)
      },
      async deriveKids(label, parts) {
        const revived = isAlive(ref, content, moment) ? undefined : await keepAlive(ref, content, moment())
        const standing = revived?.content ?? content
        refuseGone(ref, standing)
        const lacksSecret = standing.snapshot.derivation === undefined
        const secret = lacksSecret ? await createSecret(ref, []) : { content: standing, first: revived?.first ?? false }
        refuseGone(ref, secret.content)
        const from = secret.content.snapshot.derivation
        if (from === undefined) throw keysVanished(ref)
        return { kids: parts.map((part) => from.kid(label, part)), first: secret.first }
      },
    }
  }

  /** Whether keys can be issued of a content as it is. Sees to its renewal when that is due. */
  function isAlive(ref: ContentRef, content: CachedContent, moment: () => number): boolean {
    if (!isMortal(content)) return true
    const at = moment()
    if (phaseOf(content, at) !== 'alive') return false
    if (needsRenewal(content, at) && !renewed.has(content)) {
      renewed.add(content)
      renewals.renew(ref, birthOf(content.retention, at).expiresAt)
    }
    return true
  }

  /** Each content is revived by one request at a time; the others take what stands then. */
  async function keepAlive(ref: ContentRef, content: CachedContent, at: number): Promise<Revived> {
    const id = contentCacheId(ref)
    const running = reviving.get(id)
    const reviver = running ?? revive(ref, content, at).finally(() => reviving.delete(id))
    if (running === undefined) reviving.set(id, reviver)
    const revived = await reviver
    // What the answer looks like was decided by what was seen.
    if (revived.content.snapshot.signalingRevision !== content.snapshot.signalingRevision) throw contentChanged(ref)
    return running === undefined ? revived : { ...revived, first: false }
  }

  /** The keys as far as everything they need is at hand, else undefined. */
  function keysOf(
    ref: ContentRef,
    content: CachedContent,
    wanted: readonly WantedKey[],
  ): readonly KeyAndIv[] | undefined {
    refuseGone(ref, content)
    const { snapshot } = content
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
  async function issueNew(ref: ContentRef, seen: CachedContent, wanted: readonly WantedKey[]): Promise<IssuedKeys> {
    const id = contentCacheId(ref)
    for (let running = creating.get(id); running !== undefined; running = creating.get(id)) await running
    const before = cache.fresh(id, kidsOf(wanted)) ?? (await covering(ref, seen, wanted))
    const keys = keysOf(ref, before, wanted)
    if (keys !== undefined) return { keys, first: false }
    if (creating.has(id)) return issueNew(ref, before, wanted)

    const creation = create(ref, before, wanted).finally(() => creating.delete(id))
    creating.set(id, creation)
    const { content, first } = await creation
    const created = keysOf(ref, content, wanted)
    if (created === undefined) throw keysVanished(ref)
    return { keys: created, first }
  }

  /** `seen`, or what the store says when `seen` does not know the overrides of every wanted kid. */
  async function covering(ref: ContentRef, seen: CachedContent, wanted: readonly WantedKey[]): Promise<CachedContent> {
    const kids = kidsOf(wanted)
    return covers(seen.snapshot, kids) ? seen : cache.load(ref, kids)
  }

  /** Stores what the keys lack, unless another process is first, and tells what stands. */
  async function create(ref: ContentRef, before: CachedContent, wanted: readonly WantedKey[]): Promise<Creation> {
    const missing = wanted.filter((one) => !before.snapshot.overrides.has(wantedId(one)))
    const overridden =
      policy === 'random' && missing.length > 0
        ? await createOverrides(ref, before.snapshot, missing)
        : { content: before, first: false }
    const content = await covering(ref, overridden.content, wanted)
    // Derived keys come from the secret, and so does the IV of an override that brings none.
    if (keysOf(ref, content, wanted) !== undefined) return { content, first: overridden.first }
    const secret = await createSecret(ref, wanted)
    return { content: secret.content, first: secret.first || overridden.first }
  }

  function createSecret(ref: ContentRef, wanted: readonly WantedKey[]): Promise<Creation> {
    return withNewSecret(ref, async (sealed) => {
      const stored = await store.putSecretIfAbsent(ref, sealed, kidsOf(wanted), birth(ref))
      const content = await cache.enter(ref, stored, kidsOf(wanted))
      return { content, first: sameBytes(stored.sealedSecret, sealed) }
    })
  }

  function birth(ref: ContentRef): Birth {
    return birthOf(retention(ref), time())
  }

  async function withNewSecret<T>(ref: ContentRef, write: (sealed: Uint8Array) => Promise<T>): Promise<T> {
    const secret = randomBytes(SECRET_SIZE)
    try {
      return await withCurrentDataKey(dataKeys, ref.tenant, (dataKey) =>
        write(seal(dataKey, { kind: 'content-secret', ref }, secret, randomBytes)),
      )
    } finally {
      secret.fill(0)
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
      return await withCurrentDataKey(dataKeys, ref.tenant, async (dataKey) => {
        const overrides = clears.map(({ clear, ...one }): StoredOverride => {
          const sealed = seal(dataKey, overrideContext(ref, one), clear, randomBytes)
          return { contentKeyClass: one.contentKeyClass, kid: one.kid, sealed, pssh: {} }
        })
        const stored = await store.putOverridesIfAbsent(ref, overrides, birth(ref))
        const content = await cache.enter(ref, stored, kidsOf(missing))
        const standing = content.snapshot.overrides
        const first = overrides.some((one) => sameBytes(standing.get(wantedId(one))?.sealed, one.sealed))
        return { content, first }
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
  const override = findOverride(snapshot, wanted)
  if (override !== undefined) return openOverrideKey(ref, override)
  return snapshot.derivation?.contentKey(wanted.contentKeyClass, wanted.kid)
}

function findKeyAndIv(ref: ContentRef, snapshot: Snapshot, wanted: WantedKey): FoundKeyAndIv | undefined {
  const { derivation } = snapshot
  const override = findOverride(snapshot, wanted)
  if (override !== undefined) return { ...openStandingOverride(ref, override, derivation), source: 'override' }
  if (derivation === undefined) return undefined
  const { contentKey, explicitIv } = derivation.keyAndIv(wanted.contentKeyClass, wanted.kid)
  return { contentKey, explicitIv, source: 'derived' }
}

function findOverride(snapshot: Snapshot, wanted: WantedKey): SealedOverride | undefined {
  if (!covers(snapshot, [wanted.kid])) throw new TypeError('find: expected a kid that was given to open')
  return snapshot.overrides.get(wantedId(wanted))
}

function kidsOf(wanted: readonly WantedKey[]) {
  return wanted.map(({ kid }) => kid)
}

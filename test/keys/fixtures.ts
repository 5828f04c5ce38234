import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { memoryStore } from '../../src/adapters/store/memory/store.ts'
import { KeyProviderError } from '../../src/core/errors.ts'
import { type ContentKeyClass, type Kid, toKid } from '../../src/formats/cenc.ts'
import type { ContentKeys, WantedKey } from '../../src/keys/content/content-key.ts'
import { type ContentKeysOptions, StoredContentKeys } from '../../src/keys/content/content-keys.ts'
import { DataKeyRing, type DataKeys } from '../../src/keys/crypto/data-keys.ts'
import { seal, unseal } from '../../src/keys/crypto/seal.ts'
import type { ContentRef } from '../../src/keys/ports/content-ref.ts'
import type { Birth, ContentStore, LifeStore } from '../../src/keys/ports/content-store.ts'
import type { RootKey } from '../../src/keys/ports/root-key.ts'

export const REF: ContentRef = { tenant: 'default', contentId: 'movie' }

/** The birth of a content that lives for ever. */
export const BIRTH: Birth = { at: 1_000, expiresAt: undefined }

export function kidOf(number: number): Kid {
  return toKid(`00000000-0000-4000-8000-${String(number).padStart(12, '0')}`) ?? assert.fail()
}

export function wantedOf(number: number, contentKeyClass: ContentKeyClass = 'drm'): WantedKey {
  return { contentKeyClass, kid: kidOf(number) }
}

/** A root key in memory; two of them do not open each other's data keys. */
export function fakeRootKey(id: number): RootKey & { readonly unwraps: () => number } {
  const key = createSecretKey(randomBytes(32))
  const context = { kind: 'content-secret', ref: { tenant: 'root', contentId: 'root' } } as const
  let unwraps = 0
  return {
    unwraps: () => unwraps,
    wrap: async (dataKey) => seal({ generation: id, key }, context, dataKey, randomBytes),
    unwrap: async (wrapped) => {
      unwraps++
      return wrapped[4] === id ? unseal(key, context, wrapped) : undefined
    },
    close: async () => {},
  }
}

/** A store that can be away, and counts what it is asked. */
export function flakyStore<S extends ContentStore>(store: S) {
  let isAway = false
  let calls = 0
  const handler: ProxyHandler<S> = {
    get(target, verb) {
      const method = Reflect.get(target, verb)
      if (typeof method !== 'function' || verb === 'close') return method
      return async (...values: unknown[]) => {
        calls++
        if (isAway) throw new KeyProviderError('ERR_STORE_UNAVAILABLE', 'the store is away')
        return Reflect.apply(method, target, values)
      }
    },
  }
  return {
    store: new Proxy(store, handler),
    setAway: (away: boolean) => {
      isAway = away
    },
    calls: () => calls,
  }
}

/** Everything a test of content keys needs, on a clock of its own. */
export function keyringOf(options: Partial<ContentKeysOptions> = {}) {
  const flaky = flakyStore(memoryStore())
  const store = options.store === undefined ? flaky.store : (options.store as ContentStore & LifeStore)
  const dataKeys: DataKeys =
    options.dataKeys ?? new DataKeyRing({ store, rootKey: fakeRootKey(1), rootKeyName: 'test', randomBytes })
  const clock = { at: 1_000_000 }
  const stale: KeyProviderError[] = []
  const keys = new StoredContentKeys({
    policy: 'derived',
    now: () => clock.at,
    time: () => clock.at,
    randomBytes,
    onStale: (error) => stale.push(error),
    ...options,
    store,
    dataKeys,
  })
  return { ...flaky, store, dataKeys, keys, clock, stale, now: () => clock.at }
}

/** Opens a content and issues the keys of `wanted`, in hex. */
export async function issue(keys: ContentKeys, wanted: readonly WantedKey[], ref: ContentRef = REF) {
  const content = await keys.open(
    ref,
    wanted.map(({ kid }) => kid),
  )
  const issued = await content.issue(wanted)
  return {
    first: issued.first,
    keys: issued.keys.map(({ contentKey, explicitIv }) => `${hex(contentKey)} ${hex(explicitIv)}`),
  }
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

import { KeyProviderError } from '../../core/errors.ts'
import { overrideContext } from '../content/snapshot.ts'
import { createDataKey, createDataKeys, type DataKeys, dataKeyContext, foreignDataKey } from '../crypto/data-keys.ts'
import { type RandomBytes, type SealContext, seal, sealGeneration, unseal } from '../crypto/seal.ts'
import type { ContentRef, Tenant } from '../ports/content-ref.ts'
import type { ContentStore } from '../ports/content-store.ts'
import type { Reseal, StoreMaintenance } from '../ports/maintenance-store.ts'
import type { RootKey } from '../ports/root-key.ts'

/** What rotation works on, while servers go on answering. */
export interface RotationOptions {
  readonly store: ContentStore & StoreMaintenance
  readonly rootKey: RootKey
  readonly rootKeyName: string
  readonly randomBytes: RandomBytes
}

/** One data key of a tenant, as people may see it. */
export interface DataKeyStatus {
  readonly tenant: Tenant
  readonly generation: number
  readonly isNewest: boolean
  /** Sealed values that need it. */
  readonly rows: number
  /** What wrapped it: a generation of the root key. */
  readonly wrappedBy: string
  /** Whether that is the newest generation of the root key. */
  readonly isWrappedByNewest: boolean
}

/** Every data key, how much is sealed with it and what wraps it. */
export async function keyringStatus({
  store,
  rootKey,
}: Pick<RotationOptions, 'store' | 'rootKey'>): Promise<readonly DataKeyStatus[]> {
  const [dataKeys, counts] = [await store.listDataKeys(), await store.countSeals()]
  const newest = newestGenerations(dataKeys)
  return dataKeys.map(({ tenant, generation, wrapped }) => {
    const count = counts.find((one) => one.tenant === tenant && one.generation === generation)
    return {
      tenant,
      generation,
      isNewest: newest.get(tenant) === generation,
      rows: count?.rows ?? 0,
      wrappedBy: rootKey.describe?.(wrapped) ?? 'another root key',
      isWrappedByNewest: rootKey.isNewest?.(wrapped) ?? true,
    }
  })
}

/** A new generation of the data key of every tenant, which seals what is written from now on; how many were made. */
export async function rotateDataKeys(options: RotationOptions): Promise<number> {
  const newest = newestGenerations(await options.store.listDataKeys())
  for (const [tenant, generation] of newest) await createDataKey(options, tenant, generation + 1)
  return newest.size
}

/** Wraps every data key with the newest generation of the root key; how many were wrapped anew. What is done already is left. */
export async function rewrapDataKeys({ store, rootKey, rootKeyName }: RotationOptions): Promise<number> {
  let rewrapped = 0
  for (const stored of await store.listDataKeys()) {
    if (rootKey.isNewest?.(stored.wrapped) === true) continue
    const context = dataKeyContext(stored)
    const wrapped = (await rootKey.rewrap?.(stored.wrapped, context)) ?? (await wrapAgain())
    if (await store.rewrapDataKey({ ...stored, wrapped }, stored.wrapped)) rewrapped++

    async function wrapAgain(): Promise<Uint8Array> {
      const clear = await rootKey.unwrap(stored.wrapped, context)
      if (clear === undefined) throw foreignDataKey(rootKeyName, stored)
      const again = await rootKey.wrap(clear, context)
      clear.fill(0)
      return again
    }
  }
  return rewrapped
}

/** How far sealing anew has come. */
export interface ResealProgress {
  readonly contents: number
  readonly resealed: number
}

export interface ResealOptions extends RotationOptions {
  readonly onProgress?: (progress: ResealProgress) => void
  readonly pageSize?: number
}

/** Seals everything with the newest data key of its tenant. Interrupted, it can be run again: what is done already is left. */
export async function resealAll(options: ResealOptions): Promise<ResealProgress> {
  const { store, onProgress = () => {}, pageSize = 200 } = options
  const dataKeys = createDataKeys(options)
  const newest = newestGenerations(await store.listDataKeys())
  let [contents, resealed] = [0, 0]
  for (let after: ContentRef | undefined; ; ) {
    const page = await store.listContents(after, pageSize)
    const old = await Promise.all(page.map((ref) => resealContent(options, dataKeys, ref, newest.get(ref.tenant))))
    resealed += await store.reseal(old.flat())
    contents += page.length
    onProgress({ contents, resealed })
    after = page.at(-1)
    if (after === undefined || page.length < pageSize) return { contents, resealed }
  }
}

/** Removes the data keys that nothing needs any more, the newest of each tenant apart; how many. The store itself checks that. */
export async function removeOldDataKeys({ store }: Pick<RotationOptions, 'store'>): Promise<number> {
  const dataKeys = await store.listDataKeys()
  const newest = newestGenerations(dataKeys)
  let removed = 0
  for (const { tenant, generation } of dataKeys) {
    if (generation !== newest.get(tenant) && (await store.removeDataKey(tenant, generation))) removed++
  }
  return removed
}

/** The values of one content that an older data key sealed, sealed with the newest. */
async function resealContent(
  { store, randomBytes }: RotationOptions,
  dataKeys: DataKeys,
  ref: ContentRef,
  newest: number | undefined,
): Promise<readonly Reseal[]> {
  const stored = await store.findContent(ref, [])
  if (stored === undefined || newest === undefined) return []
  const overrides = stored.overridesComplete ? stored.overrides : await store.listOverrides(ref)
  const values: { override: Reseal['override']; before: Uint8Array; context: SealContext }[] = overrides.map((one) => {
    return { override: one, before: one.sealed, context: overrideContext(ref, one) }
  })
  if (stored.sealedSecret !== undefined) {
    values.push({ override: undefined, before: stored.sealedSecret, context: { kind: 'content-secret', ref } })
  }
  const resealed: Reseal[] = []
  for (const { override, before, context } of values) {
    const generation = sealGeneration(before)
    if (generation === newest) continue
    const clear = unseal(
      generation === undefined ? undefined : await dataKeys.find(ref.tenant, generation),
      context,
      before,
    )
    const current = await dataKeys.current(ref.tenant)
    const after = seal(current, context, clear, randomBytes)
    // Checked before the old value goes: the new one must open.
    requireSame(unseal(current.key, context, after), clear)
    clear.fill(0)
    resealed.push({ ...ref, override, before, after })
  }
  return resealed
}

function requireSame(opened: Buffer, clear: Buffer): void {
  const isSame = opened.equals(clear)
  opened.fill(0)
  if (!isSame)
    throw new KeyProviderError(
      'ERR_SELF_TEST_FAILED',
      'a value sealed anew does not open as it was; nothing is changed',
    )
}

function newestGenerations(
  dataKeys: readonly { readonly tenant: Tenant; readonly generation: number }[],
): ReadonlyMap<Tenant, number> {
  const newest = new Map<Tenant, number>()
  for (const { tenant, generation } of dataKeys) newest.set(tenant, Math.max(generation, newest.get(tenant) ?? 0))
  return newest
}

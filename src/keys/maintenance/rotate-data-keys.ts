import { KeyProviderError } from '../../core/errors.ts'
import { overrideContext } from '../content/snapshot.ts'
import { createDataKey, DataKeyRing, type DataKeys, dataKeyContext, foreignDataKey } from '../crypto/data-keys.ts'
import { type RandomBytes, type SealContext, seal, sealGeneration, unseal } from '../crypto/seal.ts'
import type { ContentRef, Tenant } from '../ports/content-ref.ts'
import type { ContentStore } from '../ports/content-store.ts'
import type { Reseal, StoreMaintenance } from '../ports/maintenance-store.ts'
import type { RootKey } from '../ports/root-key.ts'

/** Rotation works while servers answer requests. */
export interface RotationOptions {
  readonly store: ContentStore & StoreMaintenance
  readonly rootKey: RootKey
  readonly rootKeyName: string
  readonly randomBytes: RandomBytes
}

/** A data key of a tenant, without the key. */
export interface DataKeyStatus {
  readonly tenant: Tenant
  readonly generation: number
  readonly isNewest: boolean
  /** The number of values sealed with it. */
  readonly rows: number
  /** The name of the root key generation that wrapped it. */
  readonly wrappedBy: string
  /** Whether that generation is the newest. */
  readonly isWrappedByNewest: boolean
}

/** The status of every data key. */
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

/** Creates a new generation of every tenant's data key, which seals all later writes. Returns the number of new data keys. */
export async function rotateDataKeys(options: RotationOptions): Promise<number> {
  const newest = newestGenerations(await options.store.listDataKeys())
  for (const [tenant, generation] of newest) await createDataKey(options, tenant, generation + 1)
  return newest.size
}

/** Wraps every data key with the newest generation of the root key. Returns the number of data keys that needed it. */
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

/** The progress of resealing. */
interface ResealProgress {
  readonly contents: number
  readonly resealed: number
}

interface ResealOptions extends RotationOptions {
  readonly onProgress?: (progress: ResealProgress) => void
  readonly pageSize?: number
}

/** Seals every value with the newest data key of its tenant. If interrupted, run it again: it skips what is done. */
export async function resealAll(options: ResealOptions): Promise<ResealProgress> {
  const { store, onProgress = () => {}, pageSize = 200 } = options
  const dataKeys = new DataKeyRing(options)
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

/** Removes the data keys that no value needs, except the newest of each tenant. The store checks this. Returns their number. */
export async function removeOldDataKeys({ store }: Pick<RotationOptions, 'store'>): Promise<number> {
  const dataKeys = await store.listDataKeys()
  const newest = newestGenerations(dataKeys)
  let removed = 0
  for (const { tenant, generation } of dataKeys) {
    if (generation !== newest.get(tenant) && (await store.removeDataKey(tenant, generation))) removed++
  }
  return removed
}

/** The values of one content that an older data key sealed, resealed with the newest. */
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
    // The new value must open before it replaces the old one.
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
      'a resealed value does not open to the same bytes. Nothing was changed. Report this as a fault of Keyspring.',
    )
}

function newestGenerations(
  dataKeys: readonly { readonly tenant: Tenant; readonly generation: number }[],
): ReadonlyMap<Tenant, number> {
  const newest = new Map<Tenant, number>()
  for (const { tenant, generation } of dataKeys) newest.set(tenant, Math.max(generation, newest.get(tenant) ?? 0))
  return newest
}

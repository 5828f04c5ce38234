import { overrideContext } from '../content/snapshot.ts'
import type { DataKeys } from '../crypto/data-keys.ts'
import { sealGeneration, unseal } from '../crypto/seal.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore } from '../ports/content-store.ts'
import type { StoreMaintenance } from '../ports/maintenance-store.ts'

export interface DrillOptions {
  readonly store: Pick<ContentStore, 'findContent' | 'listOverrides'> & Pick<StoreMaintenance, 'listContents'>
  readonly dataKeys: DataKeys
  /** How many contents are opened, chosen evenly at random. */
  readonly sample: number
  /** From 0 to 1. */
  readonly random: () => number
}

/** What a drill has shown. */
export interface DrillReport {
  readonly contents: number
  readonly opened: number
  /** Secrets and overrides of those. */
  readonly values: number
}

const PAGE = 1_000

/** Opens what is sealed of a sample of contents: proof that store and root key belong together. Throws what the first failure is. */
export async function proveOpens({ store, dataKeys, sample, random }: DrillOptions): Promise<DrillReport> {
  const chosen: ContentRef[] = []
  let contents = 0
  for (let after: ContentRef | undefined; ; ) {
    const page = await store.listContents(after, PAGE)
    for (const ref of page) {
      contents++
      // Each content is in the sample with the same chance (reservoir).
      const place = contents <= sample ? contents - 1 : Math.floor(random() * contents)
      if (place < sample) chosen[place] = ref
    }
    after = page.at(-1)
    if (after === undefined || page.length < PAGE) break
  }
  let values = 0
  for (const ref of chosen) values += await openContent(store, dataKeys, ref)
  return { contents, opened: chosen.length, values }
}

async function openContent(store: DrillOptions['store'], dataKeys: DataKeys, ref: ContentRef): Promise<number> {
  const stored = await store.findContent(ref, [])
  if (stored === undefined) return 0
  const overrides = stored.overridesComplete ? stored.overrides : await store.listOverrides(ref)
  const sealed = overrides.map((one) => ({ blob: one.sealed, context: overrideContext(ref, one) }))
  const secrets =
    stored.sealedSecret === undefined
      ? []
      : [{ blob: stored.sealedSecret, context: { kind: 'content-secret', ref } as const }]
  for (const { blob, context } of [...secrets, ...sealed]) {
    const generation = sealGeneration(blob)
    const dataKey = generation === undefined ? undefined : await dataKeys.find(ref.tenant, generation)
    unseal(dataKey, context, blob).fill(0)
  }
  return secrets.length + sealed.length
}

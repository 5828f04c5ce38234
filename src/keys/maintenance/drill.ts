import { overrideContext } from '../content/snapshot.ts'
import type { DataKeys } from '../crypto/data-keys.ts'
import { sealGeneration, unseal } from '../crypto/seal.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore } from '../ports/content-store.ts'
import type { StoreMaintenance } from '../ports/maintenance-store.ts'

interface DrillOptions {
  readonly store: Pick<ContentStore, 'findContent' | 'listOverrides'> & Pick<StoreMaintenance, 'listContents'>
  readonly dataKeys: Pick<DataKeys, 'find'>
  /** How many contents to open, chosen uniformly at random. */
  readonly sample: number
  /** From 0 to 1. */
  readonly random: () => number
}

/** The result of a drill. */
export interface DrillReport {
  readonly contents: number
  readonly opened: number
  /** The number of secrets and overrides that were opened. */
  readonly values: number
}

const PAGE = 1_000

/** Opens the sealed values of a sample of contents, which proves that the root key belongs to the store. Throws the first failure. */
export async function proveOpens({ store, dataKeys, sample, random }: DrillOptions): Promise<DrillReport> {
  const chosen: ContentRef[] = []
  let contents = 0
  for (let after: ContentRef | undefined; ; ) {
    const page = await store.listContents(after, PAGE)
    for (const ref of page) {
      contents++
      // Reservoir sampling: every content has the same chance.
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

async function openContent(
  store: DrillOptions['store'],
  dataKeys: DrillOptions['dataKeys'],
  ref: ContentRef,
): Promise<number> {
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

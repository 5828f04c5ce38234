import { createHash, createSecretKey, type KeyObject } from 'node:crypto'
import type { Kid } from '../../formats/cenc.ts'
import type { DataKeys } from '../crypto/data-keys.ts'
import { type Derivation, derivation } from '../crypto/derive.ts'
import type { DeriveContentSecret } from '../crypto/root-secret.ts'
import { type SealContext, sealGeneration, unseal } from '../crypto/seal.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { KidOverride, StoredContent, StoredOverride, Tombstone } from '../ports/content-store.ts'
import { type WantedKey, wantedId } from './content-key.ts'

/** The stored state of a content, ready to answer from. The content secret is open; the keys of overrides stay sealed. */
export interface Snapshot {
  /** One character per byte: typed arrays would need three times the memory. */
  readonly sealedSecret: string | undefined
  readonly derivation: Derivation | undefined
  /** By `wantedId`. */
  readonly overrides: ReadonlyMap<string, SealedOverride>
  /** The kids whose overrides are known; undefined: all are known. */
  readonly covered: ReadonlySet<Kid> | undefined
  readonly kidOverrides: readonly KidOverride[]
  readonly signalingRevision: string
  readonly tombstone: Tombstone | undefined
  readonly expiresAt: number | undefined
  readonly isHeld: boolean
  /** The number of the content's secret. A regenerated content has a higher epoch, and its earlier keys are destroyed. */
  readonly epoch: number
  /** When the content was created, in milliseconds since 1970. A content with this time stays stored without its last override. */
  readonly createdAt: number | undefined
}

type Life = Pick<Snapshot, 'expiresAt' | 'isHeld' | 'epoch' | 'createdAt'>

/** An override and the data key that opens it, if that exists. */
export interface SealedOverride extends StoredOverride {
  readonly dataKey: KeyObject | undefined
}

/** The snapshot of a content that is not stored. */
export const NOTHING_STORED: Snapshot = {
  sealedSecret: undefined,
  derivation: undefined,
  overrides: new Map(),
  covered: undefined,
  kidOverrides: [],
  signalingRevision: '',
  tombstone: undefined,
  expiresAt: undefined,
  isHeld: false,
  epoch: 0,
  createdAt: undefined,
}

/** Opens what was read for `kids`. Reuses the unchanged parts of `before`, an earlier snapshot of the same content. */
export async function openSnapshot(
  dataKeys: DataKeyFinder,
  ref: ContentRef,
  stored: StoredContent,
  kids: readonly Kid[],
  before: Snapshot | undefined,
  deriveSecret?: DeriveContentSecret | undefined,
): Promise<Snapshot> {
  const { kidOverrides, tombstone } = stored
  const { createdAt, expiresAt, hold, epoch } = stored.life
  const life = { expiresAt, isHeld: hold !== undefined, epoch, createdAt }
  const sealedSecret = stored.sealedSecret && Buffer.from(stored.sealedSecret).toString('latin1')
  const isSameSecret = before?.sealedSecret === sealedSecret
  const isPlain = hasOnlySecret(stored, stored.overrides.length)
  if (before !== undefined && isSameSecret && isPlain && hasOnlySecret(before, before.overrides.size)) {
    return isSameLife(before, life) ? before : { ...before, ...life }
  }
  const overrides = await Promise.all(
    stored.overrides.map(async (override) => {
      return { ...override, dataKey: await findDataKey(dataKeys, ref, override.sealed) }
    }),
  )
  return {
    sealedSecret,
    derivation:
      before !== undefined && isSameSecret
        ? before.derivation
        : ((await openSecret(dataKeys, ref, stored.sealedSecret)) ?? deriveSecret?.(ref)),
    overrides: isPlain ? NOTHING_STORED.overrides : new Map(overrides.map((one) => [wantedId(one), one])),
    covered: stored.overridesComplete ? undefined : new Set(kids),
    kidOverrides: isPlain ? NOTHING_STORED.kidOverrides : kidOverrides,
    signalingRevision: signalingRevision(stored),
    tombstone,
    ...life,
  }
}

/** Whether the overrides of all `kids` are known. */
export function covers({ covered }: Snapshot, kids: readonly Kid[]): boolean {
  return covered === undefined || kids.every((kid) => covered.has(kid))
}

/** Whether the store lost keys of a content: every deletion by Keyspring leaves a tombstone or a creation time. */
export function isLost(before: Snapshot, stored: StoredContent | undefined): boolean {
  if (stored?.tombstone !== undefined) return false
  if (before.sealedSecret !== undefined && stored?.sealedSecret === undefined) return true
  const isTraceless = stored === undefined || (stored.life.createdAt === undefined && stored.overrides.length === 0)
  return isTraceless && before.createdAt !== undefined && before.overrides.size > 0
}

/**
 * Whether the store returned an earlier state than `before`: an earlier epoch, or keys without their tombstone. The cause is a
 * replica that lags or a backup that was restored.
 */
export function isBehind({ epoch, tombstone }: Snapshot, stored: StoredContent | undefined): boolean {
  if (stored !== undefined && stored.life.epoch < epoch) return true
  return tombstone !== undefined && stored?.tombstone === undefined && (stored?.life.epoch ?? epoch) === epoch
}

/** The seal context of an override. */
export function overrideContext(ref: ContentRef, { contentKeyClass, kid }: WantedKey): SealContext {
  return { kind: 'override', ref, contentKeyClass, kid }
}

export function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0)
}

type DataKeyFinder = Pick<DataKeys, 'find'>

async function openSecret(
  dataKeys: DataKeyFinder,
  ref: ContentRef,
  sealedSecret: Uint8Array | undefined,
): Promise<Derivation | undefined> {
  if (sealedSecret === undefined) return undefined
  const dataKey = await findDataKey(dataKeys, ref, sealedSecret)
  const secret = unseal(dataKey, { kind: 'content-secret', ref }, sealedSecret)
  const key = createSecretKey(secret)
  secret.fill(0)
  return derivation(key, ref)
}

async function findDataKey(
  dataKeys: DataKeyFinder,
  ref: ContentRef,
  sealed: Uint8Array,
): Promise<KeyObject | undefined> {
  const generation = sealGeneration(sealed)
  return generation === undefined ? undefined : dataKeys.find(ref.tenant, generation)
}

/** Whether a content has a secret and nothing else, as most contents do. */
function hasOnlySecret(content: Pick<StoredContent, 'kidOverrides' | 'tombstone'>, overrides: number): boolean {
  return overrides === 0 && content.kidOverrides.length === 0 && content.tombstone === undefined
}

function isSameLife(a: Life, b: Life): boolean {
  return a.expiresAt === b.expiresAt && a.isHeld === b.isHeld && a.epoch === b.epoch && a.createdAt === b.createdAt
}

function signalingRevision({ kidOverrides, overrides }: StoredContent): string {
  const boxes = overrides.flatMap((override) =>
    Object.entries(override.pssh).map(([systemId, box]) => [
      wantedId(override),
      systemId,
      Buffer.from(box).toString('hex'),
    ]),
  )
  if (kidOverrides.length === 0 && boxes.length === 0) return ''
  const rules = kidOverrides.map((rule) => [rule.intendedTrackType ?? null, rule.periodIndex ?? null, rule.kid])
  const canonical = [rules, boxes].map((rows) => rows.map((row) => JSON.stringify(row)).sort())
  return createHash('sha256').update(JSON.stringify(canonical)).digest('hex').slice(0, 32)
}

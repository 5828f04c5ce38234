import { createHash, createSecretKey, type KeyObject } from 'node:crypto'
import type { ContentKeyClass, KeyAndIv, Kid } from '../../formats/cenc.ts'
import type { DataKeys } from '../crypto/data-keys.ts'
import { assertIvIsNotKey, type Derivation, derivation } from '../crypto/derive.ts'
import type { DeriveContentSecret } from '../crypto/root-secret.ts'
import { type SealContext, sealGeneration, unseal } from '../crypto/seal.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { KidOverride, StoredContent, StoredOverride, Tombstone } from '../ports/content-store.ts'
import type { WantedKey } from './content-key.ts'

/** What is stored of a content, ready to answer from. Its secret is open; the keys of its overrides stay sealed. */
export interface Snapshot {
  /** One character a byte: a hundred thousand typed arrays would take three times the room. */
  readonly sealedSecret: string | undefined
  readonly derivation: Derivation | undefined
  readonly overrides: ReadonlyMap<string, SealedOverride>
  /** The kids whose overrides are known; undefined when all are. */
  readonly covered: ReadonlySet<Kid> | undefined
  readonly kidOverrides: readonly KidOverride[]
  readonly signalingRevision: string
  readonly tombstone: Tombstone | undefined
  readonly expiresAt: number | undefined
  readonly isHeld: boolean
  /** Another epoch has another secret: what was issued before is destroyed. */
  readonly epoch: number
  /** Whether it is known when it was made: then something stays of it when the last override is removed. */
  readonly isBorn: boolean
}

type Life = Pick<Snapshot, 'expiresAt' | 'isHeld' | 'epoch' | 'isBorn'>

/** An override and the data key that opens it, when there is one. */
export interface SealedOverride extends StoredOverride {
  readonly dataKey: KeyObject | undefined
}

/** What a content of which nothing is stored answers from. */
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
  isBorn: false,
}

/** Opens what was read for `kids`. `before`, an earlier snapshot of the same content, is used again as far as nothing changed. */
export async function openSnapshot(
  dataKeys: DataKeys,
  ref: ContentRef,
  stored: StoredContent,
  kids: readonly Kid[],
  before: Snapshot | undefined,
  deriveSecret?: DeriveContentSecret | undefined,
): Promise<Snapshot> {
  const { kidOverrides, tombstone } = stored
  const { createdAt, expiresAt, hold, epoch } = stored.life
  const life = { expiresAt, isHeld: hold !== undefined, epoch, isBorn: createdAt !== undefined }
  const sealedSecret = stored.sealedSecret && Buffer.from(stored.sealedSecret).toString('latin1')
  const isSameSecret = before?.sealedSecret === sealedSecret
  const isPlain = isNothingBeside(stored, stored.overrides.length)
  if (before !== undefined && isSameSecret && isPlain && isNothingBeside(before, before.overrides.size)) {
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

/** Whether the overrides of every kid of `kids` are known. */
export function covers({ covered }: Snapshot, kids: readonly Kid[]): boolean {
  return covered === undefined || kids.every((kid) => covered.has(kid))
}

/** Whether the store no longer has what it had of a content, and what nobody takes away without a trace. */
export function isLost(before: Snapshot, stored: StoredContent | undefined): boolean {
  if (stored?.tombstone !== undefined) return false
  if (before.sealedSecret !== undefined && stored?.sealedSecret === undefined) return true
  const isTraceless = stored === undefined || (stored.life.createdAt === undefined && stored.overrides.length === 0)
  return isTraceless && before.isBorn && before.overrides.size > 0
}

/**
 * Whether the store tells of an earlier state: of another secret before this one, or of keys although they were destroyed. It is a
 * replica that does not know yet, or a backup from before.
 */
export function isBehind({ epoch, tombstone }: Snapshot, stored: StoredContent | undefined): boolean {
  if (stored !== undefined && stored.life.epoch < epoch) return true
  return tombstone !== undefined && stored?.tombstone === undefined && (stored?.life.epoch ?? epoch) === epoch
}

/** Opens the key and IV of an override; its IV is derived from the content secret when it has none, undefined without one. */
export function openOverride(
  ref: ContentRef,
  override: SealedOverride,
  from: Derivation | undefined,
): KeyAndIv | undefined {
  const { contentKey, explicitIv } = openStandingOverride(ref, override, from)
  return explicitIv === undefined ? undefined : { contentKey, explicitIv }
}

/** Opens the key of an override that may have no IV: players are given none. */
export function openOverrideKey(ref: ContentRef, override: SealedOverride): Uint8Array {
  return unsealOverride(ref, override).subarray(0, 16)
}

/** Opens the key of an override, and its IV as far as there is one. */
export function openStandingOverride(
  ref: ContentRef,
  override: SealedOverride,
  from: Derivation | undefined,
): { readonly contentKey: Uint8Array; readonly explicitIv: Uint8Array | undefined } {
  const { contentKeyClass, kid } = override
  const clear = unsealOverride(ref, override)
  const contentKey = clear.subarray(0, 16)
  const explicitIv = clear.length > 16 ? clear.subarray(16) : from?.explicitIv(contentKeyClass, kid)
  if (explicitIv !== undefined) assertIvIsNotKey({ contentKey, explicitIv })
  return { contentKey, explicitIv }
}

/** Where an override belongs. */
export function overrideContext(ref: ContentRef, { contentKeyClass, kid }: WantedKey): SealContext {
  return { kind: 'override', ref, contentKeyClass, kid }
}

/** What names a key within a content. */
export function wantedId({
  contentKeyClass,
  kid,
}: {
  readonly contentKeyClass: ContentKeyClass
  readonly kid: Kid
}): string {
  return contentKeyClass + kid
}

export function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0)
}

/** `key ‖ IV` or `key`. */
function unsealOverride(ref: ContentRef, override: SealedOverride): Uint8Array {
  return unseal(override.dataKey, overrideContext(ref, override), override.sealed)
}

async function openSecret(
  dataKeys: DataKeys,
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

async function findDataKey(dataKeys: DataKeys, ref: ContentRef, sealed: Uint8Array): Promise<KeyObject | undefined> {
  const generation = sealGeneration(sealed)
  return generation === undefined ? undefined : dataKeys.find(ref.tenant, generation)
}

/** Whether there is nothing but a secret, as for nearly every content. */
function isNothingBeside(content: Pick<StoredContent, 'kidOverrides' | 'tombstone'>, overrides: number): boolean {
  return overrides === 0 && content.kidOverrides.length === 0 && content.tombstone === undefined
}

function isSameLife(a: Life, b: Life): boolean {
  return a.expiresAt === b.expiresAt && a.isHeld === b.isHeld && a.epoch === b.epoch && a.isBorn === b.isBorn
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

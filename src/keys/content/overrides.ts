import { KeyProviderError } from '../../core/errors.ts'
import type { ContentKeyClass, Kid, SystemId } from '../../formats/cenc.ts'
import type { DataKeys } from '../crypto/data-keys.ts'
import { type RandomBytes, seal } from '../crypto/seal.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore, KidOverride, StoredContent, StoredOverride } from '../ports/content-store.ts'
import { contentGone, kidConflict, overrideExists } from './errors.ts'
import { birthOf, FOREVER, type RetentionOf } from './lifetime.ts'
import { overrideContext, sameBytes } from './snapshot.ts'

interface OverridesOptions {
  readonly store: ContentStore
  readonly dataKeys: Pick<DataKeys, 'current'>
  readonly randomBytes: RandomBytes
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly retention?: RetentionOf | undefined
}

/** `force` allows a change of keys that encryptors may hold already. It requires a reason. */
export interface Force {
  readonly force?: boolean
  readonly reason?: string
}

export interface NewOverride extends Force {
  readonly ref: ContentRef
  readonly contentKeyClass: ContentKeyClass
  readonly kid: Kid
  /** 16 bytes. */
  readonly key: Uint8Array
  /** 16 bytes that differ from the key. Without it, the IV is derived from the content's secret. */
  readonly iv?: Uint8Array
  /** Ready-made pssh boxes by system. */
  readonly pssh?: Readonly<Record<SystemId, Uint8Array>>
}

/** An override without its key. */
interface ListedOverride {
  readonly contentKeyClass: ContentKeyClass
  readonly kid: Kid
  /** The systems that have a ready-made pssh box. */
  readonly psshSystemIds: readonly SystemId[]
}

const SIZE = 16

/** Stores a key for one kid of a content. Throws ERR_OVERRIDE_EXISTS if encryptors may hold its keys already, unless forced. */
export async function addOverride(options: OverridesOptions, added: NewOverride): Promise<void> {
  const { ref, contentKeyClass, kid } = added
  const clear = keyBytes(added)
  const dataKey = await options.dataKeys.current(ref.tenant)
  const sealed = seal(dataKey, overrideContext(ref, { contentKeyClass, kid }), clear, options.randomBytes)
  clear.fill(0)
  const override: StoredOverride = { contentKeyClass, kid, sealed, pssh: added.pssh ?? {} }

  const birth = birthOf(options.retention?.(ref) ?? FOREVER, options.now())
  const before = await options.store.findContent(ref, [kid])
  rejectDestroyed(ref, before)
  if (isForced(added)) return options.store.replaceOverride(ref, override, birth)
  if (before?.sealedSecret !== undefined) throw overrideExists(ref, 'the content has keys already')
  const stored = await options.store.putOverridesIfAbsent(ref, [override], birth, { unlessSecret: true })
  rejectDestroyed(ref, stored)
  const current = stored.overrides.find((one) => one.kid === kid && one.contentKeyClass === contentKeyClass)
  if (current === undefined) throw overrideExists(ref, 'an encryptor requested the content during this change')
  if (!sameBytes(current.sealed, sealed)) {
    throw overrideExists(ref, `kid ${kid} already has an override of the class ${contentKeyClass}`)
  }
}

/** Deletes the key of one kid. False if it was not stored. Throws ERR_OVERRIDE_EXISTS unless forced: issued keys would change. */
export async function removeOverride(
  { store }: Pick<OverridesOptions, 'store'>,
  { ref, contentKeyClass, kid, ...force }: Force & Pick<NewOverride, 'ref' | 'contentKeyClass' | 'kid'>,
): Promise<boolean> {
  const overrides = (await store.findContent(ref, [kid]))?.overrides ?? []
  if (!overrides.some((one) => one.kid === kid && one.contentKeyClass === contentKeyClass)) return false
  if (!isForced(force)) {
    throw overrideExists(ref, `the override of the class ${contentKeyClass} for kid ${kid} may have been issued`)
  }
  return store.removeOverride(ref, contentKeyClass, kid)
}

/** The overrides of a content, without their keys. */
export async function listOverrides(
  { store }: Pick<OverridesOptions, 'store'>,
  ref: ContentRef,
): Promise<readonly ListedOverride[]> {
  const overrides = await store.listOverrides(ref)
  return overrides.map(({ contentKeyClass, kid, pssh }) => {
    return { contentKeyClass, kid, psshSystemIds: Object.keys(pssh) as SystemId[] }
  })
}

/** Stores a rule that gives the matching content keys another kid. Throws ERR_OVERRIDE_EXISTS as `addOverride` does. */
export async function addKidOverride(
  { store }: Pick<OverridesOptions, 'store'>,
  { ref, rule, ...force }: Force & { readonly ref: ContentRef; readonly rule: KidOverride },
): Promise<void> {
  const before = await store.findContent(ref, [])
  rejectDestroyed(ref, before)
  if (!isForced(force)) {
    if (before?.sealedSecret !== undefined) throw overrideExists(ref, 'the content has keys already')
    if (before?.kidOverrides.some((one) => isSameRule(one, rule))) {
      throw overrideExists(ref, 'a kid override for this track type and period exists already')
    }
  }
  return store.putKidOverride(ref, rule)
}

/** Deletes a rule. False if it was not stored. Throws ERR_OVERRIDE_EXISTS unless forced: issued kids would change. */
export async function removeKidOverride(
  { store }: Pick<OverridesOptions, 'store'>,
  { ref, rule, ...force }: Force & { readonly ref: ContentRef; readonly rule: Omit<KidOverride, 'kid'> },
): Promise<boolean> {
  const before = await store.findContent(ref, [])
  if (!before?.kidOverrides.some((one) => isSameRule(one, rule))) return false
  if (!isForced(force)) throw overrideExists(ref, 'keys may have been issued under this kid override')
  return store.removeKidOverride(ref, rule)
}

/** The kid overrides of a content. */
export async function listKidOverrides(
  { store }: Pick<OverridesOptions, 'store'>,
  ref: ContentRef,
): Promise<readonly KidOverride[]> {
  return (await store.findContent(ref, []))?.kidOverrides ?? []
}

/** `key ‖ IV` or `key`, to be sealed. */
function keyBytes({ key, iv }: NewOverride): Buffer {
  if (key.length !== SIZE) throw invalid(`key: expected ${SIZE} bytes, got ${key.length}.`)
  if (iv === undefined) return Buffer.from(key)
  if (iv.length !== SIZE) throw invalid(`IV: expected ${SIZE} bytes, got ${iv.length}.`)
  if (sameBytes(key, iv)) {
    throw invalid('the IV equals the key. An IV is public, so the key would be public too. Use another IV.')
  }
  return Buffer.concat([key, iv])
}

function isForced({ force = false, reason = '' }: Force): boolean {
  if (force && reason.trim() === '') throw invalid('a forced change needs a reason. Say why the keys may change.')
  return force
}

function isSameRule(a: Omit<KidOverride, 'kid'>, b: Omit<KidOverride, 'kid'>): boolean {
  return a.intendedTrackType === b.intendedTrackType && a.periodIndex === b.periodIndex
}

function rejectDestroyed(ref: ContentRef, stored: StoredContent | undefined): void {
  if (stored?.tombstone !== undefined) throw contentGone(ref, stored.tombstone.at)
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_OVERRIDE_INVALID', problem)
}

/** A requested key, with what a rule may match it by. */
interface RuledKey {
  readonly kid: Kid
  readonly intendedTrackTypes: readonly string[]
  /** The indexes of its key periods. */
  readonly periodIndexes: readonly (number | undefined)[]
}

const TWO_OF_ONE_KID =
  'the kid overrides of this content give two of the requested keys the same kid. ' +
  'Make the overrides more specific; keyspring override list shows them.'

/** The kid that each key gets in the answer, in the order of `keys`. Throws ERR_KID_CONFLICT if two keys would share a kid. */
export function overrideKids(keys: readonly RuledKey[], rules: readonly KidOverride[]): readonly Kid[] {
  if (rules.length === 0) return keys.map(({ kid }) => kid)
  const seen = new Set<Kid>()
  return keys.map((key) => {
    const kid = overriddenKid(key, rules)
    if (seen.has(kid)) throw kidConflict(TWO_OF_ONE_KID)
    seen.add(kid)
    return kid
  })
}

/** The most specific rule wins: track type and period, then track type, then period, then neither. */
function overriddenKid(key: RuledKey, rules: readonly KidOverride[]): Kid {
  let best: KidOverride | undefined
  for (const rule of rules) if (matches(rule, key) && (best === undefined || weight(rule) > weight(best))) best = rule
  return best?.kid ?? key.kid
}

function matches({ intendedTrackType, periodIndex }: KidOverride, key: RuledKey): boolean {
  if (intendedTrackType !== undefined && !key.intendedTrackTypes.includes(intendedTrackType)) return false
  return periodIndex === undefined || key.periodIndexes.includes(periodIndex)
}

function weight({ intendedTrackType, periodIndex }: KidOverride): number {
  return (intendedTrackType === undefined ? 0 : 2) + (periodIndex === undefined ? 0 : 1)
}

import { KeyProviderError } from '../../core/errors.ts'
import type { ContentKeyClass, Kid, SystemId } from '../../formats/cenc.ts'
import type { DataKeys } from '../crypto/data-keys.ts'
import { type RandomBytes, seal } from '../crypto/seal.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore, KidOverride, StoredContent, StoredOverride } from '../ports/content-store.ts'
import { birthOf } from './lifetime.ts'
import { FOREVER, type RetentionOf } from './retention.ts'
import { overrideContext, sameBytes } from './snapshot.ts'

/** What the operator's side of overrides works on. */
export interface OverridesOptions {
  readonly store: ContentStore
  readonly dataKeys: DataKeys
  readonly randomBytes: RandomBytes
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** What contents are kept by. */
  readonly retention?: RetentionOf | undefined
}

/** `force` changes keys that encryptors may have been given already; it needs a reason. */
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
  /** 16 bytes, not the key. Without one, the IV is derived from the content's secret. */
  readonly iv?: Uint8Array
  /** Ready-made pssh boxes by system. */
  readonly pssh?: Readonly<Record<SystemId, Uint8Array>>
}

/** What may be told of an override. */
export interface ListedOverride {
  readonly contentKeyClass: ContentKeyClass
  readonly kid: Kid
  /** The systems that have a ready-made pssh box. */
  readonly psshSystemIds: readonly SystemId[]
}

const SIZE = 16

/** Stores a key for one kid of a content. Throws ERR_OVERRIDE_EXISTS when keys may have been issued already, unless forced. */
export async function addOverride(options: OverridesOptions, added: NewOverride): Promise<void> {
  const { ref, contentKeyClass, kid } = added
  const clear = keyBytes(added)
  const dataKey = await options.dataKeys.current(ref.tenant)
  const sealed = seal(dataKey, overrideContext(ref, { contentKeyClass, kid }), clear, options.randomBytes)
  clear.fill(0)
  const override: StoredOverride = { contentKeyClass, kid, sealed, pssh: added.pssh ?? {} }

  const birth = birthOf(options.retention?.(ref) ?? FOREVER, options.now())
  const before = await options.store.findContent(ref, [kid])
  refuseGone(ref, before)
  if (isForced(added)) return options.store.replaceOverride(ref, override, birth)
  if (before?.sealedSecret !== undefined) throw alreadyIssued(ref, 'the content has keys already')
  const standing = await options.store.putOverridesIfAbsent(ref, [override], birth, { unlessSecret: true })
  refuseGone(ref, standing)
  const ours = standing.overrides.find((one) => one.kid === kid && one.contentKeyClass === contentKeyClass)
  // The first request of the content came in between.
  if (ours === undefined) throw alreadyIssued(ref, 'the content was given its keys at this moment')
  if (!sameBytes(ours.sealed, sealed)) throw alreadyIssued(ref, `kid ${kid} has a ${contentKeyClass} override already`)
}

/** Removes a key for one kid; false when there was none. What was issued changes, so it must be forced. */
export async function removeOverride(
  { store }: Pick<OverridesOptions, 'store'>,
  { ref, contentKeyClass, kid, ...force }: Force & Pick<NewOverride, 'ref' | 'contentKeyClass' | 'kid'>,
): Promise<boolean> {
  const standing = (await store.findContent(ref, [kid]))?.overrides ?? []
  if (!standing.some((one) => one.kid === kid && one.contentKeyClass === contentKeyClass)) return false
  if (!isForced(force)) throw alreadyIssued(ref, `the ${contentKeyClass} override of kid ${kid} may have been issued`)
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

/** Stores a rule that gives the content keys it matches another kid. Throws ERR_OVERRIDE_EXISTS as `addOverride` does. */
export async function addKidOverride(
  { store }: Pick<OverridesOptions, 'store'>,
  { ref, rule, ...force }: Force & { readonly ref: ContentRef; readonly rule: KidOverride },
): Promise<void> {
  const before = await store.findContent(ref, [])
  refuseGone(ref, before)
  if (!isForced(force)) {
    if (before?.sealedSecret !== undefined) throw alreadyIssued(ref, 'the content has keys already')
    if (before?.kidOverrides.some((one) => isSameRule(one, rule))) throw alreadyIssued(ref, 'that rule exists already')
  }
  return store.putKidOverride(ref, rule)
}

/** Removes a rule; false when there was none. What was issued changes, so it must be forced. */
export async function removeKidOverride(
  { store }: Pick<OverridesOptions, 'store'>,
  { ref, rule, ...force }: Force & { readonly ref: ContentRef; readonly rule: Omit<KidOverride, 'kid'> },
): Promise<boolean> {
  const before = await store.findContent(ref, [])
  if (!before?.kidOverrides.some((one) => isSameRule(one, rule))) return false
  if (!isForced(force)) throw alreadyIssued(ref, 'keys may have been issued under that rule')
  return store.removeKidOverride(ref, rule)
}

/** The rules of a content. */
export async function listKidOverrides(
  { store }: Pick<OverridesOptions, 'store'>,
  ref: ContentRef,
): Promise<readonly KidOverride[]> {
  return (await store.findContent(ref, []))?.kidOverrides ?? []
}

/** `key ‖ IV` or `key`, as it is sealed. */
function keyBytes({ key, iv }: NewOverride): Buffer {
  if (key.length !== SIZE) throw invalid(`expected a key of ${SIZE} bytes, got ${key.length}`)
  if (iv === undefined) return Buffer.from(key)
  if (iv.length !== SIZE) throw invalid(`expected an IV of ${SIZE} bytes, got ${iv.length}`)
  if (sameBytes(key, iv)) throw invalid('the IV is the key: an IV is public, so the key would be too; give another IV')
  return Buffer.concat([key, iv])
}

function isForced({ force = false, reason = '' }: Force): boolean {
  if (force && reason.trim() === '') throw invalid('a forced change needs a reason: say why the keys may change')
  return force
}

function isSameRule(a: Omit<KidOverride, 'kid'>, b: Omit<KidOverride, 'kid'>): boolean {
  return a.intendedTrackType === b.intendedTrackType && a.periodIndex === b.periodIndex
}

function refuseGone(ref: ContentRef, stored: StoredContent | undefined): void {
  if (stored?.tombstone === undefined) return
  throw new KeyProviderError('ERR_CONTENT_GONE', `${nameOf(ref)} was destroyed: it never gets keys again`)
}

function alreadyIssued(ref: ContentRef, why: string): KeyProviderError {
  return new KeyProviderError(
    'ERR_OVERRIDE_EXISTS',
    `${nameOf(ref)}: ${why}; encryptors may hold them, so a change must be forced, with a reason`,
  )
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_OVERRIDE_INVALID', problem)
}

function nameOf({ tenant, contentId }: ContentRef): string {
  return `content ${JSON.stringify(contentId)} of tenant ${JSON.stringify(tenant)}`
}

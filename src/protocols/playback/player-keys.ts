import { KeyProviderError } from '../../core/errors.ts'
import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import type { ContentKeys, OpenContent } from '../../keys/content/content-key.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import { type SessionType, writeLicense } from './clearkey-license.ts'
import type { IssuedKids, KidRecord } from './issued-kids.ts'

interface PlayerKeysOptions {
  readonly contentKeys: ContentKeys
  readonly issuedKids: Pick<IssuedKids, 'find'>
  /** Whether players also get the keys of DRM content: for tests and demonstrations. */
  readonly servesDrmKeys: (ref: ContentRef) => boolean
}

/** A key for a player, or why there is none: no key was issued, only one in the other byte order was, or it guards DRM content. */
type PlayerKey =
  | { readonly kid: Kid; readonly contentKey: Uint8Array }
  | { readonly kid: Kid; readonly contentKey: undefined; readonly lack: 'absent' | 'swapped' | 'drm' }

/**
 * The keys of the class `clear`, for players. A content derives a key for any kid, so only issued keys are delivered: a key that was
 * never issued decrypts nothing, and a player that gets one shows noise instead of an error.
 */
export class PlayerKeys {
  readonly #options: PlayerKeysOptions

  constructor(options: PlayerKeysOptions) {
    this.#options = options
  }

  /**
   * The 16 bytes of one key, for HLS AES-128 and identity SAMPLE-AES. Throws ERR_KEY_NOT_FOUND, ERR_KEY_GUARDS_DRM,
   * ERR_CONTENT_GONE, ERR_CONTENT_EXPIRED, ERR_STORE_UNAVAILABLE.
   * @see RFC 8216, 5
   */
  async deliver(ref: ContentRef, kid: Kid): Promise<Uint8Array> {
    const found = await this.#find(ref, [kid])
    const [one] = found
    if (one?.contentKey === undefined) throw lackOf(found)
    return one.contentKey
  }

  /** A Clear Key licence with those of `kids` that players may have. Throws as `deliver` does, if there are none. */
  async license(ref: ContentRef, kids: readonly Kid[], type: SessionType): Promise<string> {
    const found = await this.#find(ref, kids)
    const keys = found.filter((one) => one.contentKey !== undefined)
    if (keys.length === 0) throw lackOf(found)
    return writeLicense(keys, type)
  }

  async #find(ref: ContentRef, kids: readonly Kid[]): Promise<readonly PlayerKey[]> {
    const { contentKeys, issuedKids, servesDrmKeys } = this.#options
    const content = await contentKeys.open(ref, kids)
    // Nothing is looked up or kept for a content that does not exist.
    if (!kids.some((kid) => hasKey(content, kid))) {
      return kids.map((kid) => ({ kid, contentKey: undefined, lack: 'absent' }))
    }
    const record = await issuedKids.find(ref, kids, content.createdAt)
    const servesDrm = servesDrmKeys(ref)
    return kids.map((kid) => findOne(content, kid, record, servesDrm))
  }
}

/** One message for a tenant, content or key that does not exist, so that it does not reveal which of them does. */
export function keyNotFound(
  problem = 'there is no such key. Check the tenant, the content and the kid.',
): KeyProviderError {
  return new KeyProviderError('ERR_KEY_NOT_FOUND', problem)
}

function lackOf(found: readonly PlayerKey[]): KeyProviderError {
  const lacks = found.map((one) => (one.contentKey === undefined ? one.lack : undefined))
  if (lacks.includes('drm')) {
    return new KeyProviderError(
      'ERR_KEY_GUARDS_DRM',
      'this key guards DRM content, so only DRM licences carry it. ' +
        'For HLS AES-128 and ClearKey, request another kid without DRM systems; the same kid has two keys then.',
    )
  }
  if (!lacks.includes('swapped')) return keyNotFound()
  return keyNotFound(
    'no key was issued for this kid, but one for the kid with its bytes in the other order. Send the kid as it is in default_KID, not as a GUID.',
  )
}

const CLEAR_FIRST: readonly ContentKeyClass[] = ['clear', 'drm']
const DRM_FIRST: readonly ContentKeyClass[] = ['drm', 'clear']

function hasKey(content: OpenContent, kid: Kid): boolean {
  return CLEAR_FIRST.some((contentKeyClass) => content.find({ contentKeyClass, kid }) !== undefined)
}

function findOne(content: OpenContent, kid: Kid, record: KidRecord, servesDrm: boolean): PlayerKey {
  const issued = record.classesOf(kid)
  for (const contentKeyClass of classesToTry(servesDrm ? DRM_FIRST : CLEAR_FIRST, issued)) {
    const found = content.find({ contentKeyClass, kid })
    if (found === undefined) continue
    // An override exists because an operator or an issue stored it.
    if (found.source === 'derived' && record.isConclusive && !issued.has(contentKeyClass)) continue
    if (contentKeyClass === 'drm' && !servesDrm) return { kid, contentKey: undefined, lack: 'drm' }
    return { kid, contentKey: found.contentKey }
  }
  return { kid, contentKey: undefined, lack: record.isSwapped(kid) ? 'swapped' : 'absent' }
}

/** The issued classes come first: a key of another class would not play. */
function classesToTry(
  preferred: readonly ContentKeyClass[],
  issued: ReadonlySet<ContentKeyClass>,
): readonly ContentKeyClass[] {
  return preferred.toSorted((a, b) => Number(issued.has(b)) - Number(issued.has(a)))
}

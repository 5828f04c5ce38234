import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import type { ContentKeys, OpenContent } from '../../keys/content/content-key.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { IssuedClasses } from './issued-classes.ts'

/** A key for a player, or why there is none: `absent`, or it guards DRM content. */
export type FoundKey =
  | { readonly kid: Kid; readonly contentKey: Uint8Array }
  | { readonly kid: Kid; readonly contentKey: undefined; readonly lack: 'absent' | 'drm' }

/** The keys of `kids` as players may have them, in their order. Creates nothing. Throws ERR_CONTENT_GONE, ERR_STORE_UNAVAILABLE. */
export type FindPlayerKeys = (ref: ContentRef, kids: readonly Kid[]) => Promise<readonly FoundKey[]>

export interface PlayerKeysOptions {
  readonly contentKeys: ContentKeys
  readonly issuedClasses: IssuedClasses
  /** Whether players get the keys of a content that guard DRM content too: tests and demonstrations. */
  readonly servesDrmKeys: (ref: ContentRef) => boolean
}

/**
 * Finds keys of the class `clear`, and of the class `drm` where that is served.
 *
 * A content that derives its keys has one for any kid, issued or not. That tells nobody anything: a key of the class `clear`
 * guards clear content alone, the class being an input of the derivation, and one that was never issued guards nothing. So a
 * kid that the ledger does not know, or no longer, is answered; the ledger only tells why a key would not play.
 */
export function playerKeys({ contentKeys, issuedClasses, servesDrmKeys }: PlayerKeysOptions): FindPlayerKeys {
  const find = (content: OpenContent, kid: Kid, servesDrm: boolean, issued: ReadonlySet<ContentKeyClass>): FoundKey => {
    for (const contentKeyClass of classesToTry(servesDrm ? DRM_FIRST : CLEAR_FIRST, issued)) {
      const contentKey = content.find({ contentKeyClass, kid })
      if (contentKey === undefined) continue
      if (contentKeyClass === 'drm' && !servesDrm) return { kid, contentKey: undefined, lack: 'drm' }
      return { kid, contentKey }
    }
    return { kid, contentKey: undefined, lack: 'absent' }
  }

  return async (ref, kids) => {
    const content = await contentKeys.open(ref, kids)
    const servesDrm = servesDrmKeys(ref)
    const classes = kids.map((kid) => issuedClasses(ref, kid))
    // What is known already need not be waited for.
    const issued = classes.every(isKnown) ? classes : await Promise.all(classes)
    return kids.map((kid, i) => find(content, kid, servesDrm, issued[i] ?? NONE))
  }
}

function isKnown(classes: ReturnType<IssuedClasses>): classes is ReadonlySet<ContentKeyClass> {
  return !(classes instanceof Promise)
}

const CLEAR_FIRST: readonly ContentKeyClass[] = ['clear', 'drm']
const DRM_FIRST: readonly ContentKeyClass[] = ['drm', 'clear']
const NONE: ReadonlySet<ContentKeyClass> = new Set()

/** The classes that were issued come first: a key of another class would not play. */
function classesToTry(
  preferred: readonly ContentKeyClass[],
  issued: ReadonlySet<ContentKeyClass>,
): readonly ContentKeyClass[] {
  const isIssued = (contentKeyClass: ContentKeyClass): boolean => issued.has(contentKeyClass)
  return preferred.some(isIssued) ? [...preferred].sort((a, b) => Number(isIssued(b)) - Number(isIssued(a))) : preferred
}

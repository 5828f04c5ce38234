import { BoundedCache } from '../../core/bounded-cache.ts'
import type { Kid } from '../../formats/cenc.ts'
import { type SignalingElements, signalElements } from '../../formats/drm/elements.ts'
import type { DrmSystem, SignalInput } from '../../formats/drm/system.ts'
import type { OpenContent } from '../../keys/content/content-key.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { AnsweredKey, SignalSystem } from './layout.ts'
import type { SignalingProfile } from './profile.ts'
import type { PlayerUrls } from './urls.ts'

/** Signalling that works on paper but not on devices. */
export interface SignalingWarning extends ContentRef {
  readonly kind: 'uri-too-long'
  readonly system: string
  readonly kid: Kid
  readonly bytes: number
}

/** Makes the signalling of one request's DRM systems. */
export type Signaler = (
  ref: ContentRef,
  keys: readonly AnsweredKey[],
  profile: SignalingProfile,
  content: OpenContent,
) => SignalSystem

const MAX_MEMO_BYTES = 16 * 1024 * 1024

/** Signalling is made once for a kid and kept; nothing in it is computed from a key, and what would be is a hole. */
export function createSignaler(urls: PlayerUrls, warn: (warning: SignalingWarning) => void): Signaler {
  const memo = new BoundedCache<SignalingElements>({ maxBytes: MAX_MEMO_BYTES, sizeOf: lengthOf })

  return (ref, keys, profile, content) => {
    const documentKids = keys.map(({ answeredKid }) => answeredKid)
    const clearKeyLicenseUrl = urls.clearKeyLicenseUrl(ref)
    const prefix = `${profile.name}\n${ref.tenant.length}:${ref.tenant}${ref.contentId.length}:${ref.contentId}`

    return ({ system, systemId }, key) => {
      const kid = key.answeredKid
      const ready = content.pssh({ kid, contentKeyClass: key.contentKeyClass })?.[systemId]
      const others = otherKids(system, key, keys, documentKids, profile)
      const memoKey = `${prefix}${systemId}${kid}${key.scheme}${key.answeredIv ?? ''}${others.join('')}`
      const known = ready === undefined ? memo.get(memoKey) : undefined
      if (known !== undefined) return known
      const input: SignalInput = {
        kid,
        contentId: ref.contentId,
        commonEncryptionScheme: key.scheme,
        explicitIv: key.answeredIv,
        periodKids: [kid, ...others],
        documentKids: [kid, ...others],
        keyUrl: urls.keyUrl(ref, kid),
        clearKeyLicenseUrl,
        pssh: ready,
        settings: profile.settings,
      }
      const elements = signalElements(system, input)
      if (ready === undefined) memo.set(memoKey, elements)
      const bytes = elements.uriExtXKey === undefined ? 0 : decodedLength(elements.uriExtXKey.text)
      if (bytes > (system.maxUriBytes ?? Number.POSITIVE_INFINITY))
        warn({ kind: 'uri-too-long', system: system.name, ...ref, kid, bytes })
      return elements
    }
  }
}

/** The kids beside its own that a system's signalling lists. */
function otherKids(
  system: DrmSystem,
  key: AnsweredKey,
  keys: readonly AnsweredKey[],
  documentKids: readonly Kid[],
  profile: SignalingProfile,
): readonly Kid[] {
  const scope = system.dependsOnKids?.(profile.settings) ?? 'own'
  if (scope === 'own') return []
  if (scope === 'document') return documentKids.filter((kid) => kid !== key.answeredKid)
  const own = new Set(key.periods)
  const shares = (other: AnsweredKey): boolean =>
    own.size === 0 || other.periods.length === 0 || other.periods.some((period) => own.has(period))
  return keys.filter((other) => other !== key && shares(other)).map(({ answeredKid }) => answeredKid)
}

function lengthOf(elements: SignalingElements): number {
  return Object.values(elements).reduce((sum, template) => sum + (template?.text.length ?? 0), 0)
}

function decodedLength(base64: string): number {
  return Buffer.byteLength(base64, 'base64')
}

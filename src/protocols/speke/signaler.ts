import { BoundedCache } from '../../core/bounded-cache.ts'
import type { Kid } from '../../formats/cenc.ts'
import { type SignalingElements, signalElements } from '../../formats/drm/elements.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import type { OpenContent } from '../../keys/content/content-key.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { AnsweredKey, SignalSystem } from './layout.ts'
import type { SignalingProfile } from './profile.ts'
import type { PlayerUrls } from './urls.ts'

/** A URI that is valid but longer than devices accept. */
export interface SignalingWarning extends ContentRef {
  readonly kind: 'uri-too-long'
  readonly system: string
  readonly kid: Kid
  readonly bytes: number
}

const MAX_MEMO_BYTES = 16 * 1024 * 1024

/** Makes the signalling of DRM systems, and keeps it in memory by kid. It holds no key: a value computed from a key is a hole. */
export class Signaler {
  readonly #memo = new BoundedCache<SignalingElements>({ maxBytes: MAX_MEMO_BYTES, sizeOf: lengthOf })
  readonly #urls: PlayerUrls
  readonly #warn: (warning: SignalingWarning) => void

  constructor(urls: PlayerUrls, warn: (warning: SignalingWarning) => void) {
    this.#urls = urls
    this.#warn = warn
  }

  /** The signalling of the DRM systems of one request. */
  systemsOf(
    ref: ContentRef,
    keys: readonly AnsweredKey[],
    profile: SignalingProfile,
    content: Pick<OpenContent, 'pssh'>,
  ): SignalSystem {
    const documentKids = keys.map(({ answeredKid }) => answeredKid)
    const clearKeyLicenseUrl = this.#urls.clearKeyLicenseUrl(ref)
    const prefix = `${profile.name}\n${ref.tenant.length}:${ref.tenant}${ref.contentId.length}:${ref.contentId}`

    return ({ system, systemId }, key) => {
      const kid = key.answeredKid
      const pssh = content.pssh({ kid, contentKeyClass: key.contentKeyClass })?.[systemId]
      const others = otherKids(system, key, keys, documentKids, profile)
      const [period, otherPeriod] = key.periods
      const periodIndex = otherPeriod === undefined ? period?.index : undefined
      const memoKey = `${prefix}${systemId}${kid}${key.scheme}${key.answeredIv ?? ''}${periodIndex ?? ''}${others.join('')}`
      const known = pssh === undefined ? this.#memo.get(memoKey) : undefined
      if (known !== undefined) return known
      const elements = signalElements(system, {
        kid,
        contentId: ref.contentId,
        commonEncryptionScheme: key.scheme,
        explicitIv: key.answeredIv,
        periodKids: [kid, ...others],
        documentKids: [kid, ...others],
        periodIndex,
        keyUrl: this.#urls.keyUrl(ref, kid),
        clearKeyLicenseUrl,
        pssh,
        settings: profile.settings,
      })
      if (pssh === undefined) this.#memo.set(memoKey, elements)
      this.#warnOfLongUri(ref, system, kid, elements)
      return elements
    }
  }

  #warnOfLongUri(ref: ContentRef, { name, maxUriBytes }: DrmSystem, kid: Kid, { uriExtXKey }: SignalingElements): void {
    if (maxUriBytes === undefined || uriExtXKey === undefined) return
    const bytes = Buffer.byteLength(uriExtXKey.text, 'base64')
    if (bytes > maxUriBytes) this.#warn({ kind: 'uri-too-long', system: name, ...ref, kid, bytes })
  }
}

/** The kids that a system's signalling lists in addition to the key's own. */
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

import type { Kid } from '../../formats/cenc.ts'
import type { EncryptorName } from '../../protocols/speke/tables/encryptors.ts'
import { SPEKE_VERSIONS } from '../../protocols/speke/tables/versions.ts'
import { type BuiltRequest, buildRequest } from '../encryptor/request/build.ts'
import { nameUuid } from '../encryptor/request/name-uuid.ts'
import { type PeriodTiming, periodsOf } from '../encryptor/request/periods.ts'
import { tracksOf } from '../encryptor/request/presets.ts'
import { CONTAINERS, SHAPES } from '../encryptor/request/shapes.ts'
import { systemsOf } from '../encryptor/systems.ts'

export type SpekeHeader = '1.0' | '2.0' | '2.1'
/** The SPEKE 2 versions. */
export const V2: readonly SpekeHeader[] = ['2.0', '2.1']

/** The options that all requests of a run share. */
export interface QuestionOptions {
  readonly as: EncryptorName
  /** The DRM systems that the key provider supports, by the names of `--drm`. */
  readonly drm: readonly string[]
  /** The prefix of every contentId. It is constant, so that repeated runs create no further contents. */
  readonly contentId: string
  /** A part of contentIds that differs in every run: for contents that no one has requested before. */
  readonly fresh: string
  /** The certificate to encrypt for (DER). */
  readonly certificate: Uint8Array
}

/** The content of one request. Absent members have the defaults of the encryptor. */
export interface Asked {
  readonly speke: SpekeHeader
  readonly content?: string
  readonly drm?: readonly string[]
  readonly scheme?: string
  readonly video?: string
  readonly audio?: string
  readonly container?: string
  /** Number of key periods; 0 for VOD. */
  readonly periods?: number
  readonly firstPeriod?: number
  readonly timing?: PeriodTiming
  /** Offsets into the content instead of times of day. */
  readonly vodTimes?: true
  readonly iv?: 'new' | 'none'
  readonly encrypted?: boolean
}

/** Builds a request like the encryptor. Returns undefined if it does not support the version, or if a system is not in `drm`. */
export type Ask = (asked: Asked) => BuiltRequest | undefined

/** Returns the builder of the requests of a run. */
export function asker(options: QuestionOptions): Ask {
  const shape = SHAPES[options.as]
  return (asked) => {
    const version = SPEKE_VERSIONS.get(asked.speke)
    const { scheme = 'cenc' } = asked
    const drm = asked.drm ?? systemsFor(scheme, options.drm)
    if (version === undefined || !shape.versions.includes(version.header) || drm.length === 0) return undefined
    if (drm.some((name) => !options.drm.includes(name))) return undefined
    const contentId = `${options.contentId}${asked.content === undefined ? '' : `-${asked.content}`}`
    const isV1 = version.major === 1
    const count = asked.periods ?? (shape.live ? 1 : 0)
    const firstIndex = asked.firstPeriod ?? shape.firstPeriodIndex
    return buildRequest({
      shape,
      version,
      contentId,
      tracks: tracksOf(isV1 ? { video: 'SHARED' } : asked),
      systems: systemsOf(drm, version.major),
      scheme,
      slots: CONTAINERS[asked.container ?? 'all'] ?? [],
      periods: periodsOf({
        contentId,
        version,
        count,
        firstIndex,
        interval: PERIOD_SECONDS,
        timing: asked.timing ?? 'INDEX_ONLY',
        start: asked.vodTimes ? undefined : FIRST_PERIOD + firstIndex * PERIOD_SECONDS * 1000,
      }),
      kidOf: (track, period) => nameUuid('kid', contentId, track, String(period?.number ?? '')),
      ivOf: (kid) => ((asked.iv ?? shape.explicitIv) === 'new' ? ivOf(kid) : undefined),
      certificates: asked.encrypted ? [options.certificate] : [],
    })
  }
}

/** The systems in `known` that support a scheme. */
function systemsFor(scheme: string, known: readonly string[]): readonly string[] {
  return (SYSTEMS_FOR[scheme] ?? []).filter((name) => known.includes(name))
}

const SYSTEMS_FOR: Readonly<Record<string, readonly string[]>> = {
  cenc: ['widevine', 'playready'],
  cbcs: ['widevine', 'playready', 'fairplay'],
  cbc1: ['aes-128'],
}
const PERIOD_SECONDS = 60
const FIRST_PERIOD = Date.UTC(2026, 0, 1)

/** An IV derived from the kid, so that the same request is always identical. */
function ivOf(kid: Kid): Uint8Array {
  return Buffer.from(nameUuid('iv', kid).replaceAll('-', ''), 'hex')
}

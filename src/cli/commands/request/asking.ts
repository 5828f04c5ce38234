import { randomBytes, randomUUID } from 'node:crypto'
import { wrongUsage } from '../../../core/errors.ts'
import { type Kid, toKid } from '../../../formats/cenc.ts'
import { DATE_TIME } from '../../../formats/cpix/fields.ts'
import type { EncryptorName } from '../../../protocols/speke/tables/presets.ts'
import { SPEKE_VERSIONS, type SpekeVersion } from '../../../protocols/speke/tables/versions.ts'
import { type BuiltRequest, buildRequest } from '../../../toolkit/encryptor/request/build.ts'
import { nameUuid, type PeriodTiming, periodsOf } from '../../../toolkit/encryptor/request/periods.ts'
import { tracksOf } from '../../../toolkit/encryptor/request/presets.ts'
import { CONTAINERS, SHAPES, type Shape } from '../../../toolkit/encryptor/request/shapes.ts'
import { type EncryptorSystem, systemsOf } from '../../../toolkit/encryptor/systems.ts'
import { readNumber } from '../../shared/options.ts'

/** The options of `request` for the content of the request. */
export interface AskOptions {
  readonly as: EncryptorName
  readonly speke?: string
  readonly contentId: string
  readonly video?: string
  readonly audio?: string
  readonly drm: string
  readonly scheme?: string
  readonly container: string
  readonly iv?: string
  readonly kid?: readonly string[]
  readonly newKids?: boolean
  readonly live?: boolean
  readonly vod?: boolean
  readonly periods?: string
  readonly interval?: string
  readonly index?: string
  readonly start?: string
  readonly periodTiming?: PeriodTiming
  readonly follow?: boolean
}

/** The requests to send, from the options. A live encoder sends one after the other. */
export interface Asking {
  readonly shape: Shape
  readonly version: SpekeVersion
  /** Seconds. */
  readonly interval: number | undefined
  readonly periods: number
  readonly firstPeriod: number
  /** The request for `count` key periods, the first of index `first` and starting at `start` (ms since 1970); without periods for count 0. */
  build(first: number, count: number, start: number): BuiltRequest
}

/** Limits the harm of a mistyped number. */
const MAX_PERIODS = 1000

/** Reads the options of `AskOptions`. Throws ERR_USAGE_INVALID. */
export function readAsking(options: AskOptions, certificates: readonly Uint8Array[]): Asking {
  const shape = SHAPES[options.as]
  const version = SPEKE_VERSIONS.get(options.speke ?? shape.versions[0] ?? '2.0')
  if (version === undefined) throw wrongUsage('--speke: expected 1.0, 2.0 or 2.1')
  const systems = systemsOf(options.drm.split(','), version.major)
  const isShared = version.major === 1 && options.video === undefined && options.audio === undefined
  const tracks = tracksOf(isShared ? { video: 'SHARED' } : options)
  const scheme = readScheme(options.scheme, systems, version)
  const interval = readNumber('--interval', options.interval, 1, 365 * 24 * 3600)
  if (options.live === true && options.vod === true) throw wrongUsage('--live and --vod exclude each other')
  const given = readNumber('--periods', options.periods, 1, MAX_PERIODS)
  const isLive = options.live ?? (options.vod === true ? false : shape.live || interval !== undefined)
  const periods = given ?? (isLive ? 1 : 0)
  const firstPeriod = readNumber('--index', options.index, 0, Number.MAX_SAFE_INTEGER) ?? shape.firstPeriodIndex
  const ivOf = readIv(options.iv ?? shape.explicitIv)
  const kidOf = readKids(
    options,
    tracks.map(({ intendedTrackType }) => intendedTrackType),
  )
  return {
    shape,
    version,
    interval,
    periods,
    firstPeriod,
    build: (first, count, start) =>
      buildRequest({
        shape,
        version,
        contentId: options.contentId,
        tracks,
        systems,
        scheme,
        slots: CONTAINERS[options.container] ?? [],
        periods: periodsOf({
          contentId: options.contentId,
          version,
          count,
          firstIndex: first,
          interval,
          timing: options.periodTiming,
          start: options.vod === true ? undefined : start,
        }),
        kidOf: (track, period) => kidOf(track, period?.number),
        ivOf,
        certificates,
      }),
  }
}

/** The start of the first key period (ms since 1970): as given, else the start of the interval around `now`. */
export function readStart(text: string | undefined, interval: number | undefined, now: number): number {
  if (text !== undefined) {
    const start = DATE_TIME.read(text)
    if (start === undefined) throw wrongUsage(`--start: expected ${DATE_TIME.expected}`)
    return start
  }
  const step = (interval ?? 1) * 1000
  return Math.floor(now / step) * step
}

/** The scheme to send: by default the one that the DRM systems support. */
function readScheme(text: string | undefined, systems: readonly EncryptorSystem[], version: SpekeVersion): string {
  if (text !== undefined) {
    if (version.major === 1) throw wrongUsage('--scheme: SPEKE 1.0 has no scheme: leave it out')
    if (!Object.hasOwn(version.schemes, text)) {
      throw wrongUsage(`--scheme: expected one of ${Object.keys(version.schemes).join(', ')}`)
    }
    return text
  }
  const names = new Set(systems.map(({ name }) => name))
  if (names.has('fairplay') || names.has('sample-aes')) return 'cbcs'
  return names.has('aes-128') ? 'cbc1' : 'cenc'
}

function readIv(text: string): (kid: Kid) => Uint8Array | undefined {
  if (text === 'none') return () => undefined
  if (text === 'new') {
    const ivs = new Map<Kid, Uint8Array>()
    return (kid) => {
      const iv = ivs.get(kid) ?? randomBytes(16)
      ivs.set(kid, iv)
      return iv
    }
  }
  if (!/^[\da-f]{32}$/i.test(text)) throw wrongUsage('--iv: expected new, none or 32 hex digits')
  const iv = Buffer.from(text, 'hex')
  return () => iv
}

type KidOf = (track: string, period: number | undefined) => Kid

/** Kids that are the same for the same content, track and period, so that a repeated request gives the same keys. */
function readKids({ kid: given = [], newKids, contentId }: AskOptions, tracks: readonly string[]): KidOf {
  const chosen = new Map<string, Kid>()
  for (const text of given) {
    const equals = text.lastIndexOf('=')
    const track = equals === -1 ? tracks[0] : text.slice(0, equals)
    const kid = toKid(text.slice(equals + 1))
    if (kid === undefined) throw wrongUsage('--kid: expected a UUID, or TRACK=UUID')
    if (equals === -1 && tracks.length > 1)
      throw wrongUsage(`--kid: expected TRACK=UUID, with one of the tracks ${tracks.join(', ')}`)
    if (track === undefined || !tracks.includes(track))
      throw wrongUsage(`--kid: expected one of the tracks ${tracks.join(', ')}`)
    chosen.set(track, kid)
  }
  return (track, period) => {
    const kid = chosen.get(track)
    if (kid !== undefined) return kid
    return newKids === true
      ? (randomUUID() as Kid)
      : nameUuid('kid', contentId, track, period === undefined ? '' : String(period))
  }
}

import { randomBytes, randomUUID } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { type Kid, toKid } from '../../formats/cenc.ts'
import { DATE_TIME } from '../../formats/cpix/fields.ts'
import type { EncryptorName } from '../../protocols/speke/tables/encryptors.ts'
import { SPEKE_VERSIONS, type SpekeVersion } from '../../protocols/speke/tables/versions.ts'
import { type BuiltRequest, buildRequest } from '../../toolkit/encryptor/request/build.ts'
import { nameUuid } from '../../toolkit/encryptor/request/name-uuid.ts'
import { type PeriodTiming, periodsOf } from '../../toolkit/encryptor/request/periods.ts'
import { tracksOf } from '../../toolkit/encryptor/request/presets.ts'
import { CONTAINERS, SHAPES, type Shape } from '../../toolkit/encryptor/request/shapes.ts'
import { type EncryptorSystem, systemsOf } from '../../toolkit/encryptor/systems.ts'

/** The options of `request` that say what to ask for. */
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

/** What there is to ask, once options are read; a live encoder asks again and again. */
export interface Asking {
  readonly shape: Shape
  readonly version: SpekeVersion
  /** Seconds. */
  readonly interval: number | undefined
  readonly periods: number
  readonly firstPeriod: number
  /** The request for `count` key periods from `first` on, whose first starts at `start`; no period at all with count 0. */
  build(first: number, count: number, start: number): BuiltRequest
}

/** A mistyped number must not ask for ever. */
const MAX_PERIODS = 1000

/** Reads what to ask for. Throws ERR_USAGE_INVALID. */
export function readAsking(options: AskOptions, certificates: readonly Uint8Array[]): Asking {
  const shape = SHAPES[options.as]
  const version = SPEKE_VERSIONS.get(options.speke ?? shape.versions[0] ?? '2.0')
  if (version === undefined) throw wrong('--speke must be 1.0, 2.0 or 2.1')
  const systems = systemsOf(options.drm.split(','), version.major)
  const isShared = version.major === 1 && options.video === undefined && options.audio === undefined
  const tracks = tracksOf(isShared ? { video: 'SHARED' } : options)
  const scheme = readScheme(options.scheme, systems, version)
  const interval = readNumber('--interval', options.interval, 1, 365 * 24 * 3600)
  if (options.live === true && options.vod === true) throw wrong('--live and --vod contradict each other')
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

/** When the first key period starts: as given, else the start of the interval that runs at `now`. */
export function readStart(text: string | undefined, interval: number | undefined, now: number): number {
  if (text !== undefined) {
    const start = DATE_TIME.read(text)
    if (start === undefined) throw wrong(`--start must be ${DATE_TIME.expected}`)
    return start
  }
  const step = (interval ?? 1) * 1000
  return Math.floor(now / step) * step
}

/** A whole number within bounds. */
export function readNumber(option: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) throw wrong(`${option} must be a whole number from ${min} to ${max}`)
  return value
}

export function wrong(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_USAGE_INVALID', problem)
}

/** The scheme to send: what a system takes alone decides where none is given. @see speke.md 7 */
function readScheme(text: string | undefined, systems: readonly EncryptorSystem[], version: SpekeVersion): string {
  if (text !== undefined) {
    if (version.major === 1) throw wrong('SPEKE 1.0 has no scheme: leave --scheme out')
    if (!Object.hasOwn(version.schemes, text)) {
      throw wrong(`--scheme must be one of ${Object.keys(version.schemes).join(', ')}`)
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
  if (!/^[\da-f]{32}$/i.test(text)) throw wrong('--iv must be new, none or 32 hex digits')
  const iv = Buffer.from(text, 'hex')
  return () => iv
}

type KidOf = (track: string, period: number | undefined) => Kid

/** Kids that are the same for the same content, track and period: then asking again gives the same keys. */
function readKids({ kid: given = [], newKids, contentId }: AskOptions, tracks: readonly string[]): KidOf {
  const chosen = new Map<string, Kid>()
  for (const text of given) {
    const equals = text.lastIndexOf('=')
    const track = equals === -1 ? tracks[0] : text.slice(0, equals)
    const kid = toKid(text.slice(equals + 1))
    if (kid === undefined) throw wrong('--kid must be a UUID, or TRACK=UUID')
    if (equals === -1 && tracks.length > 1)
      throw wrong(`--kid must name a track: TRACK=UUID with one of ${tracks.join(', ')}`)
    if (track === undefined || !tracks.includes(track)) throw wrong(`--kid names no track of ${tracks.join(', ')}`)
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

import { wrongUsage } from '../../../core/errors.ts'
import type { Kid, SystemId } from '../../../formats/cenc.ts'
import {
  CPIX_NAMESPACE,
  PSKC_NAMESPACE,
  SPEKE_NAMESPACE,
  XMLDSIG_NAMESPACE,
  XMLENC_NAMESPACE,
} from '../../../formats/cpix/fields.ts'
import type { Slot } from '../../../formats/drm/system.ts'
import { type Markup, writeMarkup } from '../../../formats/xml/markup.ts'
import type { PresetTrack } from '../../../protocols/speke/tables/presets.ts'
import type { SpekeVersion } from '../../../protocols/speke/tables/versions.ts'
import type { EncryptorSystem } from '../systems.ts'
import type { RequestedPeriod } from './periods.ts'
import { type Shape, V1_SLOTS } from './shapes.ts'

/** The content of a request. */
export interface RequestPlan {
  readonly shape: Shape
  readonly version: SpekeVersion
  readonly contentId: string
  readonly tracks: readonly PresetTrack[]
  readonly systems: readonly EncryptorSystem[]
  /** The value of commonEncryptionScheme. SPEKE 1.0 does not send it. */
  readonly scheme: string
  readonly periods: readonly RequestedPeriod[]
  /** The children of DRMSystem to ask for, as far as the DRM system has them. */
  readonly slots: readonly Slot[]
  readonly kidOf: (track: string, period: RequestedPeriod | undefined) => Kid
  /** The IV to send for a kid, or undefined for none. */
  readonly ivOf: (kid: Kid) => Uint8Array | undefined
  /** Certificates (DER) to encrypt the keys for. Empty for keys in the clear. */
  readonly certificates: readonly Uint8Array[]
}

/** A content key of a request. */
export interface KeyRequest {
  readonly kid: Kid
  readonly intendedTrackType: string
  readonly period: RequestedPeriod | undefined
  readonly scheme: string | undefined
  readonly explicitIv: Uint8Array | undefined
}

/** A DRMSystem of a request with its empty children. */
export interface RequestedDrmSystem {
  readonly kid: Kid
  readonly systemId: SystemId
  readonly slots: readonly Slot[]
  /** The children that the key provider must fill. Some encryptors ask for others too. */
  readonly required: readonly Slot[]
}

/** A request with its content, against which `readAnswer` reads the answer. */
export interface BuiltRequest {
  readonly xml: string
  readonly version: SpekeVersion
  readonly contentId: string
  readonly keys: readonly KeyRequest[]
  readonly drmSystems: readonly RequestedDrmSystem[]
  readonly encrypted: boolean
}

/** Returns the request of a plan in the form of its encryptor. Throws ERR_USAGE_INVALID for a plan that the SPEKE version does not allow. */
export function buildRequest(plan: RequestPlan): BuiltRequest {
  const { shape, version, contentId, certificates } = plan
  if (!shape.versions.includes(version.header)) {
    throw wrongUsage(
      `${shape.title} supports SPEKE ${shape.versions.join(', ')}, not ${version.header}: choose another --speke or --as`,
    )
  }
  if (!/^[^\p{Cc}]{1,256}$/u.test(contentId))
    throw wrongUsage('the contentId must have 1 to 256 characters and no control characters')
  const keys = keysOf(plan)
  const drmSystems = drmSystemsOf(plan, keys)
  const children = [
    list('DeliveryDataList', certificates.map(deliveryData)),
    list(
      'ContentKeyList',
      keys.map((key) => contentKey(key, shape)),
    ),
    list('DRMSystemList', drmSystems.map(drmSystem)),
    list(
      'ContentKeyPeriodList',
      plan.periods.map(({ id, attributes }) => cpix('ContentKeyPeriod', [['id', id], ...attributes])),
    ),
    list('ContentKeyUsageRuleList', usageRules(plan, keys)),
  ].filter(({ children: entries = [] }) => entries.length > 0)
  const root = cpix('CPIX', rootAttributes(plan), children)
  return {
    xml: writeMarkup(root, shape.pairs),
    version,
    contentId,
    keys,
    drmSystems,
    encrypted: certificates.length > 0,
  }
}

function rootAttributes({ version, contentId, certificates }: RequestPlan): [string, string][] {
  const identity: [string, string][] = [[version.contentIdAttribute, contentId]]
  if (version.cpixVersion !== undefined) identity.push(['version', version.cpixVersion])
  const namespaces: [string, string][] = [
    ['xmlns:cpix', CPIX_NAMESPACE],
    ['xmlns:pskc', PSKC_NAMESPACE],
  ]
  // MediaPackage v2 rejects SPEKE 2 documents that declare it.
  if (version.major === 1) namespaces.push(['xmlns:speke', SPEKE_NAMESPACE])
  if (certificates.length > 0) namespaces.push(['xmlns:ds', XMLDSIG_NAMESPACE], ['xmlns:enc', XMLENC_NAMESPACE])
  return [...identity, ...namespaces]
}

function keysOf({ version, tracks, periods, scheme, kidOf, ivOf }: RequestPlan): readonly KeyRequest[] {
  if (version.major === 1 && tracks.length !== 1)
    throw wrongUsage('SPEKE 1.0 allows one key for all tracks: use --video SHARED')
  if (version.major === 1 && periods.length > 1)
    throw wrongUsage('SPEKE 1.0 allows one key and therefore one key period in a request: use --periods 1')
  const seen = new Set<Kid>()
  return (periods.length === 0 ? [undefined] : periods).flatMap((period) =>
    tracks.map(({ intendedTrackType }) => {
      const kid = kidOf(intendedTrackType, period)
      if (seen.has(kid)) throw wrongUsage(`two keys have the kid ${kid}: give each key its own kid`)
      seen.add(kid)
      return {
        kid,
        intendedTrackType,
        period,
        scheme: version.major === 1 ? undefined : scheme,
        explicitIv: ivOf(kid),
      }
    }),
  )
}

function drmSystemsOf(plan: RequestPlan, keys: readonly KeyRequest[]): readonly RequestedDrmSystem[] {
  const { shape, systems } = plan
  const ask = ({ kid }: KeyRequest, system: EncryptorSystem): RequestedDrmSystem => {
    const slots = slotsOf(plan, system)
    const required = slots.filter((slot) => system.slots[plan.version.major].includes(slot))
    return { kid, systemId: system.systemId, slots, required }
  }
  return shape.systemsBy === 'key'
    ? keys.flatMap((key) => systems.map((system) => ask(key, system)))
    : systems.flatMap((system) => keys.map((key) => ask(key, system)))
}

function slotsOf({ shape, version, slots }: RequestPlan, system: EncryptorSystem): readonly Slot[] {
  const own = system.slots[version.major]
  const wanted = (slot: Slot): boolean => {
    if (version.major === 1 && shape.everySlotInV1) return V1_SLOTS.includes(slot)
    if (!slots.includes(slot)) return false
    return (
      own.includes(slot) || (slot === 'PSSH' && version.major === 2 && shape.fairplayPssh && system.name === 'fairplay')
    )
  }
  return shape.slotOrder.filter(wanted)
}

function contentKey({ kid, explicitIv, scheme }: KeyRequest, { keyAttributes }: Shape): Markup {
  const values = {
    kid,
    explicitIV: explicitIv && Buffer.from(explicitIv).toString('base64'),
    commonEncryptionScheme: scheme,
  }
  return cpix(
    'ContentKey',
    keyAttributes.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]] as const])),
  )
}

function drmSystem({ kid, systemId, slots }: RequestedDrmSystem): Markup {
  const children = slots.flatMap((slot) => {
    if (slot === 'HLSSignalingData') return ['media', 'master'].map((playlist) => cpix(slot, [['playlist', playlist]]))
    return [slot.startsWith('speke:') ? { name: slot } : cpix(slot, [])]
  })
  return cpix(
    'DRMSystem',
    [
      ['kid', kid],
      ['systemId', systemId],
    ],
    children,
  )
}

/** The encryption contract. In SPEKE 1.0 a rule only connects the key to its period. */
function usageRules({ version, tracks, shape }: RequestPlan, keys: readonly KeyRequest[]): readonly Markup[] {
  if (version.major === 1) {
    return keys.flatMap(({ kid, period }) =>
      period === undefined ? [] : [cpix('ContentKeyUsageRule', [['kid', kid]], [periodFilter(period)])],
    )
  }
  return keys.map(({ kid, intendedTrackType, period }) => {
    const filters = tracks.find((track) => track.intendedTrackType === intendedTrackType)?.filters ?? []
    const ordered = shape.filterOrder.flatMap((element) => filters.filter((filter) => filter.element === element))
    return cpix(
      'ContentKeyUsageRule',
      [
        ['kid', kid],
        ['intendedTrackType', intendedTrackType],
      ],
      [
        ...(period === undefined ? [] : [periodFilter(period)]),
        ...ordered.map(({ element, attributes }) =>
          cpix(
            element,
            Object.entries(attributes).map(([name, value]) => [name, String(value)]),
          ),
        ),
      ],
    )
  })
}

function periodFilter({ id }: RequestedPeriod): Markup {
  return cpix('KeyPeriodFilter', [['periodId', id]])
}

function deliveryData(certificate: Uint8Array, i: number): Markup {
  const text = Buffer.from(certificate).toString('base64')
  const x509 = { name: 'ds:X509Data', children: [{ name: 'ds:X509Certificate', text }] }
  return cpix('DeliveryData', [['id', `recipient-${i + 1}`]], [cpix('DeliveryKey', [], [x509])])
}

function list(name: string, children: readonly Markup[]): Markup {
  return cpix(name, [], children)
}

function cpix(name: string, attributes: Markup['attributes'] & object, children: readonly Markup[] = []): Markup {
  return { name: `cpix:${name}`, attributes, children }
}

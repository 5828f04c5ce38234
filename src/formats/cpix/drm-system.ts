import type { Kid, SystemId } from '../cenc.ts'
import type { XmlElement } from '../xml/document.ts'
import { attributeOf } from '../xml/reader.ts'
import {
  attribute,
  attributeError,
  CPIX_NAMESPACE,
  elementError,
  KID,
  requiredAttribute,
  SPEKE_NAMESPACE,
  SYSTEM_ID,
} from './fields.ts'

/** The children with one value each, by namespace and local name. */
const SLOTS = {
  [CPIX_NAMESPACE]: {
    PSSH: 'pssh',
    ContentProtectionData: 'contentProtectionData',
    SmoothStreamingProtectionHeaderData: 'smoothStreamingProtectionHeaderData',
    URIExtXKey: 'uriExtXKey',
    // AWS documents this spelling for SPEKE 1.0.
    UriExtXKey: 'uriExtXKey',
  },
  [SPEKE_NAMESPACE]: {
    ProtectionHeader: 'protectionHeader',
    KeyFormat: 'keyFormat',
    KeyFormatVersions: 'keyFormatVersions',
  },
} as const
type SlotsOf = typeof SLOTS
export type DrmSystemSlot = { [N in keyof SlotsOf]: SlotsOf[N][keyof SlotsOf[N]] }[keyof SlotsOf]

/** An HLSSignalingData element and its playlist, as sent. */
interface HlsSignalingData {
  readonly element: XmlElement
  readonly playlist: string | undefined
}

/** The DRMSystem element of a request: one DRM system for one key. @see CPIX 2.3, DRMSystem */
export interface DrmSystemRequest {
  readonly element: XmlElement
  readonly kid: Kid
  readonly systemId: SystemId
  /** The system ID in the spelling of the request. */
  readonly systemIdText: string
  /** The elements to fill: only those the request contains. */
  readonly slots: Readonly<Partial<Record<DrmSystemSlot, XmlElement>>>
  readonly hlsSignalingData: readonly HlsSignalingData[]
}

/** Reads the DRM systems of a request. Throws ERR_CPIX_INVALID for a kid without ContentKey and a (systemId, kid) that occurs twice. */
export function readDrmSystems(elements: readonly XmlElement[], kids: ReadonlySet<Kid>): readonly DrmSystemRequest[] {
  const seen = new Set<string>()
  return elements.map((element) => {
    const system = readDrmSystem(element)
    if (!kids.has(system.kid)) throw attributeError(element, 'kid', 'no ContentKey has this kid')
    const pair = system.systemId + system.kid
    if (seen.has(pair)) throw elementError(element, 'another DRMSystem has the same systemId and kid')
    seen.add(pair)
    return system
  })
}

function readDrmSystem(element: XmlElement): DrmSystemRequest {
  const slots: Partial<Record<DrmSystemSlot, XmlElement>> = {}
  const hlsSignalingData: HlsSignalingData[] = []
  for (const child of element.children) {
    const isHls = child.namespace === CPIX_NAMESPACE && child.local === 'HLSSignalingData'
    const slot = slotOf(child)
    if (!isHls && slot === undefined) continue
    if (child.children.length > 0) throw elementError(child, 'expected text or nothing, not elements')
    if (slot === undefined) {
      hlsSignalingData.push({ element: child, playlist: attributeOf(child, 'playlist') })
      continue
    }
    if (slots[slot] !== undefined) throw elementError(child, `a DRMSystem has one ${child.local}`)
    slots[slot] = child
  }
  const kid = requiredAttribute(element, 'kid', KID)
  return {
    element,
    kid,
    systemId: readSystemId(element),
    systemIdText: attributeOf(element, 'systemId') ?? attributeOf(element, 'schemeId') ?? '',
    slots,
    hlsSignalingData,
  }
}

/**
 * SPEKE 1.0 allows `schemeId` as another name of `systemId`.
 * @see https://docs.aws.amazon.com/speke/latest/documentation/standard-payload-components.html
 */
function readSystemId(element: XmlElement): SystemId {
  const schemeId = attribute(element, 'schemeId', SYSTEM_ID)
  if (schemeId === undefined) return requiredAttribute(element, 'systemId', SYSTEM_ID)
  const systemId = attribute(element, 'systemId', SYSTEM_ID)
  if (systemId !== undefined && systemId !== schemeId) {
    throw attributeError(element, 'schemeId', 'names another DRM system than systemId. Remove one of them.')
  }
  return schemeId
}

function slotOf({ namespace, local }: XmlElement): DrmSystemSlot | undefined {
  if (namespace !== CPIX_NAMESPACE && namespace !== SPEKE_NAMESPACE) return undefined
  const names: Readonly<Record<string, DrmSystemSlot>> = SLOTS[namespace]
  return Object.hasOwn(names, local) ? names[local] : undefined
}

import type { KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import {
  COMMON_ENCRYPTION_SCHEMES,
  type CommonEncryptionScheme,
  type Kid,
  type SystemId,
  toKid,
  toSystemId,
} from '../../formats/cenc.ts'
import { type ContentKeyUsageRule, readContentKeyUsageRule } from '../../formats/cpix/content-key-usage-rule.ts'
import { entriesOf, type ListName } from '../../formats/cpix/document.ts'
import { type OpenedEncryption, openDocumentEncryption, readEncryptedValue } from '../../formats/cpix/encryption.ts'
import { CPIX_NAMESPACE, PSKC_NAMESPACE, SIXTEEN_BYTES, SPEKE_NAMESPACE } from '../../formats/cpix/fields.ts'
import { DRM_SYSTEM_FACTS } from '../../formats/drm/facts.ts'
import type { DrmSystemFacts, Slot } from '../../formats/drm/system.ts'
import type { XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import { attributeOf, childOf, textOf } from '../../formats/xml/reader.ts'
import type { SpekeVersion } from '../../protocols/speke/tables/versions.ts'

/** The child elements of DRMSystem by what they carry; HLS lines by their playlist. */
export type SlotKind =
  | 'pssh'
  | 'contentProtectionData'
  | 'hlsMedia'
  | 'hlsMaster'
  | 'smooth'
  | 'uriExtXKey'
  | 'keyFormat'
  | 'keyFormatVersions'
  | 'protectionHeader'

/** The kinds of each slot. */
const KINDS: Readonly<Record<Slot, readonly SlotKind[]>> = {
  PSSH: ['pssh'],
  ContentProtectionData: ['contentProtectionData'],
  HLSSignalingData: ['hlsMedia', 'hlsMaster'],
  SmoothStreamingProtectionHeaderData: ['smooth'],
  URIExtXKey: ['uriExtXKey'],
  'speke:KeyFormat': ['keyFormat'],
  'speke:KeyFormatVersions': ['keyFormatVersions'],
  'speke:ProtectionHeader': ['protectionHeader'],
}

/** The content of a CPIX document, read without checks: the rules do the checking. */
export interface CpixView {
  readonly document: XmlDocument
  readonly root: XmlElement
  readonly version: SpekeVersion
  /** The first list of each name. */
  readonly lists: Readonly<Partial<Record<ListName, XmlElement>>>
  readonly keys: readonly KeyView[]
  readonly systems: readonly SystemView[]
  readonly periods: readonly XmlElement[]
  readonly usageRules: readonly ContentKeyUsageRule[]
  readonly deliveryData: readonly XmlElement[]
  /** The keys that the private key decrypts; undefined without a private key. */
  readonly opened: OpenedKeys | undefined
}

export interface KeyView {
  readonly element: XmlElement
  readonly kid: Kid | undefined
  readonly scheme: CommonEncryptionScheme | undefined
  readonly schemeText: string | undefined
  readonly ivText: string | undefined
  /** Undefined if absent or not 16 bytes. */
  readonly iv: Uint8Array | undefined
  readonly data: XmlElement | undefined
  readonly plainValue: XmlElement | undefined
  readonly encryptedValue: XmlElement | undefined
  /** From PlainValue or decrypted; undefined if neither is possible. */
  readonly contentKey: Uint8Array | undefined
}

export interface SystemView {
  readonly element: XmlElement
  readonly kid: Kid | undefined
  readonly systemId: SystemId | undefined
  readonly systemIdText: string
  readonly name: string
  /** Undefined for a system without known signalling. */
  readonly facts: DrmSystemFacts | undefined
  /** The scheme of its key. Undefined if the document does not name one: the key is then for any scheme. */
  readonly scheme: CommonEncryptionScheme | undefined
  readonly slots: readonly SlotView[]
}

export interface SlotView {
  readonly kind: SlotKind
  readonly element: XmlElement
  /** Without white space. */
  readonly text: string
  /** Undefined if empty or not base64. */
  readonly bytes: Buffer | undefined
}

/** Reads a document whose root is CPIX. */
export function viewOf(document: XmlDocument, version: SpekeVersion, privateKey: KeyObject | undefined): CpixView {
  const { root } = document
  const lists: Partial<Record<string, XmlElement>> = {}
  for (const child of root.children) if (child.namespace === CPIX_NAMESPACE) lists[child.local] ??= child
  const deliveryData = entriesOf(lists.DeliveryDataList, 'DeliveryData')
  const opened = privateKey && openKeys(document, deliveryData, privateKey)
  const keys = entriesOf(lists.ContentKeyList, 'ContentKey').map((element) => keyOf(document, element, version, opened))
  return {
    document,
    root,
    version,
    lists,
    keys,
    systems: systemsOf(document, entriesOf(lists.DRMSystemList, 'DRMSystem'), version, keys),
    periods: entriesOf(lists.ContentKeyPeriodList, 'ContentKeyPeriod'),
    usageRules: entriesOf(lists.ContentKeyUsageRuleList, 'ContentKeyUsageRule').map(readContentKeyUsageRule),
    deliveryData,
    opened,
  }
}

/** The kinds of slots that an answer of this SPEKE version must fill for a system. */
export function kindsToFill({ facts }: SystemView, { major }: SpekeVersion): readonly SlotKind[] {
  return facts?.fills?.[major].flatMap((slot) => KINDS[slot]) ?? []
}

/** The first filled slot of a kind. */
export function filledSlot(system: SystemView, kind: SlotKind): (SlotView & { readonly bytes: Buffer }) | undefined {
  for (const slot of system.slots)
    if (slot.kind === kind && slot.bytes !== undefined) return { ...slot, bytes: slot.bytes }
  return undefined
}

/** The filled slots of some kinds in document order; of every kind without `kinds`. */
export function filledSlots(
  system: SystemView,
  ...kinds: readonly SlotKind[]
): readonly (SlotView & { readonly bytes: Buffer })[] {
  return system.slots.flatMap((slot) =>
    slot.bytes !== undefined && (kinds.length === 0 || kinds.includes(slot.kind))
      ? [{ ...slot, bytes: slot.bytes }]
      : [],
  )
}

/** The key with a kid. */
export function keyOfKid(view: CpixView, kid: Kid | undefined): KeyView | undefined {
  return kid === undefined ? undefined : view.keys.find((key) => key.kid === kid)
}

/** Whether a document asks for encrypted keys. */
export function asksForEncryption({ lists }: CpixView): boolean {
  return lists.DeliveryDataList !== undefined
}

function keyOf(
  document: XmlDocument,
  element: XmlElement,
  version: SpekeVersion,
  opened: OpenedKeys | undefined,
): KeyView {
  const schemeText = attributeOf(element, 'commonEncryptionScheme')
  const ivText = attributeOf(element, 'explicitIV')
  const data = childOf(element, CPIX_NAMESPACE, 'Data')
  const secret = data && childOf(data, PSKC_NAMESPACE, 'Secret')
  const plainValue = secret && childOf(secret, PSKC_NAMESPACE, 'PlainValue')
  const encryptedValue = secret && childOf(secret, PSKC_NAMESPACE, 'EncryptedValue')
  const plain = plainValue && SIXTEEN_BYTES.read(textOf(document, plainValue))
  return {
    element,
    kid: toKid(attributeOf(element, 'kid') ?? ''),
    scheme: readScheme(schemeText, version),
    schemeText,
    ivText,
    iv: ivText === undefined ? undefined : SIXTEEN_BYTES.read(ivText),
    data,
    plainValue,
    encryptedValue,
    contentKey: plain ?? (secret === undefined ? undefined : opened?.decrypt(secret)),
  }
}

/** SPEKE 1.0 defines no schemes, but some documents name one. */
function readScheme(text: string | undefined, { schemes }: SpekeVersion): CommonEncryptionScheme | undefined {
  if (text === undefined) return undefined
  return Object.hasOwn(schemes, text) ? schemes[text] : COMMON_ENCRYPTION_SCHEMES.find((scheme) => scheme === text)
}

function systemsOf(
  document: XmlDocument,
  elements: readonly XmlElement[],
  version: SpekeVersion,
  keys: readonly KeyView[],
): readonly SystemView[] {
  return elements.map((element) => {
    const systemIdText = attributeOf(element, 'systemId') ?? ''
    const systemId = toSystemId(systemIdText)
    const kid = toKid(attributeOf(element, 'kid') ?? '')
    const known = systemId && DRM_SYSTEM_FACTS.get(systemId)
    return {
      element,
      kid,
      systemId,
      systemIdText,
      name: known?.name ?? 'another system',
      facts: known?.fills && known,
      scheme: keys.find((key) => key.kid === kid)?.scheme,
      slots: element.children.flatMap((child) => slotOf(document, child, version) ?? []),
    }
  })
}

const SLOTS: Readonly<Record<string, Readonly<Record<string, SlotKind>>>> = {
  [CPIX_NAMESPACE]: {
    PSSH: 'pssh',
    ContentProtectionData: 'contentProtectionData',
    SmoothStreamingProtectionHeaderData: 'smooth',
    URIExtXKey: 'uriExtXKey',
  },
  [SPEKE_NAMESPACE]: {
    ProtectionHeader: 'protectionHeader',
    KeyFormat: 'keyFormat',
    KeyFormatVersions: 'keyFormatVersions',
  },
}

function slotOf(document: XmlDocument, element: XmlElement, version: SpekeVersion): SlotView | undefined {
  const { namespace, local } = element
  const isHls = namespace === CPIX_NAMESPACE && local === 'HLSSignalingData'
  const names = SLOTS[namespace]
  const kind = isHls ? playlistOf(element, version) : names && Object.hasOwn(names, local) ? names[local] : undefined
  if (kind === undefined) return undefined
  const text = textOf(document, element).replaceAll(/[ \t\r\n]+/g, '')
  const isBase64 = text !== '' && /^[A-Za-z0-9+/]+={0,2}$/.test(text)
  return { kind, element, text, bytes: isBase64 ? Buffer.from(text, 'base64') : undefined }
}

/** An absent @playlist means the media playlist. @see CPIX 2.3, HLSSignalingData */
function playlistOf(element: XmlElement, version: SpekeVersion): SlotKind {
  const playlist = attributeOf(element, 'playlist') ?? 'media'
  const known = Object.hasOwn(version.playlists, playlist) ? version.playlists[playlist] : undefined
  return (known ?? playlist) === 'media' ? 'hlsMedia' : 'hlsMaster'
}

/** The encrypted keys of a document, opened with a private key. */
interface OpenedKeys {
  /** Undefined if the private key opens no DeliveryData. */
  readonly encryption: OpenedEncryption | undefined
  /** Returns the 16-byte content key in a Secret, or undefined if its MAC is wrong or it does not decrypt. */
  decrypt(secret: XmlElement): Uint8Array | undefined
}

/** Opens the keys of a document with a private key. It never throws: the rules report what does not open. */
function openKeys(document: XmlDocument, deliveryData: readonly XmlElement[], privateKey: KeyObject): OpenedKeys {
  const encryption = deliveryData.map((element) => openDelivery(document, element, privateKey)).find((one) => one)
  return {
    encryption,
    decrypt(secret) {
      const value = readEncryptedValue(document, secret)
      if (value === undefined || encryption === undefined) return undefined
      const key = attempt(() => encryption.decrypt(value))
      return key?.length === 16 ? key : undefined
    },
  }
}

function openDelivery(document: XmlDocument, element: XmlElement, privateKey: KeyObject): OpenedEncryption | undefined {
  const [documentKey, macKey] = ['DocumentKey', 'MACMethod'].map((local) => {
    const child = childOf(element, CPIX_NAMESPACE, local)
    return child && readEncryptedValue(document, child)
  })
  if (documentKey === undefined || macKey === undefined) return undefined
  return attempt(() =>
    openDocumentEncryption({ documentKey: documentKey.cipherValue, macKey: macKey.cipherValue }, privateKey),
  )
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof KeyProviderError) return undefined
    throw error
  }
}

import { holeOf, type Template } from '../../core/template.ts'
import type { CommonEncryptionScheme, KeyAndIv, Kid, SystemId } from '../../formats/cenc.ts'
import type { DrmSystemSlot } from '../../formats/cpix/drm-system.ts'
import type { EncryptedValue, WrappedKeys } from '../../formats/cpix/encryption.ts'
import { CPIX_NAMESPACE, SPEKE_NAMESPACE } from '../../formats/cpix/fields.ts'
import { deliveryData, encryptedData, hdcpData, plainData } from '../../formats/cpix/fill.ts'
import { hdcpOutputProtectionData, type SignalingElements } from '../../formats/drm/elements.ts'
import type { KeyFilling } from '../../formats/drm/system.ts'
import { XMLNS_NAMESPACE, type XmlElement } from '../../formats/xml/document.ts'
import {
  appendContent,
  applyEdits,
  type Edit,
  insertAfter,
  removeAttribute,
  removeElement,
  setAttribute,
  setContent,
} from '../../formats/xml/edits.ts'
import { attributeOf, textOf } from '../../formats/xml/reader.ts'
import type { WantedKey } from '../../keys/content/content-key.ts'
import { type SignalingProfile, settingFor } from './profile.ts'
import type { RequestedKey, RequestedSystem, SpekeDocument } from './request.ts'

/** The values for the holes of a layout: keys, and encrypted keys if the request names recipients. */
export interface AnswerFilling extends KeyFilling {
  wrappedFor(recipient: number): WrappedKeys
  encrypted(kid: Kid): EncryptedValue
}

/** A requested key with everything the answer says about it except the key. */
export interface AnsweredKey extends RequestedKey {
  readonly scheme: CommonEncryptionScheme
  /** The kid in the answer: that of the request unless a kid override replaces it. */
  readonly answeredKid: Kid
  /** The text of the request, `derived` together with the key, or no IV. */
  readonly answeredIv: string | 'derived' | undefined
}

/** Returns the signalling of one DRM system of the request. */
export type SignalSystem = (request: RequestedSystem, key: AnsweredKey) => SignalingElements

/** The signalling of each element. Answers of SPEKE 2 do not have the elements of SPEKE 1.0. */
const SLOT_VALUES: readonly {
  readonly slot: DrmSystemSlot
  readonly value: keyof SignalingElements
  readonly v1Only?: true
}[] = [
  { slot: 'pssh', value: 'pssh' },
  { slot: 'contentProtectionData', value: 'contentProtectionData' },
  { slot: 'smoothStreamingProtectionHeaderData', value: 'smoothStreamingProtectionHeaderData' },
  { slot: 'uriExtXKey', value: 'uriExtXKey', v1Only: true },
  { slot: 'protectionHeader', value: 'smoothStreamingProtectionHeaderData', v1Only: true },
  { slot: 'keyFormat', value: 'keyFormat', v1Only: true },
  { slot: 'keyFormatVersions', value: 'keyFormatVersions', v1Only: true },
]

const KEY_BASE64_LENGTH = 24

/** The answer to a request: the text of the request with its elements filled, and holes for the keys. */
export function layoutAnswer(
  request: SpekeDocument,
  keys: readonly AnsweredKey[],
  signal: SignalSystem,
  profile: SignalingProfile,
): Template<AnswerFilling> {
  const keyOf = new Map(keys.map((key) => [key.kid, key]))
  const edits: Edit<AnswerFilling>[] = []
  const replaced = keys.flatMap((key) => (hdcpOf(request, key, profile) === undefined ? [] : (key.hdcpData ?? [])))
  removeUnsupported(request, replaced, edits)
  for (const key of keys) fillContentKey(request, key, profile, edits)
  for (const drmSystem of request.drmSystems) {
    const key = keyOf.get(drmSystem.kid)
    if (key !== undefined) fillDrmSystem(request, drmSystem, key, signal(drmSystem, key), profile, edits)
  }
  for (const { element, kid } of request.rules) setKid(element, kid && keyOf.get(kid), edits)
  for (const [i, recipient] of (request.recipients ?? []).entries()) {
    const { element, deliveryKey } = recipient
    const wrapped = deliveryData<AnswerFilling>(
      element,
      recipient,
      (filling) => filling.wrappedFor(i),
      request.version.deliveryDataForm,
    )
    edits.push(insertAfter(deliveryKey, wrapped))
  }
  return applyEdits(request.cpix.document.source, edits)
}

/** The keys of an answer, in document order. */
export function wantedKeys(keys: readonly AnsweredKey[]): readonly WantedKey[] {
  return keys.map(({ answeredKid, contentKeyClass }) => ({ kid: answeredKid, contentKeyClass }))
}

/** Removes signatures, which the edits break, and from an answer of SPEKE 2 also CPIX/@id and the elements of SPEKE 1.0. */
function removeUnsupported(
  { version, cpix }: SpekeDocument,
  replaced: readonly XmlElement[],
  edits: Edit<AnswerFilling>[],
): void {
  for (const signature of cpix.signatures) edits.push(removeElement(cpix.document, signature))
  if (version.major === 1 || version.keepsElementsOfV1) return
  const id = cpix.element.attributes.find(({ name }) => name === 'id')
  if (id !== undefined) edits.push(removeAttribute(cpix.document, id))
  const gone = new Set([...cpix.signatures, ...replaced])
  const visit = (element: XmlElement): void => {
    for (const attribute of element.attributes) {
      const declares = attribute.namespace === XMLNS_NAMESPACE && attribute.value === SPEKE_NAMESPACE
      if (declares || attribute.namespace === SPEKE_NAMESPACE) edits.push(removeAttribute(cpix.document, attribute))
    }
    for (const child of element.children) {
      if (gone.has(child)) continue
      const isOfV1 =
        child.namespace === SPEKE_NAMESPACE || (child.namespace === CPIX_NAMESPACE && /^uriextxkey$/i.test(child.local))
      if (isOfV1) edits.push(removeElement(cpix.document, child))
      else visit(child)
    }
  }
  visit(cpix.element)
}

function fillContentKey(
  request: SpekeDocument,
  key: AnsweredKey,
  profile: SignalingProfile,
  edits: Edit<AnswerFilling>[],
): void {
  const { cpix, recipients } = request
  const { element, answeredKid, hdcpData: asked } = key
  setKid(element, key, edits)
  if (key.explicitIv === undefined && key.answeredIv !== undefined) {
    edits.push(
      setAttribute(
        element,
        'explicitIV',
        keyHole((filling) => filling.keyAndIv(answeredKid).explicitIv),
      ),
    )
  }
  const hdcp = hdcpOf(request, key, profile)
  if (hdcp !== undefined) {
    const fragment = hdcp.version === undefined ? undefined : hdcpOutputProtectionData(hdcp.version)
    const replacement = hdcpData(element, hdcp.level, fragment)
    edits.push(
      asked === undefined
        ? appendContent(cpix.document, element, replacement)
        : { start: asked.start, end: asked.end, replacement },
    )
  }
  const data =
    recipients === undefined
      ? plainData(
          element,
          keyHole((filling) => filling.keyAndIv(answeredKid).contentKey),
        )
      : encryptedData<AnswerFilling>(element, (filling) => filling.encrypted(answeredKid))
  edits.push(appendContent(cpix.document, element, data))
}

function hdcpOf({ version }: SpekeDocument, key: AnsweredKey, { hdcp }: SignalingProfile) {
  return version.returnsProtectionLevels ? settingFor(hdcp, key.intendedTrackTypes) : undefined
}

function fillDrmSystem(
  { cpix: { document }, version }: SpekeDocument,
  { element, slots, hlsSignalingData, system, systemId }: RequestedSystem,
  key: AnsweredKey,
  signaling: SignalingElements,
  profile: SignalingProfile,
  edits: Edit<AnswerFilling>[],
): void {
  setKid(element, key, edits)
  for (const { slot, value, v1Only } of SLOT_VALUES) {
    const target = slots[slot]
    if (target === undefined || (v1Only && version.major === 2 && !version.keepsElementsOfV1)) continue
    if (slot === 'contentProtectionData' && system.refusesContentProtectionData && version.major === 2) {
      edits.push(removeElement(document, target))
      continue
    }
    const isProtectionData = slot === 'contentProtectionData'
    const applies = !isProtectionData || version.major === 2 || system.fillsContentProtectionDataInV1
    fillOrEmpty(target, applies ? signaling[value] : undefined)
    const robustness = version.returnsProtectionLevels ? robustnessFor(profile, systemId, key) : undefined
    if (isProtectionData && robustness !== undefined && signaling[value] !== undefined) {
      edits.push(setAttribute(target, 'robustness', robustness))
    }
  }
  for (const { element: target, playlist = '' } of version.major === 2 ? hlsSignalingData : []) {
    fillOrEmpty(target, version.playlists[playlist] === 'media' ? signaling.hlsMedia : signaling.hlsMaster)
  }
  const allowedCpc = version.returnsProtectionLevels ? profile.allowedCpc[systemId] : undefined
  if (allowedCpc !== undefined) edits.push(setAttribute(element, 'HLSAllowedCPC', allowedCpc))

  function fillOrEmpty(target: XmlElement, value: Template<KeyFilling> | undefined): void {
    if (value !== undefined) edits.push(setContent(document, target, value))
    // An element that does not apply stays empty. Old text in it would be mistaken for signalling.
    else if (target.hasText && textOf(document, target).trim() !== '') edits.push(setContent(document, target, ''))
  }
}

function robustnessFor({ robustness }: SignalingProfile, systemId: SystemId, key: AnsweredKey): string | undefined {
  return settingFor(robustness[systemId] ?? {}, key.intendedTrackTypes)
}

/** Keeps the spelling of a kid unless the kid changes. */
function setKid(element: XmlElement, key: AnsweredKey | undefined, edits: Edit<AnswerFilling>[]): void {
  if (key !== undefined && key.answeredKid !== key.kid && attributeOf(element, 'kid') !== undefined) {
    edits.push(setAttribute(element, 'kid', key.answeredKid))
  }
}

function keyHole(bytes: (filling: AnswerFilling) => KeyAndIv[keyof KeyAndIv]): Template<AnswerFilling> {
  return holeOf<AnswerFilling>(KEY_BASE64_LENGTH, (filling) => toBase64(bytes(filling)))
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

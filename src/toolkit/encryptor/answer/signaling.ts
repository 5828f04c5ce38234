import { KeyProviderError } from '../../../core/errors.ts'
import type { Kid, SystemId } from '../../../formats/cenc.ts'
import { type Cpix, entriesOf } from '../../../formats/cpix/document.ts'
import { CPIX_NAMESPACE, KID, requiredAttribute, SPEKE_NAMESPACE, SYSTEM_ID } from '../../../formats/cpix/fields.ts'
import { PLAYREADY, WIDEVINE } from '../../../formats/drm/facts.ts'
import { decodePlayReadyObject, WRMHEADER_RECORD } from '../../../formats/drm/payloads/playready-object.ts'
import { decodePsshBoxes } from '../../../formats/drm/payloads/pssh.ts'
import { decodeWidevinePsshData } from '../../../formats/drm/payloads/widevine-pssh-data.ts'
import { readWrmHeader } from '../../../formats/drm/payloads/wrm-header.ts'
import type { Slot } from '../../../formats/drm/system.ts'
import type { XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, childrenOf, pathOf, readXml, textOf } from '../../../formats/xml/reader.ts'
import type { BuiltRequest, RequestedDrmSystem } from '../request/build.ts'
import { systemName } from '../systems.ts'
import type { Findings } from './keys.ts'

/** The signalling of one DRM system and key in an answer, decoded. */
export interface AnsweredSystem {
  readonly kid: Kid
  readonly systemId: SystemId
  readonly name: string
  readonly pssh?: Uint8Array
  readonly contentProtectionData?: string
  /** The complete lines. */
  readonly hlsMedia?: string
  readonly hlsMaster?: string
  /** The PlayReady Object in base64, as Smooth Streaming uses it. */
  readonly smooth?: string
  readonly uriExtXKey?: string
  readonly keyFormat?: string
  readonly keyFormatVersions?: string
  /** Descriptions of the content for people. */
  readonly contents: readonly string[]
}

type Mutable = { -readonly [Member in keyof AnsweredSystem]: AnsweredSystem[Member] } & { contents: string[] }

/** Reads the signalling of an answer. Every requested element must exist, decode, and name its own kid. */
export function readSignaling(
  cpix: Cpix,
  request: BuiltRequest,
  kids: ReadonlyMap<Kid, Kid>,
  findings: Findings,
): readonly AnsweredSystem[] {
  const elements = entriesOf(cpix.lists.DRMSystemList, 'DRMSystem').map((element) => ({
    element,
    kid: requiredAttribute(element, 'kid', KID),
    systemId: requiredAttribute(element, 'systemId', SYSTEM_ID),
  }))
  return request.drmSystems.flatMap((requested) => {
    const kid = kids.get(requested.kid)
    const found = elements.find((one) => one.kid === kid && one.systemId === requested.systemId)
    if (kid === undefined) return []
    if (found === undefined) {
      findings.problem('CPIX/DRMSystemList', `${systemName(requested.systemId)} is missing for the kid ${kid}`)
      return []
    }
    return [readSystem(cpix, found.element, { ...requested, kid }, findings)]
  })
}

function readSystem(
  cpix: Cpix,
  element: XmlElement,
  requested: RequestedDrmSystem,
  findings: Findings,
): AnsweredSystem {
  const { kid, systemId, slots, required } = requested
  const system: Mutable = { kid, systemId, name: systemName(systemId), contents: [] }
  for (const { slot, playlist } of slots.flatMap(placesOf)) {
    const local = localOf(slot)
    const child = childrenOf(element, slot === local ? CPIX_NAMESPACE : SPEKE_NAMESPACE, local).find(
      (one) => playlist === undefined || attributeOf(one, 'playlist') === playlist,
    )
    const place = child === undefined ? `${pathOf(element)}/${local}` : pathOf(child)
    const text = child === undefined ? '' : textOf(cpix.document, child).replaceAll(/\s+/g, '')
    if (text !== '') readSlot(system, slot, playlist, text, place, findings)
    else if (required.includes(slot)) {
      findings.problem(
        place,
        `the request asks for this element, and it is ${child === undefined ? 'missing' : 'empty'}`,
      )
    }
  }
  checkTogether(system, pathOf(element), findings)
  return system
}

/** HLSSignalingData occurs twice: for the media and for the master playlist. */
function placesOf(slot: Slot): readonly { readonly slot: Slot; readonly playlist: string | undefined }[] {
  if (slot !== 'HLSSignalingData') return [{ slot, playlist: undefined }]
  return ['media', 'master'].map((playlist) => ({ slot, playlist }))
}

function localOf(slot: Slot): string {
  return slot.replace('speke:', '')
}

type ReadSlot = (system: Mutable, bytes: Buffer, text: string, playlist: string | undefined) => void

/** The readers of each child. They throw KeyProviderError if the bytes do not decode. */
const READERS: Readonly<Record<Slot, ReadSlot>> = {
  PSSH(system, bytes) {
    const kind = payloadIn(bytes)
    if (kind !== undefined && kind !== 'pssh box') throw invalid(`holds a ${kind} without its pssh box`)
    system.pssh = bytes
    system.contents.push(...describePssh(system, bytes))
  },
  ContentProtectionData(system, bytes) {
    const fragment = bytes.toString('utf8')
    const kind = payloadIn(bytes)
    if (kind !== undefined)
      throw invalid(`holds a ${kind}, expected XML such as <cenc:pssh> or <mspr:pro> with its base64`)
    // Without outside declarations: an unbound prefix makes the MPD unreadable.
    const { root } = readXml(Buffer.from(`<fragment>${fragment}</fragment>`))
    if (root.children.some(({ local }) => local === 'ContentProtection')) {
      throw invalid('holds a ContentProtection element, expected only its children: the packager adds the element')
    }
    system.contentProtectionData = fragment
  },
  HLSSignalingData(system, bytes, _text, playlist) {
    const line = bytes.toString('utf8')
    const tag = playlist === 'media' ? '#EXT-X-KEY:' : '#EXT-X-SESSION-KEY:'
    if (!line.startsWith(`${tag}METHOD=`)) throw invalid(`expected a line that starts with ${tag}METHOD=`)
    if (playlist === 'media') system.hlsMedia = line
    else system.hlsMaster = line
  },
  SmoothStreamingProtectionHeaderData(system, bytes, text) {
    system.smooth = text
    describePlayReady(system, bytes)
  },
  URIExtXKey(system, bytes) {
    system.uriExtXKey = bytes.toString('utf8')
    system.contents.push(`URI ${system.uriExtXKey}`)
  },
  'speke:KeyFormat'(system, bytes) {
    system.keyFormat = bytes.toString('utf8')
  },
  'speke:KeyFormatVersions'(system, bytes) {
    system.keyFormatVersions = bytes.toString('utf8')
  },
  'speke:ProtectionHeader'(system, bytes, text) {
    system.smooth = text
    describePlayReady(system, bytes)
  },
}

/** The payload that bytes are, if they are one without anything around it. */
function payloadIn(bytes: Buffer): 'pssh box' | 'PlayReady Object' | 'WidevinePsshData' | undefined {
  if (bytes.subarray(4, 8).toString('latin1') === 'pssh') return 'pssh box'
  if (decodes(() => decodePlayReadyObject(bytes))) return 'PlayReady Object'
  return decodes(() => decodeWidevinePsshData(bytes).keyIds[0]) ? 'WidevinePsshData' : undefined
}

/** Whether bytes decode to something. */
function decodes(decode: () => unknown): boolean {
  try {
    return decode() !== undefined
  } catch (error) {
    if (error instanceof KeyProviderError) return false
    throw error
  }
}

function readSlot(
  system: Mutable,
  slot: Slot,
  playlist: string | undefined,
  text: string,
  place: string,
  findings: Findings,
): void {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) {
    findings.problem(place, 'expected base64')
    return
  }
  try {
    READERS[slot](system, Buffer.from(text, 'base64'), text, playlist)
  } catch (error) {
    if (!(error instanceof KeyProviderError)) throw error
    findings.problem(place, error.message)
  }
}

/** Checks the children that must agree with each other. */
function checkTogether(
  { pssh, contentProtectionData, hlsMedia, hlsMaster }: Mutable,
  place: string,
  findings: Findings,
): void {
  const inFragment = /<(?:[\w.-]+:)?pssh[^>]*>\s*([A-Za-z0-9+/=\s]+?)\s*</.exec(contentProtectionData ?? '')?.[1]
  if (pssh !== undefined && inFragment !== undefined && Buffer.compare(Buffer.from(inFragment, 'base64'), pssh) !== 0) {
    findings.problem(`${place}/ContentProtectionData`, 'cenc:pssh differs from PSSH')
  }
  const [media, master] = [hlsMedia, hlsMaster].map((line) => line?.slice(line.indexOf(':')))
  if (media !== undefined && master !== undefined && media !== master) {
    findings.warning(`${place}/HLSSignalingData`, 'the lines for media and master differ in more than their tag')
  }
}

function describePssh(system: Mutable, bytes: Uint8Array): readonly string[] {
  return decodePsshBoxes(bytes).map(({ systemId, kids, data }) => {
    if (systemId !== system.systemId) throw invalid('the box has the SystemID of another DRM system')
    refuseOtherKids(system.kid, kids)
    if (systemId === WIDEVINE) refuseOtherKids(system.kid, decodeWidevinePsshData(data).keyIds)
    if (systemId === PLAYREADY) describePlayReady(system, data)
    return `pssh version ${kids.length === 0 ? 0 : 1}, ${bytes.length} bytes`
  })
}

function describePlayReady(system: Mutable, bytes: Uint8Array): void {
  for (const { type, value } of decodePlayReadyObject(bytes)) {
    if (type !== WRMHEADER_RECORD) continue
    const { version, keys, laUrl } = readWrmHeader(value)
    refuseOtherKids(
      system.kid,
      keys.map(({ kid }) => kid),
    )
    const text = `WRMHEADER ${version}${laUrl === undefined ? '' : `, LA_URL ${laUrl}`}`
    if (!system.contents.includes(text)) system.contents.push(text)
  }
}

/** A payload without kids is valid: the licence server then uses other data. */
function refuseOtherKids(kid: Kid, named: readonly Kid[]): void {
  if (named.length > 0 && !named.includes(kid)) {
    throw invalid(
      'the payload has other kids than its DRMSystem: it uses the wrong byte order, or belongs to another request',
    )
  }
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_ANSWER_INVALID', problem)
}

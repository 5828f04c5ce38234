import { KeyProviderError } from '../../core/errors.ts'
import { base64, concat, holeOf, type Part, type Template, utf8Bytes } from '../../core/template.ts'
import type { SystemId } from '../cenc.ts'
import { escapeAttribute, escapeText } from '../xml/markup.ts'
import { hlsMasterLine, hlsMediaLine } from './hls.ts'
import { decodePssh, type PsshBox } from './payloads/pssh.ts'
import type { DrmSystem, KeyFilling, SignalInput } from './system.ts'

/** The text of each element that a DRMSystem may contain. A missing member: this system has none of that kind. */
export interface SignalingElements {
  readonly pssh?: Template<KeyFilling>
  readonly contentProtectionData?: Template<KeyFilling>
  /** HLSSignalingData for `playlist="media"`. */
  readonly hlsMedia?: Template<KeyFilling>
  /** HLSSignalingData for `playlist="master"`, or `multiVariant`. */
  readonly hlsMaster?: Template<KeyFilling>
  /** Also of SPEKE 1.0's `speke:ProtectionHeader`. */
  readonly smoothStreamingProtectionHeaderData?: Template<KeyFilling>
  readonly uriExtXKey?: Template<KeyFilling>
  readonly keyFormat?: Template<KeyFilling>
  readonly keyFormatVersions?: Template<KeyFilling>
}

/** What `system` has to say about a key, encoded for the elements of a DRMSystem. @see CPIX 2.3, DRMSystem */
export function signalElements(system: DrmSystem, input: SignalInput): SignalingElements {
  const { pssh, contentProtectionData, hlsAttributes, smoothProtectionHeader, uriExtXKey, ...format } = system.signal(
    input,
    system,
  )
  return {
    ...(pssh && { pssh: base64Of(pssh) }),
    ...(contentProtectionData && { contentProtectionData: textBase64(contentProtectionData) }),
    ...(hlsAttributes && {
      hlsMedia: textBase64(hlsMediaLine(hlsAttributes)),
      hlsMaster: textBase64(hlsMasterLine(hlsAttributes)),
    }),
    // The element holds the inner text of Smooth's ProtectionHeader: base64 once, not twice.
    ...(smoothProtectionHeader && { smoothStreamingProtectionHeaderData: base64Of(smoothProtectionHeader) }),
    ...(uriExtXKey && { uriExtXKey: textBase64(uriExtXKey) }),
    ...(format.keyFormat !== undefined && { keyFormat: textBase64(format.keyFormat) }),
    ...(format.keyFormatVersions !== undefined && { keyFormatVersions: textBase64(format.keyFormatVersions) }),
  }
}

function textBase64(text: Part<KeyFilling>): Template<KeyFilling> {
  return base64(utf8Bytes(text))
}

/** The base64 of `bytes`. The same template always gives the same one: its holes are shared, so filled once an answer. */
export function base64Of(bytes: Template<KeyFilling>): Template<KeyFilling> {
  const known = encoded.get(bytes)
  if (known !== undefined) return known
  const text = base64(bytes)
  encoded.set(bytes, text)
  return text
}

const encoded = new WeakMap<Template<KeyFilling>, Template<KeyFilling>>()

/** A pssh box in an MPD. @see ISO/IEC 23001-7, 11.2 */
export function cencPsshElement(pssh: Template<KeyFilling>): Template<KeyFilling> {
  return concat('<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">', base64Of(pssh), '</cenc:pssh>')
}

/** The licence URL in an MPD, or nothing without one. @see DASH-IF IOP v5, part 6, 7.2 */
export function laurlElement(url: string | undefined): string {
  return url === undefined
    ? ''
    : `<dashif:Laurl xmlns:dashif="https://dashif.org/CPS">${escapeText(url)}</dashif:Laurl>`
}

/**
 * The text of HDCPOutputProtectionData: base64 of the element that asks an MPD's players for HDCP `version` or newer.
 *
 * @see CPIX 2.4, HDCPData; DASH-IF Identifiers, output protection
 */
export function hdcpOutputProtectionData(version: string): string {
  const xml =
    '<OutputProtection xmlns="urn:mpeg:dash:schema:mpd:2011"' +
    ` schemeIdUri="urn:mpeg:dash:output-protection:hdcp:2020" value="${escapeAttribute(version)}"/>`
  return Buffer.from(xml).toString('base64')
}

/** The explicitIV of an answer in canonical base64 (24 characters); undefined if none is returned. */
export function explicitIvBase64(input: SignalInput): Part<KeyFilling> | undefined {
  return explicitIvIn(input, 24, (bytes) => bytes.toString('base64'))
}

/** The same in lower-case hex (32 characters). */
export function explicitIvHex(input: SignalInput): Part<KeyFilling> | undefined {
  return explicitIvIn(input, 32, (bytes) => bytes.toString('hex'))
}

/** The same as an attribute of an HLS line has it, without `0x`: upper-case hex. @see RFC 8216, 4.2 (hexadecimal-sequence) */
export function explicitIvHlsHex(input: SignalInput): Part<KeyFilling> | undefined {
  return explicitIvIn(input, 32, (bytes) => bytes.toString('hex').toUpperCase())
}

function explicitIvIn(
  { explicitIv, kid }: SignalInput,
  length: number,
  encode: (bytes: Buffer) => string,
): Part<KeyFilling> | undefined {
  if (explicitIv === undefined) return undefined
  if (explicitIv !== 'derived') return encode(Buffer.from(explicitIv, 'base64'))
  return holeOf(length, (filling) => encode(Buffer.from(filling.keyAndIv(kid).explicitIv)))
}

/** A ready-made box of an override: as bytes for the answer, and read. Throws ERR_SIGNALING_INVALID for another system's. */
export function givenPssh(
  bytes: Uint8Array,
  systemId: SystemId,
  name: string,
): { readonly pssh: Template<KeyFilling>; readonly box: PsshBox } {
  const box = decodePssh(bytes)
  if (box.systemId !== systemId) {
    throw new KeyProviderError(
      'ERR_SIGNALING_INVALID',
      `${name}: the pssh box of the override is for system ${box.systemId}, expected ${systemId}; import the right one`,
    )
  }
  return { pssh: { text: Buffer.from(bytes).toString('latin1'), holes: [] }, box }
}

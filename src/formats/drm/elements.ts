import { base64, type Part, type Template, utf8Bytes } from '../../core/template.ts'
import { base64Of } from './base64.ts'
import { hlsMasterLine, hlsMediaLine } from './hls.ts'
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

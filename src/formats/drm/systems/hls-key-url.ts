import { concat } from '../../../core/template.ts'
import { explicitIvHlsHex } from '../elements.ts'
import { hlsAttributeList } from '../hls.ts'
import type { DrmSystemFacts, SignalInput, Signaling } from '../system.ts'

const KEY_FORMAT_VERSIONS = '1'

/** HLS AES-128: whole segments are encrypted, and players fetch the key as 16 raw bytes. @see RFC 8216, 5 */
export function signalHlsAes128(input: SignalInput, system: DrmSystemFacts): Signaling {
  return signalKeyUrl('AES-128', input, system)
}

/** HLS SAMPLE-AES without a DRM system: samples are encrypted under cbcs, and players fetch the key as 16 raw bytes. */
export function signalHlsSampleAes(input: SignalInput, system: DrmSystemFacts): Signaling {
  return signalKeyUrl('SAMPLE-AES', input, system)
}

function signalKeyUrl(
  method: 'AES-128' | 'SAMPLE-AES',
  input: SignalInput,
  { keyFormat = 'identity' }: DrmSystemFacts,
): Signaling {
  const { keyUrl, settings } = input
  const iv = settings.hls.identityIv === true ? explicitIvHlsHex(input) : undefined
  return {
    hlsAttributes: hlsAttributeList(method, [
      ['URI', keyUrl],
      ...(iv === undefined ? [] : [['IV', concat('0x', iv)] as const]),
      ['KEYFORMAT', keyFormat],
      ['KEYFORMATVERSIONS', KEY_FORMAT_VERSIONS],
    ]),
    uriExtXKey: concat(keyUrl),
    keyFormat,
    keyFormatVersions: KEY_FORMAT_VERSIONS,
  }
}

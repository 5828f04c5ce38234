import { concat } from '../../core/template.ts'
import { hlsAttributeList } from './hls.ts'
import type { DrmSystem, SignalInput, Signaling } from './system.ts'

const KEY_FORMAT = 'identity'
const KEY_FORMAT_VERSIONS = '1'

/** The signalling of systems whose players fetch the key as it is. @see RFC 8216, 5 (key files); speke.md A-25 */
export function hlsKeyUrl(method: 'AES-128' | 'SAMPLE-AES'): DrmSystem['signal'] {
  return ({ keyUrl }: SignalInput): Signaling => ({
    hlsAttributes: hlsAttributeList(method, [
      ['URI', keyUrl],
      ['KEYFORMAT', KEY_FORMAT],
      ['KEYFORMATVERSIONS', KEY_FORMAT_VERSIONS],
    ]),
    uriExtXKey: concat(keyUrl),
    keyFormat: KEY_FORMAT,
    keyFormatVersions: KEY_FORMAT_VERSIONS,
  })
}

import { type SystemId, systemIdOf } from '../../cenc.ts'
import { hlsKeyUrl } from '../hls-key-url.ts'
import type { DrmSystem } from '../system.ts'

/** HLS AES-128: whole segments encrypted, the key fetched as it is. */
export const hlsAes128: DrmSystem = {
  name: 'HLS AES-128',
  systemId: systemIdOf('3ea8778f-7742-4bf9-b18b-e834b2acbd47'),
  commonEncryptionSchemes: ['cbc1'],
  contentKeyClass: 'clear',
  spekeMajors: [1, 2],
  signal: hlsKeyUrl('AES-128'),
}

/** The same under an id that is not registered, which SPEKE 1.0 leaves to implementations. @see speke.md A-26 */
export function hlsAes128V1(systemId: SystemId): DrmSystem {
  return { ...hlsAes128, name: 'HLS AES-128 (SPEKE 1.0)', systemId, spekeMajors: [1] }
}

/** The one of these ids that AWS uses. */
export const hlsAes128OfAws: DrmSystem = hlsAes128V1(systemIdOf('81376844-f976-481e-a84e-cc25d39b0b33'))

import { systemIdOf } from '../../cenc.ts'
import { hlsKeyUrl } from '../hls-key-url.ts'
import type { DrmSystem } from '../system.ts'

/** HLS SAMPLE-AES without a DRM: samples encrypted under cbcs, the key fetched as it is. */
export const hlsSampleAes: DrmSystem = {
  name: 'HLS SAMPLE-AES',
  systemId: systemIdOf('be58615b-19c4-4684-88b3-c8c57e99e957'),
  commonEncryptionSchemes: ['cbcs'],
  contentKeyClass: 'clear',
  spekeMajors: [1, 2],
  impliedScheme: 'cbcs',
  signal: hlsKeyUrl('SAMPLE-AES'),
}

import { type Ask, type Asked, V2 } from '../asking.ts'
import type { Check } from '../check.ts'
import { checkOf } from './presets.ts'

interface Case extends Omit<Asked, 'speke'> {
  readonly name: string
  readonly title: string
}

/** What MediaPackage v2 sends and expects, container by container. @see speke.md 5.3, 11.3 */
const CASES: readonly Case[] = [
  { name: 'iv-cenc', title: 'an explicitIV comes back for cenc although none was sent', scheme: 'cenc', iv: 'none' },
  { name: 'iv-cbcs', title: 'an explicitIV comes back for cbcs although none was sent', scheme: 'cbcs', iv: 'none' },
  { name: 'iv-cbc1', title: 'an explicitIV comes back for AES-128 although none was sent', scheme: 'cbc1', iv: 'none' },
  {
    name: 'ts-fairplay',
    title: 'TS with FairPlay',
    scheme: 'cbcs',
    drm: ['fairplay'],
    container: 'ts',
    video: 'SHARED',
  },
  { name: 'ts-aes-128', title: 'TS with AES-128', scheme: 'cbc1', drm: ['aes-128'], container: 'ts', video: 'SHARED' },
  {
    name: 'cmaf-cbcs',
    title: 'CMAF with every system, cbcs',
    scheme: 'cbcs',
    container: 'cmaf',
    video: 'VIDEO-8',
    audio: 'AUDIO-3',
  },
  {
    name: 'cmaf-cenc',
    title: 'CMAF with Widevine and PlayReady, cenc',
    scheme: 'cenc',
    container: 'cmaf',
    video: 'VIDEO-5',
  },
  {
    name: 'mss',
    title: 'Smooth Streaming with PlayReady, shared key',
    scheme: 'cenc',
    drm: ['playready'],
    container: 'mss',
    video: 'SHARED',
  },
  {
    name: 'fairplay-alone',
    title: 'METHOD is SAMPLE-AES for FairPlay',
    scheme: 'cbcs',
    drm: ['fairplay'],
    video: 'VIDEO-2',
  },
  { name: 'method-cenc', title: 'METHOD is SAMPLE-AES for cenc', scheme: 'cenc', video: 'VIDEO-1' },
]

/** The profile of MediaPackage v2. */
export function mediaPackageChecks(ask: Ask): readonly Check[] {
  return V2.flatMap((speke) =>
    CASES.flatMap(({ name, title, ...asked }) =>
      checkOf(ask, 'mediapackage-v2', `mediapackage-v2/${speke}/${name}`, title, {
        speke,
        content: `mp2-${asked.scheme}`,
        ...asked,
      }),
    ),
  )
}

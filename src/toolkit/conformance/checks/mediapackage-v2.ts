import { type Ask, type Asked, V2 } from '../asking.ts'
import type { Check } from '../check.ts'
import { checkOf } from './presets.ts'

interface Case extends Omit<Asked, 'speke'> {
  readonly name: string
  readonly title: string
}

/** Requests and requirements of MediaPackage v2 by container. */
const CASES: readonly Case[] = [
  { name: 'iv-cenc', title: 'returns an explicitIV for cenc without a request for it', scheme: 'cenc', iv: 'none' },
  { name: 'iv-cbcs', title: 'returns an explicitIV for cbcs without a request for it', scheme: 'cbcs', iv: 'none' },
  { name: 'iv-cbc1', title: 'returns an explicitIV for AES-128 without a request for it', scheme: 'cbc1', iv: 'none' },
  {
    name: 'ts-fairplay',
    title: 'answers TS with FairPlay',
    scheme: 'cbcs',
    drm: ['fairplay'],
    container: 'ts',
    video: 'SHARED',
  },
  {
    name: 'ts-aes-128',
    title: 'answers TS with AES-128',
    scheme: 'cbc1',
    drm: ['aes-128'],
    container: 'ts',
    video: 'SHARED',
  },
  {
    name: 'cmaf-cbcs',
    title: 'answers CMAF with every system, cbcs',
    scheme: 'cbcs',
    container: 'cmaf',
    video: 'VIDEO-8',
    audio: 'AUDIO-3',
  },
  {
    name: 'cmaf-cenc',
    title: 'answers CMAF with Widevine and PlayReady, cenc',
    scheme: 'cenc',
    container: 'cmaf',
    video: 'VIDEO-5',
  },
  {
    name: 'mss',
    title: 'answers Smooth Streaming with PlayReady and a shared key',
    scheme: 'cenc',
    drm: ['playready'],
    container: 'mss',
    video: 'SHARED',
  },
  {
    name: 'fairplay-alone',
    title: 'writes METHOD=SAMPLE-AES for FairPlay',
    scheme: 'cbcs',
    drm: ['fairplay'],
    video: 'VIDEO-2',
  },
  { name: 'method-cenc', title: 'writes METHOD=SAMPLE-AES for cenc', scheme: 'cenc', video: 'VIDEO-1' },
]

/** Checks of the requirements of MediaPackage v2. */
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

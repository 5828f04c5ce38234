import type { Slot } from '../../../formats/drm/system.ts'

/** What a packager of a kind of container needs. @see speke.md 11.2–11.4 */
export const CONTAINERS: Readonly<Record<string, readonly Slot[]>> = {
  all: [
    'PSSH',
    'ContentProtectionData',
    'HLSSignalingData',
    'SmoothStreamingProtectionHeaderData',
    'URIExtXKey',
    'speke:KeyFormat',
    'speke:KeyFormatVersions',
    'speke:ProtectionHeader',
  ],
  dash: ['PSSH', 'ContentProtectionData'],
  cmaf: [
    'PSSH',
    'ContentProtectionData',
    'HLSSignalingData',
    'URIExtXKey',
    'speke:KeyFormat',
    'speke:KeyFormatVersions',
  ],
  hls: ['PSSH', 'HLSSignalingData', 'URIExtXKey', 'speke:KeyFormat', 'speke:KeyFormatVersions'],
  ts: ['HLSSignalingData', 'URIExtXKey', 'speke:KeyFormat', 'speke:KeyFormatVersions'],
  mss: ['PSSH', 'SmoothStreamingProtectionHeaderData', 'speke:ProtectionHeader'],
}

/** What `--container` takes. */
export const CONTAINER_NAMES: readonly string[] = Object.keys(CONTAINERS)

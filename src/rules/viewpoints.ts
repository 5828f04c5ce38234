/** Whose demands a document is held to: the names of `--as`. `spec` is what the specifications say and nobody's habits. */
export const VIEWPOINTS = [
  'spec',
  'mediapackage-v1',
  'mediapackage-v2',
  'mediaconvert',
  'elemental-live',
  'shaka',
] as const
export type Viewpoint = (typeof VIEWPOINTS)[number]

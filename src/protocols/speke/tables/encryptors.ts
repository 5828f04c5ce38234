/** The encryptors whose habits are known, by the name they have everywhere; `spec` is what the specifications say and nobody's habits. */
export const ENCRYPTORS = [
  'spec',
  'mediapackage-v1',
  'mediapackage-v2',
  'mediaconvert',
  'elemental-live',
  'shaka',
] as const
export type EncryptorName = (typeof ENCRYPTORS)[number]

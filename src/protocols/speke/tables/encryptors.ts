/** The encryptors with known habits. `spec` is an encryptor that does only what the specifications say. */
export const ENCRYPTORS = [
  'spec',
  'mediapackage-v1',
  'mediapackage-v2',
  'mediaconvert',
  'elemental-live',
  'shaka',
] as const
export type EncryptorName = (typeof ENCRYPTORS)[number]

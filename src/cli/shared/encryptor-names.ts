/** The encryptors that `config init` knows. */
export const ENCRYPTOR_NAMES = [
  'mediapackage-v2',
  'mediapackage-v1',
  'mediaconvert',
  'elemental-live',
  'shaka-packager',
  'unified',
  'harmonic',
  'generic',
] as const
export type ConfigEncryptorName = (typeof ENCRYPTOR_NAMES)[number]

import { type CommonEncryptionScheme, kidOfBytes } from '../../cenc.ts'
import type { SignalingSettings } from '../settings.ts'
import type { KeyFilling, SignalInput } from '../system.ts'

/** An input to try configured templates. Its contentId breaks a template that does not escape it. */
export function sampleInput(commonEncryptionScheme: CommonEncryptionScheme, settings: SignalingSettings): SignalInput {
  const kid = kidOfBytes(new Uint8Array(16))
  return {
    kid,
    contentId: '"\'\\<&>]]>\n é🔑%{kid}',
    commonEncryptionScheme,
    explicitIv: 'derived',
    periodKids: [kid],
    documentKids: [kid],
    periodIndex: 1,
    keyUrl: 'https://keys.example/k?a=1&b=2',
    clearKeyLicenseUrl: 'https://keys.example/c?a=1&b=2',
    pssh: undefined,
    settings,
  }
}

/** Zeros for the holes of a sample. */
export function sampleFilling(): KeyFilling {
  const zeros = new Uint8Array(16)
  return { memo: new Map(), keyAndIv: () => ({ contentKey: zeros, explicitIv: zeros }) }
}

import assert from 'node:assert/strict'
import { fillText, type Template } from '../../../src/core/template.ts'
import type { Kid, SystemId } from '../../../src/formats/cenc.ts'
import { type SignalingElements, signalElements } from '../../../src/formats/drm/elements.ts'
import {
  CLEARKEY,
  COMMON_PSSH,
  DRM_SYSTEMS,
  FAIRPLAY,
  HLS_AES_128,
  HLS_AES_128_OF_AWS,
  HLS_SAMPLE_AES,
  PLAYREADY,
  WIDEVINE,
} from '../../../src/formats/drm/facts.ts'
import { DEFAULT_SETTINGS, type SignalingSettings } from '../../../src/formats/drm/settings.ts'
import type { DrmSystem, KeyFilling, SignalInput } from '../../../src/formats/drm/system.ts'
import { fromHex, kidOf } from './vectors.ts'

export const KID = kidOf('9eb4050d-e44b-4802-932e-27d75083e266')
export const OTHER_KID = kidOf('087bcfc6-f7a5-5716-b840-6aa6eba3369e')
export const KEY = fromHex('166634c675823c235a4a9446fad52e4d')
export const IV = fromHex('00112233445566778899aabbccddeeff')
export const OTHER_KEY = fromHex('ffeeddccbbaa99887766554433221100')

/** An input for `KID` with `changes`. */
export function inputWith(changes: Partial<SignalInput> = {}): SignalInput {
  return {
    kid: KID,
    contentId: 'content-0001',
    commonEncryptionScheme: 'cenc',
    explicitIv: undefined,
    periodKids: [KID],
    documentKids: [KID],
    periodIndex: undefined,
    keyUrl: 'https://keys.example.com/k/9eb4050d-e44b-4802-932e-27d75083e266',
    clearKeyLicenseUrl: 'https://lic.example.com/clearkey',
    pssh: undefined,
    settings: DEFAULT_SETTINGS,
    ...changes,
  }
}

export function settingsWith(changes: Partial<SignalingSettings>): SignalingSettings {
  return { ...DEFAULT_SETTINGS, ...changes }
}

/** The keys of an answer about `KID` and `OTHER_KID`. */
export function testFilling(): KeyFilling {
  const keys = new Map<Kid, Uint8Array>([
    [KID, KEY],
    [OTHER_KID, OTHER_KEY],
  ])
  return {
    memo: new Map(),
    keyAndIv(kid) {
      const contentKey = keys.get(kid)
      if (contentKey === undefined) throw new TypeError('a kid of another answer')
      return { contentKey, explicitIv: IV }
    },
  }
}

/** The text of a filled template, or undefined for none. */
export function filled(template: Template<KeyFilling> | undefined): string | undefined {
  return template && fillText(template, testFilling())
}

/** What a filled element says once its base64 is undone. */
export function decoded(template: Template<KeyFilling> | undefined): string | undefined {
  const text = filled(template)
  return text === undefined ? undefined : Buffer.from(text, 'base64').toString()
}

/** The elements of `system`, decoded. */
export function decodedElements(
  system: DrmSystem,
  changes: Partial<SignalInput> = {},
): Readonly<Partial<Record<keyof SignalingElements, string>>> {
  const elements = Object.entries(signalElements(system, inputWith(changes)))
  return Object.fromEntries(elements.map(([name, template]) => [name, decoded(template)]))
}

/** The shape of signaling.json. */
export interface SignalingVectors {
  readonly origin: string
  readonly hls_widevine: string
  readonly hls_playready: string
  readonly hls_fairplay: string
  readonly hls_fairplay_b64: string
  readonly hls_fairplay_session: string
  readonly hls_aes128: string
  readonly common_pssh_fragment_b64: string
  readonly cpd_widevine_fragment: string
  readonly clearkey_cpd_fragment: string
  readonly hdcp_fragment: string
  readonly hdcp_b64: string
  readonly w3c_pssh_b64: string
  readonly wv_pssh_cenc_b64: string
  readonly wv_pssh_cbcs_b64: string
  readonly wv_full_pssh_b64: string
  readonly wiseplay_pssh_b64: string
  readonly nagra_pssh_b64: string
  readonly marlin_pssh_hex: string
}

/** The attributes of an HLS line, by name, as a player reads them. @see RFC 8216, 4.2 */
export function hlsAttributesOf(line: string): Readonly<Record<string, string>> {
  const list = line.slice(line.indexOf(':') + 1)
  const attributes: Record<string, string> = {}
  const attribute = /([A-Z0-9-]+)=("[^"\r\n]*"|[^",\r\n]+)(?:,|$)/y
  while (attribute.lastIndex < list.length) {
    const [, name, value] = attribute.exec(list) ?? []
    if (name === undefined || value === undefined) throw new SyntaxError(`no attribute list: ${list}`)
    attributes[name] = value
  }
  return attributes
}

function knownSystem(systemId: SystemId): DrmSystem {
  return DRM_SYSTEMS.get(systemId) ?? assert.fail()
}

export const widevine = knownSystem(WIDEVINE)
export const playready = knownSystem(PLAYREADY)
export const fairplay = knownSystem(FAIRPLAY)
export const commonPssh = knownSystem(COMMON_PSSH)
export const clearKey = knownSystem(CLEARKEY)
export const hlsAes128 = knownSystem(HLS_AES_128)
export const hlsAes128OfAws = knownSystem(HLS_AES_128_OF_AWS)
export const hlsSampleAes = knownSystem(HLS_SAMPLE_AES)

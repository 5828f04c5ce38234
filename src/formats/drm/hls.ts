import { KeyProviderError } from '../../core/errors.ts'
import { concat, type Part, type Template } from '../../core/template.ts'
import type { CommonEncryptionScheme } from '../cenc.ts'
import type { SignalingSettings } from './settings.ts'
import type { KeyFilling } from './system.ts'

/**
 * METHOD for `scheme`, undefined for a scheme without METHOD in HLS (cens).
 *
 * @see RFC 8216bis, 4.4.4.4 (EXT-X-KEY)
 */
export function hlsMethod(scheme: CommonEncryptionScheme, settings: SignalingSettings): string | undefined {
  return scheme === 'cenc' ? settings.hls.cencMethod : METHODS[scheme]
}

/**
 * The attribute list of a key, METHOD first: MediaPackage and AWS's suite look for it right behind the tag.
 *
 * @see RFC 8216, 4.2 (attribute lists)
 */
export function hlsAttributeList(method: string, attributes: readonly HlsAttribute[]): Template<KeyFilling> {
  const parts = attributes.flatMap(([name, value]) => {
    // Holes have base64 or hex, and so does their filler.
    const text = typeof value === 'string' ? value : value.text
    if (HEXADECIMAL.has(name)) {
      if (!/^0x[\dA-Fa-f]+$/.test(text)) throw invalid(name, 'expected 0x and hexadecimal digits')
      return [`,${name}=`, value]
    }
    if (/["\r\n]/.test(text)) throw invalid(name, 'a quoted string cannot hold a quotation mark or a line break')
    return [`,${name}="`, value, '"']
  })
  return concat(`METHOD=${method}`, ...parts)
}

/** An attribute's name and its value before quoting. */
export type HlsAttribute = readonly [name: string, value: Part<KeyFilling>]

/** The line of a media playlist. */
export function hlsMediaLine(attributes: Template<KeyFilling>): Template<KeyFilling> {
  return concat('#EXT-X-KEY:', attributes)
}

/** The line of a master (multivariant) playlist. */
export function hlsMasterLine(attributes: Template<KeyFilling>): Template<KeyFilling> {
  return concat('#EXT-X-SESSION-KEY:', attributes)
}

const METHODS: Readonly<Partial<Record<CommonEncryptionScheme, string>>> = { cbcs: 'SAMPLE-AES', cbc1: 'AES-128' }

/** Attributes without quotes. KEYID is not in the RFC; some players require it. */
const HEXADECIMAL = new Set(['IV', 'KEYID'])

function invalid(name: string, problem: string): KeyProviderError {
  return new KeyProviderError('ERR_SIGNALING_INVALID', `HLS attribute ${name}: ${problem}`)
}

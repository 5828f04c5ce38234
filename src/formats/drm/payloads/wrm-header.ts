import { createCipheriv, createSecretKey } from 'node:crypto'
import { concat, holeOf, type Part, type Template } from '../../../core/template.ts'
import { type CommonEncryptionScheme, guidBytes, type Kid } from '../../cenc.ts'
import { escapeText } from '../../xml/escape.ts'
import type { SignalingSettings } from '../settings.ts'
import type { KeyFilling } from '../system.ts'

export const WRMHEADER_NAMESPACE = 'http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader'

type PlayReadySettings = SignalingSettings['playready']

/**
 * The WRMHEADER of `kids`, or undefined for a scheme that PlayReady does not know: one kid under cenc as version 4.0,
 * which every client reads, several as 4.2; cbcs is known from 4.3 on.
 *
 * @see https://learn.microsoft.com/en-us/playready/specifications/playready-header-specification
 */
export function wrmHeader(
  kids: readonly Kid[],
  commonEncryptionScheme: CommonEncryptionScheme,
  settings: PlayReadySettings,
): Template<KeyFilling> | undefined {
  const start = STARTS[settings.kids][commonEncryptionScheme]
  if (start === undefined) return undefined
  const { version, protection } = start
  return concat(
    `<WRMHEADER xmlns="${WRMHEADER_NAMESPACE}" version="${version}"><DATA>`,
    ...protection(kids),
    element('LA_URL', settings.laUrl, escapeText),
    element('LUI_URL', settings.luiUrl, escapeText),
    // This one is markup already.
    element('CUSTOMATTRIBUTES', settings.customAttributes, (xml) => xml),
    '</DATA></WRMHEADER>',
  )
}

/** What lets a client see that a key is the right one: base64 of eight bytes. AESCTR only. */
export function playReadyChecksum(contentKey: Uint8Array, kid: Kid): string {
  // Node 24 takes a raw key five times as long as a KeyObject made on the spot.
  const cipher = createCipheriv('aes-128-ecb', createSecretKey(contentKey), null)
  return cipher.update(guidBytes(kid)).toString('base64', 0, 8)
}

interface HeaderStart {
  readonly version: string
  protection(kids: readonly Kid[]): readonly Part<KeyFilling>[]
}

const ONE_KID: HeaderStart = {
  version: '4.0.0.0',
  protection: (kids) => [
    '<PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO>',
    ...kids.flatMap((kid) => [`<KID>${guid(kid)}</KID><CHECKSUM>`, checksumHole(kid), '</CHECKSUM>']),
  ],
}

const KIDS: HeaderStart = {
  version: '4.2.0.0',
  protection: (kids) => [
    '<PROTECTINFO><KIDS>',
    ...kids.flatMap((kid) => ['<KID ALGID="AESCTR" CHECKSUM="', checksumHole(kid), `" VALUE="${guid(kid)}"></KID>`]),
    '</KIDS></PROTECTINFO>',
  ],
}

const CBC_KIDS: HeaderStart = {
  version: '4.3.0.0',
  protection: (kids) => [
    '<PROTECTINFO><KIDS>',
    ...kids.map((kid) => `<KID ALGID="AESCBC" VALUE="${guid(kid)}"></KID>`),
    '</KIDS></PROTECTINFO>',
  ],
}

const STARTS: Readonly<
  Record<PlayReadySettings['kids'], Readonly<Partial<Record<CommonEncryptionScheme, HeaderStart>>>>
> = {
  own: { cenc: ONE_KID, cbcs: CBC_KIDS },
  document: { cenc: KIDS, cbcs: CBC_KIDS },
}

/** Empty elements are forbidden: what is not set is not written. */
function element(name: string, value: string | undefined, print: (value: string) => string): string {
  return value === undefined || value === '' ? '' : `<${name}>${print(value)}</${name}>`
}

function guid(kid: Kid): string {
  return guidBytes(kid).toString('base64')
}

function checksumHole(kid: Kid): Template<KeyFilling> {
  return holeOf(12, (filling) => playReadyChecksum(filling.keyAndIv(kid).contentKey, kid))
}

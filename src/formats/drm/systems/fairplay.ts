import { KeyProviderError } from '../../../core/errors.ts'
import { base64, concat, type Template, utf8Bytes } from '../../../core/template.ts'
import { explicitIvBase64 } from '../elements.ts'
import { hlsAttributeList } from '../hls.ts'
import type { DrmSystemFacts, KeyFilling, SignalInput, Signaling } from '../system.ts'
import { printTextTemplate, readTextTemplate } from '../template/text.ts'

const KEY_FORMAT_VERSIONS = '1'
const SKD = 'skd://'

/** The text after `skd://` becomes FairPlay's asset ID, which may have this many bytes. */
export const MAX_SKD_LENGTH = 200

/** The longest skd URI that devices accept, in bytes. */
export const MAX_SKD_URI_BYTES: number = SKD.length + MAX_SKD_LENGTH

/**
 * FairPlay: an EXT-X-KEY whose URI names the key to the player's app and to the licence server, and nothing else.
 *
 * The line has no IV attribute: FairPlay delivers the IV with the key.
 */
export function signalFairPlay(input: SignalInput, { keyFormat = '' }: DrmSystemFacts): Signaling {
  const uri = skdUri(input)
  return {
    hlsAttributes: hlsAttributeList('SAMPLE-AES', [
      ['URI', uri],
      ['KEYFORMAT', keyFormat],
      ['KEYFORMATVERSIONS', KEY_FORMAT_VERSIONS],
    ]),
    uriExtXKey: uri,
    keyFormat,
    keyFormatVersions: KEY_FORMAT_VERSIONS,
  }
}

/** Makes the skd URI of an answer as the setting `fairplay.skd` says. Throws ERR_CONFIG_INVALID for an invalid setting. */
export function readSkd(skd: string): (input: SignalInput) => Template<KeyFilling> {
  const named = NAMED.get(skd)
  if (named !== undefined) return named
  const template = readTextTemplate(skd, 'fairplay.skd')
  const isUri = template.every((piece) => typeof piece !== 'string' || URI_TEXT.test(piece))
  if (!skd.startsWith(SKD) || skd.length === SKD.length || !isUri) {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      `fairplay.skd: expected ${[...NAMED.keys()].join(', ')} or a URI that starts with ${SKD}; write other characters as %XX`,
    )
  }
  return (input) => printTextTemplate(template, 'uri', input)
}

/** The characters of a URI. @see RFC 3986, 2 */
const URI_TEXT = /^(?:[\w\-.~!$&'()*+,;=:@/?#[\]]|%[\dA-Fa-f]{2})*$/

const AXINOM = readTextTemplate('skd://{kid}:{ivHex}', 'axinom')

const NAMED: ReadonlyMap<string, (input: SignalInput) => Template<KeyFilling>> = new Map([
  ['aws-json', awsJsonSkd],
  ['kid', kidSkd],
  ['axinom', axinomSkd],
])

/** The form of the MediaPackage guide. It has an IV only if the answer returns one. */
function awsJsonSkd(input: SignalInput): Template<KeyFilling> {
  const iv = explicitIvBase64(input)
  const json = concat(
    `{"ContentId":${JSON.stringify(input.contentId)},"KeyId":"${input.kid}"`,
    ...(iv === undefined ? [] : [',"IV":"', iv, '"']),
    '}',
  )
  return concat(SKD, base64(utf8Bytes(json)))
}

function kidSkd({ kid }: SignalInput): Template<KeyFilling> {
  return concat(SKD, kid)
}

/** @see https://docs.axinom.com/services/drm/license-service/fairplay/preparing-fps (the IV may be left out) */
function axinomSkd(input: SignalInput): Template<KeyFilling> {
  return input.explicitIv === undefined ? kidSkd(input) : printTextTemplate(AXINOM, 'uri', input)
}

function skdUri(input: SignalInput): Template<KeyFilling> {
  return readSkd(input.settings.fairplay.skd)(input)
}

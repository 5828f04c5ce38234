import type { BuiltRequest } from '../../encryptor/request/build.ts'
import {
  type Ask,
  appended,
  attributes,
  beforeLists,
  type Change,
  changed,
  content,
  twice,
  V2,
  without,
} from '../asking.ts'
import { type Check, refused } from '../check.ts'

const STRANGER = '5a1ab1e0-0000-4000-8000-000000000009'
const NIL = '00000000-0000-0000-0000-000000000000'
const HEX_IV = '00112233445566778899aabbccddeeff'

function delivery(certificate: string): string {
  return (
    '<cpix:DeliveryDataList><cpix:DeliveryData id="a"><cpix:DeliveryKey>' +
    '<ds:X509Data xmlns:ds="http://www.w3.org/2000/09/xmldsig#">' +
    `<ds:X509Certificate>${certificate}</ds:X509Certificate>` +
    '</ds:X509Data></cpix:DeliveryKey></cpix:DeliveryData></cpix:DeliveryDataList>'
  )
}

/** A truncated certificate. */
const DAMAGED_CERTIFICATE =
  'MIIBfTCCASOgAwIBAgIUNotACertificateOfAnyoneXXXXXwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJa2V5c3ByaW5n'

interface Case {
  readonly name: string
  readonly title: string
  readonly change: Change
  readonly periods?: number
}

/** Invalid documents for which SPEKE has no error message. */
const CASES: readonly Case[] = [
  { name: 'no-content-keys', title: 'no ContentKeyList', change: without('ContentKeyList') },
  { name: 'empty-content-keys', title: 'an empty ContentKeyList', change: content('ContentKeyList', '') },
  { name: 'no-drm-systems', title: 'no DRMSystemList', change: without('DRMSystemList') },
  { name: 'empty-drm-systems', title: 'an empty DRMSystemList', change: content('DRMSystemList', '') },
  { name: 'kid-missing', title: 'a ContentKey without kid', change: attributes('ContentKey', 'kid', undefined, 0) },
  { name: 'kid-empty', title: 'a ContentKey with an empty kid', change: attributes('ContentKey', 'kid', '', 0) },
  { name: 'kid-no-uuid', title: 'a kid that is not a UUID', change: attributes('ContentKey', 'kid', 'my-kid', 0) },
  { name: 'kid-nil', title: 'a kid of zeros', change: attributes('ContentKey', 'kid', NIL, 0) },
  { name: 'kid-twice', title: 'a duplicate kid', change: twice('ContentKey') },
  { name: 'drm-kid-missing', title: 'a DRMSystem without kid', change: attributes('DRMSystem', 'kid', undefined, 0) },
  {
    name: 'drm-kid-unknown',
    title: 'a DRMSystem with the kid of no ContentKey',
    change: attributes('DRMSystem', 'kid', STRANGER, 0),
  },
  {
    name: 'system-id-missing',
    title: 'a DRMSystem without systemId',
    change: attributes('DRMSystem', 'systemId', undefined, 0),
  },
  {
    name: 'system-id-no-uuid',
    title: 'a systemId that is not a UUID',
    change: attributes('DRMSystem', 'systemId', 'widevine', 0),
  },
  { name: 'drm-system-twice', title: 'a duplicate DRMSystem', change: twice('DRMSystem') },
  {
    name: 'scheme-unknown',
    title: 'an unknown scheme',
    change: attributes('ContentKey', 'commonEncryptionScheme', 'aes256'),
  },
  { name: 'scheme-none', title: 'the scheme NONE', change: attributes('ContentKey', 'commonEncryptionScheme', 'NONE') },
  { name: 'iv-hex', title: 'an explicitIV in hexadecimal', change: attributes('ContentKey', 'explicitIV', HEX_IV) },
  {
    name: 'iv-short',
    title: 'an explicitIV of 8 bytes',
    change: attributes('ContentKey', 'explicitIV', 'AAECAwQFBgc='),
  },
  {
    name: 'key-in-request',
    title: 'a request with a key',
    change: appended(
      'ContentKey',
      '<cpix:Data><pskc:Secret><pskc:PlainValue>AAECAwQFBgcICQoLDA0ODw==</pskc:PlainValue></pskc:Secret></cpix:Data>',
      0,
    ),
  },
  { name: 'playlist-once', title: 'HLSSignalingData only for media', change: without('HLSSignalingData', 1) },
  {
    name: 'playlist-twice',
    title: 'HLSSignalingData for media twice',
    change: attributes('HLSSignalingData', 'playlist', 'media'),
  },
  {
    name: 'playlist-unknown',
    title: 'HLSSignalingData for another playlist',
    change: attributes('HLSSignalingData', 'playlist', 'variant', 1),
  },
  { name: 'certificate-no-der', title: 'a certificate that is not X.509', change: beforeLists(delivery('AAAA')) },
  {
    name: 'certificate-damaged',
    title: 'a truncated certificate',
    change: beforeLists(delivery(DAMAGED_CERTIFICATE)),
  },
  { name: 'certificate-empty', title: 'an empty certificate', change: beforeLists(delivery('')) },
  {
    name: 'no-recipient',
    title: 'a DeliveryDataList without a recipient',
    change: beforeLists('<cpix:DeliveryDataList></cpix:DeliveryDataList>'),
  },
  {
    name: 'period-without-bounds',
    title: 'a key period without index and times',
    change: attributes('ContentKeyPeriod', 'index', undefined),
    periods: 1,
  },
  {
    name: 'period-without-id',
    title: 'a key period without id',
    change: attributes('ContentKeyPeriod', 'id', undefined),
    periods: 1,
  },
  { name: 'list-twice', title: 'two ContentKeyLists', change: twice('ContentKeyList') },
]

/** Checks that the key provider rejects invalid documents with any message. */
export function negativeChecks(ask: Ask): readonly Check[] {
  return V2.flatMap((speke) => {
    const requests = new Map<number, BuiltRequest | undefined>(
      [0, 1].map((periods) => [periods, ask({ speke, content: 'negative', periods })]),
    )
    return CASES.flatMap(({ name, title, change, periods = 0 }): readonly Check[] => {
      const built = requests.get(periods)
      if (built === undefined) return []
      const xml = changed(built.xml, change)
      // A change without effect (a system without HLS lines) checks nothing.
      if (xml === built.xml) return []
      const step = { xml, version: built.version, refusal: refused() }
      return [{ name: `negative/${speke}/${name}`, group: 'negative', title: `rejects ${title}`, steps: [step] }]
    })
  })
}

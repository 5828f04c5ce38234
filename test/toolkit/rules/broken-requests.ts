import { changeAttribute, changeElements, changeText, removeElements } from './editing.ts'

/** A valid request with a fault, and the rule that must find it. */
export interface BrokenRequest {
  readonly rule: string
  readonly how: string
  readonly speke?: '1.0' | '2.0' | '2.1'
  readonly break: (request: string) => string
}

const NIL = '00000000-0000-0000-0000-000000000000'
const STRANGER = '00000000-0000-4000-8000-000000000001'
const NO_CERTIFICATE = Buffer.from('not a certificate').toString('base64')

const delivery = (certificate: string): string =>
  '<cpix:DeliveryDataList><cpix:DeliveryData id="a"><cpix:DeliveryKey>' +
  '<ds:X509Data xmlns:ds="http://www.w3.org/2000/09/xmldsig#">' +
  `<ds:X509Certificate>${certificate}</ds:X509Certificate></ds:X509Data></cpix:DeliveryKey></cpix:DeliveryData></cpix:DeliveryDataList>`

/** Faulty requests for every rule about requests. */
export const BROKEN_REQUESTS: readonly BrokenRequest[] = [
  { rule: 'unreadable', how: 'a DOCTYPE', break: (text) => `<!DOCTYPE a>${text}` },
  {
    rule: 'content-id-missing',
    how: 'no contentId',
    break: (text) => changeAttribute(text, 'CPIX', 'contentId', () => undefined),
  },
  {
    rule: 'content-id-missing',
    how: 'no id',
    speke: '1.0',
    break: (text) => changeAttribute(text, 'CPIX', 'id', () => ''),
  },
  {
    rule: 'cpix-version-unknown',
    how: 'no version',
    break: (text) => changeAttribute(text, 'CPIX', 'version', () => undefined),
  },
  {
    rule: 'cpix-version-unknown',
    how: 'version 2.2',
    break: (text) => changeAttribute(text, 'CPIX', 'version', () => '2.2'),
  },
  {
    rule: 'plain-cpix',
    how: 'no version and no encryption contract',
    break: (text) =>
      removeElements(
        changeAttribute(text, 'CPIX', 'version', () => undefined),
        'ContentKeyUsageRuleList',
      ),
  },
  {
    rule: 'plain-cpix',
    how: 'SPEKE 1.0 without its namespace',
    speke: '1.0',
    break: (text) => changeAttribute(removeElements(text, 'ProtectionHeader'), 'CPIX', 'xmlns:speke', () => undefined),
  },
  {
    rule: 'drm-system-empty',
    how: 'a DRMSystem without children',
    break: (text) => text.replace(/(<cpix:DRMSystem [^>]*>)[\s\S]*?(<\/cpix:DRMSystem>)/, '$1$2'),
  },
  {
    rule: 'drm-system-empty',
    how: 'an empty DRMSystem of SPEKE 1.0',
    speke: '1.0',
    break: (text) => text.replace(/(<cpix:DRMSystem [^>]*)>[\s\S]*?<\/cpix:DRMSystem>/, '$1/>'),
  },
  { rule: 'list-missing', how: 'no ContentKeyList', break: (text) => removeElements(text, 'ContentKeyList') },
  { rule: 'list-missing', how: 'no DRMSystem', break: (text) => removeElements(text, 'DRMSystem') },
  { rule: 'kid-malformed', how: 'zeros', break: (text) => changeAttribute(text, 'ContentKey', 'kid', () => NIL) },
  {
    rule: 'kid-malformed',
    how: 'one kid for all',
    break: (text) => changeAttribute(text, 'ContentKey', 'kid', () => STRANGER),
  },
  {
    rule: 'iv-malformed',
    how: 'hex',
    break: (text) => changeAttribute(text, 'ContentKey', 'explicitIV', () => '00112233445566778899aabbccddeeff'),
  },
  {
    rule: 'scheme-missing',
    how: 'none',
    break: (text) => changeAttribute(text, 'ContentKey', 'commonEncryptionScheme', () => undefined),
  },
  {
    rule: 'scheme-missing',
    how: 'an HLS method in 2.0',
    break: (text) => changeAttribute(text, 'ContentKey', 'commonEncryptionScheme', () => 'SAMPLE-AES'),
  },
  {
    rule: 'schemes-mixed',
    how: 'cbcs for one of three',
    break: (text) => text.replace('commonEncryptionScheme="cenc"', 'commonEncryptionScheme="cbcs"'),
  },
  { rule: 'scheme-of-system', how: 'cbc1 with Widevine', break: (text) => text.replaceAll('"cenc"', '"cbc1"') },
  {
    rule: 'drm-system-malformed',
    how: 'a kid that is no key',
    break: (text) => changeAttribute(text, 'DRMSystem', 'kid', () => STRANGER),
  },
  {
    rule: 'drm-system-malformed',
    how: 'a system id in short',
    break: (text) => changeAttribute(text, 'DRMSystem', 'systemId', () => 'widevine'),
  },
  { rule: 'playlists', how: 'media twice', break: (text) => text.replaceAll('"master"', '"media"') },
  { rule: 'playlists', how: 'variant', break: (text) => text.replaceAll('"master"', '"variant"') },
  { rule: 'request-holds-answer', how: 'text in PSSH', break: (text) => changeText(text, 'PSSH', () => 'AAAA') },
  {
    rule: 'period-malformed',
    how: 'no index',
    break: (text) => changeAttribute(text, 'ContentKeyPeriod', 'index', () => undefined),
  },
  {
    rule: 'period-malformed',
    how: 'no id',
    break: (text) => changeAttribute(text, 'ContentKeyPeriod', 'id', () => undefined),
  },
  {
    rule: 'period-malformed',
    how: 'half an interval',
    speke: '2.1',
    break: (text) => changeAttribute(text, 'ContentKeyPeriod', 'end', () => undefined),
  },
  {
    rule: 'certificate',
    how: 'no DER',
    break: (text) => text.replace('<cpix:ContentKeyList>', `${delivery(NO_CERTIFICATE)}<cpix:ContentKeyList>`),
  },
  {
    rule: 'certificate',
    how: 'no recipient',
    break: (text) => text.replace('<cpix:ContentKeyList>', '<cpix:DeliveryDataList/><cpix:ContentKeyList>'),
  },
  {
    rule: 'v1-in-v2-request',
    how: 'URIExtXKey',
    break: (text) => text.replace('</cpix:DRMSystem>', '<cpix:URIExtXKey/></cpix:DRMSystem>'),
  },
  {
    rule: 'v1-several-keys',
    how: 'two keys',
    speke: '1.0',
    break: (text) =>
      text.replace(
        '</cpix:ContentKeyList>',
        `<cpix:ContentKey kid="${STRANGER}"/><cpix:ContentKey kid="${STRANGER.replace('4', '5')}"/></cpix:ContentKeyList>`,
      ),
  },
  {
    rule: 'contract-missing',
    how: 'no filter',
    break: (text) => removeElements(removeElements(text, 'VideoFilter'), 'AudioFilter'),
  },
  { rule: 'contract-missing', how: 'no list', break: (text) => removeElements(text, 'ContentKeyUsageRuleList') },
  {
    rule: 'contract-rule',
    how: 'a kid that is no key',
    break: (text) => changeAttribute(text, 'ContentKeyUsageRule', 'kid', () => STRANGER),
  },
  {
    rule: 'contract-rule',
    how: 'no track type',
    break: (text) => changeAttribute(text, 'ContentKeyUsageRule', 'intendedTrackType', () => undefined),
  },
  {
    rule: 'contract-rule',
    how: 'a LabelFilter',
    break: (text) =>
      text.replace('</cpix:ContentKeyUsageRule>', '<cpix:LabelFilter label="a"/></cpix:ContentKeyUsageRule>'),
  },
  {
    rule: 'contract-rule',
    how: 'a period that there is not',
    break: (text) => changeAttribute(text, 'KeyPeriodFilter', 'periodId', () => 'other'),
  },
  {
    rule: 'contract-filter-count',
    how: 'two filters for SD',
    break: (text) =>
      changeElements(text, 'VideoFilter', ({ end }) => ({ start: end, end, text: '<cpix:VideoFilter/>' })),
  },
  {
    rule: 'contract-filter-count',
    how: 'ALL with one filter',
    break: (text) => changeAttribute(text, 'ContentKeyUsageRule', 'intendedTrackType', () => 'ALL'),
  },
  {
    rule: 'contract-filter-attributes',
    how: 'an unknown attribute',
    break: (text) => changeAttribute(text, 'VideoFilter', 'codec', () => 'avc1'),
  },
  {
    rule: 'contract-filter-attributes',
    how: 'min above max',
    break: (text) =>
      changeAttribute(
        changeAttribute(text, 'VideoFilter', 'minPixels', () => '9'),
        'VideoFilter',
        'maxPixels',
        () => '8',
      ),
  },
  {
    rule: 'contract-track-type-twice',
    how: 'SD for all',
    break: (text) => changeAttribute(text, 'ContentKeyUsageRule', 'intendedTrackType', () => 'SD'),
  },
  {
    rule: 'contract-audio-with-uhd',
    how: 'UHD and audio under one key',
    break: (text) => text.replace(/intendedTrackType="HD">/, 'intendedTrackType="UHD+AUDIO"><cpix:AudioFilter/>'),
  },
  {
    rule: 'contract-ignored-filter',
    how: 'wcg',
    break: (text) => changeAttribute(text, 'VideoFilter', 'wcg', () => 'true'),
  },
]

const WIDEVINE = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'
const PLAYREADY = '9a04f079-9840-4286-ab92-e65be0885f95'
const FAIRPLAY = '94ce86fb-07ff-4f43-adb8-93d2fa968ca2'

const HLS = '<cpix:HLSSignalingData playlist="media"/><cpix:HLSSignalingData playlist="master"/>'
const BOX = '<cpix:ContentProtectionData/><cpix:PSSH/>'
const CHILDREN: Readonly<Record<string, string>> = { [WIDEVINE]: HLS + BOX, [PLAYREADY]: HLS + BOX, [FAIRPLAY]: HLS }
const TRACK_TYPES = ['SD', 'HD', 'UHD1', 'UHD2', 'HDR', 'AUDIO', 'STEREO_AUDIO', 'MULTICHANNEL_AUDIO']

/** The systems of a benchmark request: the first n. */
const SYSTEMS = [WIDEVINE, PLAYREADY, FAIRPLAY]

/** The IV that MediaPackage makes when its operator gives none. */
const IV = 'XwvaqRXqiqztaK7XvfTD0g=='

/** A key period. Digits that a load counts up make each request another period with other kids. */
export interface RequestPeriod {
  readonly index: string
  /** Twelve hexadecimal digits and one hyphen, `dddd-dddddddd`, within each kid. */
  readonly kidDigits: string
}

/** A SPEKE 2.0 request as for CMAF (cbcs, with the encryptor's own explicitIV) for `keys` content keys in `systems` DRM systems. */
export function requestOf(
  keys: number,
  systems: number,
  contentId: string,
  { deliveryData = '', period }: { readonly deliveryData?: string; readonly period?: RequestPeriod } = {},
): string {
  const kids = Array.from(
    { length: keys },
    (_, i) => `9eb4050d-e44b-4802-${period?.kidDigits ?? '932e-27d75083'}e2${(16 + i).toString(16)}`,
  )
  const trackType = (i: number): string =>
    keys === 1 ? 'VIDEO' : keys === 2 ? (['VIDEO', 'AUDIO'][i] ?? '') : (TRACK_TYPES[i] ?? '')
  const lines = [
    `<cpix:CPIX contentId="${contentId}" version="2.3" xmlns:cpix="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:enc="http://www.w3.org/2001/04/xmlenc#">`,
    deliveryData,
    '  <cpix:ContentKeyList>',
    ...kids.map(
      (kid) => `    <cpix:ContentKey kid="${kid}" explicitIV="${IV}" commonEncryptionScheme="cbcs"></cpix:ContentKey>`,
    ),
    '  </cpix:ContentKeyList>',
    '  <cpix:DRMSystemList>',
    ...SYSTEMS.slice(0, systems).flatMap((id) =>
      kids.map((kid) => `    <cpix:DRMSystem kid="${kid}" systemId="${id}">${CHILDREN[id]}</cpix:DRMSystem>`),
    ),
    '  </cpix:DRMSystemList>',
    ...(period === undefined
      ? []
      : [
          '  <cpix:ContentKeyPeriodList>',
          `    <cpix:ContentKeyPeriod id="keyPeriod_${period.index}" index="${period.index}"/>`,
          '  </cpix:ContentKeyPeriodList>',
        ]),
    '  <cpix:ContentKeyUsageRuleList>',
    ...kids.map((kid, i) => {
      const type = trackType(i)
      const filter = type.includes('AUDIO') ? '<cpix:AudioFilter/>' : '<cpix:VideoFilter/>'
      const during = period === undefined ? '' : `<cpix:KeyPeriodFilter periodId="keyPeriod_${period.index}"/>`
      return `    <cpix:ContentKeyUsageRule kid="${kid}" intendedTrackType="${type}">${during}${filter}</cpix:ContentKeyUsageRule>`
    }),
    '  </cpix:ContentKeyUsageRuleList>',
    '</cpix:CPIX>',
  ]
  return lines.filter((line) => line !== '').join('\n')
}

/** The DeliveryDataList for one recipient. */
export function deliveryDataFor(certificate: string): string {
  const key = `<ds:X509Data><ds:X509Certificate>${certificate}</ds:X509Certificate></ds:X509Data>`
  return `  <cpix:DeliveryDataList><cpix:DeliveryData id="recipient"><cpix:DeliveryKey>${key}</cpix:DeliveryKey></cpix:DeliveryData></cpix:DeliveryDataList>`
}

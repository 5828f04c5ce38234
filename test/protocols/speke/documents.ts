/** Request documents for tests, built from parts so that a test can break one thing at a time. */

export const WIDEVINE = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'
export const PLAYREADY = '9a04f079-9840-4286-ab92-e65be0885f95'
export const FAIRPLAY = '94ce86fb-07ff-4f43-adb8-93d2fa968ca2'
export const AES_128 = '3ea8778f-7742-4bf9-b18b-e834b2acbd47'
export const AES_128_V1 = '81376844-f976-481e-a84e-cc25d39b0b33'
export const SAMPLE_AES = 'be58615b-19c4-4684-88b3-c8c57e99e957'
export const COMMON_PSSH = '1077efec-c0b2-4d02-ace3-3c1e52e2fb4b'
export const CLEARKEY_DASH = 'e2719d58-a985-b3c9-781a-b030af78d30e'

export const KIDS = [
  '9eb4050d-e44b-4802-932e-27d75083e266',
  '087bcfc6-f7a5-5716-b840-6aa6eba3369e',
  '26202565-6ad1-41a0-88cd-7bf068baa222',
  '16b01168-77df-4bc7-8e86-7016bcc9ec92',
  'e8e39b4e-69f2-46ad-b423-098294c00550',
  '5227a7ff-5d0d-4ca3-b8b0-1e6c907175f2',
  '0e503bd0-3e38-4759-b472-4006ee8202cd',
  '45028846-2614-4995-8b88-188305946993',
  '9c07d363-3934-422b-bb1b-25228132270e',
] as const
export const [KID = '', KID_2 = ''] = KIDS

const HLS = '<cpix:HLSSignalingData playlist="media"/><cpix:HLSSignalingData playlist="master"/>'
const BOX = '<cpix:ContentProtectionData/><cpix:PSSH/>'
/** The empty children that an encryptor sends for a system in SPEKE 2. */
const CHILDREN: Readonly<Record<string, string>> = {
  [WIDEVINE]: HLS + BOX,
  [PLAYREADY]: `${HLS}${BOX}<cpix:SmoothStreamingProtectionHeaderData/>`,
  [FAIRPLAY]: HLS,
  [AES_128]: HLS,
  [SAMPLE_AES]: HLS,
  [COMMON_PSSH]: BOX,
  [CLEARKEY_DASH]: '<cpix:ContentProtectionData/>',
}

/** The parts of a document; each may be replaced whole. */
export interface Parts {
  readonly root?: string
  readonly contentKeys?: string
  readonly drmSystems?: string
  readonly periods?: string
  readonly rules?: string
  readonly deliveryData?: string
}

export interface Wish {
  readonly kids?: readonly string[]
  readonly scheme?: string
  readonly systems?: readonly string[]
  readonly rules?: string
  readonly contentId?: string
}

const NAMESPACES = 'xmlns:cpix="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc"'
const TRACKS = ['VIDEO', 'AUDIO', 'SD', 'HD', 'UHD', 'UHD1', 'UHD2', 'STEREO_AUDIO', 'MULTICHANNEL_AUDIO']

export const ALL_RULE = (kid: string): string =>
  `<cpix:ContentKeyUsageRule kid="${kid}" intendedTrackType="ALL"><cpix:AudioFilter/><cpix:VideoFilter/></cpix:ContentKeyUsageRule>`

export function rule(kid: string, trackType: string, filters: string): string {
  return `<cpix:ContentKeyUsageRule kid="${kid}" intendedTrackType="${trackType}">${filters}</cpix:ContentKeyUsageRule>`
}

/** The document of `parts` in SPEKE 2: a part that is '' leaves its list out. */
export function documentOf({
  root,
  contentKeys = '',
  drmSystems = '',
  periods = '',
  rules = '',
  deliveryData = '',
}: Parts): string {
  const list = (name: string, entries: string): string =>
    entries === '' ? '' : `<cpix:${name}>${entries}</cpix:${name}>`
  return [
    `<cpix:CPIX ${root ?? 'contentId="movie" version="2.3"'} ${NAMESPACES}>`,
    list('DeliveryDataList', deliveryData),
    list('ContentKeyList', contentKeys),
    list('DRMSystemList', drmSystems),
    list('ContentKeyPeriodList', periods),
    list('ContentKeyUsageRuleList', rules),
    '</cpix:CPIX>',
  ].join('')
}

/** The parts of a sound SPEKE 2 request. */
export function partsOf({
  kids = [KID],
  scheme = 'cenc',
  systems = [WIDEVINE],
  rules,
  contentId = 'movie',
}: Wish): Required<Parts> {
  const ownRules = kids.map((kid, i) => {
    const trackType = TRACKS[i] ?? `TRACK${i}`
    return rule(kid, trackType, trackType.includes('AUDIO') ? '<cpix:AudioFilter/>' : '<cpix:VideoFilter/>')
  })
  return {
    root: `contentId="${contentId}" version="2.3"`,
    contentKeys: kids.map((kid) => `<cpix:ContentKey kid="${kid}" commonEncryptionScheme="${scheme}"/>`).join(''),
    drmSystems: systems
      .flatMap((id) =>
        kids.map((kid) => `<cpix:DRMSystem kid="${kid}" systemId="${id}">${CHILDREN[id] ?? ''}</cpix:DRMSystem>`),
      )
      .join(''),
    periods: '',
    rules: rules ?? (kids.length === 1 ? ALL_RULE(kids[0] ?? '') : ownRules.join('')),
    deliveryData: '',
  }
}

/** A sound SPEKE 2 request. */
export function requestFor(wish: Wish = {}, changed: Parts = {}): string {
  return documentOf({ ...partsOf(wish), ...changed })
}

import { DRM_SYSTEMS } from '../../src/formats/drm/facts.ts'
import { certificateOf, rsaKeys } from '../../test/formats/cpix/certificates.ts'
import type { Random } from './mutate.ts'

/** A request made by the grammar of CPIX and SPEKE, and the version header that goes with it. */
export interface Grown {
  readonly xml: string
  readonly version: string | undefined
}

const SCHEMES = ['cenc', 'cbcs', 'cens', 'cbc1']
const TRACKS = [
  'VIDEO',
  'AUDIO',
  'SD',
  'HD',
  'UHD',
  'UHD1',
  'UHD2',
  'HDR',
  'STEREO_AUDIO',
  'MULTICHANNEL_AUDIO',
  'ALL',
  'SD+HD',
  'HD+UHD1',
]
const FILTERS = ['VideoFilter', 'AudioFilter', 'BitrateFilter', 'LabelFilter', 'KeyPeriodFilter']
const FILTER_ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  VideoFilter: [
    'minPixels="1"',
    'maxPixels="589824"',
    'minPixels="589825"',
    'maxPixels="2073600"',
    'hdr="true"',
    'wcg="false"',
    'minFps="30"',
    'maxFps="60"',
  ],
  AudioFilter: ['minChannels="1"', 'maxChannels="2"', 'minChannels="3"', 'maxChannels="64"'],
  BitrateFilter: ['minBitrate="1"', 'maxBitrate="1000"'],
  LabelFilter: ['label="a"'],
  KeyPeriodFilter: ['periodId="p0"', 'periodId="p1"'],
}
const CHILDREN = [
  'PSSH',
  'ContentProtectionData',
  'URIExtXKey',
  'SmoothStreamingProtectionHeaderData',
  'HDSSignalingData',
]
const IDS = [
  'film',
  'live-1',
  'a b',
  'é𝒳',
  '../',
  '&amp;',
  '&#x1F600;',
  '"'.replace('"', '&quot;'),
  'x'.repeat(256),
  'x'.repeat(257),
  '',
]
const BETWEEN = ['', '\n  ', '<!-- between -->', ' \t\r\n']
const IN_THE_WAY = ['<other xmlns="urn:other"/>', '<![CDATA[ ]]>', 'text', '<?pi?>']

/** Certificates to encrypt for: a good one, one too weak, and what is none. */
const CERTIFICATES = [
  certificateOf({ publicKey: rsaKeys(2048).publicKey }).toString('base64'),
  certificateOf({ publicKey: rsaKeys(1024).publicKey }).toString('base64'),
  'AAAA',
]

/**
 * Grows a request: sound in most places, and now and then with a part too many, too few, of another version or of another
 * element, so that every check after the parser is reached.
 */
export function grow(next: Random): Grown {
  const upTo = (limit: number): number => Math.floor(next() * limit)
  const pick = <T>(items: readonly T[]): T => items[upTo(items.length)] as T
  // Most documents are sound throughout: else none of the large ones would be.
  const isTroubled = next() < 0.4
  const rarely = (share = 0.04): boolean => isTroubled && next() < share
  const some = <T>(items: readonly T[], most: number): readonly T[] =>
    Array.from({ length: upTo(most + 1) }, () => pick(items))
  const p = pick(['cpix:', 'cpix:', 'cpix:', '', 'c:'])
  const s = pick(['pskc:', 'k:'])
  const between = (): string => (rarely(0.02) ? pick(IN_THE_WAY) : next() < 0.15 ? pick(BETWEEN) : '')
  const element = (name: string, attributes: readonly string[], inside = ''): string => {
    const open = `<${p}${name}${attributes.map((one) => ` ${one}`).join('')}`
    return (
      between() +
      (inside === '' && next() < 0.7 ? `${open}/>` : `${open}>${inside}${inside === '' ? '' : between()}</${p}${name}>`)
    )
  }
  const list = (name: string, entries: readonly string[]): string =>
    entries.length === 0 && !rarely() ? '' : element(name, [], entries.join(''))

  const version = pick(['1.0', '2.0', '2.0', '2.0', '2.1', '2.1', undefined])
  const major = version === '1.0' || version === undefined ? 1 : 2
  const periods = next() < 0.4 ? Array.from({ length: 1 + upTo(3) }, (_, i) => `p${i}`) : []
  const most = major === 1 ? Math.max(1, periods.length) : 8
  const kids = Array.from({ length: 1 + upTo(most) + (rarely() ? 1 : 0) }, (_, i) => {
    const kid = `00000000-0000-4000-8000-${(upTo(50) * 16 + i).toString(16).padStart(12, '0')}`
    return next() < 0.2 ? kid.toUpperCase() : kid
  })
  const scheme = pick(SCHEMES)
  const schemes = rarely(0.1) ? kids.map(() => pick(SCHEMES)) : kids.map(() => scheme)

  const key = (kid: string, i: number): string => {
    const attributes = [`kid="${kid}"`]
    if (major === 2 || rarely()) attributes.push(`commonEncryptionScheme="${schemes[i] ?? scheme}"`)
    if (next() < 0.3)
      attributes.push(`explicitIV="${Buffer.from(kid.slice(0, rarely() ? 12 : 16)).toString('base64')}"`)
    if (rarely()) attributes.push('dependsOnKey="x"', 'id="k"')
    const inside = rarely() ? `<${s}Secret><${s}PlainValue>AAAA</${s}PlainValue></${s}Secret>` : ''
    return element('ContentKey', attributes, inside === '' ? '' : element('Data', [], inside))
  }
  const playlists = (): string =>
    ['media', 'master', ...(rarely() ? ['media'] : [])]
      .map((one) => element('HLSSignalingData', [`playlist="${one}"`]))
      .join('')
  const system = (kid: string, systemId: string): string => {
    const inside = [
      ...(next() < 0.6 ? [playlists()] : []),
      ...[...new Set(some(CHILDREN, 4))].map((name) => element(name, [])),
    ]
    if (rarely()) inside.push(element(pick(CHILDREN), [], 'AAAA'))
    return element(
      'DRMSystem',
      [`kid="${kid}"`, `systemId="${next() < 0.1 ? systemId.toUpperCase() : systemId}"`],
      inside.join(''),
    )
  }
  const known = [...DRM_SYSTEMS.values()].filter(
    ({ commonEncryptionSchemes, spekeMajors }) =>
      rarely() ||
      (spekeMajors.includes(major) && (major === 1 || commonEncryptionSchemes.some((one) => one === scheme))),
  )
  const systems = [...new Set([pick(known), ...some(known, 4)])].flatMap((one) =>
    one === undefined ? [] : [one.systemId],
  )
  if (rarely()) systems.push('11111111-2222-4333-8444-555555555555' as (typeof systems)[number])
  const filter = (name: string): string => element(name, [...new Set(some(FILTER_ATTRIBUTES[name] ?? [], 2))])
  const rule = (kid: string, i: number): string => {
    const track = kids.length === 1 ? 'ALL' : rarely(0.2) ? pick(TRACKS) : (TRACKS[i] ?? 'VIDEO')
    const filters = [
      track === 'ALL' ? ['VideoFilter', 'AudioFilter'] : track.includes('AUDIO') ? ['AudioFilter'] : ['VideoFilter'],
    ].flat()
    if (rarely(0.1)) filters.push(pick(FILTERS))
    const ofPeriod = periods.length === 0 ? '' : element('KeyPeriodFilter', [`periodId="${pick(periods)}"`])
    return element(
      'ContentKeyUsageRule',
      [`kid="${kid}"`, `intendedTrackType="${track}"`],
      filters.map(filter).join('') + ofPeriod,
    )
  }
  const period = (id: string, i: number): string =>
    element('ContentKeyPeriod', [
      `id="${id}"`,
      pick([
        `index="${i + 1}"`,
        'start="2026-01-01T00:00:00Z" end="2026-01-01T01:00:00Z"',
        'startOffset="PT0S" endOffset="PT1H"',
      ]),
    ])
  const recipient = (certificate: string): string =>
    element(
      'DeliveryData',
      [],
      element('DeliveryKey', [], `<ds:X509Data><ds:X509Certificate>${certificate}</ds:X509Certificate></ds:X509Data>`),
    )

  const lists = [
    // Encrypting is a thousand times as dear as anything else.
    list('DeliveryDataList', rarely(0.02) ? some(CERTIFICATES, 2).map(recipient) : []),
    list('ContentKeyList', kids.map(key)),
    list(
      'DRMSystemList',
      kids.flatMap((kid) => systems.map((systemId) => system(kid, systemId))),
    ),
    list('ContentKeyPeriodList', periods.map(period)),
    list(
      'ContentKeyUsageRuleList',
      major === 2 || rarely() ? kids.map(rule) : periods.map((_, i) => rule(kids[i % kids.length] ?? '', i)),
    ),
  ]
  if (rarely()) lists.reverse()
  if (rarely()) lists.push(pick(lists))
  const prefix = p === '' ? 'xmlns' : `xmlns:${p.slice(0, -1)}`
  const attributes = [
    `${prefix}="urn:dashif:org:cpix"`,
    `xmlns:${s.slice(0, -1)}="urn:ietf:params:xml:ns:keyprov:pskc"`,
    'xmlns:ds="http://www.w3.org/2000/09/xmldsig#"',
    `${major === 1 ? 'id' : 'contentId'}="${rarely(0.1) ? pick(IDS) : `content-${upTo(200)}`}"`,
    ...(major === 2 ? [`version="${rarely() ? '9.9' : version === '2.1' ? '2.4' : '2.3'}"`] : []),
  ]
  const declaration = next() < 0.3 ? '<?xml version="1.0" encoding="UTF-8"?>\n' : ''
  return { xml: declaration + element('CPIX', attributes, lists.join('')), version }
}

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DEFAULT_SETTINGS } from '../../../src/formats/drm/settings.ts'
import { type PlayReadyVectors, vectors } from '../../formats/drm/vectors.ts'
import {
  answering,
  childText,
  drmSystemOf,
  type Outcome,
  plainKeys,
  type Setup,
  VECTOR_KEY,
  VECTOR_KID,
} from './answering.ts'
import {
  AES_128,
  AES_128_V1,
  CLEARKEY_DASH,
  COMMON_PSSH,
  documentOf,
  FAIRPLAY,
  KID,
  KIDS,
  PLAYREADY,
  partsOf,
  rule,
  SAMPLE_AES,
  WIDEVINE,
} from './documents.ts'

interface SignalingVectors {
  readonly origin: string
  readonly wv_pssh_cenc_b64: string
  readonly wv_pssh_cbcs_b64: string
  readonly w3c_pssh_b64: string
  readonly common_pssh_fragment_b64: string
}
const signaling = vectors<SignalingVectors>('signaling.json')
const playready = vectors<PlayReadyVectors>('playready.json')
const object = (version: string): { object: string; pssh: string } =>
  playready.objects.find((candidate) => candidate.version === version) ?? assert.fail(version)
const setup: Setup = {
  profile: { settings: { ...DEFAULT_SETTINGS, playready: { ...DEFAULT_SETTINGS.playready, laUrl: playready.laUrl } } },
}

const V2_CHILDREN = [
  'PSSH',
  'ContentProtectionData',
  'HLSSignalingData@media',
  'HLSSignalingData@master',
  'SmoothStreamingProtectionHeaderData',
]
/** What MediaPackage v1 sends for every system (speke.md 4.1). */
const V1_CHILDREN = [
  'ContentProtectionData',
  'speke:KeyFormat',
  'speke:KeyFormatVersions',
  'speke:ProtectionHeader',
  'PSSH',
  'URIExtXKey',
]
const SPEKE = ' xmlns:speke="urn:aws:amazon:com:speke"'
const tag = (name: string): string => {
  const [local = '', playlist] = name.split('@')
  return `<${local.includes(':') ? local : `cpix:${local}`}${playlist === undefined ? '' : ` playlist="${playlist}"`}/>`
}
const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** A request for one system with these children, and its answer. */
async function filled(
  version: 'v1' | 'v2',
  systemId: string,
  scheme: string,
  children: readonly string[],
): Promise<{ outcome: Outcome; text: (name: string) => string | undefined }> {
  const content = children.map(tag).join('')
  const xml = documentOf({
    ...partsOf({ scheme, contentId: 'movie-42' }),
    ...(version === 'v1' ? { root: `id="movie-42"${SPEKE}`, rules: '' } : {}),
    drmSystems: `<cpix:DRMSystem kid="${VECTOR_KID}" systemId="${systemId}">${content}</cpix:DRMSystem>`,
  })
  const outcome = await answering(setup)(version === 'v1' ? undefined : '2.0', xml)
  const element = drmSystemOf(outcome.document, systemId, VECTOR_KID)
  return { outcome, text: (name) => childText(outcome.document, element, name.replace('speke:', '')) }
}

const cencPssh = (box: string): string => `<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">${box}</cenc:pssh>`
const line = (attributes: string): Readonly<Record<string, string>> => ({
  'HLSSignalingData@media': base64(`#EXT-X-KEY:${attributes}`),
  'HLSSignalingData@master': base64(`#EXT-X-SESSION-KEY:${attributes}`),
})
const widevineLine = (method: string, box: string) =>
  line(
    `METHOD=${method},URI="data:text/plain;base64,${box}",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed",KEYFORMATVERSIONS="1"`,
  )
const playreadyRow = (method: string, version: string): Readonly<Record<string, string>> => {
  const { object: pro, pssh } = object(version)
  return {
    PSSH: pssh,
    ContentProtectionData: base64(`${cencPssh(pssh)}<mspr:pro xmlns:mspr="urn:microsoft:playready">${pro}</mspr:pro>`),
    SmoothStreamingProtectionHeaderData: pro,
    ...line(
      `METHOD=${method},KEYFORMAT="com.microsoft.playready",KEYFORMATVERSIONS="1",URI="data:text/plain;charset=UTF-16;base64,${pro}"`,
    ),
  }
}
const keyUrl = `https://keys.example.com/keys/default/movie-42/${VECTOR_KID}`
const keyLine = (method: string) => line(`METHOD=${method},URI="${keyUrl}",KEYFORMAT="identity",KEYFORMATVERSIONS="1"`)

/** speke.md 5.2, v2: what each element holds; those not named stay as they came. */
const V2: readonly (readonly [name: string, systemId: string, scheme: string, Readonly<Record<string, string>>])[] = [
  [
    'Widevine',
    WIDEVINE,
    'cenc',
    {
      PSSH: signaling.wv_pssh_cenc_b64,
      ContentProtectionData: base64(cencPssh(signaling.wv_pssh_cenc_b64)),
      ...widevineLine('SAMPLE-AES-CTR', signaling.wv_pssh_cenc_b64),
    },
  ],
  [
    'Widevine',
    WIDEVINE,
    'cbcs',
    {
      PSSH: signaling.wv_pssh_cbcs_b64,
      ContentProtectionData: base64(cencPssh(signaling.wv_pssh_cbcs_b64)),
      ...widevineLine('SAMPLE-AES', signaling.wv_pssh_cbcs_b64),
    },
  ],
  ['PlayReady', PLAYREADY, 'cenc', playreadyRow('SAMPLE-AES-CTR', '4.0.0.0')],
  ['PlayReady', PLAYREADY, 'cbcs', playreadyRow('SAMPLE-AES', '4.3.0.0')],
  ['HLS AES-128', AES_128, 'cbc1', keyLine('AES-128')],
  ['HLS SAMPLE-AES', SAMPLE_AES, 'cbcs', keyLine('SAMPLE-AES')],
  [
    'W3C common PSSH',
    COMMON_PSSH,
    'cenc',
    { PSSH: signaling.w3c_pssh_b64, ContentProtectionData: signaling.common_pssh_fragment_b64 },
  ],
]

describe(`SPEKE 2 fills, by the vectors of ${signaling.origin}`, () => {
  for (const [name, systemId, scheme, expected] of V2) {
    test(`${name} under ${scheme}: all children`, async () => {
      const { outcome, text } = await filled('v2', systemId, scheme, V2_CHILDREN)
      for (const child of V2_CHILDREN) {
        assert.equal(text(child), expected[child] ?? '', child)
        if (expected[child] === undefined) assert.ok(outcome.xml.includes(tag(child)), `${child} stays as it came`)
      }
    })

    test(`${name} under ${scheme}: only the child that was asked for`, async () => {
      for (const child of V2_CHILDREN.filter((candidate) => !candidate.includes('@'))) {
        const { outcome, text } = await filled('v2', systemId, scheme, [child])
        for (const other of V2_CHILDREN) {
          assert.equal(text(other), other === child ? (expected[child] ?? '') : undefined, other)
        }
        assert.ok(!outcome.xml.includes('HLSSignalingData'))
      }
    })

    test(`${name} under ${scheme}: nothing where nothing was asked for`, async () => {
      const { outcome } = await filled('v2', systemId, scheme, [])
      assert.ok(outcome.xml.includes(`<cpix:DRMSystem kid="${VECTOR_KID}" systemId="${systemId}"></cpix:DRMSystem>`))
    })
  }

  test('the content key as base64', async () => {
    const { outcome } = await filled('v2', WIDEVINE, 'cenc', [])
    assert.deepEqual(plainKeys(outcome.document), { [VECTOR_KID]: VECTOR_KEY.toString('base64') })
    assert.ok(
      outcome.xml.includes(
        `<cpix:ContentKey kid="${VECTOR_KID}" commonEncryptionScheme="cenc"><cpix:Data><pskc:Secret><pskc:PlainValue>${VECTOR_KEY.toString('base64')}</pskc:PlainValue></pskc:Secret></cpix:Data></cpix:ContentKey>`,
      ),
    )
  })

  test('FairPlay: both lines, JSON in the skd URI, ContentProtectionData gone, PSSH kept as it came', async () => {
    const { outcome, text } = await filled('v2', FAIRPLAY, 'cbcs', V2_CHILDREN)
    const lines = ['media', 'master'].map((playlist) =>
      Buffer.from(text(`HLSSignalingData@${playlist}`) ?? '', 'base64').toString(),
    )
    const [media = '', master = ''] = lines
    const attributes = /^#EXT-X-KEY:(.*)$/.exec(media)?.[1] ?? assert.fail(media)
    assert.equal(master, `#EXT-X-SESSION-KEY:${attributes}`)
    const [, json = ''] =
      /^METHOD=SAMPLE-AES,URI="skd:\/\/([A-Za-z0-9+/=]+)",KEYFORMAT="com\.apple\.streamingkeydelivery",KEYFORMATVERSIONS="1"$/.exec(
        attributes,
      ) ?? []
    const { IV, ...rest } = JSON.parse(Buffer.from(json, 'base64').toString()) as { IV: string }
    assert.deepEqual(rest, { ContentId: 'movie-42', KeyId: VECTOR_KID })
    assert.ok(outcome.xml.includes(`explicitIV="${IV}"`))
    assert.equal(text('ContentProtectionData'), undefined)
    assert.ok(outcome.xml.includes('<cpix:PSSH/>'))
    assert.ok(outcome.xml.includes('<cpix:SmoothStreamingProtectionHeaderData/>'))
  })

  test('FairPlay: no PSSH where none was sent (A-13)', async () => {
    const { outcome } = await filled('v2', FAIRPLAY, 'cbcs', ['HLSSignalingData@media', 'HLSSignalingData@master'])
    assert.ok(!outcome.xml.includes('PSSH'))
  })

  test('ClearKey DASH: where to ask for a licence', async () => {
    const { text } = await filled('v2', CLEARKEY_DASH, 'cenc', ['ContentProtectionData', 'PSSH'])
    const fragment = Buffer.from(text('ContentProtectionData') ?? '', 'base64').toString()
    assert.match(fragment, /xmlns:dashif="https:\/\/dashif\.org\/CPS"/)
    assert.match(fragment, />https:\/\/keys\.example\.com\/license\/clearkey\/default\/movie-42</)
    assert.equal(text('PSSH'), '')
  })

  test('every HLS line is one line, METHOD first, its attributes the same in both playlists (A-24)', async () => {
    for (const [, systemId, scheme] of [...V2, ['FairPlay', FAIRPLAY, 'cbcs'] as const]) {
      const { text } = await filled('v2', systemId, scheme, ['HLSSignalingData@media', 'HLSSignalingData@master'])
      const [media = '', master = ''] = ['media', 'master'].map((playlist) =>
        Buffer.from(text(`HLSSignalingData@${playlist}`) ?? '', 'base64').toString(),
      )
      if (media === '' && master === '') continue
      assert.match(media, /^#EXT-X-KEY:METHOD=[A-Z0-9-]+,[^\r\n]+$/)
      assert.equal(master, media.replace('#EXT-X-KEY:', '#EXT-X-SESSION-KEY:'))
      assert.doesNotMatch(media, /SCHEME=|METHOD=NONE|,IV=|\ufeff/)
    }
  })
})

/** speke.md 5.2, v1. */
const V1: readonly (readonly [name: string, systemId: string, Readonly<Record<string, string>>])[] = [
  ['Widevine', WIDEVINE, { PSSH: signaling.wv_pssh_cenc_b64 }],
  ['PlayReady', PLAYREADY, { PSSH: object('4.0.0.0').pssh, 'speke:ProtectionHeader': object('4.0.0.0').object }],
  [
    'HLS AES-128',
    AES_128_V1,
    { URIExtXKey: base64(keyUrl), 'speke:KeyFormat': 'aWRlbnRpdHk=', 'speke:KeyFormatVersions': 'MQ==' },
  ],
  [
    'HLS AES-128 under its registered id',
    AES_128,
    { URIExtXKey: base64(keyUrl), 'speke:KeyFormat': 'aWRlbnRpdHk=', 'speke:KeyFormatVersions': 'MQ==' },
  ],
  [
    'W3C common PSSH',
    COMMON_PSSH,
    { PSSH: signaling.w3c_pssh_b64, ContentProtectionData: signaling.common_pssh_fragment_b64 },
  ],
]

describe('SPEKE 1.0 fills', () => {
  for (const [name, systemId, expected] of V1) {
    test(`${name}: of the six children those that apply, the others stay empty elements`, async () => {
      const { outcome, text } = await filled('v1', systemId, '', V1_CHILDREN)
      for (const child of V1_CHILDREN) {
        assert.equal(text(child), expected[child] ?? '', child)
        if (expected[child] === undefined) assert.ok(outcome.xml.includes(tag(child)), `${child} stays as it came`)
      }
    })

    test(`${name}: adds no child that was not sent`, async () => {
      for (const child of V1_CHILDREN) {
        const { text } = await filled('v1', systemId, '', [child])
        for (const other of V1_CHILDREN) {
          assert.equal(text(other), other === child ? (expected[child] ?? '') : undefined)
        }
      }
    })
  }

  test('FairPlay: an skd URI (A-32), KEYFORMAT and KEYFORMATVERSIONS', async () => {
    const { outcome, text } = await filled('v1', FAIRPLAY, '', V1_CHILDREN)
    assert.match(Buffer.from(text('URIExtXKey') ?? '', 'base64').toString(), /^skd:\/\/[A-Za-z0-9+/=]+$/)
    assert.equal(text('speke:KeyFormat'), 'Y29tLmFwcGxlLnN0cmVhbWluZ2tleWRlbGl2ZXJ5')
    assert.equal(text('speke:KeyFormatVersions'), 'MQ==')
    for (const child of ['ContentProtectionData', 'speke:ProtectionHeader', 'PSSH']) {
      assert.ok(outcome.xml.includes(tag(child)))
    }
  })

  test('a document keeps its speke namespace', async () => {
    const { outcome } = await filled('v1', WIDEVINE, '', V1_CHILDREN)
    assert.ok(outcome.xml.includes(SPEKE))
  })
})

describe('text that stands in an element already', () => {
  const stale = (systemId: string, scheme: string, content: string) =>
    answering()(
      '2.0',
      documentOf({
        ...partsOf({ scheme }),
        drmSystems: `<cpix:DRMSystem kid="${KID}" systemId="${systemId}">${content}</cpix:DRMSystem>`,
      }),
    )

  for (const old of ['c3RhbGU=', ' c3RhbGU= ', '<![CDATA[c3RhbGU=]]>', 'c3Rh&#98;GU=', 'c3<!-- note -->RhbGU=']) {
    test(`${old} is replaced where the element applies`, async () => {
      const { xml, document } = await stale(WIDEVINE, 'cenc', `<cpix:PSSH>${old}</cpix:PSSH>`)
      assert.equal(childText(document, drmSystemOf(document, WIDEVINE, KID), 'PSSH'), signaling.wv_pssh_cenc_b64)
      assert.equal(xml.includes('<!-- note -->'), old.includes('<!-- note -->'))
    })

    test(`${old} is emptied where it does not`, async () => {
      const { document } = await stale(FAIRPLAY, 'cbcs', `<cpix:PSSH>${old}</cpix:PSSH>`)
      assert.equal(childText(document, drmSystemOf(document, FAIRPLAY, KID), 'PSSH'), '')
    })
  }

  for (const blank of [
    '<cpix:PSSH/>',
    '<cpix:PSSH  />',
    '<cpix:PSSH></cpix:PSSH>',
    '<cpix:PSSH>\n  </cpix:PSSH>',
    '<cpix:PSSH><!-- x --></cpix:PSSH>',
  ]) {
    test(`${JSON.stringify(blank)} stays byte for byte where it does not apply`, async () => {
      assert.ok((await stale(FAIRPLAY, 'cbcs', blank)).xml.includes(blank))
    })
  }

  test('an element where text should be is refused', async () => {
    await assert.rejects(stale(WIDEVINE, 'cenc', '<cpix:PSSH><cpix:PSSH/></cpix:PSSH>'), { code: 'ERR_CPIX_INVALID' })
  })

  test('an element of the same kind twice is refused', async () => {
    await assert.rejects(stale(WIDEVINE, 'cenc', '<cpix:PSSH/><cpix:PSSH/>'), { code: 'ERR_CPIX_INVALID' })
  })
})

test('the W3C box lists its own kid first, then the others of the key period in document order', async () => {
  const kids = KIDS.slice(0, 4)
  const periodOf = ['p1', 'p1', 'p2', undefined]
  const { document } = await answering()(
    '2.0',
    documentOf({
      ...partsOf({ kids, systems: [COMMON_PSSH] }),
      periods: '<cpix:ContentKeyPeriod id="p1" index="1"/><cpix:ContentKeyPeriod id="p2" index="2"/>',
      rules: kids
        .map((kid, i) => {
          const period = periodOf[i] === undefined ? '' : `<cpix:KeyPeriodFilter periodId="${periodOf[i]}"/>`
          return rule(kid, `T${i}`, `${period}<cpix:VideoFilter/>`)
        })
        .join(''),
    }),
  )
  const listed = kids.map((kid) => {
    const box = Buffer.from(childText(document, drmSystemOf(document, COMMON_PSSH, kid), 'PSSH') ?? '', 'base64')
    const count = box.readUInt32BE(28)
    return Array.from({ length: count }, (_, i) => {
      const hex = box.toString('hex', 32 + i * 16, 48 + i * 16)
      return kids.findIndex((candidate) => candidate.replaceAll('-', '') === hex)
    })
  })
  assert.deepEqual(listed, [
    [0, 1, 3],
    [1, 0, 3],
    [2, 3],
    [3, 0, 1, 2],
  ])
})

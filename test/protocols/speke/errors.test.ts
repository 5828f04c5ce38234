import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ErrorCode } from '../../../src/core/errors.ts'
import { readXml } from '../../../src/formats/xml/reader.ts'
import { answering, elementsOf, refusalOf } from './answering.ts'
import {
  ALL_RULE,
  documentOf,
  FAIRPLAY,
  KID,
  KID_2,
  KIDS,
  type Parts,
  partsOf,
  requestFor,
  rule,
  WIDEVINE,
} from './documents.ts'

const UPPER = KID.toUpperCase()
const key = (kid: string, scheme?: string): string =>
  `<cpix:ContentKey kid="${kid}"${scheme === undefined ? '' : ` commonEncryptionScheme="${scheme}"`}/>`
const system = (kid: string, systemId: string): string => `<cpix:DRMSystem kid="${kid}" systemId="${systemId}"/>`

/** speke.md 3, each string as encryptors and suites compare it. */
const STRINGS: readonly (readonly [ErrorCode, message: string, header: string, changed: Parts])[] = [
  ['ERR_SPEKE_CONTENT_ID_MISSING', 'Missing CPIX@contentId', '2.0', { root: 'version="2.3"' }],
  ['ERR_SPEKE_CPIX_VERSION_MISSING', 'Missing CPIX@version', '2.0', { root: 'contentId="movie"' }],
  [
    'ERR_SPEKE_CPIX_VERSION_UNSUPPORTED',
    'Unsupported CPIX@version',
    '2.0',
    { root: 'contentId="movie" version="2.4"' },
  ],
  [
    'ERR_SPEKE_SCHEME_MISSING',
    `Missing ContentKey@commonEncryptionScheme for KID ${UPPER}`,
    '2.0',
    { contentKeys: key(UPPER) },
  ],
  [
    'ERR_SPEKE_SCHEME_MISSING',
    `Missing ContentKey@commonEncryptionScheme for KID ${KID_2}`,
    '2.0',
    { contentKeys: key(KID, 'cenc') + key(KID_2, '') + key(KIDS[2]) },
  ],
  [
    'ERR_SPEKE_SCHEME_COMBINATION',
    'Non compliant ContentKey@commonEncryptionScheme combination',
    '2.0',
    { contentKeys: key(KID, 'cenc') + key(KID_2, 'cbcs') },
  ],
  [
    'ERR_SPEKE_SCHEME_DRM_SYSTEM',
    `ContentKey@commonEncryptionScheme non compatible with DRMSystem ${FAIRPLAY.toUpperCase()}`,
    '2.0',
    { drmSystems: system(KID, WIDEVINE) + system(KID, FAIRPLAY.toUpperCase()) },
  ],
  ['ERR_SPEKE_VERSION_UNSUPPORTED', 'Unsupported SPEKE version', '2.2', {}],
  ['ERR_SPEKE_CONTRACT_MALFORMED', 'Malformed encryption contract', '2.0', { rules: ALL_RULE(KID) + ALL_RULE(KID) }],
  [
    'ERR_SPEKE_CONTRACT_UNSUPPORTED',
    'Requested CPIX encryption contract not supported',
    '2.0',
    { rules: rule(KID, 'AUDIO+UHD', '<cpix:AudioFilter/><cpix:VideoFilter minPixels="2073601"/>') },
  ],
  ['ERR_SPEKE_CONTRACT_MISSING', 'Missing CPIX encryption contract', '2.0', { rules: '' }],
]

describe('the ten refusals of SPEKE', () => {
  for (const [code, message, header, changed] of STRINGS) {
    test(`${code} says "${message}"`, async () => {
      const refusal = await refusalOf(answering()(header, requestFor({}, changed)))
      assert.deepEqual({ code: refusal.code, message: refusal.message }, { code, message })
    })

    if (header === '2.0') {
      test(`${code} says the same in SPEKE 2.1`, async () => {
        const root = (changed.root ?? 'contentId="movie" version="2.3"')
          .replace('version="2.4"', 'version="2.3 "')
          .replace('"2.3"', '"2.4"')
        const refusal = await refusalOf(answering()('2.1', requestFor({}, { ...changed, root })))
        assert.deepEqual({ code: refusal.code, message: refusal.message }, { code, message })
      })
    }
  }

  test('are ten', () => assert.equal(new Set(STRINGS.map(([code]) => code)).size, 10))
})

/** One way to break each rule, in the order of speke.md 3. Any two can be broken in one document. */
const ORDER = [
  ['version header', 'ERR_SPEKE_VERSION_UNSUPPORTED'],
  ['well-formedness', 'ERR_XML_MALFORMED'],
  ['root', 'ERR_CPIX_INVALID'],
  ['CPIX version', 'ERR_SPEKE_CPIX_VERSION_UNSUPPORTED'],
  ['contentId', 'ERR_SPEKE_CONTENT_ID_MISSING'],
  ['mandatory attribute', 'ERR_CPIX_INVALID'],
  ['scheme', 'ERR_SPEKE_SCHEME_MISSING'],
  ['schemes', 'ERR_SPEKE_SCHEME_COMBINATION'],
  ['contract', 'ERR_SPEKE_CONTRACT_MISSING'],
  ['rule', 'ERR_SPEKE_CONTRACT_MALFORMED'],
  ['system', 'ERR_SPEKE_SCHEME_DRM_SYSTEM'],
  ['policy', 'ERR_SPEKE_CONTRACT_UNSUPPORTED'],
] as const satisfies readonly (readonly [string, ErrorCode])[]
type Rule = (typeof ORDER)[number][0]

function broken(rules: ReadonlySet<Rule>): readonly [header: string, xml: string] {
  const is = (name: Rule): boolean => rules.has(name)
  const filters = (own: string): string => (is('contract') ? '' : own)
  const parts: Parts = {
    root: `${is('contentId') ? '' : 'contentId="movie" '}version="${is('CPIX version') ? '2.9' : '2.3'}"`,
    contentKeys: [
      key(KIDS[0], 'cenc'),
      key(KIDS[1], is('scheme') ? '' : 'cenc'),
      key(KIDS[2], is('schemes') ? 'cbcs' : 'cenc'),
      is('mandatory attribute') ? key('no uuid', 'cenc') : '',
    ].join(''),
    drmSystems: system(KIDS[0], is('system') ? FAIRPLAY : WIDEVINE),
    rules: [
      rule(KIDS[0], 'VIDEO', filters('<cpix:VideoFilter/>')),
      rule(KIDS[1], is('rule') ? 'VIDEO' : 'SD', filters('<cpix:VideoFilter/>')),
      is('policy')
        ? rule(KIDS[2], 'AUDIO+UHD', filters('<cpix:AudioFilter/><cpix:VideoFilter/>'))
        : rule(KIDS[2], 'AUDIO', filters('<cpix:AudioFilter/>')),
    ].join(''),
  }
  let xml = documentOf(parts)
  if (is('root')) xml = xml.replaceAll('cpix:CPIX', 'cpix:Cpix')
  if (is('well-formedness')) xml = xml.replace('</cpix:ContentKeyList>', '')
  return [is('version header') ? '2.5' : '2.0', xml]
}

describe('of several broken rules the first of speke.md 3 is told', () => {
  test('a document that breaks none is answered', async () => {
    await answering()(...broken(new Set()))
  })

  for (const [i, [first, code]] of ORDER.entries()) {
    test(`${first} alone is ${code}`, async () => {
      assert.equal((await refusalOf(answering()(...broken(new Set([first]))))).code, code)
    })
    for (const [later] of ORDER.slice(i + 1)) {
      test(`${first} before ${later}`, async () => {
        assert.equal((await refusalOf(answering()(...broken(new Set([first, later]))))).code, code)
      })
    }
    test(`${first} before everything after it`, async () => {
      const rules = new Set(ORDER.slice(i).map(([name]) => name))
      assert.equal((await refusalOf(answering()(...broken(rules)))).code, code)
    })
  }

  test('a missing CPIX version before a missing contentId', async () => {
    const refusal = await refusalOf(answering()('2.0', requestFor({}, { root: '' })))
    assert.equal(refusal.code, 'ERR_SPEKE_CPIX_VERSION_MISSING')
  })
})

const UNKNOWN_SYSTEM = '80A6BE7E-1448-4c37-9e70-d5aebe04c8d2'
const twoKeys = (attributes: string): Parts => ({
  contentKeys: `${key(KID, 'cenc')}<cpix:ContentKey ${attributes}/>`,
})
const hls = (...playlists: string[]): Parts => ({
  drmSystems: `<cpix:DRMSystem kid="${KID}" systemId="${WIDEVINE}">${playlists
    .map((playlist) => `<cpix:HLSSignalingData${playlist}/>`)
    .join('')}</cpix:DRMSystem>`,
})
const periods = (...entries: string[]): Parts => ({
  periods: entries.map((attributes) => `<cpix:ContentKeyPeriod ${attributes}/>`).join(''),
})

/** What SPEKE has no string for: our own words, that say where. */
const OWN_WORDS: readonly (readonly [what: string, code: ErrorCode, path: string, parts: Parts])[] = [
  ['no ContentKeyList', 'ERR_CPIX_INVALID', 'CPIX', { contentKeys: '' }],
  ['no DRMSystemList', 'ERR_CPIX_INVALID', 'CPIX', { drmSystems: '' }],
  ['an empty ContentKeyList', 'ERR_CPIX_INVALID', 'CPIX/ContentKeyList', { contentKeys: ' ' }],
  ['an empty DRMSystemList', 'ERR_CPIX_INVALID', 'CPIX/DRMSystemList', { drmSystems: '<!-- none -->' }],
  ['a key without kid', 'ERR_CPIX_INVALID', 'CPIX/ContentKeyList/ContentKey[2]', twoKeys('')],
  ['an empty kid', 'ERR_CPIX_INVALID', 'CPIX/ContentKeyList/ContentKey[2]/@kid', twoKeys('kid=""')],
  ['a kid that is no UUID', 'ERR_CPIX_INVALID', 'CPIX/ContentKeyList/ContentKey[2]/@kid', twoKeys('kid="k-1"')],
  [
    'a kid of zeros',
    'ERR_CPIX_INVALID',
    'CPIX/ContentKeyList/ContentKey[2]/@kid',
    twoKeys('kid="00000000-0000-0000-0000-000000000000"'),
  ],
  ['a kid twice', 'ERR_CPIX_INVALID', 'CPIX/ContentKeyList/ContentKey[2]/@kid', twoKeys(`kid="${UPPER}"`)],
  [
    'a key that is there already',
    'ERR_CPIX_INVALID',
    'CPIX/ContentKeyList/ContentKey/Data',
    { contentKeys: `<cpix:ContentKey kid="${KID}" commonEncryptionScheme="cenc"><cpix:Data/></cpix:ContentKey>` },
  ],
  [
    'a scheme nobody knows',
    'ERR_SPEKE_SCHEME_UNKNOWN',
    'CPIX/ContentKeyList/ContentKey/@commonEncryptionScheme',
    { contentKeys: key(KID, 'CENC') },
  ],
  [
    'a scheme named as a property of objects',
    'ERR_SPEKE_SCHEME_UNKNOWN',
    'CPIX/ContentKeyList/ContentKey/@commonEncryptionScheme',
    { contentKeys: key(KID, '__proto__') },
  ],
  [
    'a system without kid',
    'ERR_CPIX_INVALID',
    'CPIX/DRMSystemList/DRMSystem',
    { drmSystems: `<cpix:DRMSystem systemId="${WIDEVINE}"/>` },
  ],
  [
    'a system without systemId',
    'ERR_CPIX_INVALID',
    'CPIX/DRMSystemList/DRMSystem',
    { drmSystems: `<cpix:DRMSystem kid="${KID}"/>` },
  ],
  [
    'a systemId that is no UUID',
    'ERR_CPIX_INVALID',
    'CPIX/DRMSystemList/DRMSystem/@systemId',
    { drmSystems: system(KID, 'widevine') },
  ],
  [
    'a system for a kid that is no key',
    'ERR_CPIX_INVALID',
    'CPIX/DRMSystemList/DRMSystem[2]/@kid',
    { drmSystems: system(KID, WIDEVINE) + system(KID_2, WIDEVINE) },
  ],
  [
    'a system twice for one kid',
    'ERR_CPIX_INVALID',
    'CPIX/DRMSystemList/DRMSystem[2]',
    { drmSystems: system(KID, WIDEVINE) + system(UPPER, WIDEVINE.toUpperCase()) },
  ],
  [
    'an unknown system (A-33)',
    'ERR_DRM_SYSTEM_UNKNOWN',
    'CPIX/DRMSystemList/DRMSystem[2]/@systemId',
    { drmSystems: system(KID, WIDEVINE) + system(KID, UNKNOWN_SYSTEM) },
  ],
  ['one playlist', 'ERR_CPIX_INVALID', 'CPIX/DRMSystemList/DRMSystem', hls(' playlist="media"')],
  [
    'the same playlist twice',
    'ERR_CPIX_INVALID',
    'CPIX/DRMSystemList/DRMSystem',
    hls(' playlist="media"', ' playlist="media"'),
  ],
  [
    'three playlists',
    'ERR_CPIX_INVALID',
    'CPIX/DRMSystemList/DRMSystem',
    hls(' playlist="media"', ' playlist="master"', ' playlist="media"'),
  ],
  [
    'an unknown playlist',
    'ERR_CPIX_INVALID',
    'CPIX/DRMSystemList/DRMSystem/HLSSignalingData[2]',
    hls(' playlist="media"', ' playlist="variant"'),
  ],
  [
    'a playlist of CPIX 2.4 in SPEKE 2.0',
    'ERR_CPIX_INVALID',
    'CPIX/DRMSystemList/DRMSystem/HLSSignalingData[2]',
    hls(' playlist="media"', ' playlist="multiVariant"'),
  ],
  [
    'a playlist without a name',
    'ERR_CPIX_INVALID',
    'CPIX/DRMSystemList/DRMSystem/HLSSignalingData[1]',
    hls('', ' playlist="master"'),
  ],
  [
    'a playlist named as a property of objects',
    'ERR_CPIX_INVALID',
    'CPIX/DRMSystemList/DRMSystem/HLSSignalingData[2]',
    hls(' playlist="media"', ' playlist="constructor"'),
  ],
  ['a period without id', 'ERR_CPIX_INVALID', 'CPIX/ContentKeyPeriodList/ContentKeyPeriod', periods('index="1"')],
  [
    'two periods of one id',
    'ERR_CPIX_INVALID',
    'CPIX/ContentKeyPeriodList/ContentKeyPeriod[2]/@id',
    periods('id="p" index="1"', 'id="p" index="2"'),
  ],
  ['a period without index', 'ERR_CPIX_INVALID', 'CPIX/ContentKeyPeriodList/ContentKeyPeriod', periods('id="p"')],
  [
    'an index that is no number',
    'ERR_CPIX_INVALID',
    'CPIX/ContentKeyPeriodList/ContentKeyPeriod/@index',
    periods('id="p" index="one"'),
  ],
]

describe('what SPEKE has no string for is refused with its place', () => {
  const TEN = STRINGS.map(([code]) => code)
  for (const [what, code, path, parts] of OWN_WORDS) {
    test(what, async () => {
      const refusal = await refusalOf(answering()('2.0', requestFor({}, parts)))
      assert.equal(refusal.code, code)
      assert.ok(refusal.message.includes(`${path}: `), refusal.message)
      if (refusal.code === 'ERR_CPIX_INVALID')
        assert.ok(refusal.message.startsWith(`Malformed CPIX document: ${path}: `))
      if ('path' in refusal) assert.equal(refusal.path, path)
      assert.ok(!TEN.includes(refusal.code))
    })
  }

  test('an unknown system is named as the request spells it', async () => {
    const parts = { drmSystems: system(KID, UNKNOWN_SYSTEM) }
    assert.ok((await refusalOf(answering()('2.0', requestFor({}, parts)))).message.includes(UNKNOWN_SYSTEM))
  })

  test('a list that stands twice', async () => {
    const list = '<cpix:ContentKeyUsageRuleList/>'
    const xml = requestFor().replace('<cpix:ContentKeyUsageRuleList>', `${list}<cpix:ContentKeyUsageRuleList>`)
    const { message } = await refusalOf(answering()('2.0', xml))
    assert.match(message, /^Malformed CPIX document: CPIX\/ContentKeyUsageRuleList\[2\]: /)
  })

  test('a root of another namespace', async () => {
    const xml = requestFor().replace('urn:dashif:org:cpix', 'urn:dashif:org:cpix:2.3')
    const { code, message } = await refusalOf(answering()('2.0', xml))
    assert.equal(code, 'ERR_CPIX_INVALID')
    assert.match(message, /the root element must be CPIX of the namespace urn:dashif:org:cpix$/)
  })

  test('more keys, systems or periods than the policy allows', async () => {
    const limits = { contentKeys: 2, drmSystems: 2, recipients: 1 }
    const machine = answering({ policy: { limits } })
    const kids = KIDS.slice(0, 3)
    const over = await refusalOf(machine('2.0', requestFor({ kids })))
    assert.match(over.message, /CPIX\/ContentKeyList\/ContentKey\[3\]: /)
    const systems = system(KID, WIDEVINE) + system(KID_2, WIDEVINE) + system(KID, FAIRPLAY)
    const two = await refusalOf(machine('2.0', requestFor({ kids: KIDS.slice(0, 2) }, { drmSystems: systems })))
    assert.match(two.message, /CPIX\/DRMSystemList\/DRMSystem\[3\]: /)
    const three = periods('id="a" index="1"', 'id="b" index="2"', 'id="c" index="3"')
    const beyond = await refusalOf(machine('2.0', requestFor({}, three)))
    assert.match(beyond.message, /CPIX\/ContentKeyPeriodList\/ContentKeyPeriod\[3\]: /)
  })
})

/** A request with a place for a secret wherever a client could put one. */
const EVERYWHERE = documentOf({
  ...partsOf({ kids: [KID, KID_2] }),
  root: 'id="x" contentId="movie" name="n" version="2.4"',
  contentKeys: [KID, KID_2]
    .map(
      (kid) =>
        `<cpix:ContentKey id="k${kid}" kid="${kid}" commonEncryptionScheme="cenc" explicitIV="AAECAwQFBgcICQoLDA0ODw==" Algorithm="a" dependsOnKey="d">text</cpix:ContentKey>`,
    )
    .join(''),
  drmSystems: `<cpix:DRMSystem kid="${KID}" systemId="${WIDEVINE}" name="n" PSSH="p"><cpix:PSSH>old</cpix:PSSH><cpix:HLSSignalingData playlist="media">old</cpix:HLSSignalingData><cpix:HLSSignalingData playlist="master"/><cpix:ContentProtectionData robustness="r">old</cpix:ContentProtectionData></cpix:DRMSystem>`,
  periods:
    '<cpix:ContentKeyPeriod id="p1" index="1" start="2026-10-01T12:00:00Z" end="2026-10-01T12:05:00Z"/>' +
    '<cpix:ContentKeyPeriod id="p2" startOffset="PT0S" endOffset="PT1M"/>',
  rules: [KID, KID_2]
    .map((kid, i) =>
      rule(
        kid,
        `TRACK${i}`,
        '<cpix:KeyPeriodFilter periodId="p1"/><cpix:VideoFilter minPixels="1" maxPixels="2" hdr="true" wcg="false" minFps="1" maxFps="2"/>',
      ),
    )
    .join(''),
})

const CANARIES = [
  'canary-7Q2x',
  'Y2FuYXJ5LWNhbmFyeS0xNg==',
  '63616e617279',
  'canary canary canary canary canary canary',
]

describe('no message and no detail quotes what a field holds', () => {
  const document = readXml(Buffer.from(EVERYWHERE))
  const elements = ['CPIX', 'ContentKey', 'DRMSystem', 'PSSH', 'HLSSignalingData', 'ContentProtectionData']
    .concat(['ContentKeyPeriod', 'ContentKeyUsageRule', 'KeyPeriodFilter', 'VideoFilter'])
    .flatMap((local) => elementsOf(document, local))
  const places = elements.flatMap((element) => [
    ...element.attributes
      // Scheme names are shown, and a namespace is not a value.
      .filter(({ name }) => name !== 'commonEncryptionScheme' && !name.startsWith('xmlns'))
      .map(({ name, valueStart, valueEnd }) => ({ at: `${element.local}/@${name}`, start: valueStart, end: valueEnd })),
    ...(element.children.length === 0 && !element.selfClosing
      ? [{ at: element.local, start: element.contentStart, end: element.contentEnd }]
      : []),
  ])

  test('the document is answered as long as nothing is put in', async () => {
    await answering()('2.1', EVERYWHERE)
    assert.ok(places.length > 40, `${places.length}`)
  })

  for (const canary of CANARIES) {
    test(`${canary} in each of ${places.length} places`, async () => {
      let refused = 0
      for (const { at, start, end } of places) {
        const xml = EVERYWHERE.slice(0, start) + canary + EVERYWHERE.slice(end)
        const error: unknown = await answering()('2.1', xml).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        if (error === undefined) continue
        refused++
        const told = `${error} ${JSON.stringify(error)} ${error instanceof Error ? error.cause : ''}`
        assert.ok(!told.includes(canary), `${at}: ${told}`)
        assert.ok('code' in Object(error), `${at}: ${told}`)
      }
      assert.ok(refused > 20, `${refused}`)
    })
  }

  for (const scheme of ['FmY0xnWCPCNalEb61S5NAA', '166634c675823c235a4a9446fad52e4d', 'c 1']) {
    test(`a scheme that could be a key, as ${scheme.length} characters, is not shown`, async () => {
      const { message } = await refusalOf(answering()('2.0', requestFor({}, { contentKeys: key(KID, scheme) })))
      assert.ok(!message.includes(scheme), message)
    })
  }

  test('a scheme that looks like one is shown', async () => {
    const { message } = await refusalOf(answering()('2.0', requestFor({}, { contentKeys: key(KID, 'SAMPLE-AES-CTR') })))
    assert.match(message, /SAMPLE-AES-CTR/)
  })
})

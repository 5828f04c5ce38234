import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemIdOf } from '../../../src/formats/cenc.ts'
import { attributeOf, textOf } from '../../../src/formats/xml/reader.ts'
import { vectors } from '../../formats/drm/vectors.ts'
import { answering, elementsOf, refusalOf, type Setup } from './answering.ts'
import {
  AES_128,
  documentOf,
  FAIRPLAY,
  KID,
  KIDS,
  type Parts,
  PLAYREADY,
  partsOf,
  requestFor,
  rule,
  WIDEVINE,
} from './documents.ts'

const ROOT_21 = 'contentId="movie" version="2.4"'
type Version = '2.0' | '2.1' | '1.0'
const ask = (version: Version, changed: Parts, setup: Setup = {}) => {
  const root = { '1.0': 'id="movie"', '2.0': 'contentId="movie" version="2.3"', '2.1': ROOT_21 }[version]
  return answering(setup)(version === '1.0' ? undefined : version, requestFor({}, { root, ...changed }))
}

/** Which ways to bound a key period each version takes (speke.md 4.3, 8, A-09; cpix.md 7). */
const PERIODS: readonly (readonly [attributes: string, taken: readonly Version[], at?: string])[] = [
  ['index="1"', ['1.0', '2.0', '2.1']],
  ['index="0"', ['1.0', '2.0', '2.1']],
  ['index="11425"', ['1.0', '2.0', '2.1']],
  ['index="4294967295"', ['1.0', '2.0', '2.1']],
  ['index="18446744073709551616"', ['1.0', '2.0', '2.1']],
  ['start="2026-10-01T12:00:00.0000000001Z" end="2026-10-01T12:05:00.1234567890Z"', ['1.0', '2.1']],
  ['', ['1.0']],
  ['index="1" start="2026-10-01T12:00:00Z" end="2026-10-01T12:05:00Z"', ['1.0', '2.0', '2.1']],
  ['start="2026-10-01T12:00:00Z" end="2026-10-01T12:05:00Z"', ['1.0', '2.1']],
  ['start="2026-10-01T12:00:00" end="2026-10-01T12:05:00"', ['1.0', '2.1']],
  ['start="2026-10-01T14:00:00.5+02:00" end="2026-10-01T12:00:01Z"', ['1.0', '2.1']],
  ['index="1" startOffset="PT0S" endOffset="PT10M"', ['1.0', '2.0', '2.1']],
  ['startOffset="PT0S" endOffset="PT0.040S"', ['1.0', '2.1']],
  ['startOffset="PT59M" endOffset="PT1H"', ['1.0', '2.1']],
  ['index="1" label="0x30"', ['1.0', '2.0', '2.1']],
  ['start="2026-10-01T12:00:00Z"', []],
  ['end="2026-10-01T12:00:00Z"', []],
  ['index="1" start="2026-10-01T12:00:00Z"', []],
  ['startOffset="PT0S"', []],
  ['startOffset="PT0S" duration="PT10M"', [], '/@duration'],
  ['index="1" start="2026-10-01T12:00:00Z" duration="PT10M"', [], '/@duration'],
  ['endOffset="PT10M"', []],
  ['start="2026-10-01T12:00:00Z" endOffset="PT10M"', []],
  ['start="2026-10-01T12:00:00Z" end="2026-10-01T12:05:00Z" startOffset="PT0S" endOffset="PT10M"', []],
  ['index="1" start="2026-10-01T12:05:00Z" end="2026-10-01T12:00:00Z"', []],
  ['index="1" start="2026-10-01T12:00:00Z" end="2026-10-01T12:00:00Z"', []],
  ['startOffset="PT10M" endOffset="PT600S"', []],
  ['index="1" start="noon" end="2026-10-01T12:05:00Z"', [], '/@start'],
  ['index="1" start="2026-10-01T12:00:00Z" end="2026-02-30T12:00:00Z"', [], '/@end'],
  ['index="1" startOffset="0" endOffset="PT10M"', [], '/@startOffset'],
  ['index="1" startOffset="PT0S" endOffset="-PT10M"', [], '/@endOffset'],
  ['index="-1"', [], '/@index'],
  ['index=""', [], '/@index'],
]

for (const [attributes, taken, at = ''] of PERIODS) {
  for (const version of ['1.0', '2.0', '2.1'] as const) {
    const isTaken = taken.includes(version)
    test(`SPEKE ${version} ${isTaken ? 'echoes' : 'refuses'} <ContentKeyPeriod ${attributes}>`, async () => {
      const periods = `<cpix:ContentKeyPeriod id="p" ${attributes}/>`
      if (isTaken) {
        assert.ok((await ask(version, { periods })).xml.includes(periods))
      } else {
        const { code, message } = await refusalOf(ask(version, { periods }))
        assert.equal(code, 'ERR_CPIX_INVALID')
        assert.ok(message.includes(`CPIX/ContentKeyPeriodList/ContentKeyPeriod${at}: `), message)
      }
    })
  }
}

test('the ledger has the bounds of a period as they were written', async () => {
  const periods =
    '<cpix:ContentKeyPeriod id="a" index="7" start="2026-10-01T14:00:00+02:00" end=" 2026-10-01T12:05:00Z"/>' +
    '<cpix:ContentKeyPeriod id="b" startOffset="PT0S" endOffset="PT10M"/>'
  const { records } = await ask('2.1', { periods })
  assert.deepEqual(
    records.map(({ periodId, periodIndex, periodStart, periodEnd }) => [periodId, periodIndex, periodStart, periodEnd]),
    [
      ['a', 7, '2026-10-01T14:00:00+02:00', ' 2026-10-01T12:05:00Z'],
      ['b', undefined, 'PT0S', 'PT10M'],
    ],
  )
})

describe('the names of the second playlist (A-10)', () => {
  const hls = (first: string, second: string): string =>
    `<cpix:DRMSystem kid="${KID}" systemId="${WIDEVINE}"><cpix:HLSSignalingData playlist="${first}"/><cpix:HLSSignalingData playlist="${second}"/></cpix:DRMSystem>`
  for (const [version, first, second] of [
    ['2.0', 'media', 'master'],
    ['2.0', 'master', 'media'],
    ['2.1', 'media', 'master'],
    ['2.1', 'media', 'multiVariant'],
    ['2.1', 'multiVariant', 'media'],
  ] as const) {
    test(`SPEKE ${version} fills ${first} and ${second} and echoes the names`, async () => {
      const { document } = await ask(version, { drmSystems: hls(first, second) })
      const data = elementsOf(document, 'HLSSignalingData')
      assert.deepEqual(
        data.map((element) => attributeOf(element, 'playlist')),
        [first, second],
      )
      for (const element of data) {
        const line = Buffer.from(textOf(document, element), 'base64').toString()
        const isMedia = attributeOf(element, 'playlist') === 'media'
        assert.match(line, isMedia ? /^#EXT-X-KEY:METHOD=/ : /^#EXT-X-SESSION-KEY:METHOD=/)
      }
    })
  }
  for (const [version, first, second] of [
    ['2.0', 'media', 'multiVariant'],
    ['2.1', 'master', 'multiVariant'],
    ['2.1', 'multiVariant', 'multiVariant'],
    ['2.1', 'media', 'multivariant'],
    ['2.1', 'media', 'variant'],
  ] as const) {
    test(`SPEKE ${version} refuses ${first} beside ${second}`, async () => {
      assert.equal((await refusalOf(ask(version, { drmSystems: hls(first, second) }))).code, 'ERR_CPIX_INVALID')
    })
  }
})

describe('what a profile says of protection levels', () => {
  const profile = {
    hdcp: {
      VIDEO: { level: 'TYPE-0' },
      UHD: { level: 'TYPE-1', version: '2.2' },
      '*': { version: '1.4' },
      'a "quoted" <type>': { level: 'x' },
    },
    robustness: {
      [systemIdOf(WIDEVINE)]: { UHD: 'HW_SECURE_ALL', '*': 'SW_SECURE_CRYPTO' },
      [systemIdOf(PLAYREADY)]: { UHD: '3000 & "more"' },
    },
    allowedCpc: { [systemIdOf(FAIRPLAY)]: 'com.apple.streamingkeydelivery:AppleMain' },
  }
  const kids = [...KIDS.slice(0, 3)]
  const document = documentOf({
    ...partsOf({ kids, scheme: 'cbcs', systems: [WIDEVINE, PLAYREADY, FAIRPLAY] }),
    root: ROOT_21,
    rules:
      rule(KIDS[0], 'VIDEO', '<cpix:VideoFilter/>') +
      rule(KIDS[1], 'UHD', '<cpix:VideoFilter/>') +
      rule(KIDS[2], 'AUDIO', '<cpix:AudioFilter/>'),
  })

  test('HDCPData goes before Data, by track type or for all others (speke.md 13.5)', async () => {
    const { xml } = await answering({ profile })('2.1', document)
    const fragment = (version: string): string =>
      `<cpix:HDCPOutputProtectionData>${Buffer.from(`<OutputProtection xmlns="urn:mpeg:dash:schema:mpd:2011" schemeIdUri="urn:mpeg:dash:output-protection:hdcp:2020" value="${version}"/>`).toString('base64')}</cpix:HDCPOutputProtectionData>`
    const { hdcp_b64 } = vectors<{ hdcp_b64: string }>('signaling.json')
    assert.ok(fragment('1.4').includes(hdcp_b64))
    const found = [...xml.matchAll(/<cpix:HDCPData.*?<\/cpix:HDCPData>(?=<cpix:Data>)/g)].map(([match]) => match)
    assert.deepEqual(found, [
      '<cpix:HDCPData HLSHDCPLevel="TYPE-0"></cpix:HDCPData>',
      `<cpix:HDCPData HLSHDCPLevel="TYPE-1">${fragment('2.2')}</cpix:HDCPData>`,
      `<cpix:HDCPData>${fragment('1.4')}</cpix:HDCPData>`,
    ])
  })

  test('robustness goes on ContentProtectionData, by system and track type', async () => {
    const outcome = await answering({ profile })('2.1', document)
    const found = elementsOf(outcome.document, 'ContentProtectionData').map((element) =>
      attributeOf(element, 'robustness'),
    )
    assert.deepEqual(found, [
      'SW_SECURE_CRYPTO',
      'HW_SECURE_ALL',
      'SW_SECURE_CRYPTO',
      undefined,
      '3000 & "more"',
      undefined,
    ])
  })

  test('HLSAllowedCPC goes on the DRMSystem', async () => {
    const outcome = await answering({ profile })('2.1', document)
    const found = elementsOf(outcome.document, 'DRMSystem').map((element) => attributeOf(element, 'HLSAllowedCPC'))
    const cpc = profile.allowedCpc[systemIdOf(FAIRPLAY)]
    assert.deepEqual(found, [...Array(6).fill(undefined), cpc, cpc, cpc])
  })

  for (const [version, root] of [
    ['2.0', 'contentId="movie" version="2.3"'],
    ['1.0', 'id="movie"'],
  ] as const) {
    test(`none of it is in SPEKE ${version}`, async () => {
      const request = requestFor({ scheme: 'cbcs', systems: [WIDEVINE, FAIRPLAY] }, { root })
      const { xml } = await answering({ profile })(version === '1.0' ? undefined : version, request)
      assert.doesNotMatch(xml, /HDCP|robustness|HLSAllowedCPC/)
    })
  }

  test('none of it is in SPEKE 2.1 unless a profile says so (A-34)', async () => {
    assert.doesNotMatch((await answering()('2.1', document)).xml, /HDCP|robustness|HLSAllowedCPC/)
  })

  test('robustness is not put on an element that is not filled', async () => {
    const drmSystems = `<cpix:DRMSystem kid="${KID}" systemId="${AES_128}"><cpix:ContentProtectionData/></cpix:DRMSystem>`
    const settings = { robustness: { [systemIdOf(AES_128)]: { '*': 'x' } } }
    const request = requestFor({ scheme: 'cbc1' }, { drmSystems, root: ROOT_21 })
    assert.ok((await answering({ profile: settings })('2.1', request)).xml.includes('<cpix:ContentProtectionData/>'))
  })

  test('attributes of the request are replaced, not repeated', async () => {
    const drmSystems = `<cpix:DRMSystem kid="${KID}" systemId="${WIDEVINE}" HLSAllowedCPC='old'><cpix:ContentProtectionData robustness="old"/></cpix:DRMSystem>`
    const settings = {
      ...profile,
      allowedCpc: { [systemIdOf(WIDEVINE)]: "it's <new>" },
    }
    const outcome = await answering({ profile: settings })('2.1', requestFor({}, { drmSystems, root: ROOT_21 }))
    const [system] = elementsOf(outcome.document, 'DRMSystem')
    const [data] = elementsOf(outcome.document, 'ContentProtectionData')
    assert.equal(system && attributeOf(system, 'HLSAllowedCPC'), "it's <new>")
    assert.equal(data && attributeOf(data, 'robustness'), 'SW_SECURE_CRYPTO')
  })

  test('a level is written as an attribute value, whatever stands in it', async () => {
    const settings = { hdcp: { '*': { level: '"><&' } } }
    const outcome = await answering({ profile: settings })('2.1', requestFor({}, { root: ROOT_21 }))
    const [hdcp] = elementsOf(outcome.document, 'HDCPData')
    assert.equal(hdcp && attributeOf(hdcp, 'HLSHDCPLevel'), '"><&')
  })

  test('an HDCPData of the request is filled, not doubled', async () => {
    for (const asked of [
      '<cpix:HDCPData/>',
      '<cpix:HDCPData HLSHDCPLevel="NONE"><cpix:HDCPOutputProtectionData/></cpix:HDCPData>',
    ]) {
      const contentKeys = `<cpix:ContentKey kid="${KID}" commonEncryptionScheme="cenc">${asked}</cpix:ContentKey>`
      const settings = { hdcp: { '*': { level: 'TYPE-1' } } }
      const request = requestFor({}, { contentKeys, root: ROOT_21 })
      const outcome = await answering({ profile: settings })('2.1', request)
      const found = elementsOf(outcome.document, 'HDCPData')
      assert.deepEqual(
        found.map((element) => attributeOf(element, 'HLSHDCPLevel')),
        ['TYPE-1'],
      )
      assert.ok((await answering()('2.1', request)).xml.includes(asked), 'without a setting it is echoed')
    }
  })

  test('an HDCPData that is replaced may hold anything, and stands once', async () => {
    const settings = { hdcp: { '*': { level: 'TYPE-1' } } }
    const hdcp =
      '<cpix:HDCPData xmlns:s="urn:aws:amazon:com:speke"><s:KeyFormat s:a="1"/><cpix:URIExtXKey/></cpix:HDCPData>'
    const asking = (content: string) =>
      answering({ profile: settings })(
        '2.1',
        requestFor(
          {},
          {
            root: ROOT_21,
            contentKeys: `<cpix:ContentKey kid="${KID}" commonEncryptionScheme="cenc">${content}</cpix:ContentKey>`,
          },
        ),
      )
    assert.ok((await asking(`\n${hdcp}\n`)).xml.includes('<cpix:HDCPData HLSHDCPLevel="TYPE-1"></cpix:HDCPData>'))
    assert.equal((await refusalOf(asking(hdcp + hdcp))).code, 'ERR_CPIX_INVALID')
  })

  test('a key of several rules has the setting of the first that has one', async () => {
    const rules = rule(KID, 'SD', '<cpix:VideoFilter/>') + rule(KID, 'UHD', '<cpix:VideoFilter/>')
    const outcome = await answering({ profile })('2.1', requestFor({}, { rules, root: ROOT_21 }))
    const [hdcp] = elementsOf(outcome.document, 'HDCPData')
    assert.equal(hdcp && attributeOf(hdcp, 'HLSHDCPLevel'), 'TYPE-1')
  })

  test('a track type named as a property of objects has none but that for all', async () => {
    for (const trackType of ['constructor', '__proto__', 'toString']) {
      const rules = rule(KID, trackType, '<cpix:VideoFilter/>')
      const settings = { hdcp: { VIDEO: { level: 'TYPE-0' } } }
      const { xml } = await answering({ profile: settings })('2.1', requestFor({}, { rules, root: ROOT_21 }))
      assert.doesNotMatch(xml, /HDCP/)
    }
  })
})

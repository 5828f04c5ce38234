import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { XmlDocument } from '../../../src/formats/xml/document.ts'
import { attributeOf } from '../../../src/formats/xml/reader.ts'
import { answering, childText, elementsOf, plainKeys, refusalOf, testKey } from './answering.ts'
import { AES_128_V1, documentOf, FAIRPLAY, KID, PLAYREADY, partsOf, requestFor, WIDEVINE } from './documents.ts'

/** Shapes of requests that encryptors send and the specifications do not show. */

const ivOf = (document: XmlDocument): string | undefined => {
  const [key] = elementsOf(document, 'ContentKey')
  return key && attributeOf(key, 'explicitIV')
}

describe('an empty explicitIV', () => {
  const withEmptyIv = (scheme: 'cenc' | 'cbcs', iv: string): string =>
    documentOf({
      ...partsOf({ scheme, systems: scheme === 'cbcs' ? [FAIRPLAY] : [WIDEVINE] }),
      contentKeys: `<cpix:ContentKey kid="${KID}" explicitIV="${iv}" commonEncryptionScheme="${scheme}"/>`,
    })
  const derived = Buffer.from(testKey({ kid: KID as never, contentKeyClass: 'drm' }).explicitIv).toString('base64')

  for (const iv of ['', '  ', '&#10;']) {
    test(`${JSON.stringify(iv)} is filled where an IV is due`, async () => {
      assert.equal(ivOf((await answering()('2.0', withEmptyIv('cbcs', iv))).document), derived)
    })
  }

  test('stays as it is where no IV is due', async () => {
    assert.equal(ivOf((await answering()('2.0', withEmptyIv('cenc', ''))).document), '')
  })
})

describe('UriExtXKey, the spelling of AWS', () => {
  const v1 = (
    children: string,
  ): string => `<cpix:CPIX id="movie" xmlns:cpix="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc" xmlns:speke="urn:aws:amazon:com:speke">
    <cpix:ContentKeyList><cpix:ContentKey kid="${KID}"/></cpix:ContentKeyList>
    <cpix:DRMSystemList><cpix:DRMSystem kid="${KID}" systemId="${AES_128_V1}">${children}</cpix:DRMSystem></cpix:DRMSystemList>
  </cpix:CPIX>`
  const uriOf = async (name: string): Promise<string | undefined> => {
    const { document } = await answering()('1.0', v1(`<cpix:${name}/>`))
    const [system] = elementsOf(document, 'DRMSystem')
    return system && childText(document, system, name)
  }

  test('is filled as URIExtXKey is', async () => {
    const uri = await uriOf('UriExtXKey')
    assert.match(Buffer.from(uri ?? '', 'base64').toString(), /^https:\/\/keys\.example\.com\/keys\//)
    assert.equal(uri, await uriOf('URIExtXKey'))
  })

  test('is rejected beside URIExtXKey', async () => {
    const error = await refusalOf(answering()('1.0', v1('<cpix:UriExtXKey/><cpix:URIExtXKey/>')))
    assert.equal(error.code, 'ERR_CPIX_INVALID')
  })

  test('is removed from an answer of SPEKE 2', async () => {
    const xml = requestFor().replace('<cpix:PSSH/>', '<cpix:PSSH/><cpix:UriExtXKey/>')
    assert.doesNotMatch((await answering()('2.0', xml)).xml, /UriExtXKey/)
  })
})

describe('schemeId', () => {
  const request = requestFor({ systems: [WIDEVINE] })

  test('is read as systemId, and stays in the answer', async () => {
    const { xml } = await answering()('2.0', request.replace('systemId=', 'schemeId='))
    const expected = (await answering()('2.0', request)).xml
    assert.equal(xml, expected.replace('systemId=', 'schemeId='))
  })

  test('may be there with the same systemId, not with another', async () => {
    const both = (systemId: string): string => request.replace('systemId=', `schemeId="${systemId}" systemId=`)
    assert.equal(Object.keys(plainKeys((await answering()('2.0', both(WIDEVINE))).document)).length, 1)
    const error = await refusalOf(answering()('2.0', both(PLAYREADY)))
    assert.equal(error.code, 'ERR_CPIX_INVALID')
    assert.match(error.message, /@schemeId/)
  })

  test('that is no UUID is rejected', async () => {
    const error = await refusalOf(answering()('2.0', request.replace(/systemId="[^"]*"/, 'schemeId="widevine"')))
    assert.match(error.message, /@schemeId/)
  })
})

describe('DeliveryData outside the DeliveryDataList of CPIX', () => {
  const DATA = '<cpix:DeliveryData><cpix:DeliveryKey/></cpix:DeliveryData>'
  const places: Readonly<Record<string, (request: string) => string>> = {
    'in the ContentKeyList': (request) => request.replace('</cpix:ContentKeyList>', `${DATA}</cpix:ContentKeyList>`),
    'in a ContentKey': (request) =>
      request.replace(/<cpix:ContentKey ([^>]*)\/>/, `<cpix:ContentKey $1>${DATA}</cpix:ContentKey>`),
    'as a list in the DRMSystemList': (request) =>
      request.replace(
        '</cpix:DRMSystemList>',
        `<cpix:DeliveryDataList>${DATA}</cpix:DeliveryDataList></cpix:DRMSystemList>`,
      ),
    'in a DRMSystem': (request) => request.replace('<cpix:PSSH/>', `${DATA}<cpix:PSSH/>`),
    'in a usage rule': (request) =>
      request.replace('</cpix:ContentKeyUsageRule>', `${DATA}</cpix:ContentKeyUsageRule>`),
    'in an element of another namespace': (request) =>
      request.replace(
        '</cpix:CPIX>',
        `<x:Extension xmlns:x="urn:x"><x:deliveryDataList>${DATA}</x:deliveryDataList></x:Extension></cpix:CPIX>`,
      ),
    'as a DeliveryKey alone': (request) =>
      request.replace('</cpix:CPIX>', '<x:A xmlns:x="urn:x"><cpix:DeliveryKey/></x:A></cpix:CPIX>'),
    'as a DocumentKey alone': (request) =>
      request.replace('</cpix:ContentKeyList>', '<cpix:DocumentKey/></cpix:ContentKeyList>'),
  }
  for (const [place, change] of Object.entries(places)) {
    test(`is rejected ${place}`, async () => {
      const request = requestFor()
      const changed = change(request)
      assert.notEqual(changed, request)
      for (const version of ['2.0'] as const) {
        const outcome = refusalOf(answering()(version, changed))
        assert.ok(['ERR_CPIX_INVALID', 'ERR_SPEKE_CONTRACT_MALFORMED'].includes((await outcome).code))
      }
    })
  }
})

describe('SPEKE 2.1 periods', () => {
  const SPANS = [
    ['2026-10-01T12:00:00Z', '2026-10-01T12:05:00Z'],
    ['2026-10-01T14:00:00.500+02:00', '2026-10-01T12:00:01Z'],
    ['2026-10-01T00:30:00-05:30', '2026-10-01T06:00:00.001Z'],
  ] as const

  for (const [start, end] of SPANS) {
    test(`keep ${start} to ${end} as equal UTC instants, without CPIX/@id`, async () => {
      const rules = `<cpix:ContentKeyUsageRule kid="${KID}" intendedTrackType="VIDEO"><cpix:KeyPeriodFilter periodId="p1"/><cpix:VideoFilter/></cpix:ContentKeyUsageRule>`
      const periods = `<cpix:ContentKeyPeriod id="p1" start="${start}" end="${end}"/>`
      const xml = requestFor({}, { root: 'id="doc-1" contentId="movie" version="2.4"', periods, rules })
      const { document } = await answering()('2.1', xml)
      const [period] = elementsOf(document, 'ContentKeyPeriod')
      assert.ok(period)
      const instants = [attributeOf(period, 'start'), attributeOf(period, 'end')].map((time) => Date.parse(time ?? ''))
      assert.deepEqual(instants, [start, end].map(Date.parse))
      assert.deepEqual([attributeOf(document.root, 'version'), attributeOf(document.root, 'id')], ['2.4', undefined])
    })
  }
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { attributeOf } from '../../../src/formats/xml/reader.ts'
import { SpekeError } from '../../../src/protocols/speke/error.ts'
import { answering, childText, drmSystemOf, elementsOf, plainKeys, refusalOf } from './answering.ts'
import { COMMON_PSSH, FAIRPLAY, KID, PLAYREADY, requestFor, WIDEVINE } from './documents.ts'

/** Requests of CPIX clients that know nothing of SPEKE, and send their documents to its paths. */

const K = '681e5b39-49f2-4dfa-b744-86573c22e6fc'
/** As OvenMediaEngine sends it: a SPEKE 1.0 document with DRMSystem elements that have no children. */
const OVEN = `<?xml version="1.0" encoding="UTF-8"?>
<cpix:CPIX id="app-stream-1" xmlns:cpix="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc" xmlns:speke="urn:aws:amazon:com:speke">
	<cpix:ContentKeyList>
		<cpix:ContentKey kid="${K}" commonEncryptionScheme="cbcs" />
	</cpix:ContentKeyList>
	<cpix:DRMSystemList>
		<cpix:DRMSystem kid="${K}" systemId="${WIDEVINE}" />
		<cpix:DRMSystem kid="${K}" systemId="${FAIRPLAY}">
			<cpix:ContentProtectionData />
			<cpix:PSSH />
			<cpix:URIExtXKey />
		</cpix:DRMSystem>
	</cpix:DRMSystemList>
</cpix:CPIX>
`
/** As clients of CPIX 2.0 to 2.2 send it: contentId, no version, no header. */
const PLAIN = `<cpix:CPIX contentId="movie-1" xmlns:cpix="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc">
    <cpix:ContentKeyList><cpix:ContentKey kid="${KID}"/></cpix:ContentKeyList>
    <cpix:DRMSystemList><cpix:DRMSystem systemId="${FAIRPLAY}" kid="${KID}"/></cpix:DRMSystemList>
</cpix:CPIX>`

describe('a DRMSystem without child elements', () => {
  test('stays empty by default, and the answer counts it', async () => {
    const { document, emptySystems } = await answering()(undefined, OVEN)
    assert.equal(emptySystems, 1)
    assert.deepEqual(drmSystemOf(document, WIDEVINE, K).children, [])
    assert.equal(Object.keys(plainKeys(document)).length, 1)
  })

  test('of SPEKE 1.0 is filled with the elements of SPEKE 1.0 if the policy says so', async () => {
    const answer = answering({ policy: { emptyDrmSystems: 'fill' } })
    for (let times = 0; times < 3; times++) {
      const { document, emptySystems } = await answer(undefined, OVEN)
      assert.equal(emptySystems, 0)
      const widevine = drmSystemOf(document, WIDEVINE, K)
      assert.deepEqual(
        widevine.children.map(({ local }) => local),
        ['PSSH', 'ContentProtectionData'].slice(0, widevine.children.length),
      )
      const filled = (
        await answering()(undefined, OVEN.replace(/(systemId="edef[^"]*") \/>/, '$1><cpix:PSSH/></cpix:DRMSystem>'))
      ).document
      assert.equal(childText(document, widevine, 'PSSH'), childText(filled, drmSystemOf(filled, WIDEVINE, K), 'PSSH'))
      assert.match(childText(document, drmSystemOf(document, FAIRPLAY, K), 'URIExtXKey') ?? '', /^[A-Za-z0-9+/]+=*$/)
    }
  })

  test('of SPEKE 2 is filled with every element that its system has', async () => {
    const answer = answering({ policy: { emptyDrmSystems: 'fill' } })
    const systems = [WIDEVINE, PLAYREADY, COMMON_PSSH]
    const request = requestFor({ systems }).replaceAll(/(<cpix:DRMSystem [^>]*)>.*?<\/cpix:DRMSystem>/gs, '$1/>')
    const { document, emptySystems } = await answer('2.0', request)
    assert.equal(emptySystems, 0)
    for (const systemId of systems) {
      const system = drmSystemOf(document, systemId, KID)
      assert.ok(system.children.length > 0, systemId)
      for (const child of system.children) {
        const playlist = attributeOf(child, 'playlist')
        assert.notEqual(childText(document, system, playlist ? `${child.local}@${playlist}` : child.local), '')
      }
    }
    assert.equal(elementsOf(document, 'HLSSignalingData').length % 2, 0)
  })

  test('does not change an answer whose systems all have elements', async () => {
    const request = requestFor({ systems: [WIDEVINE, PLAYREADY] })
    const filled = await answering({ policy: { emptyDrmSystems: 'fill' } })('2.0', request)
    assert.equal(filled.xml, (await answering()('2.0', request)).xml)
  })
})

describe('a document without a version', () => {
  const detailOf = async (version: string | undefined, xml: string, policy = {}) => {
    const error = await refusalOf(answering({ policy })(version, xml))
    assert.ok(error instanceof SpekeError)
    return [error.code, error.detail ?? ''] as const
  }

  for (const version of [undefined, '1.0', '2.0'] as const) {
    test(`and with contentId points to /copyProtectionData, under X-Speke-Version ${version ?? 'absent'}`, async () => {
      const [code, detail] = await detailOf(version, PLAIN)
      assert.equal(code, version === '2.0' ? 'ERR_SPEKE_CPIX_VERSION_MISSING' : 'ERR_SPEKE_VERSION_UNSUPPORTED')
      assert.match(detail, /\/copyProtectionData\/\{contentId\}/)
      assert.doesNotMatch(detail, /proxy/)
    })
  }

  test('of SPEKE 2 without the header still names the header', async () => {
    const [, detail] = await detailOf(undefined, requestFor())
    assert.match(detail, /X-Speke-Version is missing/)
  })

  test('is SPEKE 1.0 if it has id and contentId', async () => {
    const both = OVEN.replace('id="app-stream-1"', 'id="app-stream-1" contentId="other"')
    for (const version of [undefined, '1.0']) {
      const { records, document } = await answering()(version, both)
      assert.equal(records[0]?.contentId, 'app-stream-1')
      assert.equal(attributeOf(document.root, 'contentId'), 'other')
    }
  })
})

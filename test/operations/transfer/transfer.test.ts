import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { ForbiddenError } from '../../../src/auth/failure.ts'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { systemIdOf } from '../../../src/formats/cenc.ts'
import { openDocumentEncryption } from '../../../src/formats/cpix/encryption.ts'
import { attributeOf, textOf } from '../../../src/formats/xml/reader.ts'
import { StoredContentKeys } from '../../../src/keys/content/content-keys.ts'
import { importKeys } from '../../../src/operations/import/keys.ts'
import type { TransferCaller } from '../../../src/operations/transfer/transfer.ts'
import { certificateOf, rsaKeys } from '../../formats/cpix/certificates.ts'
import { kidOf as numbered } from '../../keys/fixtures.ts'
import { childText, drmSystemOf, elementsOf, plainKeys } from '../../protocols/speke/answering.ts'
import {
  AES_128,
  AES_128_V1,
  ALL_RULE,
  FAIRPLAY,
  KID,
  KID_2,
  PLAYREADY,
  requestFor,
  WIDEVINE,
} from '../../protocols/speke/documents.ts'
import { DAY, ledgerKey, ledgerRecord, OPERATOR } from '../managing.ts'
import { ENCRYPTOR, get, opened, post, READER, RESTRICTED, transferring } from './transferring.ts'

const KEY = Buffer.alloc(16, 0xc1)
const IV = Buffer.alloc(16, 0xc2)
const NAMESPACES = 'xmlns="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc"'
const reader = rsaKeys(2048)
const certificate = certificateOf(reader)

/** What generic clients send (Irdeto, BuyDRM, as Unified Streaming documents them): empty systems, no version, no scheme. */
const GENERIC = `<?xml version="1.0" encoding="UTF-8"?>
<CPIX contentId="movie" ${NAMESPACES}>
  <ContentKeyList>
    <ContentKey kid="${KID}"/>
  </ContentKeyList>
  <DRMSystemList>
    <DRMSystem kid="${KID}" systemId="${WIDEVINE}"/>
    <DRMSystem kid="${KID}" systemId="${PLAYREADY}" name="PlayReady"></DRMSystem>
  </DRMSystemList>
  <ContentKeyUsageRuleList>
    <ContentKeyUsageRule kid="${KID}"><LabelFilter label="main"/><x:Custom xmlns:x="urn:example:x" depth="3"/></ContentKeyUsageRule>
  </ContentKeyUsageRuleList>
</CPIX>`

const withKey = (kid: string, key: Uint8Array, attributes = ''): string =>
  `<ContentKey kid="${kid}" commonEncryptionScheme="cenc"${attributes}><Data><pskc:Secret><pskc:PlainValue>${Buffer.from(key).toString('base64')}</pskc:PlainValue></pskc:Secret></Data></ContentKey>`
const generic = (keys: string, rest = '', attributes = ''): string =>
  `<CPIX contentId="movie" ${attributes} ${NAMESPACES}><ContentKeyList>${keys}</ContentKeyList>${rest}</CPIX>`
const deliveryOf = (der: Uint8Array): string =>
  `<DeliveryDataList><DeliveryData><DeliveryKey><X509Data xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Certificate>${Buffer.from(der).toString('base64')}</X509Certificate></X509Data></DeliveryKey></DeliveryData></DeliveryDataList>`

const DRM_IDS = [systemIdOf(WIDEVINE), systemIdOf(PLAYREADY)] as const
const code = (expected: string) => (error: unknown) => error instanceof KeyProviderError && error.code === expected

describe('POST of a document', () => {
  test('creates it: keys, and everything that applies in empty systems; the rest as it was sent', async () => {
    const { transfer } = transferring()
    const { status, xml, document, first, keys } = await post(transfer, GENERIC)
    assert.deepEqual([status, first, keys], ['created', true, 1])
    assert.equal(Buffer.from(plainKeys(document)[KID] ?? '', 'base64').length, 16)
    const children = (systemId: string) => drmSystemOf(document, systemId, KID).children.map(({ local }) => local)
    assert.deepEqual(children(WIDEVINE), ['PSSH', 'ContentProtectionData', 'HLSSignalingData', 'HLSSignalingData'])
    assert.deepEqual(children(PLAYREADY).at(-1), 'SmoothStreamingProtectionHeaderData')
    for (const element of ['PSSH', 'ContentProtectionData', 'HLSSignalingData']) {
      for (const found of elementsOf(document, element)) assert.notEqual(textOf(document, found), '')
    }
    assert.match(xml, /<LabelFilter label="main"\/><x:Custom xmlns:x="urn:example:x" depth="3"\/>/)
    assert.ok(xml.startsWith('<?xml version="1.0" encoding="UTF-8"?>\n<CPIX contentId="movie"'))
  })

  test('again completes it with the same keys', async () => {
    const { transfer } = transferring()
    const created = await post(transfer, GENERIC)
    const again = await post(transfer, GENERIC)
    assert.deepEqual([again.status, again.first], ['completed', false])
    assert.equal(again.etag, created.etag)
    assert.equal(again.xml, created.xml)
  })

  test('gives the keys that SPEKE gave the content before, and those SPEKE gives later', async () => {
    const { transfer, management } = transferring()
    const wanted = { kid: numbered(1), contentKeyClass: 'drm' } as const
    const issue = async () => {
      const { keys } = await (
        await management.contentKeys.open({ tenant: 'default', contentId: 'movie' }, [numbered(1)])
      ).issue([wanted])
      return Buffer.from(keys[0]?.contentKey ?? []).toString('base64')
    }
    const before = await issue()
    const { document } = await post(transfer, generic(`<ContentKey kid="${numbered(1)}"/>`))
    assert.equal(plainKeys(document)[numbered(1)], before)
    assert.equal(await issue(), before)
  })

  test('takes a class from the systems as SPEKE does', async () => {
    const { transfer, recorded } = transferring()
    const clear = requestFor({ systems: [AES_128], scheme: 'cbc1' })
    await post(transfer, clear)
    assert.equal(recorded[0]?.keys[0]?.contentKeyClass, 'clear')
  })

  test('fills only what a system asks for where it asks for something', async () => {
    const { transfer } = transferring()
    const system = `<DRMSystemList><DRMSystem kid="${KID}" systemId="${WIDEVINE}"><PSSH/></DRMSystem></DRMSystemList>`
    const { document } = await post(transfer, generic(`<ContentKey kid="${KID}"/>`, system))
    assert.deepEqual(
      drmSystemOf(document, WIDEVINE, KID).children.map(({ local }) => local),
      ['PSSH'],
    )
  })

  test('of CPIX 2.4 names the second playlist multiVariant', async () => {
    const { transfer } = transferring()
    const system = `<DRMSystemList><DRMSystem kid="${KID}" systemId="${WIDEVINE}"/></DRMSystemList>`
    const { document } = await post(transfer, generic(`<ContentKey kid="${KID}"/>`, system, 'version="2.4"'))
    const playlists = elementsOf(document, 'HLSSignalingData').map((element) => attributeOf(element, 'playlist'))
    assert.deepEqual(playlists, ['media', 'multiVariant'])
  })

  test('fills a single HLSSignalingData without a playlist with the line of the media playlist', async () => {
    const { transfer } = transferring()
    const system = `<DRMSystemList><DRMSystem kid="${KID}" systemId="${WIDEVINE}"><HLSSignalingData/></DRMSystem></DRMSystemList>`
    const { document } = await post(
      transfer,
      generic(`<ContentKey kid="${KID}" commonEncryptionScheme="cbcs"/>`, system),
    )
    const line = childText(document, drmSystemOf(document, WIDEVINE, KID), 'HLSSignalingData') ?? ''
    assert.match(Buffer.from(line, 'base64').toString(), /^#EXT-X-KEY:/)
  })

  test('of the shape of SPEKE 1.0 keeps its elements and fills them', async () => {
    const { transfer } = transferring()
    const speke = 'xmlns:speke="urn:aws:amazon:com:speke"'
    const system = `<DRMSystemList><DRMSystem kid="${KID}" systemId="${AES_128_V1}"><URIExtXKey/><speke:KeyFormat ${speke}/></DRMSystem></DRMSystemList>`
    const { document } = await post(
      transfer,
      `<CPIX id="movie" ${NAMESPACES}><ContentKeyList><ContentKey kid="${KID}"/></ContentKeyList>${system}</CPIX>`,
    )
    assert.equal(attributeOf(document.root, 'id'), 'movie')
    const uri = Buffer.from(childText(document, drmSystemOf(document, AES_128_V1, KID), 'URIExtXKey') ?? '', 'base64')
    assert.match(uri.toString(), /^https:\/\/keys\.example\.com\/keys\/default\/movie\//)
  })

  test('echoes an explicitIV, and keeps it out of what is stored', async () => {
    const { transfer, store } = transferring()
    const iv = IV.toString('base64')
    const { document } = await post(transfer, generic(`<ContentKey kid="${KID}" explicitIV="${iv}"/>`))
    assert.equal(attributeOf(elementsOf(document, 'ContentKey')[0] ?? assert.fail(), 'explicitIV'), iv)
    const stored = await store.findDocument({ tenant: 'default', contentId: 'movie' })
    assert.doesNotMatch(stored?.xml ?? assert.fail(), /explicitIV|wsLC/)
  })

  const conflicts: Readonly<Record<string, readonly [string, RegExp]>> = {
    'of other kids': [GENERIC.replaceAll(KID, KID_2), /other kids/],
    'of more kids': [GENERIC.replace('<ContentKeyList>', `<ContentKeyList><ContentKey kid="${KID_2}"/>`), /other kids/],
    'of other key periods': [
      GENERIC.replace(
        '<ContentKeyUsageRuleList>',
        '<ContentKeyPeriodList><ContentKeyPeriod id="p" index="1"/></ContentKeyPeriodList>$&',
      ),
      /other key periods/,
    ],
  }
  for (const [name, [xml, says]] of Object.entries(conflicts)) {
    test(`${name} than the stored one is rejected, and changes nothing`, async () => {
      const { transfer } = transferring()
      const before = await post(transfer, GENERIC)
      await assert.rejects(post(transfer, xml), (error: KeyProviderError) => {
        assert.equal(error.code, 'ERR_DOCUMENT_EXISTS')
        assert.match(error.message, says)
        return true
      })
      assert.equal((await get(transfer)).xml, before.xml)
    })
  }

  test('by two at once creates one and completes it', async () => {
    const { transfer } = transferring()
    const [one, two] = await Promise.all([post(transfer, GENERIC), post(transfer, GENERIC)])
    assert.deepEqual([one.status, two.status].sort(), ['completed', 'created'])
    assert.equal(one.xml, two.xml)
    assert.equal(one.etag.split('.')[0], two.etag.split('.')[0])
  })

  const invalid: Readonly<Record<string, readonly [xml: string, code: string]>> = {
    'of another content': [GENERIC.replace('contentId="movie"', 'contentId="show"'), 'ERR_CPIX_INVALID'],
    'with a key of another content': [generic(`<ContentKey kid="${KID}" contentId="show"/>`), 'ERR_CPIX_INVALID'],
    'that holds a key': [generic(withKey(KID, KEY)), 'ERR_CPIX_INVALID'],
    'with a key hierarchy': [generic(`<ContentKey kid="${KID}" dependsOnKey="${KID_2}"/>`), 'ERR_CPIX_INVALID'],
    'without keys': [`<CPIX ${NAMESPACES}/>`, 'ERR_CPIX_INVALID'],
    'with a rule for an unknown kid': [GENERIC.replace(`Rule kid="${KID}"`, `Rule kid="${KID_2}"`), 'ERR_CPIX_INVALID'],
    'of an unknown version': [generic(`<ContentKey kid="${KID}"/>`, '', 'version="3.0"'), 'ERR_CPIX_INVALID'],
    'of an unknown scheme': [
      generic(`<ContentKey kid="${KID}" commonEncryptionScheme="cxyz"/>`),
      'ERR_SPEKE_SCHEME_UNKNOWN',
    ],
    'of an unknown system': [GENERIC.replace(WIDEVINE, numbered(7)), 'ERR_DRM_SYSTEM_UNKNOWN'],
    'of a system that cannot take the scheme': [
      generic(
        `<ContentKey kid="${KID}" commonEncryptionScheme="cenc"/>`,
        `<DRMSystemList><DRMSystem kid="${KID}" systemId="${FAIRPLAY}"/></DRMSystemList>`,
      ),
      'ERR_SPEKE_SCHEME_DRM_SYSTEM',
    ],
    'with key material elsewhere': [
      GENERIC.replace('<LabelFilter label="main"/>', `<pskc:PlainValue>${KEY.toString('base64')}</pskc:PlainValue>`),
      'ERR_CPIX_INVALID',
    ],
  }
  for (const [name, [xml, expected]] of Object.entries(invalid)) {
    test(`${name} is rejected before anything is created`, async () => {
      const { transfer, store } = transferring()
      await assert.rejects(post(transfer, xml), code(expected))
      assert.equal(await store.findSummary({ tenant: 'default', contentId: 'movie' }), undefined)
    })
  }

  test('of a content that the caller may not have is rejected', async () => {
    const { transfer } = transferring()
    const xml = generic(`<ContentKey kid="${KID}"/>`).replace('"movie"', '"secret"')
    await assert.rejects(post(transfer, xml, 'secret', RESTRICTED), code('ERR_FORBIDDEN'))
  })

  test('is recorded: the document before and after, and what was issued in the ledger', async () => {
    const { transfer, entries, recorded } = transferring()
    const { records } = await post(transfer, GENERIC)
    assert.deepEqual(
      entries.map(({ action, outcome, kids }) => [action, outcome, kids]),
      [
        ['document.write', 'begun', [KID]],
        ['document.write', 'ok', [KID]],
      ],
    )
    assert.deepEqual(records, recorded)
    assert.deepEqual([recorded[0]?.spekeVersion, recorded[0]?.client], ['cpix', 'encryptor'])
  })
})

describe('GET of a document', () => {
  test('gives what POST gave', async () => {
    const { transfer } = transferring()
    const created = await post(transfer, requestFor({ systems: [WIDEVINE, PLAYREADY], kids: [KID, KID_2] }))
    const found = await get(transfer)
    assert.equal(found.xml, created.xml)
    assert.equal(found.etag, created.etag)
  })

  test('of one that the caller has is unchanged, and issues and records nothing', async () => {
    const { transfer, entries } = transferring()
    const { etag } = await post(transfer, GENERIC)
    const before = entries.length
    for (const ifNoneMatch of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const { status, body } = await transfer.get(ENCRYPTOR, 'movie', { ifNoneMatch })
      assert.deepEqual([status, body], ['unchanged', undefined])
    }
    assert.equal(entries.length, before)
    assert.equal((await transfer.get(ENCRYPTOR, 'movie', { ifNoneMatch: '"x"' })).status, 'found')
  })

  test('has another ETag after a key was changed by force', async () => {
    const { transfer, management } = transferring()
    const { etag } = await post(transfer, GENERIC)
    const bytes = Buffer.from(JSON.stringify([{ contentId: 'movie', kid: KID, key: KEY.toString('hex') }]))
    await importKeys(management, OPERATOR, { format: 'json', bytes, force: true, reason: 'test' })
    const changed = opened(await transfer.get(ENCRYPTOR, 'movie', { ifNoneMatch: etag }))
    assert.equal(plainKeys(changed.document)[KID], KEY.toString('base64'))
    assert.notEqual(changed.etag, etag)
  })

  test('holds the key that its ETag stands for, although another process changed it a moment ago', async () => {
    const { management, clock } = transferring()
    const { dataKeys, store, now } = management
    const cached = new StoredContentKeys({
      store,
      dataKeys,
      policy: 'derived',
      now,
      time: now,
      randomBytes,
      revalidateMs: 5_000,
    })
    const { transfer } = transferring({}, { ...management, contentKeys: cached })
    const before = await post(transfer, GENERIC)
    const bytes = Buffer.from(JSON.stringify([{ contentId: 'movie', kid: KID, key: KEY.toString('hex') }]))
    await importKeys(management, OPERATOR, { format: 'json', bytes, force: true, reason: 'test' })
    clock.at += 1_000
    const after = await get(transfer)
    assert.notEqual(after.etag, before.etag)
    assert.equal(plainKeys(after.document)[KID], KEY.toString('base64'))
  })

  test('is recorded before the keys leave, with their recipients, and emitted', async () => {
    const { transfer, entries, events } = transferring()
    await post(transfer, GENERIC)
    entries.length = 0
    await get(transfer, 'movie', { ...READER, certificates: [certificate] })
    assert.deepEqual(
      entries.map(({ action, outcome, kids, recipients }) => [action, outcome, kids, recipients?.length]),
      [
        ['key.export', 'begun', [KID], 1],
        ['key.export', 'ok', [KID], 1],
      ],
    )
    const [event] = events
    assert.deepEqual([event?.type, event?.data.encrypted, event?.data.keys], ['key.exported', true, 1])
  })

  test('gives nothing where it cannot be recorded', async () => {
    const { transfer, setAuditAway } = transferring()
    await post(transfer, GENERIC)
    setAuditAway(true)
    await assert.rejects(get(transfer), code('ERR_AUDIT_UNAVAILABLE'))
  })

  test('in the clear is for those with the scope alone', async () => {
    const { transfer } = transferring()
    await post(transfer, GENERIC)
    await assert.rejects(get(transfer, 'movie', READER), (error: KeyProviderError) => {
      assert.equal(error.code, 'ERR_FORBIDDEN')
      assert.match(error.message, /keys:issue or keys:export/)
      return true
    })
  })

  for (const [name, xml, caller] of [
    [
      'the recipients of the document',
      GENERIC.replace('<ContentKeyList>', `${deliveryOf(certificate)}<ContentKeyList>`),
      READER,
    ],
    ['the certificate of the caller', GENERIC, { ...READER, certificates: [certificate] }],
  ] as const) {
    test(`encrypts for ${name}, and no clear key is beside them`, async () => {
      const { transfer, management } = transferring()
      await post(transfer, xml)
      const { document, xml: answer } = await get(transfer, 'movie', caller)
      const [documentKey, macKey, contentKey] = elementsOf(document, 'CipherValue').toSorted(
        (a, b) => a.start - b.start,
      )
      const wrapped = (element = documentKey) => textOf(document, element ?? assert.fail('no CipherValue'))
      const open = openDocumentEncryption({ documentKey: wrapped(), macKey: wrapped(macKey) }, reader.privateKey)
      const valueMac = textOf(document, elementsOf(document, 'ValueMAC')[0] ?? assert.fail('no MAC'))
      const clear = Buffer.from(open.decrypt({ cipherValue: wrapped(contentKey), valueMac }))
      const content = await management.contentKeys.open({ tenant: 'default', contentId: 'movie' }, [])
      const issued = content.findWithIv({ kid: numbered(1), contentKeyClass: 'drm' })
      assert.notEqual(issued, undefined)
      const expected = content.find({ kid: KID as ReturnType<typeof numbered>, contentKeyClass: 'drm' })
      assert.deepEqual(clear, Buffer.from(expected?.contentKey ?? []))
      assert.doesNotMatch(answer, /PlainValue/)
      assert.ok(!answer.includes(clear.toString('base64')))
    })
  }

  test('rejects an expired certificate, whether document or caller names it', async () => {
    const { transfer, clock } = transferring()
    await post(transfer, GENERIC.replace('<ContentKeyList>', `${deliveryOf(certificate)}<ContentKeyList>`))
    clock.at += 400 * DAY
    await assert.rejects(get(transfer), code('ERR_RECIPIENT_INVALID'))
  })

  test('asks whether the caller may encrypt for the recipients', async () => {
    const { transfer } = transferring()
    await post(transfer, GENERIC.replace('<ContentKeyList>', `${deliveryOf(certificate)}<ContentKeyList>`))
    const asked: unknown[] = []
    const authorize = (...values: readonly unknown[]) => void asked.push(values)
    await get(transfer, 'movie', { ...READER, authorize })
    assert.deepEqual((asked.at(-1) as [string, string[]])[1].length, 1)
  })

  for (const [afterwards, later, expected] of [
    ['gone', 8 * DAY, 'ERR_CONTENT_EXPIRED'],
    ['gone', 20 * DAY, 'ERR_CONTENT_GONE'],
    ['regenerate', 8 * DAY, 'ERR_CONTENT_EXPIRED'],
    ['regenerate', 20 * DAY, 'ERR_CONTENT_EXPIRED'],
  ] as const) {
    test(`of an expired content is ${expected} and changes nothing (${afterwards}, after ${later / DAY} days)`, async () => {
      const { transfer, store, clock, rules, entries } = transferring()
      rules.of = () => ({ name: 'live', keepMs: 7 * DAY, graceMs: 7 * DAY, afterwards, held: false })
      const { etag } = await post(transfer, GENERIC)
      const ref = { tenant: 'default', contentId: 'movie' }
      const before = await store.findContent(ref, [])
      const recorded = entries.length
      clock.at += later
      await assert.rejects(get(transfer), code(expected))
      await assert.rejects(transfer.get(ENCRYPTOR, 'movie', { ifNoneMatch: etag }), code(expected))
      assert.deepEqual(await store.findContent(ref, []), before)
      assert.equal(entries.length, recorded)
    })
  }

  test('of a document without keys creates none', async () => {
    const { transfer, store } = transferring()
    await transfer.put(ENCRYPTOR, 'movie', Buffer.from(GENERIC))
    await assert.rejects(get(transfer), code('ERR_KEY_NOT_FOUND'))
    assert.equal(await store.findContent({ tenant: 'default', contentId: 'movie' }, []), undefined)
  })

  test('of an imported key without an IV creates no secret for the IV, and answers none', async () => {
    const { transfer, store } = transferring()
    const systems = `<DRMSystemList><DRMSystem kid="${KID}" systemId="${WIDEVINE}"/></DRMSystemList>`
    const { etag } = await transfer.put(
      ENCRYPTOR,
      'movie',
      Buffer.from(generic(withKey(KID, KEY).replace('cenc', 'cbcs'), systems)),
    )
    const found = await get(transfer)
    assert.equal(found.etag, etag)
    assert.equal(plainKeys(found.document)[KID], KEY.toString('base64'))
    assert.equal(attributeOf(elementsOf(found.document, 'ContentKey')[0] ?? assert.fail(), 'explicitIV'), undefined)
    assert.equal((await store.findContent({ tenant: 'default', contentId: 'movie' }, []))?.sealedSecret, undefined)
  })

  test('of an unknown content is not found', async () => {
    const { transfer } = transferring()
    await assert.rejects(get(transfer), code('ERR_CONTENT_NOT_FOUND'))
    await post(transfer, GENERIC)
    await assert.rejects(
      get(transfer, 'movie', { ...ENCRYPTOR, operator: { ...OPERATOR, tenant: 'other' } }),
      code('ERR_CONTENT_NOT_FOUND'),
    )
  })
})

describe('GET of a content without a document', () => {
  test('is made from what was issued: kids, periods, track types and systems', async () => {
    const { transfer, store, management } = transferring()
    const ref = { tenant: 'default', contentId: 'movie' }
    const wanted = { kid: numbered(1), contentKeyClass: 'drm' } as const
    const issued = await (await management.contentKeys.open(ref, [numbered(1)])).issue([wanted])
    const systemIds = [...DRM_IDS]
    await store.record([
      ledgerRecord({
        ...ref,
        periodId: 'p2',
        periodIndex: 2,
        keys: [ledgerKey(numbered(2), { systemIds })],
        firstAt: 2,
        lastAt: 2,
      }),
      ledgerRecord({
        ...ref,
        periodId: 'p1',
        periodIndex: 1,
        periodStart: '2026-11-21T00:00:00Z',
        periodEnd: '2026-11-21T01:00:00Z',
        keys: [ledgerKey(numbered(1), { systemIds, intendedTrackTypes: ['SD+HD', 'AUDIO'] })],
        firstAt: 1,
        lastAt: 1,
      }),
    ])
    const { document, xml } = await get(transfer)
    const expected = Buffer.from(issued.keys[0]?.contentKey ?? []).toString('base64')
    assert.equal(plainKeys(document)[numbered(1)], expected)
    assert.match(xml, /<ContentKeyPeriod id="p1" index="1" start="2026-11-21T00:00:00Z" end="2026-11-21T01:00:00Z"\/>/)
    assert.match(xml, /intendedTrackType="SD\+HD"><KeyPeriodFilter periodId="p1"\/><VideoFilter\/><VideoFilter\/><\/C/)
    assert.match(xml, /intendedTrackType="AUDIO"><KeyPeriodFilter periodId="p1"\/><AudioFilter\/><\/C/)
    for (const kid of [numbered(1), numbered(2)]) drmSystemOf(document, WIDEVINE, kid)
  })

  for (const keyClass of ['drm', 'clear'] as const) {
    test(`names the systems of its class for an override that no encryptor requested yet (${keyClass})`, async () => {
      const { transfer, management } = transferring()
      const bytes = Buffer.from(
        JSON.stringify([{ contentId: 'movie', kid: KID, key: KEY.toString('hex'), class: keyClass }]),
      )
      await importKeys(management, OPERATOR, { format: 'json', bytes })
      const { document } = await get(transfer)
      assert.equal(plainKeys(document)[KID], KEY.toString('base64'))
      const named = elementsOf(document, 'DRMSystem').map((element) => attributeOf(element, 'systemId'))
      assert.equal(named.includes(WIDEVINE), keyClass === 'drm')
      assert.ok(named.length > 0)
    })
  }

  test('can be stored by POST, with the same keys', async () => {
    const { transfer, store, create } = transferring()
    await create('movie')
    await store.record([
      ledgerRecord({ contentId: 'movie', keys: [ledgerKey(numbered(1), { systemIds: [...DRM_IDS] })] }),
    ])
    const made = await get(transfer)
    assert.match(made.etag, /^"0\./)
    const { status, document } = await post(transfer, generic(`<ContentKey kid="${numbered(1)}"/>`))
    assert.equal(status, 'created')
    assert.deepEqual(plainKeys(document), plainKeys(made.document))
  })
})

describe('PUT of a document', () => {
  const put = (transfer: ReturnType<typeof transferring>['transfer'], xml: string, ifMatch?: string) =>
    transfer.put(ENCRYPTOR, 'movie', Buffer.from(xml), { ifMatch })

  test('creates it, with the keys and IVs it brings', async () => {
    const { transfer, store } = transferring()
    const { etag } = await put(transfer, generic(withKey(KID, KEY, ` explicitIV="${IV.toString('base64')}"`)))
    const { document, etag: found } = await get(transfer)
    assert.equal(plainKeys(document)[KID], KEY.toString('base64'))
    assert.equal(found, etag)
    const [override] = await store.listOverrides({ tenant: 'default', contentId: 'movie' })
    assert.equal(override?.kid, KID)
  })

  test('brings keys in the class that its systems mean', async () => {
    const { transfer, store } = transferring()
    const systems = `<DRMSystemList><DRMSystem kid="${KID}" systemId="${AES_128}"/></DRMSystemList>`
    await put(transfer, generic(withKey(KID, KEY).replace('cenc', 'cbc1'), systems))
    assert.equal((await store.listOverrides({ tenant: 'default', contentId: 'movie' }))[0]?.contentKeyClass, 'clear')
    assert.equal(plainKeys((await get(transfer)).document)[KID], KEY.toString('base64'))
  })

  test('of what GET gave, with other rules and periods, changes those and no key', async () => {
    const { transfer } = transferring()
    const before = await post(transfer, GENERIC)
    const periods = '<ContentKeyPeriodList><ContentKeyPeriod id="p" index="1"/></ContentKeyPeriodList>'
    const changed = before.xml
      .replace('<ContentKeyUsageRuleList>', `${periods}$&`)
      .replace('label="main"', 'label="other"')
    const { etag } = await put(transfer, changed, before.etag)
    const after = await get(transfer)
    assert.equal(after.xml, changed)
    assert.deepEqual([after.etag, after.etag === before.etag], [etag, false])
  })

  test('needs the ETag of the stored document', async () => {
    const { transfer } = transferring()
    const { etag } = await post(transfer, GENERIC)
    await assert.rejects(put(transfer, GENERIC), code('ERR_PRECONDITION_MISSING'))
    for (const wrong of ['"x"', `W/${etag}`, '"0"', 'x']) {
      await assert.rejects(put(transfer, GENERIC, wrong), code('ERR_PRECONDITION_FAILED'))
    }
    await put(transfer, GENERIC, '*')
    await assert.rejects(put(transfer, GENERIC, etag), code('ERR_PRECONDITION_FAILED'))
  })

  test('with an ETag without a stored document is rejected', async () => {
    const { transfer } = transferring()
    for (const ifMatch of ['"x"', '*']) {
      await assert.rejects(put(transfer, GENERIC, ifMatch), code('ERR_PRECONDITION_FAILED'))
    }
  })

  test('of two writers that saw the same lets one through', async () => {
    const { transfer } = transferring()
    const { etag } = await post(transfer, GENERIC)
    const writes = ['a', 'b'].map((label) => put(transfer, GENERIC.replace('"main"', `"${label}"`), etag))
    const settled = await Promise.allSettled(writes)
    assert.deepEqual(settled.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    const [lost] = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    assert.ok(code('ERR_PRECONDITION_FAILED')(lost))
  })

  test('for a recipient that the caller must not name stores no key and no document', async () => {
    const ours = rsaKeys(2048)
    const importKey = { certificate: certificateOf(ours), privateKey: ours.privateKey }
    const both =
      deliveryOf(importKey.certificate).replace('</DeliveryDataList>', '') +
      deliveryOf(certificate).replace('<DeliveryDataList>', '')
    const sent = await post(
      transferring().transfer,
      generic(`<ContentKey kid="${KID}"/>`).replace('<ContentKeyList>', `${both}<ContentKeyList>`),
    )
    const { transfer, store, entries } = transferring({ importKey })
    const pinned: TransferCaller = {
      ...ENCRYPTOR,
      authorize: (_, fingerprints = []) => {
        if (fingerprints.length > 0) throw new ForbiddenError('recipient', 'encryptor')
      },
    }
    await assert.rejects(transfer.put(pinned, 'movie', Buffer.from(sent.xml)), code('ERR_FORBIDDEN'))
    assert.deepEqual(await store.listOverrides({ tenant: 'default', contentId: 'movie' }), [])
    assert.equal(await store.findDocument({ tenant: 'default', contentId: 'movie' }), undefined)
    assert.deepEqual(entries, [])
  })

  test('that loses a race against another document stores none of its keys', async () => {
    const { transfer, store } = transferring()
    const writes = [KID, KID_2].map((kid) => put(transfer, generic(withKey(kid, KEY))))
    const settled = await Promise.allSettled(writes)
    const lost = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    assert.equal(lost.length, 1)
    assert.ok(code('ERR_PRECONDITION_FAILED')(lost[0]))
    const overrides = await store.listOverrides({ tenant: 'default', contentId: 'movie' })
    const winner = settled[0]?.status === 'fulfilled' ? KID : KID_2
    assert.deepEqual(
      overrides.map(({ kid }) => kid),
      [winner],
    )
  })

  test('that would change an issued key is rejected, and the document stays', async () => {
    const { transfer } = transferring()
    const before = await post(transfer, GENERIC)
    await assert.rejects(put(transfer, generic(withKey(KID, KEY)), before.etag), code('ERR_OVERRIDE_EXISTS'))
    assert.equal((await get(transfer)).xml, before.xml)
  })

  test('takes keys encrypted to the import certificate, and encrypts for the other recipients it names', async () => {
    const ours = rsaKeys(2048)
    const importKey = { certificate: certificateOf(ours), privateKey: ours.privateKey }
    const other = transferring()
    await other.management.contentKeys.open({ tenant: 'default', contentId: 'movie' }, [])
    const both =
      deliveryOf(importKey.certificate).replace('</DeliveryDataList>', '') +
      deliveryOf(certificate).replace('<DeliveryDataList>', '')
    const sent = await post(
      other.transfer,
      generic(`<ContentKey kid="${KID}"/>`).replace('<ContentKeyList>', `${both}<ContentKeyList>`),
    )
    const key = (
      await other.management.contentKeys.open({ tenant: 'default', contentId: 'movie' }, [
        KID as ReturnType<typeof numbered>,
      ])
    ).find({
      kid: KID as ReturnType<typeof numbered>,
      contentKeyClass: 'drm',
    })

    const { transfer, store, management } = transferring({ importKey })
    await put(transfer, sent.xml)
    const content = await management.contentKeys.open({ tenant: 'default', contentId: 'movie' }, [
      KID as ReturnType<typeof numbered>,
    ])
    assert.deepEqual(
      Buffer.from(content.find({ kid: KID as ReturnType<typeof numbered>, contentKeyClass: 'drm' })?.contentKey ?? []),
      Buffer.from(key?.contentKey ?? []),
    )
    const stored = (await store.findDocument({ tenant: 'default', contentId: 'movie' }))?.xml ?? ''
    assert.doesNotMatch(stored, /DocumentKey|MACMethod|CipherValue/)
    assert.ok(stored.includes(certificate.toString('base64')))
    assert.ok(!stored.includes(importKey.certificate.toString('base64')))
    assert.match((await get(transfer, 'movie', READER)).xml, /EncryptedValue/)
  })

  test('with keys for others alone is rejected rather than stored without them', async () => {
    const { transfer } = transferring()
    const sent = await post(transfer, GENERIC.replace('<ContentKeyList>', `${deliveryOf(certificate)}<ContentKeyList>`))
    const importKey = { certificate: certificateOf(rsaKeys(2048)), privateKey: reader.privateKey }
    const other = transferring({ importKey })
    await assert.rejects(put(other.transfer, sent.xml), code('ERR_CPIX_INVALID'))
  })

  const refused: Readonly<Record<string, string>> = {
    'an IV without its key': generic(`<ContentKey kid="${KID}" explicitIV="${IV.toString('base64')}"/>`),
    'a key in a comment too': generic(withKey(KID, KEY), `<!-- ${KEY.toString('hex').toUpperCase()} -->`),
    'a key in an extension too': generic(
      withKey(KID, KEY),
      `<x:Key xmlns:x="urn:x">${KEY.toString('base64url')}</x:Key>`,
    ),
    'a rule for no key': generic(
      withKey(KID, KEY),
      `<ContentKeyUsageRuleList>${ALL_RULE(KID_2).replaceAll('cpix:', '')}</ContentKeyUsageRuleList>`,
    ),
  }
  for (const [name, xml] of Object.entries(refused)) {
    test(`with ${name} is rejected, and no key is stored`, async () => {
      const { transfer, store } = transferring()
      await assert.rejects(put(transfer, xml), code('ERR_CPIX_INVALID'))
      assert.equal(await store.findSummary({ tenant: 'default', contentId: 'movie' }), undefined)
    })
  }

  test('is recorded before and after', async () => {
    const { transfer, entries } = transferring()
    await put(transfer, generic(withKey(KID, KEY)))
    assert.deepEqual(
      entries.map(({ action, outcome }) => `${action} ${outcome}`),
      ['document.write begun', 'key.import begun', 'key.import ok', 'document.write ok'],
    )
  })
})

describe('DELETE of a document', () => {
  test('destroys the content permanently', async () => {
    const { transfer, store, events } = transferring()
    await post(transfer, GENERIC)
    await transfer.delete(ENCRYPTOR, 'movie')
    const ref = { tenant: 'default', contentId: 'movie' }
    assert.equal((await store.findContent(ref, []))?.tombstone?.cause, 'deleted')
    assert.equal(await store.findDocument(ref), undefined)
    assert.equal(events.at(-1)?.type, 'content.deleted')
    await assert.rejects(get(transfer), code('ERR_CONTENT_GONE'))
    await assert.rejects(post(transfer, GENERIC), code('ERR_CONTENT_GONE'))
    await assert.rejects(transfer.put(ENCRYPTOR, 'movie', Buffer.from(GENERIC)), code('ERR_CONTENT_GONE'))
    await assert.rejects(
      transfer.put(ENCRYPTOR, 'movie', Buffer.from(generic(withKey(KID, KEY)))),
      code('ERR_CONTENT_GONE'),
    )
    await assert.rejects(transfer.delete(ENCRYPTOR, 'movie'), code('ERR_CONTENT_GONE'))
  })

  test('of a content that was issued without a document leaves no way to have it again', async () => {
    const { transfer, store, create } = transferring()
    await create('movie')
    await store.record([
      ledgerRecord({ contentId: 'movie', keys: [ledgerKey(numbered(1), { systemIds: [...DRM_IDS] })] }),
    ])
    await get(transfer)
    await transfer.delete(ENCRYPTOR, 'movie')
    await assert.rejects(get(transfer), code('ERR_CONTENT_GONE'))
  })

  test('with another ETag than the stored one is rejected; without one it is not', async () => {
    const { transfer } = transferring()
    const { etag } = await post(transfer, GENERIC)
    await assert.rejects(transfer.delete(ENCRYPTOR, 'movie', { ifMatch: '"x"' }), code('ERR_PRECONDITION_FAILED'))
    await transfer.delete(ENCRYPTOR, 'movie', { ifMatch: etag })
  })

  test('of a content under legal hold is rejected', async () => {
    const { transfer, store } = transferring()
    await post(transfer, GENERIC)
    await store.putHold({ tenant: 'default', contentId: 'movie' }, 'a lawsuit')
    await assert.rejects(transfer.delete(ENCRYPTOR, 'movie'), code('ERR_CONTENT_HELD'))
  })

  test('of an unknown content is not found', async () => {
    await assert.rejects(transferring().transfer.delete(ENCRYPTOR, 'movie'), code('ERR_CONTENT_NOT_FOUND'))
  })
})

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { ForbiddenError } from '../../../src/auth/failure.ts'
import type { KeyProviderError } from '../../../src/core/errors.ts'
import { openDocumentEncryption } from '../../../src/formats/cpix/encryption.ts'
import { attributeOf, readXml, textOf } from '../../../src/formats/xml/reader.ts'
import { StoredContentKeys } from '../../../src/keys/content/content-keys.ts'
import { findKnownKeys } from '../../../src/operations/contents/known-keys.ts'
import { exportKeys, type KeyExport } from '../../../src/operations/export/keys.ts'
import { importKeys } from '../../../src/operations/import/keys.ts'
import { certificateOf, rsaKeys, rsaPublicKey } from '../../formats/cpix/certificates.ts'
import { kidOf, REF, wantedOf } from '../../keys/fixtures.ts'
import { elementsOf, plainKeys } from '../../protocols/speke/answering.ts'
import { DAY, ledgerKey, ledgerRecord, managing, OPERATOR } from '../managing.ts'
import { validate, WITH_SCHEMAS } from '../validating.ts'

const KEY = Buffer.alloc(16, 0xc1)
const partner = rsaKeys(2048)
const certificate = certificateOf(partner)
const FORMATS = ['json', 'csv', 'cpix'] as const

/** A content whose first key is derived and issued in a period, and whose second is imported and was not asked for yet. */
async function filmed() {
  const world = managing()
  const { management, store } = world
  const bytes = Buffer.from(JSON.stringify([{ contentId: 'movie', kid: kidOf(2), key: KEY.toString('hex') }]))
  await importKeys(management, OPERATOR, { format: 'json', bytes })
  const { keys } = await (await management.contentKeys.open(REF, [kidOf(1)])).issue([wantedOf(1)])
  const period = {
    periodId: 'p1',
    periodIndex: 1,
    periodStart: '2026-11-21T00:00:00Z',
    periodEnd: '2026-11-21T01:00:00Z',
  }
  await store.record([
    ledgerRecord({ ...REF, ...period, keys: [ledgerKey(kidOf(1), { intendedTrackTypes: ['SD+HD', 'AUDIO'] })] }),
  ])
  world.entries.length = 0
  world.events.length = 0
  return { ...world, derived: Buffer.from(keys[0]?.contentKey ?? assert.fail()) }
}

const wanted = (over: Partial<KeyExport> = {}): KeyExport => ({ contentId: 'movie', format: 'json', ...over })

async function refusalOf(exporting: Promise<unknown>): Promise<KeyProviderError> {
  return (await exporting.then(
    () => assert.fail('exported'),
    (refusal: unknown) => refusal,
  )) as KeyProviderError
}

describe('exported keys', () => {
  for (const format of FORMATS) {
    test(`as ${format} can be imported elsewhere, and are issued there`, async () => {
      const { management, derived } = await filmed()
      const { bytes, keys, recipients } = await exportKeys(management, OPERATOR, wanted({ format }))
      assert.deepEqual(
        [keys, recipients],
        [[1, 2].map((number) => ({ kid: kidOf(number), contentKeyClass: 'drm' })), []],
      )
      const other = managing().management
      assert.equal((await importKeys(other, OPERATOR, { format, bytes })).stored, 2)
      const content = await other.contentKeys.open(REF, [kidOf(1), kidOf(2)])
      const issued = await content.issue([wantedOf(1), wantedOf(2)])
      assert.deepEqual(
        issued.keys.map(({ contentKey }) => Buffer.from(contentKey)),
        [derived, KEY],
      )
      const before = (await management.contentKeys.open(REF, [kidOf(1)])).findWithIv(wantedOf(1))
      assert.deepEqual(Buffer.from(issued.keys[0]?.explicitIv ?? []), Buffer.from(before?.explicitIv ?? []))
      assert.equal((await importKeys(management, OPERATOR, { format, bytes })).same, 2)
    })
  }

  test('are those of the kids and the class that are named', async () => {
    const { management } = await filmed()
    const { keys } = await exportKeys(management, OPERATOR, wanted({ kids: [kidOf(2), kidOf(2)] }))
    assert.deepEqual(
      keys.map(({ kid }) => kid),
      [kidOf(2)],
    )
    const clear = await exportKeys(management, OPERATOR, wanted({ kids: [kidOf(1)], contentKeyClass: 'clear' }))
    assert.deepEqual(clear.keys, [{ kid: kidOf(1), contentKeyClass: 'clear' }])
  })

  test('of a kid that the ledger forgot need the class', async () => {
    const { management, create } = managing()
    await create('movie')
    const kids = [kidOf(9)]
    assert.equal((await refusalOf(exportKeys(management, OPERATOR, wanted({ kids })))).code, 'ERR_KEY_NOT_FOUND')
    const { bytes } = await exportKeys(management, OPERATOR, wanted({ kids, contentKeyClass: 'drm' }))
    const issued = await (await management.contentKeys.open(REF, kids)).issue([wantedOf(9)])
    assert.ok(Buffer.from(bytes).includes(Buffer.from(issued.keys[0]?.contentKey ?? []).toString('hex')))
  })

  test('are the stored ones, not those of some seconds ago', async () => {
    const { management, clock } = await filmed()
    const { dataKeys, store, now } = management
    const contentKeys = new StoredContentKeys({
      store,
      dataKeys,
      policy: 'derived',
      now,
      time: now,
      randomBytes,
      revalidateMs: 5_000,
    })
    const server = { ...management, contentKeys }
    const exported = async () =>
      Buffer.from((await exportKeys(server, OPERATOR, wanted({ kids: [kidOf(2)] }))).bytes).toString()
    assert.match(await exported(), new RegExp(KEY.toString('hex')))
    const other = Buffer.alloc(16, 0xc4)
    const bytes = Buffer.from(JSON.stringify([{ contentId: 'movie', kid: kidOf(2), key: other.toString('hex') }]))
    await importKeys(management, OPERATOR, { format: 'json', bytes, force: true, reason: 'test' })
    clock.at += 1_000
    assert.match(await exported(), new RegExp(other.toString('hex')))
  })

  test('as CSV quote a content id that needs it', async () => {
    const { management } = managing()
    const contentId = 'a "quoted",\nid'
    const bytes = Buffer.from(JSON.stringify([{ contentId, kid: kidOf(1), key: KEY.toString('hex') }]))
    await importKeys(management, OPERATOR, { format: 'json', bytes })
    const out = await exportKeys(management, OPERATOR, wanted({ contentId, format: 'csv' }))
    assert.match(Buffer.from(out.bytes).toString(), /^contentId,kid,key,iv,class\r\n"a ""quoted"",\nid",/)
    const { keys } = await importKeys(managing().management, OPERATOR, { format: 'csv', bytes: out.bytes })
    assert.equal(keys[0]?.contentId, contentId)
  })

  for (const contentId of [
    '=HYPERLINK("http://a.example";"b")',
    '+1',
    '-live',
    '@SUM(A1)',
    "'=1",
    "''-x",
    "'plain",
    'a=b',
  ])
    test(`as CSV hold no formula of a spreadsheet: ${contentId}`, async () => {
      const { management } = managing()
      const bytes = Buffer.from(JSON.stringify([{ contentId, kid: kidOf(1), key: KEY.toString('hex') }]))
      await importKeys(management, OPERATOR, { format: 'json', bytes })
      const out = await exportKeys(management, OPERATOR, wanted({ contentId, format: 'csv' }))
      const [, row = ''] = Buffer.from(out.bytes).toString().split('\r\n')
      assert.doesNotMatch(row, /^"?[=+\-@]/)
      const { keys } = await importKeys(managing().management, OPERATOR, { format: 'csv', bytes: out.bytes })
      assert.equal(keys[0]?.contentId, contentId)
    })
})

describe('keys exported as CPIX', () => {
  test('come with their periods and track types', async () => {
    const { management, derived } = await filmed()
    const { bytes, mediaType } = await exportKeys(management, OPERATOR, wanted({ format: 'cpix' }))
    assert.equal(mediaType, 'application/xml')
    const document = readXml(bytes)
    assert.deepEqual(plainKeys(document), {
      [kidOf(1)]: derived.toString('base64'),
      [kidOf(2)]: KEY.toString('base64'),
    })
    const [key] = elementsOf(document, 'ContentKey')
    assert.equal(attributeOf(key ?? assert.fail(), 'commonEncryptionScheme'), 'cenc')
    assert.match(Buffer.from(bytes).toString(), /<ContentKeyPeriod id="p1" index="1" start="2026/)
    assert.deepEqual(
      elementsOf(document, 'ContentKeyUsageRule').map((rule) => attributeOf(rule, 'intendedTrackType')),
      ['SD+HD', 'AUDIO'],
    )
  })

  test('for a recipient are encrypted, open with its key, and no clear key is beside them', async () => {
    const { management, derived } = await filmed()
    const given = wanted({ format: 'cpix', recipients: [certificate] })
    const { bytes, recipients } = await exportKeys(management, OPERATOR, given)
    assert.equal(recipients.length, 1)
    const text = Buffer.from(bytes).toString()
    assert.doesNotMatch(text, /PlainValue/)
    for (const key of [derived, KEY])
      assert.ok(!text.includes(key.toString('base64')) && !text.includes(key.toString('hex')))
    const document = readXml(bytes)
    const values = elementsOf(document, 'CipherValue').map((element) => textOf(document, element))
    const [documentKey = '', macKey = '', ...ciphers] = values
    const macs = elementsOf(document, 'ValueMAC').map((element) => textOf(document, element))
    const open = openDocumentEncryption({ documentKey, macKey }, partner.privateKey)
    assert.deepEqual(
      ciphers.map((cipherValue, i) => Buffer.from(open.decrypt({ cipherValue, valueMac: macs[i] ?? '' }))),
      [derived, KEY],
    )
  })

  test('for another Keyspring are imported there by its import certificate', async () => {
    const { management } = await filmed()
    const { bytes } = await exportKeys(management, OPERATOR, wanted({ format: 'cpix', recipients: [certificate] }))
    const importKey = { certificate, privateKey: partner.privateKey }
    const { stored } = await importKeys(managing().management, OPERATOR, { format: 'cpix', bytes, importKey })
    assert.equal(stored, 2)
  })

  for (const [name, recipients] of [
    ['in the clear', []],
    ['for a recipient', [certificate]],
  ] as const) {
    test(`are valid under the schema of their edition, ${name}`, WITH_SCHEMAS, async () => {
      const given = wanted({ format: 'cpix', recipients })
      const bounded = await exportKeys((await filmed()).management, OPERATOR, given)
      validate(bounded.bytes, 'CPIX2.4')
      const { management, create, store } = managing()
      await create('movie')
      await store.record([ledgerRecord({ ...REF, periodId: 'p1', periodIndex: 1 })])
      validate((await exportKeys(management, OPERATOR, given)).bytes, 'CPIX2.3.1')
    })
  }

  test('have a kid once: one known in both classes needs the class', async () => {
    const { management, store } = await filmed()
    await store.record([ledgerRecord({ ...REF, keys: [ledgerKey(kidOf(1), { contentKeyClass: 'clear' })] })])
    const { code } = await refusalOf(exportKeys(management, OPERATOR, wanted({ format: 'cpix' })))
    assert.equal(code, 'ERR_KID_CONFLICT')
    await exportKeys(management, OPERATOR, wanted({ format: 'cpix', contentKeyClass: 'clear' }))
    assert.equal((await exportKeys(management, OPERATOR, wanted())).keys.length, 3)
  })
})

describe('an export', () => {
  test('is recorded before the keys are opened, with kids and recipients, and emitted; neither holds a key', async () => {
    const { management, entries, events } = await filmed()
    const { recipients } = await exportKeys(management, OPERATOR, wanted({ format: 'cpix', recipients: [certificate] }))
    assert.deepEqual(
      entries.map(({ action, outcome, kids, keys, recipients: to }) => ({ action, outcome, kids, keys, to })),
      ['begun', 'ok'].map((outcome) => {
        return { action: 'key.export', outcome, kids: [kidOf(1), kidOf(2)], keys: 2, to: recipients }
      }),
    )
    assert.deepEqual(
      events.map(({ type, data }) => ({ type, data })),
      [{ type: 'key.exported', data: { keys: 2, format: 'cpix', encrypted: true, recipients } }],
    )
    assert.doesNotMatch(JSON.stringify([entries, events]), /c1c1c1|wcHBw/)
  })

  test('gives nothing where it cannot be recorded', async () => {
    const { management, setAuditAway } = await filmed()
    setAuditAway(true)
    assert.equal((await refusalOf(exportKeys(management, OPERATOR, wanted()))).code, 'ERR_AUDIT_UNAVAILABLE')
  })

  test('asks whether the asker may encrypt for the recipients before it records anything', async () => {
    const { management, entries } = await filmed()
    const authorize = (): never => {
      throw new ForbiddenError('recipient', 'ops')
    }
    const given = wanted({ format: 'cpix', recipients: [certificate], authorize })
    assert.equal((await refusalOf(exportKeys(management, OPERATOR, given))).code, 'ERR_FORBIDDEN')
    assert.deepEqual(entries, [])
  })

  test('creates nothing', async () => {
    const { management, store } = managing()
    await store.record([ledgerRecord({ ...REF })])
    assert.equal((await refusalOf(exportKeys(management, OPERATOR, wanted()))).code, 'ERR_KEY_NOT_FOUND')
    assert.equal((await store.findContent(REF, []))?.sealedSecret, undefined)
  })

  const at = Date.UTC(2026, 10, 21)
  const refused: Readonly<Record<string, readonly [KeyExport, string]>> = {
    'of an unknown format': [wanted({ format: 'xls' }), 'ERR_API_REQUEST_INVALID'],
    'as JSON for a recipient': [wanted({ recipients: [certificate] }), 'ERR_API_REQUEST_INVALID'],
    'for too many recipients': [
      wanted({ format: 'cpix', recipients: Array(33).fill(certificate) }),
      'ERR_API_REQUEST_INVALID',
    ],
    'of a class that the content has not': [wanted({ contentKeyClass: 'clear' }), 'ERR_API_REQUEST_INVALID'],
    'of a content that nobody knows': [wanted({ contentId: 'show' }), 'ERR_CONTENT_NOT_FOUND'],
    'for a certificate that is none': [
      wanted({ format: 'cpix', recipients: [Buffer.from('none')] }),
      'ERR_RECIPIENT_INVALID',
    ],
    'for a weak certificate': [
      wanted({ format: 'cpix', recipients: [certificateOf({ publicKey: rsaPublicKey(1024) })] }),
      'ERR_RECIPIENT_INVALID',
    ],
    'for an expired certificate': [
      wanted({
        format: 'cpix',
        recipients: [certificateOf({ ...partner, validFrom: at - 2 * DAY, validTo: at - DAY })],
      }),
      'ERR_RECIPIENT_INVALID',
    ],
  }
  for (const [name, [given, code]] of Object.entries(refused)) {
    test(`${name} is rejected, and not recorded as an export`, async () => {
      const { management, entries } = await filmed()
      assert.equal((await refusalOf(exportKeys(management, OPERATOR, given))).code, code)
      assert.deepEqual(entries, [])
    })
  }

  test('of another tenant is of a content that is not known', async () => {
    const { management } = await filmed()
    const operator = { ...OPERATOR, tenant: 'other' }
    assert.equal((await refusalOf(exportKeys(management, operator, wanted()))).code, 'ERR_CONTENT_NOT_FOUND')
  })

  test('of a content that was destroyed is rejected', async () => {
    const { management, store } = await filmed()
    await store.putTombstone(REF, { at: 1, reason: 'withdrawn', cause: 'deleted' })
    assert.equal((await refusalOf(exportKeys(management, OPERATOR, wanted()))).code, 'ERR_CONTENT_GONE')
  })

  test('of a thousand keys comes whole', async () => {
    const { management, store, create } = managing()
    await create('movie')
    const keys = Array.from({ length: 1000 }, (_, i) => ledgerKey(kidOf(i + 1)))
    await store.record([ledgerRecord({ ...REF, keys })])
    for (const format of FORMATS) {
      assert.equal((await exportKeys(management, OPERATOR, wanted({ format }))).keys.length, 1000)
    }
  })
})

test('a kid that stays the same for ten thousand periods is known with each of them', async () => {
  const { management, store, create } = managing()
  await create('channel')
  const periods = Array.from({ length: 10_000 }, (_, i) => ledgerRecord({ periodId: `p${i}`, firstAt: i, lastAt: i }))
  await store.record(periods)
  const { keys, periods: read } = await findKnownKeys(store, { tenant: 'default', contentId: 'channel' }, 10_000)
  assert.equal(read.length, 10_000)
  assert.deepEqual(keys[0]?.periodIds.slice(0, 2), ['p0', 'p1'])
  assert.equal(keys[0]?.periodIds.length, 10_000)
  const named = { contentId: 'channel', format: 'json', kids: [kidOf(1)] }
  assert.equal((await exportKeys(management, OPERATOR, named)).keys.length, 1)
})

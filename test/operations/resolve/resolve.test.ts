import assert from 'node:assert/strict'
import {
  constants,
  createDecipheriv,
  createHmac,
  type KeyObject,
  privateDecrypt,
  randomBytes,
  X509Certificate,
} from 'node:crypto'
import { describe, test } from 'node:test'
import { compactDecrypt } from 'jose'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { type Kid, toKid } from '../../../src/formats/cenc.ts'
import type { XmlDocument, XmlElement } from '../../../src/formats/xml/document.ts'
import { attributeOf, readXml, textOf } from '../../../src/formats/xml/reader.ts'
import { addOverride } from '../../../src/keys/content/overrides.ts'
import { deleteContent } from '../../../src/operations/contents/changes.ts'
import type { EncryptedResolution, Resolution } from '../../../src/operations/resolve/resolution.ts'
import { type ResolveQuery, resolveKeys } from '../../../src/operations/resolve/resolve.ts'
import { certificateOf, evenPublicKey, rsaKeys } from '../../formats/cpix/certificates.ts'
import { kidOf } from '../../keys/fixtures.ts'
import { answering, elementsOf, plainKeys } from '../../protocols/speke/answering.ts'
import {
  AES_128,
  KIDS,
  type Parts,
  PLAYREADY,
  requestFor,
  rule,
  WIDEVINE,
  type Wish,
} from '../../protocols/speke/documents.ts'
import { DAY, ledgerKey, ledgerRecord, type ManagingOptions, managing, OPERATOR, START, WEEK } from '../managing.ts'

const [FIRST, SECOND] = KIDS.map((text) => toKid(text) ?? assert.fail(text))
assert.ok(FIRST !== undefined && SECOND !== undefined)
const BOTH: readonly Kid[] = [FIRST, SECOND]
const inPeriod = (filter: string): string => `<cpix:KeyPeriodFilter periodId="p7"/><cpix:${filter}/>`
const PERIOD: Parts = {
  periods: '<cpix:ContentKeyPeriod id="p7" index="7"/>',
  rules: rule(FIRST, 'VIDEO', inPeriod('VideoFilter')) + rule(SECOND, 'AUDIO', inPeriod('AudioFilter')),
}

/** A key provider whose encryptors ask by SPEKE, and its licence servers. */
function resolving(options: ManagingOptions = {}) {
  const managed = managing(options)
  const { management, store, clock } = managed
  const answer = answering({ contentKeys: management.contentKeys })
  return {
    ...managed,
    /** What an encryptor was given: base64 of key and IV by kid. */
    async encrypt(wish: Wish = {}, tenant = 'default', changed: Parts = {}) {
      const kids = wish.kids ?? BOTH
      const { document, records } = await answer(
        '2.0',
        requestFor({ systems: [WIDEVINE, PLAYREADY], ...wish, kids }, changed),
        {
          tenant,
        },
      )
      const times = { firstAt: clock.at, lastAt: clock.at, requests: 1, keepUntil: undefined }
      await store.record(records.map((entry) => ({ ...entry, ...times })))
      return plainKeys(document)
    },
    async resolve(query: Partial<ResolveQuery> = {}, tenant = 'default'): Promise<Resolution> {
      const resolved = await resolveKeys(management, { ...OPERATOR, tenant }, { kids: BOTH, ...query })
      return 'keys' in resolved ? resolved : assert.fail('it is encrypted')
    },
    async encrypted(encryption: ResolveQuery['encryption'], kids = BOTH): Promise<EncryptedResolution> {
      const resolved = await resolveKeys(management, OPERATOR, { kids, encryption })
      return 'encrypted' in resolved ? resolved : assert.fail('it is in the clear')
    },
  }
}

const keysOf = ({ keys }: Resolution) => Object.fromEntries(keys.map(({ kid, key }) => [kid, key]))
const codesOf = ({ errors }: Resolution) => errors.map(({ kid, code }) => [kid, code])

describe('a licence server', () => {
  test('is given by kid alone what the encryptor was given', async () => {
    const { encrypt, resolve } = resolving()
    const given = await encrypt({ contentId: 'movie', scheme: 'cbcs' })
    const resolved = await resolve()
    assert.deepEqual(keysOf(resolved), given)
    assert.deepEqual(resolved.errors, [])
  })

  test('gets everything that a licence depends on', async () => {
    const { encrypt, resolve } = resolving({ rules: { of: () => WEEK } })
    await encrypt({ contentId: 'movie', scheme: 'cbcs' }, 'default', PERIOD)
    const [key, ...more] = (await resolve({ kids: [FIRST] })).keys
    assert.deepEqual(more, [])
    assert.deepEqual(
      { ...key, key: key?.key.length, explicitIV: key?.explicitIV?.length },
      {
        kid: FIRST,
        contentId: 'movie',
        class: 'drm',
        key: 24,
        explicitIV: 24,
        commonEncryptionScheme: 'cbcs',
        intendedTrackTypes: ['VIDEO'],
        contentKeyPeriod: { index: 7, start: undefined, end: undefined },
        policy: { expiresAt: new Date(START + 7 * DAY).toISOString() },
      },
    )
  })

  test('is given the keys of several contents in one answer', async () => {
    const { encrypt, resolve } = resolving()
    const a = await encrypt({ contentId: 'a', kids: [FIRST] })
    const b = await encrypt({ contentId: 'b', kids: [SECOND] })
    assert.deepEqual(keysOf(await resolve()), { ...a, ...b })
  })

  test('is given the keys of a content with many kids, of old periods too', async () => {
    const { create, store, management, resolve } = resolving()
    await create('channel')
    const kids = Array.from({ length: 100 }, (_, i) => kidOf(i))
    await store.record(
      kids.map((kid, i) =>
        ledgerRecord({ periodId: `p${i}`, periodIndex: i, keys: [ledgerKey(kid)], lastAt: START + i }),
      ),
    )
    const { keys, errors } = await resolve({ contentId: 'channel', kids })
    assert.deepEqual(errors, [])
    const content = await management.contentKeys.open({ tenant: 'default', contentId: 'channel' }, kids)
    const { keys: issued } = await content.issue(kids.map((kid) => ({ kid, contentKeyClass: 'drm' })))
    assert.deepEqual(
      keys.map(({ key }) => key),
      issued.map(({ contentKey }) => Buffer.from(contentKey).toString('base64')),
    )
    assert.deepEqual(
      keys.map(({ contentKeyPeriod }) => contentKeyPeriod?.index),
      kids.map((_, i) => i),
    )
  })

  test('is given nothing of another tenant: the same kids there are not found, or other keys', async () => {
    const { encrypt, resolve } = resolving()
    const ours = await encrypt({ contentId: 'movie' })
    const elsewhere = await resolve({}, 'other')
    assert.deepEqual(
      codesOf(elsewhere),
      BOTH.map((kid) => [kid, 'ERR_KEY_NOT_FOUND']),
    )
    const theirs = await encrypt({ contentId: 'movie' }, 'other')
    assert.deepEqual(keysOf(await resolve({}, 'other')), theirs)
    for (const kid of BOTH) assert.notEqual(ours[kid], theirs[kid])
  })

  test('gets the contents of an ambiguous kid, and the key of the content that it names', async () => {
    const { encrypt, resolve } = resolving()
    const a = await encrypt({ contentId: 'a', kids: [FIRST] })
    await encrypt({ contentId: 'b', kids: [FIRST] })
    const { keys, errors } = await resolve({ kids: [FIRST] })
    assert.deepEqual(keys, [])
    assert.deepEqual(
      errors.map(({ kid, code, contentIds }) => [kid, code, [...(contentIds ?? [])].sort()]),
      [[FIRST, 'ERR_KID_CONFLICT', ['a', 'b']]],
    )
    assert.deepEqual(keysOf(await resolve({ kids: [FIRST], contentId: 'a' })), a)
  })

  test('is given the key of DRM systems of a kid that has two, unless it asks for the other', async () => {
    const { encrypt, resolve } = resolving()
    const drm = await encrypt({ contentId: 'movie', kids: [FIRST], scheme: 'cbcs' })
    const clear = await encrypt({ contentId: 'movie', kids: [FIRST], systems: [AES_128], scheme: 'cbc1' })
    assert.deepEqual(keysOf(await resolve({ kids: [FIRST] })), drm)
    assert.deepEqual(keysOf(await resolve({ kids: [FIRST], contentKeyClass: 'clear' })), clear)
    assert.notEqual(drm[FIRST], clear[FIRST])
  })

  test('is given an imported key, with the content or, once it was asked for, without', async () => {
    const { management, encrypt, resolve } = resolving()
    const key = randomBytes(16)
    await addOverride(management, {
      ref: { tenant: 'default', contentId: 'movie' },
      contentKeyClass: 'drm',
      kid: FIRST,
      key,
    })
    assert.deepEqual(codesOf(await resolve({ kids: [FIRST] })), [[FIRST, 'ERR_KEY_NOT_FOUND']])
    const imported = { [FIRST]: key.toString('base64') }
    assert.deepEqual(keysOf(await resolve({ kids: [FIRST], contentId: 'movie' })), imported)
    await encrypt({ contentId: 'movie', kids: [FIRST] })
    assert.deepEqual(keysOf(await resolve({ kids: [FIRST] })), imported)
  })

  test('needs no ledger when it names the content: a player may be faster', async () => {
    const { create, management, resolve } = resolving()
    await create('movie')
    const content = await management.contentKeys.open({ tenant: 'default', contentId: 'movie' }, [kidOf(1)])
    const { keys } = await resolve({ kids: [kidOf(1)], contentId: 'movie' })
    const key = content.find({ kid: kidOf(1), contentKeyClass: 'drm' }) ?? assert.fail('no key')
    assert.deepEqual(
      keys.map((one) => [one.key, one.commonEncryptionScheme, one.contentKeyPeriod]),
      [[Buffer.from(key.contentKey).toString('base64'), undefined, undefined]],
    )
  })
})

describe('what is not there', () => {
  test('is never made: the store is as it was', async () => {
    const { resolve, store } = resolving()
    for (const contentId of [undefined, 'movie']) {
      assert.deepEqual(
        codesOf(await resolve({ contentId })),
        BOTH.map((kid) => [kid, 'ERR_KEY_NOT_FOUND']),
      )
    }
    assert.deepEqual(await store.listContents(undefined, 10), [])
  })

  test('does not keep the keys that are there', async () => {
    const { encrypt, resolve } = resolving()
    const given = await encrypt({ contentId: 'movie', kids: [FIRST] })
    const resolved = await resolve()
    assert.deepEqual(keysOf(resolved), given)
    assert.deepEqual(codesOf(resolved), [[SECOND, 'ERR_KEY_NOT_FOUND']])
  })

  test('is rejected as to players: a content that expired, and one that was destroyed', async () => {
    const { encrypt, resolve, management, clock } = resolving({ rules: { of: () => WEEK } })
    await encrypt({ contentId: 'old', kids: [FIRST] })
    await encrypt({ contentId: 'gone', kids: [SECOND] })
    await deleteContent(management, OPERATOR, { contentId: 'gone', reason: 'rights ended' })
    clock.at += 7 * DAY
    const resolved = await resolve()
    assert.deepEqual(resolved.keys, [])
    assert.deepEqual(codesOf(resolved), [
      [FIRST, 'ERR_CONTENT_EXPIRED'],
      [SECOND, 'ERR_CONTENT_GONE'],
    ])
  })

  test('is not said of a store that is away: that is an error', async () => {
    const { encrypt, resolve, store } = resolving()
    await encrypt({ contentId: 'movie' })
    const away = new KeyProviderError('ERR_STORE_UNAVAILABLE', 'the store is away')
    store.findContent = async () => {
      throw away
    }
    store.findSummary = store.findContent as never
    await assert.rejects(resolve({ contentId: 'another' }), { code: 'ERR_STORE_UNAVAILABLE' })
  })

  for (const count of [0, 257]) {
    test(`of ${count} kids is rejected`, async () => {
      const kids = Array.from({ length: count }, (_, i) => kidOf(i))
      await assert.rejects(resolving().resolve({ kids }), { code: 'ERR_API_REQUEST_INVALID' })
    })
  }
})

describe('the audit log', () => {
  test('knows of the keys before they leave: who, which kids, of which content, how many', async () => {
    const { encrypt, resolve, entries } = resolving()
    await encrypt({ contentId: 'movie' })
    await resolve({ kids: [FIRST, kidOf(9)] })
    const common = {
      action: 'key.resolve',
      tenant: 'default',
      actor: OPERATOR.actor,
      requestId: 'r1',
      recipients: undefined,
    }
    const kids = [FIRST, kidOf(9)]
    assert.deepEqual(entries, [
      { ...common, kids, contentId: undefined, outcome: 'begun' },
      { ...common, kids, contentId: 'movie', keys: 1, outcome: 'ok' },
    ])
  })

  test('knows whom they were encrypted for', async () => {
    const { encrypt, encrypted, entries } = resolving()
    await encrypt({ contentId: 'movie' })
    const der = certificateOf(rsaKeys(2048))
    await encrypted({ format: 'jwe', certificate: der.toString('base64') })
    const { fingerprint256 } = new X509Certificate(der)
    assert.deepEqual(entries.at(-1)?.recipients, [fingerprint256.replaceAll(':', '').toLowerCase()])
  })

  test('that cannot be written lets no key leave', async () => {
    const { encrypt, resolve, setAuditAway } = resolving()
    await encrypt({ contentId: 'movie' })
    setAuditAway(true)
    await assert.rejects(resolve(), { code: 'ERR_AUDIT_UNAVAILABLE' })
  })
})

describe('a caller with limits', () => {
  const onlyA = (contentId: string): void => {
    if (contentId !== 'a') throw new KeyProviderError('ERR_FORBIDDEN', 'not allowed for this client')
  }

  test('is rejected the kids of other contents, and given the others', async () => {
    const { encrypt, resolve } = resolving()
    const a = await encrypt({ contentId: 'a', kids: [FIRST] })
    await encrypt({ contentId: 'b', kids: [SECOND] })
    const resolved = await resolve({ authorize: onlyA })
    assert.deepEqual(keysOf(resolved), a)
    assert.deepEqual(codesOf(resolved), [[SECOND, 'ERR_FORBIDDEN']])
  })

  test('is rejected as a whole when it names such a content', async () => {
    const { encrypt, resolve } = resolving()
    await encrypt({ contentId: 'b' })
    await assert.rejects(resolve({ contentId: 'b', authorize: onlyA }), { code: 'ERR_FORBIDDEN' })
  })
})

describe('keys for a certificate', () => {
  const pair = rsaKeys(2048)
  const der = certificateOf(pair)
  const certificate = der.toString('base64')

  test('are the same answer in a JWE that jose opens', async () => {
    const { encrypt, resolve, encrypted } = resolving()
    const given = await encrypt({ contentId: 'movie', scheme: 'cbcs' })
    const kids = [...BOTH, kidOf(9)]
    const { format, encrypted: jwe, count, errors } = await encrypted({ format: 'jwe', certificate }, kids)
    assert.deepEqual([format, count], ['jwe', 2])
    assert.deepEqual(
      errors.map(({ kid }) => kid),
      [kidOf(9)],
    )
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, pair.privateKey)
    assert.deepEqual([protectedHeader.alg, protectedHeader.enc], ['RSA-OAEP-256', 'A256GCM'])
    const opened = JSON.parse(Buffer.from(plaintext).toString()) as Resolution
    assert.deepEqual(opened, JSON.parse(JSON.stringify(await resolve({ kids }))))
    assert.deepEqual(keysOf(opened), given)
  })

  test('are readable by the book, without a library for JWE', async () => {
    const { encrypt, encrypted } = resolving()
    const given = await encrypt({ contentId: 'movie' })
    const { encrypted: jwe } = await encrypted({ format: 'jwe', certificate })
    assert.deepEqual(keysOf(openJweByHand(jwe, pair.privateKey, der)), given)
  })

  test('are in no part of a JWE that others can read', async () => {
    const { encrypt, encrypted } = resolving()
    const given = await encrypt({ contentId: 'movie' })
    const { encrypted: jwe } = await encrypted({ format: 'jwe', certificate })
    const readable = jwe
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
      .join(' ')
    for (const key of Object.values(given)) assert.ok(!readable.includes(key) && !jwe.includes(key))
    await assert.rejects(compactDecrypt(jwe, rsaKeys(2048).privateKey))
  })

  test('are in a CPIX document that opens by the book', async () => {
    const { encrypt, encrypted } = resolving()
    const given = await encrypt({ contentId: 'a &amp; &quot;b&quot;', scheme: 'cbcs' }, 'default', PERIOD)
    const { format, encrypted: cpix, count } = await encrypted({ format: 'cpix', certificate })
    assert.deepEqual([format, count], ['cpix', 2])
    const document = readXml(Buffer.from(cpix))
    assert.deepEqual(openCpixByHand(document, pair.privateKey, der), given)
    assert.equal(attributeOf(document.root, 'contentId'), 'a & "b"')
    for (const key of Object.values(given)) assert.ok(!cpix.includes(key))
    const [content] = elementsOf(document, 'ContentKey')
    assert.ok(content)
    assert.equal(attributeOf(content, 'commonEncryptionScheme'), 'cbcs')
    assert.equal(attributeOf(content, 'explicitIV')?.length, 24)
    const [period] = elementsOf(document, 'ContentKeyPeriod')
    assert.ok(period)
    assert.equal(attributeOf(period, 'index'), '7')
    assert.deepEqual(
      elementsOf(document, 'ContentKeyUsageRule').map((rule) => [
        attributeOf(rule, 'kid'),
        attributeOf(rule, 'intendedTrackType'),
        rule.children.map((filter) => attributeOf(filter, 'periodId')),
      ]),
      [
        [FIRST, 'VIDEO', [attributeOf(period, 'id')]],
        [SECOND, 'AUDIO', [attributeOf(period, 'id')]],
      ],
    )
  })

  test('take the certificate as PEM too', async () => {
    const { encrypt, encrypted } = resolving()
    const given = await encrypt({ contentId: 'movie' })
    const { encrypted: jwe } = await encrypted({ format: 'jwe', certificate: new X509Certificate(der).toString() })
    assert.deepEqual(keysOf(openJweByHand(jwe, pair.privateKey, der)), given)
  })

  const unusable: readonly (readonly [string, string])[] = [
    ['that is none', 'AAAA'],
    ['of 1024 bits', certificateOf(rsaKeys(1024)).toString('base64')],
    ['that has expired', certificateOf({ ...pair, validTo: START - DAY }).toString('base64')],
    ['that is not valid yet', certificateOf({ ...pair, validFrom: START + DAY }).toString('base64')],
    ['that nothing can be encrypted with', certificateOf({ publicKey: evenPublicKey() }).toString('base64')],
    ['in two', `${new X509Certificate(der)}${new X509Certificate(der)}`],
  ]
  for (const format of ['jwe', 'cpix'] as const) {
    for (const [name, text] of unusable) {
      test(`are not given, as ${format}, for a certificate ${name}`, async () => {
        const { encrypt, encrypted } = resolving()
        await encrypt({ contentId: 'movie' })
        await assert.rejects(encrypted({ format, certificate: text }), { code: 'ERR_RECIPIENT_INVALID' })
      })
    }
  }
})

/** @see RFC 7516, 5.2; RFC 7518, 4.3 and 5.3 */
function openJweByHand(jwe: string, privateKey: KeyObject, der: Uint8Array): Resolution {
  const [header = '', ...parts] = jwe.split('.')
  const [wrapped, iv, cipher, tag] = parts.map((part) => Buffer.from(part, 'base64url'))
  assert.ok(wrapped && iv && cipher && tag && parts.length === 4)
  const { fingerprint256 } = new X509Certificate(der)
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()), {
    alg: 'RSA-OAEP-256',
    enc: 'A256GCM',
    cty: 'application/json',
    'x5t#S256': Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url'),
  })
  const options = { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
  const aes = createDecipheriv('aes-256-gcm', privateDecrypt(options, wrapped), iv)
  aes.setAAD(Buffer.from(header)).setAuthTag(tag)
  return JSON.parse(Buffer.concat([aes.update(cipher), aes.final()]).toString()) as Resolution
}

/** @see cpix.md 5.3 */
function openCpixByHand(document: XmlDocument, privateKey: KeyObject, der: Uint8Array): Record<string, string> {
  const [own, ...others] = elementsOf(document, 'DeliveryData')
  assert.ok(own)
  assert.deepEqual(others, [])
  const bytes = (element: XmlElement, local: string): Buffer =>
    Buffer.from(textOf(document, elementsOf({ ...document, root: element }, local)[0] ?? assert.fail(local)), 'base64')
  const part = (local: string): XmlElement => elementsOf({ ...document, root: own }, local)[0] ?? assert.fail(local)
  assert.deepEqual(bytes(own, 'X509Certificate'), Buffer.from(der))
  const unwrap = (local: string): Buffer =>
    privateDecrypt(
      { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
      bytes(part(local), 'CipherValue'),
    )
  const documentKey = unwrap('DocumentKey')
  const macKey = unwrap('MACMethod')
  return Object.fromEntries(
    elementsOf(document, 'ContentKey').map((element) => {
      const cipher = bytes(element, 'CipherValue')
      assert.deepEqual(bytes(element, 'ValueMAC'), createHmac('sha512', macKey).update(cipher).digest())
      const aes = createDecipheriv('aes-256-cbc', documentKey, cipher.subarray(0, 16))
      const key = Buffer.concat([aes.update(cipher.subarray(16)), aes.final()])
      return [attributeOf(element, 'kid'), key.toString('base64')]
    }),
  )
}

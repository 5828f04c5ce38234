import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import { compactDecrypt } from 'jose'
import { certificateOf, rsaKeys } from '../../../formats/cpix/certificates.ts'
import { apiWorld, KID, OTHER_KID, withScopes } from '../worlds.ts'

const KEY = '00112233445566778899aabbccddeeff'
/** As `openssl enc -aes-128-ecb -nopad -K KEY` encrypts sixteen zero bytes. */
const CHECK_VALUE = 'fde4fb'
const FORCED = 'force=true&reason=the%20key%20leaked'

describe('import', () => {
  const row = { contentId: 'movie', kid: KID, key: KEY }

  test('stores keys, shows check values and never a key', async () => {
    const { ask, issue } = apiWorld()
    const { status, json, text } = await ask('POST', '/api/keys/import', { json: { keys: [row] } })
    assert.equal(status, 200, text)
    assert.equal(json.stored, 1)
    assert.equal((json.keys as { checkValue: string }[])[0]?.checkValue, CHECK_VALUE)
    assert.ok(!text.includes(KEY))
    assert.equal((await issue('movie'))[0]?.toString('hex'), KEY)
  })

  test('reads CSV and CPIX by their media type', async () => {
    const { ask } = apiWorld()
    const csv = { headers: { 'content-type': 'text/csv; charset=utf-8' }, body: `contentId,kid,key\na,${KID},${KEY}\n` }
    assert.equal((await ask('POST', '/api/keys/import', csv)).json.stored, 1)
    const value = Buffer.from(KEY, 'hex').toString('base64')
    const cpix = `<CPIX xmlns="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc" contentId="b" version="2.3"><ContentKeyList><ContentKey kid="${KID}" commonEncryptionScheme="cenc"><Data><pskc:Secret><pskc:PlainValue>${value}</pskc:PlainValue></pskc:Secret></Data></ContentKey></ContentKeyList></CPIX>`
    const { json, text } = await ask('POST', '/api/keys/import', {
      headers: { 'content-type': 'application/xml' },
      body: cpix,
    })
    assert.equal(json.stored, 1, text)
  })

  test('rejects everything for one problem, and says neither key nor text', async () => {
    const { ask, store } = apiWorld()
    const bad = { keys: [row, { ...row, kid: 'hunter2', key: 'hunter2' }] }
    const { status, json, text } = await ask('POST', '/api/keys/import', { json: bad })
    assert.deepEqual({ status, code: json.code }, { status: 422, code: 'ERR_IMPORT_INVALID' })
    assert.doesNotMatch(text, /hunter2/)
    assert.equal(await store.findContent({ tenant: 'default', contentId: 'movie' }, []), undefined)
  })

  test('says what would become of each key with dryRun', async () => {
    const { ask, store } = apiWorld()
    const { json } = await ask('POST', '/api/keys/import?dryRun=true', { json: [row] })
    assert.deepEqual({ dryRun: json.dryRun, stored: json.stored }, { dryRun: true, stored: 1 })
    assert.equal(await store.findContent({ tenant: 'default', contentId: 'movie' }, []), undefined)
  })

  test('changes what encryptors hold only when forced, with a reason', async () => {
    const { ask, issue } = apiWorld()
    await issue('movie')
    assert.equal((await ask('POST', '/api/keys/import', { json: [row] })).json.code, 'ERR_OVERRIDE_EXISTS')
    assert.equal((await ask('POST', '/api/keys/import?force=true', { json: [row] })).status, 422)
    assert.equal((await ask('POST', `/api/keys/import?${FORCED}`, { json: [row] })).json.stored, 1)
  })

  test('accepts no other media type', async () => {
    const { ask } = apiWorld()
    const { status, json } = await ask('POST', '/api/keys/import', {
      headers: { 'content-type': 'text/plain' },
      body: 'x',
    })
    assert.deepEqual({ status, code: json.code }, { status: 415, code: 'ERR_MEDIA_TYPE_UNSUPPORTED' })
  })
})

describe('overrides', () => {
  const add = { json: { kid: KID, key: KEY } }

  test('are added, listed without their keys, and removed when forced', async () => {
    const { ask } = apiWorld()
    const added = await ask('POST', '/api/contents/movie/overrides', add)
    assert.deepEqual(added.json, { kid: KID, contentKeyClass: 'drm', checkValue: CHECK_VALUE })
    const { json } = await ask('GET', '/api/contents/movie/overrides')
    assert.deepEqual(json, { overrides: [{ kid: KID, contentKeyClass: 'drm', psshSystemIds: [] }], kidOverrides: [] })
    assert.equal((await ask('DELETE', `/api/contents/movie/overrides/${KID}`)).json.code, 'ERR_OVERRIDE_EXISTS')
    const removed = await ask('DELETE', `/api/contents/movie/overrides/${KID}?${FORCED}`)
    assert.deepEqual(removed.json, { removed: true })
  })

  test('whose IV is the key are rejected without either', async () => {
    const { ask } = apiWorld()
    const { status, text } = await ask('POST', '/api/contents/movie/overrides', {
      json: { kid: KID, key: KEY, iv: KEY },
    })
    assert.equal(status, 422)
    assert.ok(!text.includes(KEY))
  })

  test('rules for kids are added, listed and removed', async () => {
    const { ask } = apiWorld()
    const rule = { intendedTrackType: 'AUDIO', periodIndex: 7, kid: OTHER_KID }
    const added = await ask('POST', '/api/contents/movie/kid-overrides', { json: rule })
    assert.deepEqual(added.json, rule)
    assert.deepEqual((await ask('GET', '/api/contents/movie/overrides')).json.kidOverrides, [rule])
    const name = 'intendedTrackType=AUDIO&periodIndex=7'
    const removed = await ask('DELETE', `/api/contents/movie/kid-overrides?${name}&${FORCED}`)
    assert.deepEqual(removed.json, { removed: true })
  })
})

describe('keys of a content', () => {
  test('are listed with where they come from, and shown by their check value', async () => {
    const { ask, issue } = apiWorld()
    await issue('movie', [OTHER_KID])
    await ask('POST', `/api/contents/movie/overrides`, { json: { kid: KID, key: KEY, force: true, reason: 'brought' } })
    const { json } = await ask('GET', '/api/contents/movie/keys')
    const sources = (json.keys as { kid: string; source: string }[]).map(({ kid, source }) => `${kid} ${source}`)
    assert.deepEqual(sources.sort(), [`${OTHER_KID} derived`, `${KID} override`].sort())
    const shown = await ask('GET', `/api/contents/movie/keys/${KID}`)
    assert.equal((shown.json.keys as { checkValue: string }[])[0]?.checkValue, CHECK_VALUE)
  })
})

describe('export', () => {
  test('gives keys out in the clear where that is said', async () => {
    const { ask, issue, audit } = apiWorld()
    const [key] = await issue('movie')
    const { status, json, headers } = await ask('POST', '/api/keys/export', {
      json: { contentId: 'movie', format: 'json', clear: true },
    })
    assert.equal(status, 200)
    assert.equal(headers['cache-control'], 'no-store')
    assert.equal((json.keys as { key: string }[])[0]?.key, key?.toString('hex'))
    assert.deepEqual(
      audit.map(({ action, outcome }) => `${action} ${outcome}`),
      ['key.export begun', 'key.export ok'],
    )
  })

  test('wants recipients, or leave to give keys in the clear', async () => {
    const { ask, issue } = apiWorld()
    await issue('movie')
    assert.equal((await ask('POST', '/api/keys/export', { json: { contentId: 'movie' } })).status, 400)
  })

  test('encrypts for recipients', async () => {
    const { ask, issue } = apiWorld()
    const [key] = await issue('movie')
    const recipient = new X509Certificate(certificateOf(rsaKeys(2048))).toString()
    const { status, headers, text } = await ask('POST', '/api/keys/export', {
      json: { contentId: 'movie', recipients: [recipient] },
    })
    assert.equal(status, 200, text)
    assert.equal(headers['content-type'], 'application/xml')
    assert.match(text, /<pskc:EncryptedValue>/)
    assert.ok(!text.includes(key?.toString('base64') ?? ''))
  })

  test('nothing is given out while it cannot be recorded', async () => {
    const { ask, issue, world } = apiWorld()
    await issue('movie')
    const { KeyProviderError } = await import('../../../../src/core/errors.ts')
    Object.assign(world.management.audit, {
      write: () => Promise.reject(new KeyProviderError('ERR_AUDIT_UNAVAILABLE', 'the disk is full')),
    })
    const { status, json } = await ask('POST', '/api/keys/export', { json: { contentId: 'movie', clear: true } })
    assert.deepEqual({ status, code: json.code }, { status: 503, code: 'ERR_AUDIT_UNAVAILABLE' })
  })
})

describe('resolve', () => {
  test('gives a licence server the keys of kids', async () => {
    const { ask, issue } = apiWorld()
    const [key] = await issue('movie')
    const as = withScopes('keys:resolve')
    const { status, json } = await ask('POST', '/api/resolve', { as, json: { kids: [KID, OTHER_KID] } })
    assert.equal(status, 200)
    assert.equal((json.keys as { key: string }[])[0]?.key, key?.toString('base64'))
    assert.deepEqual(
      (json.errors as { kid: string; code: string }[]).map(({ kid, code }) => [kid, code]),
      [[OTHER_KID, 'ERR_KEY_NOT_FOUND']],
    )
  })

  test('encrypts them for a certificate', async () => {
    const { ask, issue } = apiWorld()
    const [key] = await issue('movie')
    const keys = rsaKeys(2048)
    const certificate = new X509Certificate(certificateOf(keys)).toString()
    const { json } = await ask('POST', '/api/resolve', {
      json: { kids: [KID], encryption: { format: 'jwe', certificate } },
    })
    const { plaintext } = await compactDecrypt(String(json.encrypted), keys.privateKey)
    const opened = JSON.parse(Buffer.from(plaintext).toString()) as { keys: { key: string }[] }
    assert.equal(opened.keys[0]?.key, key?.toString('base64'))
  })

  test('rejects a content that expired', async () => {
    const { ask, issue, advance } = apiWorld()
    await issue('live-1')
    advance(7.5)
    const { json } = await ask('POST', '/api/resolve', { json: { kids: [KID] } })
    assert.deepEqual(json.keys, [])
    assert.equal((json.errors as { code: string }[])[0]?.code, 'ERR_CONTENT_EXPIRED')
  })
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { kidOfBytes, toKid } from '../../../src/formats/cenc.ts'
import { readLicenseRequest, writeLicense } from '../../../src/protocols/playback/clearkey-license.ts'
import { base64url, getKey, issue, kidOf, playing, postLicense, REF, wantedOf } from './playing.ts'

/** DASH-IF ClearKey sample pair, as drm-signalling documents print it. */
const SAMPLE_KID = toKid('9eb4050d-e44b-4802-932e-27d75083e266') ?? assert.fail()
const SAMPLE_KEY = Buffer.from('166634c675823c235a4a9446fad52e4d', 'hex')
const malformed = { code: 'ERR_LICENSE_REQUEST_INVALID' }
const bytesOf = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))

test('reads and writes the sample of the DASH-IF ClearKey pair', () => {
  const request = Buffer.from('{"kids":["nrQFDeRLSAKTLifXUIPiZg"],"type":"temporary"}')
  assert.deepEqual(readLicenseRequest(request), { kids: [SAMPLE_KID], type: 'temporary' })
  assert.equal(
    writeLicense([{ kid: SAMPLE_KID, contentKey: SAMPLE_KEY }], 'temporary'),
    '{"keys":[{"kty":"oct","kid":"nrQFDeRLSAKTLifXUIPiZg","k":"FmY0xnWCPCNaSpRG-tUuTQ"}],"type":"temporary"}',
  )
  for (let length = 0; length < request.length; length++) {
    assert.throws(() => readLicenseRequest(request.subarray(0, length)), malformed)
  }
})

test('reads any list of kids, in any spelling of base64', () => {
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 })
  fc.assert(
    fc.property(
      fc.array(bytes, { minLength: 1, maxLength: 128 }),
      fc.constantFrom('base64', 'base64url'),
      (list, form) => {
        const kids = list.map((one) => Buffer.from(one).toString(form as BufferEncoding))
        assert.deepEqual(readLicenseRequest(bytesOf({ kids })).kids, [...new Set(list.map(kidOfBytes))])
      },
    ),
  )
})

test('echoes the type of the session, which is temporary when none is said', () => {
  const kids = ['nrQFDeRLSAKTLifXUIPiZg']
  assert.equal(readLicenseRequest(bytesOf({ kids, type: 'persistent-license' })).type, 'persistent-license')
  assert.equal(readLicenseRequest(bytesOf({ kids })).type, 'temporary')
})

const KID = 'nrQFDeRLSAKTLifXUIPiZg'
for (const [name, body] of Object.entries({
  'an empty body': '',
  'no JSON': 'kids',
  'no UTF-8': Buffer.of(0x7b, 0xff, 0x7d).toString('latin1'),
  null: null,
  'a list': [KID],
  'no kids': {},
  'an empty list of kids': { kids: [] },
  'kids that are no list': { kids: KID },
  'a kid that is a number': { kids: [1] },
  'a kid of 15 bytes': { kids: ['nrQFDeRLSAKTLifXUIPi'] },
  'a kid of 17 bytes': { kids: ['nrQFDeRLSAKTLifXUIPiZgA'] },
  'a kid in hex': { kids: [SAMPLE_KID.replaceAll('-', '')] },
  'a kid with a line break': { kids: [`${KID}\n`] },
  'more kids than a licence has': { kids: Array.from({ length: 129 }, () => KID) },
  'another type': { kids: [KID], type: 'persistent-usage-record' },
})) {
  test(`refuses ${name}, in words that repeat nothing of it`, () => {
    assert.throws(
      () => readLicenseRequest(bytesOf(body)),
      (error: Error & { code?: string }) => error.code === malformed.code && !error.message.includes(KID),
    )
  })
}

test('refuses a request over its size unread, and one nested deep in no time', async () => {
  const { handler } = await playing()
  assert.equal((await postLicense(handler, ' '.repeat(16_385))).status, 413)
  assert.equal((await postLicense(handler, '['.repeat(16_000))).status, 400)
})

describe('a licence', () => {
  test('holds the keys that were issued, the same as their key URLs', async () => {
    const { handler, keys, clear } = await playing()
    await issue(keys, [wantedOf(3, 'clear')])
    const { status, headers, body } = await postLicense(handler, { kids: [1, 3].map((kid) => base64url(kidOf(kid))) })
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'application/json')
    assert.equal(headers['cache-control'], 'no-store')
    const license = JSON.parse(body)
    assert.deepEqual(
      license.keys.map(({ kid }: { kid: string }) => kid),
      [1, 3].map((kid) => base64url(kidOf(kid))),
    )
    const hexOf = (at: number): string => Buffer.from(license.keys[at].k, 'base64url').toString('hex')
    assert.equal(hexOf(0), clear)
    assert.equal(hexOf(1), (await getKey(handler, kidOf(3))).body)
  })

  test('leaves out the keys that guard DRM content, and is refused with the reason when no other is left', async () => {
    const { handler } = await playing()
    const [clear, drm] = [1, 2].map((kid) => base64url(kidOf(kid)))
    const { keys } = JSON.parse((await postLicense(handler, { kids: [drm, clear] })).body)
    assert.deepEqual(
      keys.map(({ kid }: { kid: string }) => kid),
      [clear],
    )
    const { status, body } = await postLicense(handler, { kids: [drm] })
    assert.equal(status, 403)
    assert.match(body, /guards DRM content/)
  })

  test('carries DRM keys of the contents that the configuration names', async () => {
    const { handler, drm } = await playing({ servesDrmKeys: () => true })
    const { keys } = JSON.parse((await postLicense(handler, { kids: [base64url(kidOf(2))] })).body)
    assert.equal(Buffer.from(keys[0].k, 'base64url').toString('hex'), drm)
  })

  test('for a content that does not exist is 404, for a destroyed one 410, without the store 503', async () => {
    const { handler, store, clock, setAway } = await playing()
    const body = { kids: [base64url(kidOf(1))] }
    assert.equal((await postLicense(handler, body, { path: '/license/clearkey/default/other' })).status, 404)
    assert.equal((await postLicense(handler, body, { path: '/license/clearkey/other/movie' })).status, 404)
    await store.putTombstone(REF, { at: 0, reason: 'test', cause: 'deleted' })
    clock.at += 60_000
    assert.equal((await postLicense(handler, body)).status, 410)
    setAway(true)
    assert.equal((await postLicense(handler, body, { path: '/license/clearkey/default/another' })).status, 503)
  })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPlayerTokens } from '../../../src/auth/players/token.ts'
import { decodePssh } from '../../../src/formats/drm/payloads/pssh.ts'
import { jwtAccess } from '../../../src/protocols/playback/access.ts'
import { callOf } from '../../http/calls.ts'
import { answering, childText, decodedText, drmSystemOf } from '../speke/answering.ts'
import { base64url, issue, kidOf, NOW, ORIGIN, playing, postLicense, recordOf, wantedOf } from './playing.ts'

// What players that nobody here wrote were found to demand of a server, one test each.

const KIDS = { kids: [base64url(kidOf(1))], type: 'temporary' }

test('Shaka Player, RxPlayer and hls.js post licence requests without a Content-Type, dash.js as application/json', async () => {
  const { handler } = await playing()
  for (const type of [undefined, 'application/json', 'text/plain;charset=UTF-8', 'application/octet-stream']) {
    const headers = type === undefined ? {} : { 'content-type': type }
    assert.equal((await postLicense(handler, KIDS, { headers })).status, 200, type)
  }
})

test('dash.js with an Authorization header is answered its preflight, its exact origin and credentials, never *', async () => {
  const access = jwtAccess(createPlayerTokens({ keys: [], now: () => NOW }))
  const { handler } = await playing({ access })
  const path = '/license/clearkey/default/movie'
  const asked = { origin: ORIGIN, 'access-control-request-method': 'POST' }
  const preflight = await handler(
    callOf('OPTIONS', path, { headers: { ...asked, 'access-control-request-headers': 'authorization,content-type' } }),
  )
  assert.equal(preflight.status, 200)
  assert.equal(preflight.headers['access-control-allow-methods'], 'POST')
  assert.match(String(preflight.headers['access-control-allow-headers']), /\bauthorization\b.*\bcontent-type\b/)
  const refused = await postLicense(handler, KIDS, { headers: { origin: ORIGIN, authorization: 'Bearer none' } })
  assert.equal(refused.status, 401)
  for (const { headers } of [preflight, refused]) {
    assert.equal(headers['access-control-allow-origin'], ORIGIN)
    assert.equal(headers['access-control-allow-credentials'], 'true')
  }
})

/** The answer to a SPEKE request of two kids for ClearKey and the W3C common pssh. */
async function clearKeySignaling() {
  const kids = [kidOf(1), kidOf(2)]
  const systems = ['e2719d58-a985-b3c9-781a-b030af78d30e', '1077efec-c0b2-4d02-ace3-3c1e52e2fb4b']
  const keys = kids.map((kid) => `<ContentKey kid="${kid}" commonEncryptionScheme="cenc"/>`).join('')
  const drm = kids
    .flatMap((kid) =>
      systems.map((id) => `<DRMSystem kid="${kid}" systemId="${id}"><PSSH/><ContentProtectionData/></DRMSystem>`),
    )
    .join('')
  const rules = kids
    .map(
      (kid, at) =>
        `<ContentKeyUsageRule kid="${kid}" intendedTrackType="${['VIDEO', 'AUDIO'][at]}">${['<VideoFilter/>', '<AudioFilter/>'][at]}</ContentKeyUsageRule>`,
    )
    .join('')
  const { document } = await answering()(
    '2.0',
    `<CPIX xmlns="urn:dashif:org:cpix" contentId="movie" version="2.3"><ContentKeyList>${keys}</ContentKeyList><DRMSystemList>${drm}</DRMSystemList><ContentKeyUsageRuleList>${rules}</ContentKeyUsageRuleList></CPIX>`,
  )
  return { document, kids, systems }
}

test('dash.js takes the licence URL of system e2719d58 from a dashif:Laurl of the CPS namespace', async () => {
  const { document, kids, systems } = await clearKeySignaling()
  const clearKey = drmSystemOf(document, systems[0] ?? '', kids[0] ?? '')
  assert.match(
    decodedText(document, clearKey, 'ContentProtectionData'),
    /<dashif:Laurl xmlns:dashif="https:\/\/dashif\.org\/CPS" licenseType="EME-1\.0">https:\/\/keys\.example\.com\/license\/clearkey\/default\/movie<\/dashif:Laurl>/,
  )
})

test('Chromium reads only the first 1077efec box, so one box lists all kids of the key period', async () => {
  const { document, kids, systems } = await clearKeySignaling()
  for (const [at, kid] of kids.entries()) {
    const pssh = childText(document, drmSystemOf(document, systems[1] ?? '', kid), 'PSSH') ?? ''
    const box = decodePssh(Buffer.from(pssh, 'base64'))
    assert.deepEqual(box.kids, at === 0 ? kids : [...kids].reverse())
  }
})

test('Shaka Player asks for 50 kids at once and again, and the part that is allowed is no error', async () => {
  const { handler, keys, issuedKids } = await playing()
  const numbers = Array.from({ length: 50 }, (_, at) => at + 1)
  await issue(
    keys,
    numbers.map((number) => wantedOf(number, 'clear')),
  )
  const issued = numbers.filter((number) => number !== 2).map((number) => wantedOf(number, 'clear'))
  issuedKids.note([recordOf(issued)])
  const body = { kids: numbers.map((number) => base64url(kidOf(number))) }
  const [one, two] = [await postLicense(handler, body), await postLicense(handler, body)]
  assert.deepEqual([one.status, two.status], [200, 200])
  assert.equal(one.body, two.body)
  // All but kid 2, which guards DRM content.
  assert.equal(JSON.parse(one.body).keys.length, 49)
})

test('Shaka Player reports the status of a refused licence, which a page of the origin may read', async () => {
  const { handler } = await playing()
  const { status, headers, body } = await postLicense(
    handler,
    { kids: [base64url(kidOf(2))] },
    { headers: { origin: ORIGIN } },
  )
  assert.equal(status, 403)
  assert.equal(headers['access-control-allow-origin'], ORIGIN)
  assert.match(body, /guards DRM content/)
})

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import { certificateOf, rsaKeys } from '../formats/cpix/certificates.ts'
import { callOf } from '../http/calls.ts'
import { KIDS, requestFor } from '../protocols/speke/documents.ts'
import { serverOf } from './serving.ts'

const der = certificateOf({ publicKey: rsaKeys(2048).publicKey })
const certificate = new X509Certificate(der)
const recipientFingerprints = [certificate.fingerprint256]
const scopes = ['keys:issue', 'keys:read', 'keys:write', 'keys:export', 'keys:resolve', 'admin']
const deliveryData = `<cpix:DeliveryData><cpix:DeliveryKey><ds:X509Data xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Certificate>${der.toString('base64')}</ds:X509Certificate></ds:X509Data></cpix:DeliveryKey></cpix:DeliveryData>`

describe('a client with pinned recipients gets no key in the clear', async () => {
  const { handlers, tokens, post, flush } = await serverOf({
    pinned: { recipientFingerprints, scopes },
    free: { scopes },
  })
  const contentId = 'movie'
  assert.equal((await post('free', requestFor({ contentId }))).status, 200)
  await flush()
  const ask = async (name: string, method: string, path: string, sent: { json?: unknown; xml?: string } = {}) => {
    const type = sent.xml === undefined ? 'application/json' : 'application/xml'
    const text = sent.xml ?? (sent.json === undefined ? '' : JSON.stringify(sent.json))
    const headers = { 'x-api-key': tokens[name], ...(text !== '' && { 'content-type': type }) }
    const reply = await handlers.main(callOf(method, path, { headers, bytes: Buffer.from(text) }))
    return { status: reply.status, text: Buffer.from(reply.body).toString() }
  }
  const asks = {
    resolve: (name: string, encryption?: object) =>
      ask(name, 'POST', '/api/resolve', { json: { contentId, kids: [KIDS[0]], ...(encryption && { encryption }) } }),
    resolveByKid: (name: string) => ask(name, 'POST', '/api/resolve', { json: { kids: [KIDS[0]] } }),
    exportJson: (name: string) =>
      ask(name, 'POST', '/api/keys/export', { json: { contentId, format: 'json', clear: true } }),
    exportCpix: (name: string) => ask(name, 'POST', '/api/keys/export', { json: { contentId, clear: true } }),
    getDocument: (name: string) => ask(name, 'GET', `/copyProtectionData/${contentId}`),
    postDocument: (name: string) =>
      ask(name, 'POST', `/copyProtectionData/${contentId}`, { xml: requestFor({ contentId }) }),
  }

  test('by SPEKE: a request without DeliveryDataList is 403, with the pinned certificate 200', async () => {
    assert.deepEqual([(await post('pinned')).status, (await post('free')).status], [403, 200])
    const { status, text } = await post('pinned', requestFor({}, { deliveryData }))
    assert.equal(status, 200)
    assert.doesNotMatch(text, /PlainValue/)
  })

  for (const [name, send] of Object.entries(asks)) {
    test(`by ${name}: 403 or no key, where another client gets it`, async () => {
      const [pinned, free] = [await send('pinned'), await send('free')]
      assert.ok([200, 201].includes(free.status), free.text)
      if (name === 'resolveByKid') assert.match(pinned.text, /"keys":\[\].*ERR_FORBIDDEN/)
      else assert.equal(pinned.status, 403, pinned.text)
      const key = /PlainValue>([^<]+)<|"key": ?"([^"]+)"/.exec(free.text)
      assert.ok(key !== null)
      assert.ok(!pinned.text.includes(key[1] ?? key[2] ?? '?'))
    })
  }

  test('and gets keys that are encrypted for the pinned certificate', async () => {
    const encryption = { format: 'jwe', certificate: certificate.toString() }
    assert.equal((await asks.resolve('pinned', encryption)).status, 200)
    const exported = await ask('pinned', 'POST', '/api/keys/export', {
      json: { contentId, recipients: [certificate.toString()] },
    })
    assert.equal(exported.status, 200)
    assert.doesNotMatch(exported.text, /PlainValue/)
  })
})

test('an operator of some contents neither sweeps all tenants nor reads all metrics', async () => {
  const { handlers, tokens } = await serverOf({
    some: { scopes: ['admin'], contentIds: ['live-*'] },
    all: { scopes: ['admin'] },
  })
  const ask = async (name: string, method: string, path: string): Promise<number> =>
    (await handlers.main(callOf(method, path, { headers: { 'x-api-key': tokens[name] } }))).status
  for (const [method, path] of [
    ['POST', '/api/sweep'],
    ['POST', '/api/sweep?dryRun=true'],
    ['GET', '/metrics'],
  ] as const) {
    assert.deepEqual([await ask('some', method, path), await ask('all', method, path)], [403, 200], path)
  }
})

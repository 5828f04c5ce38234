import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startKeyspring } from '../../src/exports/keyspring.ts'
import { requestFor } from '../protocols/speke/documents.ts'

const SETTINGS = { port: 0, store: 'memory', logLevel: 'silent' }

const ask = (url: string) =>
  fetch(`${url}/copyProtection`, {
    method: 'POST',
    headers: { 'content-type': 'application/xml', 'x-speke-version': '2.0' },
    body: requestFor(),
  })

describe('a server that a program starts', () => {
  test('answers by the settings it is given until it is closed', async () => {
    const keyspring = await startKeyspring({ settings: SETTINGS })
    const response = await ask(keyspring.url)
    assert.equal(response.status, 200)
    assert.match(await response.text(), /PlainValue>/)
    await keyspring.close()
    await assert.rejects(ask(keyspring.url))
  })

  test('does not look at the environment, unless it is given one, which wins', async () => {
    process.env.KEYSPRING_SPEKE_MISSING_VERSION_HEADER = 'nonsense'
    const keyspring = await startKeyspring({ settings: SETTINGS })
    await keyspring.close()
    delete process.env.KEYSPRING_SPEKE_MISSING_VERSION_HEADER
    const environment = { KEYSPRING_ADMIN_PORT: '0' }
    const other = await startKeyspring({ settings: SETTINGS, environment })
    assert.equal((await fetch(`${other.adminUrl}/livez`)).status, 200)
    await other.close()
  })

  test('leaves the settings it is given as they are, and takes others without a restart', async () => {
    const settings = Object.freeze({ ...SETTINGS, limits: Object.freeze({ bodyBytes: 1_000_000 }) })
    const keyspring = await startKeyspring({ settings, environment: { KEYSPRING_LIMITS_DEPTH: '20' } })
    await keyspring.reload({ settings: { ...SETTINGS, limits: { contentKeys: 1 } } })
    const response = await ask(keyspring.url)
    assert.equal(response.status, 200)
    await assert.rejects(keyspring.reload({ settings: { port: 'hunter2' } }), { code: 'ERR_CONFIG_INVALID' })
    await keyspring.close()
  })

  test('reports every problem, by name and never by value', async () => {
    const settings = { port: 'hunter2', nothing: true, store: 'hunter3' }
    await assert.rejects(startKeyspring({ settings }), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'ERR_CONFIG_INVALID')
      assert.match(error.message, /port: /)
      assert.match(error.message, /nothing: unknown setting/)
      assert.match(error.message, /store: /)
      assert.doesNotMatch(error.message, /hunter/)
      return true
    })
  })

  test('does not listen for other machines without a client', async () => {
    const settings = {
      ...SETTINGS,
      host: '0.0.0.0',
      publicUrl: 'https://keys.example.com',
      playback: { access: 'open' },
    }
    await assert.rejects(startKeyspring({ settings }), {
      code: 'ERR_CONFIG_INVALID',
      message: /without a credential/,
    })
  })
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OpenedSecrets } from '../../../src/auth/clients/credential-secrets.ts'
import type { CredentialOf } from '../../../src/auth/credentials/credential.ts'
import { ENCODER, testSecrets } from '../presenting.ts'

type SealedCredential = CredentialOf<'digest' | 'sigv4' | 'signer'>

const secrets = testSecrets()
const clear = Buffer.from('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')
const sealed = await secrets.seal('studio', { method: 'sigv4', id: 'KS1' }, clear)
const credential: SealedCredential = { method: 'sigv4', id: 'KS1', sealed }

describe('createCredentialSecrets', () => {
  test('opens what it sealed', async () => assert.deepEqual(await secrets.open('studio', credential), clear))

  test('shows nothing of it in what is stored', () => assert.ok(!Buffer.from(sealed).includes(clear.subarray(0, 8))))

  test('opens it for no other tenant, credential or method', async () => {
    const digest: SealedCredential = { method: 'digest', id: 'KS1', realm: 'keyspring', sealed }
    for (const [tenant, moved] of [
      ['other', credential],
      ['studio', { ...credential, id: 'KS2' }],
      ['studio', digest],
    ] as const) {
      await assert.rejects(secrets.open(tenant, moved), { code: 'ERR_SEAL_BROKEN' })
    }
  })

  test('opens none that was altered or cut', async () => {
    for (const at of sealed.keys()) {
      for (const broken of [sealed.with(at, (sealed[at] ?? 0) ^ 1), sealed.subarray(0, at)]) {
        await assert.rejects(secrets.open('studio', { ...credential, sealed: broken }), { code: 'ERR_SEAL_BROKEN' })
      }
    }
  })
})

describe('OpenedSecrets', () => {
  test('opens a credential once, erases its clear bytes, and keeps what was read', async () => {
    let opened = 0
    const seen: Buffer[] = []
    const counting = {
      open: async (tenant: string, one: SealedCredential) => {
        opened++
        return secrets.open(tenant, one)
      },
    }
    const opening = new OpenedSecrets<SealedCredential, string>(counting, (bytes) => {
      seen.push(bytes)
      return bytes.toString('utf8')
    })
    for (const _ of [1, 2]) assert.equal(await opening.of({ client: ENCODER, credential }), clear.toString('utf8'))
    assert.equal(opened, 1)
    assert.ok(seen.every((bytes) => bytes.every((byte) => byte === 0)))
  })

  test('tries again after a failure', async () => {
    let failing = true
    const flaky = {
      open: async (tenant: string, one: SealedCredential) => {
        if (failing) throw new Error('away')
        return secrets.open(tenant, one)
      },
    }
    const opening = new OpenedSecrets<SealedCredential, number>(flaky, (bytes) => bytes.length)
    await assert.rejects(async () => opening.of({ client: ENCODER, credential }), /away/)
    failing = false
    assert.equal(await opening.of({ client: ENCODER, credential }), clear.length)
  })
})

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { createClientDirectory } from '../../../src/auth/clients/directory.ts'
import type { Credential } from '../../../src/auth/credentials/credential.ts'
import { gateway, identities } from '../../../src/auth/methods/gateway.ts'
import { certificateOf, ENCODER, flips, now, presenting, refuses, verified } from '../presenting.ts'

const credential = (id: string): Credential => ({ method: 'gateway', id })
const ACCOUNT = '123456789012'
const ASSUMED = `arn:aws:sts::${ACCOUNT}:assumed-role/SpekeAccess/MediaPackage`
const byRole = { ...ENCODER, name: 'by role' }
const byAccount = { ...ENCODER, name: 'by account' }
const clients = createClientDirectory([
  { client: byRole, credentials: [credential(`arn:aws:iam::${ACCOUNT}:role/SpekeAccess`)] },
  { client: byAccount, credentials: [credential(ACCOUNT)] },
])
const secret = randomBytes(32).toString('base64url')
const sha256 = (text: string): Uint8Array => createHash('sha256').update(text).digest()
const fingerprint = 'ab'.repeat(32)
const method = gateway({
  clients,
  now,
  secretHeader: { name: 'x-gateway-secret', sha256: [sha256('the next one'), sha256(secret)] },
  certificateFingerprints: [fingerprint],
})

const identity = { 'x-speke-caller-arn': ASSUMED, 'x-speke-account': ACCOUNT }
const clientCertificate = certificateOf({ fingerprint256: fingerprint.toUpperCase() })

describe('gateway', () => {
  test('believes the identity headers of a gateway that has the secret', async () => {
    for (const value of [secret, 'the next one']) {
      assert.equal(await verified(method, presenting({ ...identity, 'x-gateway-secret': value })), byRole)
    }
  })

  test('believes the identity headers of a gateway that has the certificate', async () => {
    assert.equal(await verified(method, presenting(identity, { clientCertificate })), byRole)
  })

  test('ignores identity headers from anybody else', () => {
    assert.equal(method.recognizes(presenting(identity)), false)
    const stranger = certificateOf({ fingerprint256: 'cd'.repeat(32) })
    assert.equal(method.recognizes(presenting(identity, { clientCertificate: stranger })), false)
  })

  test('rejects a secret with any character changed, whatever the certificate', async () => {
    for (const changed of flips(secret)) {
      await refuses(method, presenting({ ...identity, 'x-gateway-secret': changed }, { clientCertificate }), 'mismatch')
    }
  })

  test('a secret that was appended to by a caller is no secret', async () => {
    await refuses(method, presenting({ ...identity, 'x-gateway-secret': `${secret}, ${secret}` }), 'mismatch')
  })

  test('goes by the account where the role is not configured', async () => {
    const other = { 'x-speke-caller-arn': ASSUMED.replace('SpekeAccess', 'Other'), 'x-gateway-secret': secret }
    assert.equal(await verified(method, presenting(other)), byAccount)
    assert.equal(
      await verified(method, presenting({ 'x-speke-account': ACCOUNT, 'x-gateway-secret': secret })),
      byAccount,
    )
  })

  test('rejects a caller that is not configured, and a gateway that names none', async () => {
    const other = { 'x-speke-account': '999999999999', 'x-gateway-secret': secret }
    await refuses(method, presenting(other), 'unknown')
    await refuses(method, presenting({ 'x-gateway-secret': secret }), 'unknown')
  })

  test('rejects identity headers that contradict each other, come twice or are none', async () => {
    const proof = { 'x-gateway-secret': secret }
    await refuses(method, presenting({ ...identity, ...proof, 'x-speke-account': '999999999999' }), 'ambiguous')
    const rawHeaders = ['X-Speke-Account', ACCOUNT, 'x-speke-account', ACCOUNT]
    await refuses(method, presenting({ ...identity, ...proof }, { rawHeaders }), 'ambiguous')
    await refuses(method, presenting({ ...proof, 'x-speke-caller-arn': 'SpekeAccess' }), 'malformed')
    await refuses(method, presenting({ ...proof, 'x-speke-account': '1' }), 'malformed')
  })
})

test('a caller is known by its ARN, then its role, then its account', () => {
  assert.deepEqual(identities(ASSUMED, undefined), [ASSUMED, `arn:aws:iam::${ACCOUNT}:role/SpekeAccess`, ACCOUNT])
  const user = `arn:aws-cn:iam::${ACCOUNT}:user/encoder`
  assert.deepEqual(identities(user, ACCOUNT), [user, ACCOUNT])
})

import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import type { AuthMethod } from '../../src/auth/authenticate.ts'
import type { Client } from '../../src/auth/clients/client.ts'
import { type CredentialSecrets, createCredentialSecrets } from '../../src/auth/clients/credential-secrets.ts'
import { type ClientDirectory, createClientDirectory } from '../../src/auth/clients/directory.ts'
import type { Credential } from '../../src/auth/credentials/credential.ts'
import type { AuthenticationFailure } from '../../src/auth/failure.ts'
import type { ClientCertificate, Presented } from '../../src/auth/presented.ts'
import type { DataKeys } from '../../src/keys/crypto/data-keys.ts'

/** The moment of the tests. */
export const NOW = Date.parse('2026-11-21T19:00:00Z')
export const now = (): number => NOW

/** A POST of an encryptor with these headers, and whatever else is said of it. */
export function presenting(headers: Presented['headers'] = {}, rest: Partial<Presented> = {}): Presented {
  return {
    method: 'POST',
    rawPath: '/copyProtection',
    headers: { host: 'keys.example', ...headers },
    body: async () => Buffer.from('<cpix:CPIX/>'),
    address: '127.0.0.1',
    isFromTrustedProxy: false,
    secure: true,
    ...rest,
  }
}

export const ENCODER: Client = { name: 'encoder', tenant: 'studio', scopes: ['keys:issue'] }

/** A directory in which ENCODER has these credentials. */
export function directoryOf(...credentials: readonly Credential[]): ClientDirectory {
  return createClientDirectory([{ client: ENCODER, credentials }])
}

/** Seals with one data key that is made for the test. */
export function testSecrets(): CredentialSecrets {
  const key = createSecretKey(randomBytes(32))
  const dataKeys: DataKeys = {
    current: async () => ({ generation: 1, key }),
    find: async (_tenant, generation) => (generation === 1 ? key : undefined),
  }
  return createCredentialSecrets({ dataKeys, randomBytes })
}

/** The client that `method` finds. */
export async function verified(method: AuthMethod, presented: Presented): Promise<Client> {
  assert.ok(method.recognizes(presented), `${method.name} does not recognize its credential`)
  return method.verify(presented)
}

/** Asserts that `method` refuses for this reason, with the one message that tells nothing. */
export async function refuses(method: AuthMethod, presented: Presented, ...reasons: AuthenticationFailure[]) {
  await assert.rejects(
    async () => method.verify(presented),
    (error: Error & { code?: string; reason?: AuthenticationFailure }) => {
      assert.equal(error.code, 'ERR_UNAUTHENTICATED', String(error.stack))
      assert.equal(error.message, 'the request carries no valid credential of a client that is configured here')
      assert.ok(error.reason !== undefined && reasons.includes(error.reason), `the reason is ${error.reason}`)
      return true
    },
  )
}

/** `text` with each of its characters changed in turn. */
export function* flips(text: string): Generator<string> {
  for (let at = 0; at < text.length; at++) {
    const changed = String.fromCharCode(text.charCodeAt(at) ^ 1)
    yield text.slice(0, at) + changed + text.slice(at + 1)
  }
}

/** A client certificate that a trusted issuer vouches for, valid at the moment of the tests. */
export function certificateOf(certificate: Partial<ClientCertificate>): ClientCertificate {
  return {
    fingerprint256: '00'.repeat(32),
    subjectAltNames: [],
    validFrom: NOW - 86_400_000,
    validTo: NOW + 86_400_000,
    isVerified: true,
    issuers: [],
    ...certificate,
  }
}

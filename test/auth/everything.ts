import { createHash, createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { exportJWK, SignJWT } from 'jose'
import { Authenticator } from '../../src/auth/authenticate.ts'
import type { RegisteredClient } from '../../src/auth/clients/client.ts'
import { createClientDirectory } from '../../src/auth/clients/directory.ts'
import type { Credential } from '../../src/auth/credentials/credential.ts'
import { basic } from '../../src/auth/methods/basic.ts'
import { bearerToken, issueToken } from '../../src/auth/methods/bearer-token.ts'
import { digest } from '../../src/auth/methods/digest.ts'
import { digestSecret, encodeDigestSecret } from '../../src/auth/methods/digest-secret.ts'
import { gateway } from '../../src/auth/methods/gateway.ts'
import { jwt } from '../../src/auth/methods/jwt.ts'
import { mtls } from '../../src/auth/methods/mtls.ts'
import { hashPassword } from '../../src/auth/methods/password-checks.ts'
import { issueAccessKey, sigV4 } from '../../src/auth/methods/sigv4.ts'
import type { Presented } from '../../src/auth/presented.ts'
import { testSecrets } from './presenting.ts'

/** A server with every method and a client for each, and the secrets of those clients. */
export async function everything(now: () => number) {
  const tenant = 'studio'
  const realm = 'keyspring'
  const secrets = testSecrets()
  const password = randomBytes(18).toString('base64url')
  const token = issueToken(randomBytes)
  const accessKey = issueAccessKey(randomBytes)
  const gatewaySecret = randomBytes(32).toString('base64url')
  const issuer = generateKeyPairSync('ed25519')
  const fingerprint = 'ab'.repeat(32)
  const arn = 'arn:aws:iam::123456789012:role/SpekeAccess'

  const ha1 = encodeDigestSecret(digestSecret('encoder', realm, password))
  const digestId = { method: 'digest', id: 'encoder' } as const
  const sigv4Id = { method: 'sigv4', id: accessKey.accessKeyId } as const
  const secretAccessKey = Buffer.from(accessKey.secretAccessKey.reveal())
  const credentials: readonly Credential[] = [
    token.credential,
    { method: 'basic', id: 'encoder', passwordHash: await hashPassword(password, randomBytes) },
    { ...digestId, realm, sealed: await secrets.seal(tenant, digestId, ha1) },
    { ...sigv4Id, sealed: await secrets.seal(tenant, sigv4Id, secretAccessKey) },
    { method: 'jwt', id: 'encoder', issuer: 'https://issuer.example' },
    { method: 'certificate', id: fingerprint },
    { method: 'gateway', id: arn },
  ]
  const registered: readonly RegisteredClient[] = credentials.map((credential) => ({
    client: { name: `by ${credential.method}`, tenant, scopes: ['keys:issue'] },
    credentials: [credential],
  }))
  const clients = createClientDirectory(registered)

  const methods = [
    gateway({
      clients,
      now,
      secretHeader: { name: 'x-gateway-secret', sha256: [createHash('sha256').update(gatewaySecret).digest()] },
    }),
    bearerToken({ clients, now }),
    await jwt({
      clients,
      now,
      jwks: { keys: [{ ...(await exportJWK(issuer.publicKey)), kid: 'one' }] },
      issuer: 'https://issuer.example',
      audience: 'keyspring',
    }),
    sigV4({ clients, secrets, now }),
    digest({ clients, secrets, nonceKey: createSecretKey(randomBytes(32)), realm, now, randomBytes }),
    basic({ clients, now, randomBytes, realm }),
    mtls({ clients, now }),
  ]
  const authenticator = new Authenticator(methods)
  return {
    authenticate: (presented: Presented) => authenticator.authenticate(presented),
    methods,
    registered,
    secrets,
    clients,
    realm,
    password,
    token: token.token.reveal(),
    accessKey,
    gatewaySecret,
    fingerprint,
    arn,
    jwt: await new SignJWT({
      sub: 'encoder',
      iss: 'https://issuer.example',
      aud: 'keyspring',
      exp: now() / 1_000 + 3_600,
    })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'one' })
      .sign(issuer.privateKey),
  }
}

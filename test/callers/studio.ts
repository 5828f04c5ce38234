import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after } from 'node:test'
import { exportJWK, SignJWT } from 'jose'
import { stringify } from 'yaml'
import { type Running, startProcess, temporaryDirectory } from '../cli/run.ts'
import { issuerOf } from './certificates.ts'

export const ARN = 'arn:aws:iam::123456789012:role/SpekeAccess'
export const ISSUER = 'https://issuer.example'

/** A configuration with a client for every method, each in a tenant of its own, and the secrets of all. */
export function writeStudio(changes: Readonly<Record<string, unknown>> = {}) {
  const directory = temporaryDirectory()
  const file = (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const ca = issuerOf('test authority')
  const server = ca.issue('server', ['IP:127.0.0.1', 'DNS:localhost'])
  const encoder = ca.issue('encoder', ['DNS:encoder.example'])
  const named = ca.issue('named', ['URI:spiffe://example/encoder', 'DNS:named.example'])
  const gateway = ca.issue('gateway', ['DNS:gateway.example'])
  const stranger = issuerOf('another authority').issue('encoder', ['DNS:encoder.example'])
  const jwtKeys = generateKeyPairSync('ed25519')
  const secrets = {
    token: `ks_0123456789abcdef_${randomBytes(32).toString('base64url')}`,
    password: randomBytes(18).toString('base64url'),
    accessKeyId: 'KS0123456789ABCDEF01',
    secretAccessKey: randomBytes(30).toString('base64'),
    gateway: randomBytes(24).toString('base64url'),
    aesKey: randomBytes(32).toString('hex'),
    aesIv: randomBytes(16).toString('hex'),
  }
  const pem = Object.fromEntries(
    Object.entries({ server, encoder, named, gateway, stranger }).map(([name, { cert, key }]) => [
      name,
      { cert: file(`${name}.crt`, cert), key: file(`${name}.key`, key) },
    ]),
  ) as Record<'server' | 'encoder' | 'named' | 'gateway' | 'stranger', { readonly cert: string; readonly key: string }>
  const caFile = file('ca.crt', ca.cert)
  const passwordFile = file('password', `${secrets.password}\n`)
  const clientOf = (method: string, credentials: unknown, more: object = {}) => ({
    name: `by-${method}`,
    tenant: method,
    credentials,
    ...more,
  })
  const config = {
    host: '127.0.0.1',
    port: 0,
    data: join(directory, 'data'),
    tls: { cert: pem.server.cert, key: pem.server.key, clientCa: caFile },
    auth: {
      jwt: { issuer: ISSUER, audience: 'keyspring', jwks: '' },
      gateway: {
        secretHeader: 'X-Gateway-Secret',
        secretFiles: [file('gateway-secret', secrets.gateway)],
        certificateFingerprints: [gateway.fingerprint],
      },
    },
    clients: [
      clientOf('token', { token: [{ tokenFile: file('token', secrets.token) }] }, { scopes: ['keys:issue', 'admin'] }),
      clientOf('basic', { basic: [{ user: 'encoder', passwordFile }] }),
      clientOf('digest', { digest: [{ user: 'encoder', passwordFile }] }),
      clientOf('sigv4', {
        sigv4: [{ accessKeyId: secrets.accessKeyId, secretAccessKeyFile: file('secret-key', secrets.secretAccessKey) }],
      }),
      clientOf('jwt', { jwt: [{ subject: 'encoder' }] }),
      clientOf('certificate', { certificate: [{ fingerprint: encoder.fingerprint }] }),
      clientOf('name', { certificate: [{ name: 'URI:spiffe://example/encoder' }] }),
      clientOf('gateway', { gateway: [{ caller: ARN }] }),
      clientOf('signer', {
        signer: [
          {
            name: 'widevine_test',
            aesKeyFile: file('aes-key', secrets.aesKey),
            aesIvFile: file('aes-iv', secrets.aesIv),
          },
        ],
      }),
    ],
    ...changes,
  }
  const jwk = exportJWK(jwtKeys.publicKey).then((key) => JSON.stringify({ keys: [{ ...key, kid: 'one' }] }))
  const configFile = join(directory, 'keyspring.yaml')
  return {
    directory,
    configFile,
    config,
    secrets,
    pem,
    caFile,
    server,
    /** Writes the configuration, with these changes to it. */
    async write(more: object = {}) {
      config.auth.jwt.jwks = file('jwks.json', await jwk)
      writeFileSync(configFile, stringify({ ...config, ...more }))
    },
    jwt: (claims: Readonly<Record<string, unknown>> = {}) =>
      new SignJWT({
        sub: 'encoder',
        iss: ISSUER,
        aud: 'keyspring',
        exp: Math.floor(Date.now() / 1_000) + 60,
        ...claims,
      })
        .setProtectedHeader({ alg: 'EdDSA', kid: 'one' })
        .sign(jwtKeys.privateKey),
    /** Another certificate of the same authority, in the server's files. */
    renewServer() {
      const renewed = ca.issue('renewed', ['IP:127.0.0.1'])
      file('server.crt', renewed.cert)
      file('server.key', renewed.key)
      return renewed
    },
  }
}
export type Studio = ReturnType<typeof writeStudio>

const running: Running[] = []
after(() => {
  for (const one of running) one.signal('SIGKILL')
})

/** Starts the server of a configuration. */
export async function serve(
  configFile: string,
  args: readonly string[] = [],
): Promise<{ readonly process: Running; readonly url: string }> {
  const process = startProcess(['serve', '--config', configFile, ...args])
  running.push(process)
  const [, url = ''] = await process.stderr(/listens on (\S+),/)
  return { process, url }
}

/** The hash of a token or secret, as the configuration has it. */
export function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export function emptyDirectory(path: string): string {
  mkdirSync(path, { recursive: true })
  return path
}

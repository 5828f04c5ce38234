import { createSecretKey, randomBytes } from 'node:crypto'
import { memoryStore } from '../../src/adapters/store/memory/store.ts'
import { createCredentialSecrets } from '../../src/auth/clients/credential-secrets.ts'
import type { IssuedCredential } from '../../src/auth/methods/definition.ts'
import { digestResponse, digestSecret } from '../../src/auth/methods/digest-secret.ts'
import { issueCredential } from '../../src/auth/methods/methods.ts'
import { signSigV4 } from '../../src/auth/methods/sigv4-sign.ts'
import { Secret } from '../../src/core/secret.ts'
import { CallerRegistry } from '../../src/server/assemble/caller-registry.ts'
import type { Callers } from '../../src/server/assemble/callers.ts'
import { readConfig } from '../../src/server/config/config.ts'
import type { Random } from './mutate.ts'

/** Callers by every method that needs no hash of passwords, and headers that prove one of them. */
export interface FuzzedCallers {
  readonly callers: Callers
  /** The headers of a client for these bytes, now and then broken. */
  headersFor(next: Random, rawPath: string, bytes: Buffer): Record<string, string>
}

const ignore = () => {}
const NO_LOG = { debug: ignore, info: ignore, warn: ignore, error: ignore, flush: ignore }

const WORDS = [
  '',
  '"',
  ',',
  '=',
  ' ',
  'Bearer ',
  'Digest ',
  'AWS4-HMAC-SHA256 ',
  'Basic ',
  '\u00e9',
  '%00',
  '__proto__',
  'a'.repeat(3_000),
  '"\\"',
  ';',
  '/',
  ':',
]

export async function fuzzedCallers(): Promise<FuzzedCallers> {
  const key = createSecretKey(randomBytes(32))
  const dataKeys = { current: async () => ({ generation: 1, key }), find: async () => key }
  const secrets = createCredentialSecrets({ dataKeys, randomBytes })
  const store = memoryStore()
  const tenant = 'default'
  const common = { tenant, realm: 'keyspring', secrets, randomBytes }
  const [token, digest, sigV4] = [
    await issueCredential({ ...common, method: 'token' }),
    await issueCredential({ ...common, method: 'digest', id: 'encoder' }),
    await issueCredential({ ...common, method: 'sigv4' }),
  ]
  const credentials = [token, digest, sigV4].map(({ credential }) => credential)
  await store.putClient({ client: { name: 'fuzz', tenant, scopes: ['keys:issue'] }, credentials })
  const registry = new CallerRegistry({ store, dataKeys, log: NO_LOG, now: () => Date.now() })
  const config = readConfig({ environment: { KEYSPRING_LIMITS_CLIENT_REQUESTS_PER_SECOND: '0' } })
  const callers = await registry.load(config)
  registry.enforce(callers)

  const tokenText = toldOf(token, 'token')
  const accessKey = {
    accessKeyId: sigV4.credential.id,
    secretAccessKey: new Secret(toldOf(sigV4, 'secret access key')),
  }
  const ha1 = digestSecret('encoder', 'keyspring', toldOf(digest, 'password'))
  const makers: readonly ((rawPath: string, bytes: Buffer) => Record<string, string>)[] = [
    () => ({ 'x-api-key': tokenText }),
    () => ({ authorization: `Bearer ${tokenText}` }),
    (rawPath, bytes) => {
      const signed = { method: 'POST', rawPath, headers: { host: 'keys.example' }, body: bytes }
      return {
        host: 'keys.example',
        ...signSigV4(signed, accessKey, { region: 'r', service: 'execute-api' }, Date.now()),
      }
    },
    (uri) => {
      const [nonce, nc, cnonce, algorithm] = [
        randomBytes(30).toString('base64url'),
        '00000001',
        'c',
        'SHA-256' as const,
      ]
      const response = digestResponse({ algorithm, ha1: ha1[algorithm], method: 'POST', uri, nonce, nc, cnonce })
      return {
        authorization: `Digest username="encoder", realm="keyspring", nonce="${nonce}", uri="${uri}", qop=auth, nc=${nc}, cnonce="${cnonce}", response="${response}", algorithm=${algorithm}`,
      }
    },
    () => ({ authorization: `Basic ${Buffer.from('no colon').toString('base64')}` }),
  ]

  return {
    callers,
    headersFor(next, rawPath, bytes) {
      if (next() < 0.85) return { 'x-api-key': tokenText }
      const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T
      const headers = pick(makers)(rawPath, bytes)
      if (next() < 0.3) return headers
      for (const [name, value] of Object.entries(headers)) {
        const at = Math.floor(next() * value.length)
        headers[name] = value.slice(0, at) + pick(WORDS) + value.slice(at + Math.floor(next() * 8))
      }
      return headers
    },
  }
}

function toldOf({ shown }: IssuedCredential, name: string): string {
  const value = shown.find(([what]) => what === name)?.[1] ?? ''
  return typeof value === 'string' ? value : value.reveal()
}

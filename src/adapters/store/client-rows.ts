import { isDeepStrictEqual } from 'node:util'
import { type RegisteredClient, SCOPES } from '../../auth/clients/client.ts'
import type { Credential } from '../../auth/credentials/credential.ts'
import { AUTH_METHODS } from '../../auth/methods/methods.ts'
import { sealGeneration } from '../../keys/crypto/seal.ts'
import { damaged, toText } from './rows.ts'

/** A stored client: JSON in which bytes are `{"base64": …}`. */
export function toClientJson(registered: RegisteredClient): string {
  const credentials = registered.credentials.map((credential) =>
    // Runs before JSON.stringify applies a Buffer's own JSON form.
    Object.fromEntries(
      Object.entries(credential).map(([name, value]) => [name, isBytes(value) ? toJsonBytes(value) : value]),
    ),
  )
  return JSON.stringify({ client: registered.client, credentials })
}

/** Reads a stored client. */
export function fromClientJson(json: unknown): RegisteredClient {
  const value: unknown = JSON.parse(toText(json), (_name, one: unknown) => {
    const { base64 } = Object(one) as { readonly base64?: unknown }
    return typeof base64 === 'string' && isDeepStrictEqual(Object.keys(Object(one)), ['base64'])
      ? new Uint8Array(Buffer.from(base64, 'base64'))
      : one
  })
  return isRegisteredClient(value) ? value : damaged('a client')
}

/** The data keys that seal a client's credentials, each once. A rotation must not remove them. */
export function dataKeysOf({ client: { tenant }, credentials }: RegisteredClient) {
  const generations = credentials.map((one) => ('sealed' in one ? sealGeneration(one.sealed) : undefined))
  return [...new Set(generations)].filter((one) => one !== undefined).map((generation) => ({ tenant, generation }))
}

function isRegisteredClient(value: unknown): value is RegisteredClient {
  const { client, credentials } = Object(value) as Partial<RegisteredClient>
  return (
    typeof client?.name === 'string' &&
    typeof client.tenant === 'string' &&
    isList(client.scopes, (one) => SCOPES.some((scope) => scope === one)) &&
    (client.contentIds === undefined || isList(client.contentIds, isString)) &&
    (client.recipientFingerprints === undefined || isList(client.recipientFingerprints, isString)) &&
    (client.signalingProfile === undefined || isString(client.signalingProfile)) &&
    isList(credentials, isCredential)
  )
}

const FITS: Readonly<Record<'text' | 'bytes' | 'optional text', (value: unknown) => boolean>> = {
  text: isString,
  bytes: isBytes,
  'optional text': (value) => value === undefined || isString(value),
}

function isCredential(value: unknown): boolean {
  const credential = Object(value) as Readonly<Record<string, unknown>>
  const { method, id, notBefore = 0, notAfter = 0 } = credential
  if (typeof method !== 'string' || !Object.hasOwn(AUTH_METHODS, method)) return false
  const { stored } = AUTH_METHODS[method as Credential['method']]
  return (
    typeof id === 'string' &&
    typeof notBefore === 'number' &&
    typeof notAfter === 'number' &&
    Object.entries(stored).every(([name, kind]) => FITS[kind](credential[name]))
  )
}

function isList(value: unknown, fits: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(fits)
}

function isString(value: unknown): boolean {
  return typeof value === 'string'
}

function toJsonBytes(bytes: Uint8Array) {
  return { base64: Buffer.from(bytes).toString('base64') }
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

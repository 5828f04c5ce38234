import { WidevineRequestError } from './status.ts'

/** A request and its signature. `signer` is undefined if the sender names none. */
export interface SignedRequest {
  readonly request: Uint8Array
  readonly signature: Uint8Array
  readonly signer: string | undefined
}

/** Many times the size of a request for every track. */
const MAX_ENVELOPE_BYTES = 32 * 1024

/** Reads the envelope of a request. Throws MALFORMED_REQUEST. */
export function readEnvelope(bytes: Uint8Array): SignedRequest {
  if (bytes.length > MAX_ENVELOPE_BYTES) throw malformed(`the body: expected at most ${MAX_ENVELOPE_BYTES} bytes`)
  const { request, signature = '', signer } = readObject(bytes, 'the body')
  if (signer !== undefined && typeof signer !== 'string') throw malformed('signer: expected text')
  return {
    request: readBase64(request, 'request'),
    signature: readBase64(signature, 'signature'),
    signer: signer === '' ? undefined : signer,
  }
}

/** The envelope of an answer. */
export function writeEnvelope(response: unknown): string {
  return JSON.stringify({ response: Buffer.from(JSON.stringify(response)).toString('base64') })
}

/** The JSON object in `bytes`, with unknown members. Throws MALFORMED_REQUEST. */
export function readObject(bytes: Uint8Array, name: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(UTF8.decode(bytes))
  } catch (cause) {
    throw new WidevineRequestError('MALFORMED_REQUEST', `${name}: expected JSON`, { cause })
  }
  return asObject(value, name)
}

/** `value` as a JSON object. Throws MALFORMED_REQUEST. */
export function asObject(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(`${name}: expected an object`)
  return value as Readonly<Record<string, unknown>>
}

/** The bytes of canonical base64. Throws MALFORMED_REQUEST. */
export function readBase64(text: unknown, name: string): Uint8Array {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : undefined
  if (bytes === undefined || bytes.toString('base64') !== text) throw malformed(`${name}: expected base64`)
  return bytes
}

export function malformed(problem: string): WidevineRequestError {
  return new WidevineRequestError('MALFORMED_REQUEST', problem)
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

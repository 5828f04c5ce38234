import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { ForbiddenError } from '../../../src/auth/failure.ts'
import { aesSigner, signWidevineRequest, verifyWidevineRequest } from '../../../src/auth/methods/widevine-signer.ts'
import { widevineContentKey } from '../../../src/http/routes/widevine.ts'
import type { LedgerEntry } from '../../../src/keys/ledger/ledger.ts'
import { WidevineAnswerer, type WidevineOptions } from '../../../src/protocols/widevine/get-content-key.ts'
import { callOf, handlerFor } from '../../http/calls.ts'
import { keyringOf } from '../../keys/fixtures.ts'

interface Envelope {
  readonly request: string
  readonly signature: string
  readonly signer: string
}

interface Vectors {
  readonly signer: string
  readonly aesKey: string
  readonly aesIv: string
  readonly envelope: Envelope
  readonly response: Answer
  readonly shakaSigned: Envelope
  readonly shakaUnsigned: Pick<Envelope, 'request'>
}

/** The answer of the API, inside its envelope. */
export interface Answer {
  readonly status: string
  readonly drm?: readonly { readonly type: string; readonly system_id: string }[]
  readonly tracks?: readonly Track[]
  readonly already_used?: boolean
}

export interface Track {
  readonly type: string
  readonly key_id: string
  readonly key: string
  readonly iv?: string
  readonly pssh: readonly { readonly drm_type: string; readonly data: string; readonly boxes: string }[]
  readonly crypto_period_index?: number
}

export const VECTORS: Vectors = JSON.parse(
  readFileSync(new URL('../../vectors/widevine-key-api.json', import.meta.url), 'utf8'),
)
export const SIGNER = aesSigner(Buffer.from(VECTORS.aesKey, 'hex'), Buffer.from(VECTORS.aesIv, 'hex'))

/** The key API of a server that knows the vectors' signer, who may ask for any content but `forbidden`. */
export function requesting(options: Partial<WidevineOptions> = {}) {
  const keyring = keyringOf()
  const recorded: LedgerEntry[] = []
  const observed: { readonly failure: unknown; readonly issued: unknown }[] = []
  const handler = handlerFor({
    routes: [
      widevineContentKey({
        widevine: new WidevineAnswerer({
          contentKeys: keyring.keys,
          authenticate: (signer, request, signature) => {
            if (signer !== VECTORS.signer || !verifyWidevineRequest(SIGNER, request, signature)) return undefined
            return {
              tenant: 'default',
              client: 'packager',
              authorize: (contentId) => {
                if (contentId === 'forbidden') throw new ForbiddenError('content')
              },
            }
          },
          settingsFor: () => ({ contentId: false }),
          record: (entries) => recorded.push(...entries),
          ...options,
        }),
      }),
    ],
    checks: [],
    observe: (_call, _route, { issued }, failure) => observed.push({ failure, issued }),
    now: () => 0,
  })

  /** Posts a body as it is. */
  const post = async (body: unknown, signer = VECTORS.signer): Promise<Answer> => {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
    const reply = await handler(callOf('POST', `/widevine/getcontentkey/${signer}`, { bytes }))
    assert.equal(reply.status, 200)
    assert.equal(reply.headers['content-type'], 'application/json')
    assert.equal(reply.headers['cache-control'], 'no-store')
    return JSON.parse(Buffer.from(JSON.parse(String(reply.body)).response, 'base64').toString())
  }

  /** Signs and posts a request. */
  const ask = (request: unknown): Promise<Answer> => {
    const bytes = Buffer.from(typeof request === 'string' ? request : JSON.stringify(request))
    const signature = signWidevineRequest(SIGNER, bytes).toString('base64')
    return post({ request: bytes.toString('base64'), signature, signer: VECTORS.signer })
  }
  return { ...keyring, recorded, observed, handler, post, ask }
}

/** A request for a content by its text. */
export function requestOf(contentId: string | Buffer, types: readonly string[], more: object = {}) {
  return { content_id: Buffer.from(contentId).toString('base64'), tracks: types.map((type) => ({ type })), ...more }
}

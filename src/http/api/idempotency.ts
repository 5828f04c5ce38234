import { createHash } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { IdempotencyStore, IdempotentWrite } from '../../operations/ports/store.ts'
import type { Call } from '../call.ts'
import { ApiRequestError } from './request-error.ts'

/** What a write answered, and whether it did so before. */
export interface WriteReply {
  readonly status: number
  readonly body: string
  readonly replayed: boolean
}

export interface WriteOnce {
  readonly store: IdempotencyStore
  readonly tenant: string
  readonly client: string
  readonly call: Call
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** How long the reply to a write is remembered. */
const REMEMBERED_MS = 86_400_000
/** A write that is under way for so long died with its process. */
const UNFINISHED_MS = 600_000

/**
 * Does a write once for its Idempotency-Key: asked again within a day, the same request gets the same reply and nothing is done.
 * One that failed is forgotten, and can be tried again. Throws ERR_IDEMPOTENCY_CONFLICT for another request with the same key, and
 * while the first is under way.
 * @see draft-ietf-httpapi-idempotency-key-header
 */
export async function writeOnce(
  { store, tenant, client, call, now }: WriteOnce,
  act: () => Promise<Omit<WriteReply, 'replayed'>>,
): Promise<WriteReply> {
  const key = idempotencyKeyOf(call)
  if (key === undefined) return { ...(await act()), replayed: false }
  const at = now()
  const write: IdempotentWrite = { tenant, client, key, requestHash: hashOf(call), at, reply: undefined }
  const standing = await begin(store, write)
  if (standing !== undefined) return { ...replyOf(standing, write), replayed: true }
  let reply: Omit<WriteReply, 'replayed'>
  try {
    reply = await act()
  } catch (error) {
    await store.forgetWrite(write)
    throw error
  }
  await store.endWrite({ ...write, reply })
  return { ...reply, replayed: false }
}

async function begin(store: IdempotencyStore, write: IdempotentWrite): Promise<IdempotentWrite | undefined> {
  const standing = await store.beginWrite(write, write.at - REMEMBERED_MS)
  const isDead = standing?.reply === undefined && standing !== undefined && standing.at < write.at - UNFINISHED_MS
  return isDead ? store.beginWrite(write, write.at - UNFINISHED_MS) : standing
}

function replyOf(standing: IdempotentWrite, write: IdempotentWrite): Omit<WriteReply, 'replayed'> {
  if (standing.requestHash !== write.requestHash) {
    throw new KeyProviderError(
      'ERR_IDEMPOTENCY_CONFLICT',
      'Idempotency-Key: another request came with this key: expected a new key for each request',
    )
  }
  if (standing.reply === undefined) {
    throw new KeyProviderError(
      'ERR_IDEMPOTENCY_CONFLICT',
      'Idempotency-Key: the first request with this key is under way: ask again for its answer',
    )
  }
  return standing.reply
}

function idempotencyKeyOf({ headers }: Call): string | undefined {
  const key = headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key === 'string' && /^[\x21-\x7e]{1,128}$/.test(key)) return key
  throw new ApiRequestError([
    { path: 'header.Idempotency-Key', problem: 'expected 1 to 128 printable ASCII characters without spaces' },
  ])
}

function hashOf({ method, rawPath, headers, bytes }: Call): string {
  const request = `${method} ${rawPath}\n${headers['content-type'] ?? ''}\n`
  return createHash('sha256').update(request).update(bytes).digest('hex')
}

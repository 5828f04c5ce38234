import { createHash } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { IdempotencyStore, IdempotentWrite } from '../../operations/ports/store.ts'
import type { Call } from '../call.ts'
import { ApiRequestError } from './problem.ts'

/** The reply to a write, and whether it was given before. */
interface WriteReply {
  readonly status: number
  readonly body: string
  readonly replayed: boolean
}

interface WriteOnce {
  readonly store: IdempotencyStore
  readonly tenant: string
  readonly client: string
  readonly call: Pick<Call, 'method' | 'rawPath' | 'headers'>
  readonly bytes: Uint8Array
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** How long the reply to a write is stored. */
const REMEMBERED_MS = 86_400_000
/** A write without a reply after this time died with its process. */
const UNFINISHED_MS = 600_000

/**
 * Does a write once for its Idempotency-Key: within a day, the same request gets the same reply and nothing is done twice. A
 * write that failed can be tried again. Throws ERR_IDEMPOTENCY_CONFLICT for a different request with the same key, and while
 * the first request is under way.
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export async function writeOnce(
  { store, tenant, client, call, bytes, now }: WriteOnce,
  act: () => Promise<Omit<WriteReply, 'replayed'>>,
): Promise<WriteReply> {
  const key = idempotencyKeyOf(call)
  if (key === undefined) return { ...(await act()), replayed: false }
  const at = now()
  const write: IdempotentWrite = { tenant, client, key, requestHash: hashOf(call, bytes), at, reply: undefined }
  const earlier = await begin(store, write)
  if (earlier !== undefined) return { ...replyOf(earlier, write), replayed: true }
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
  const earlier = await store.beginWrite(write, write.at - REMEMBERED_MS)
  const isDead = earlier?.reply === undefined && earlier !== undefined && earlier.at < write.at - UNFINISHED_MS
  return isDead ? store.beginWrite(write, write.at - UNFINISHED_MS) : earlier
}

function replyOf(earlier: IdempotentWrite, write: IdempotentWrite): Omit<WriteReply, 'replayed'> {
  if (earlier.requestHash !== write.requestHash) {
    throw new KeyProviderError(
      'ERR_IDEMPOTENCY_CONFLICT',
      'Idempotency-Key: a different request used this key. Use a new key for each request',
    )
  }
  if (earlier.reply === undefined) {
    throw new KeyProviderError(
      'ERR_IDEMPOTENCY_CONFLICT',
      'Idempotency-Key: the first request with this key is still under way. Repeat the request later to get its answer',
    )
  }
  return earlier.reply
}

function idempotencyKeyOf({ headers }: WriteOnce['call']): string | undefined {
  const key = headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key === 'string' && /^[\x21-\x7e]{1,128}$/.test(key)) return key
  throw new ApiRequestError([
    { path: 'header.Idempotency-Key', problem: 'expected 1 to 128 printable ASCII characters without spaces' },
  ])
}

function hashOf({ method, rawPath, headers }: WriteOnce['call'], bytes: Uint8Array): string {
  const request = `${method} ${rawPath}\n${headers['content-type'] ?? ''}\n`
  return createHash('sha256').update(request).update(bytes).digest('hex')
}

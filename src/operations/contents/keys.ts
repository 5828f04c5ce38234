import { createCipheriv } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import { contentGone } from '../../keys/content/errors.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { Answered } from '../answers/fields.ts'
import type { KEY_LIST, LISTED_KEY, SHOWN_KEY } from '../answers/keys.ts'
import type { Management, Operator } from '../management.ts'
import { contentNotFound } from './contents.ts'
import { findKnownKeys, type StoredKey } from './known-keys.ts'

/** The listed facts of a content key. Not the key. */
export type ListedKey = Answered<typeof LISTED_KEY>

type ListedKeys = Answered<typeof KEY_LIST>

/** A key with its check value. */
type ShownKey = Answered<typeof SHOWN_KEY>

const MAX_PERIODS = 1_000

/** The keys of a content: stored overrides, and keys that encryptors received. Throws ERR_CONTENT_NOT_FOUND, ERR_CONTENT_GONE. */
export async function listKeys(
  { store }: Pick<Management, 'store'>,
  { tenant }: Pick<Operator, 'tenant'>,
  { contentId }: { readonly contentId: string },
): Promise<ListedKeys> {
  const ref = { tenant, contentId }
  const [{ keys, isCut }, summary] = await Promise.all([findKnownKeys(store, ref, MAX_PERIODS), store.findSummary(ref)])
  if (keys.length === 0 && summary === undefined) throw contentNotFound(contentId)
  if (summary?.tombstone !== undefined) throw contentGone(ref, summary.tombstone.at)
  return { contentId, keys: keys.map(toListed), more: isCut }
}

/** The facts of a kid's key, in each class that it has. Throws ERR_KEY_NOT_FOUND, ERR_CONTENT_NOT_FOUND, ERR_CONTENT_GONE, ERR_CONTENT_EXPIRED. */
export async function showKey(
  management: Pick<Management, 'store' | 'contentKeys'>,
  operator: Pick<Operator, 'tenant'>,
  { contentId, kid, contentKeyClass }: KeyName,
): Promise<readonly ShownKey[]> {
  const { keys } = await listKeys(management, operator, { contentId })
  const wanted = keys.filter((key) => key.kid === kid && (contentKeyClass ?? key.class) === key.class)
  if (wanted.length === 0) {
    throw new KeyProviderError(
      'ERR_KEY_NOT_FOUND',
      `content ${JSON.stringify(contentId)} has no key for kid ${kid}: check the list of its keys`,
    )
  }
  const ref: ContentRef = { tenant: operator.tenant, contentId }
  const content = await management.contentKeys.open(ref, [kid])
  return wanted.flatMap((key) => {
    const found = content.findWithIv({ contentKeyClass: key.class, kid })
    return found === undefined ? [] : [{ ...key, checkValue: checkValue(found.contentKey) }]
  })
}

/** The name of a key; without a class, the keys of both classes. */
interface KeyName {
  readonly contentId: string
  readonly kid: Kid
  readonly contentKeyClass?: ContentKeyClass | undefined
}

function toListed(key: StoredKey): ListedKey {
  const { kid, contentKeyClass, isOverride, isIssued, commonEncryptionScheme, intendedTrackTypes } = key
  return {
    kid,
    class: contentKeyClass,
    source: isOverride ? 'override' : 'derived',
    issued: isIssued,
    commonEncryptionScheme,
    intendedTrackTypes,
  }
}

/**
 * The check value of a content key: the first three bytes of AES-ECB(key, sixteen zero bytes), in hex. Operators compare it to
 * confirm that they hold the same key. Its 24 bits do not reveal the key.
 * @see ANSI X9.24-1, key check value
 */
export function checkValue(key: Uint8Array): string {
  const aes = createCipheriv('aes-128-ecb', key, null).setAutoPadding(false)
  const block = Buffer.concat([aes.update(ZEROS), aes.final()])
  return block.subarray(0, SHOWN_BYTES).toString('hex')
}

const ZEROS = Buffer.alloc(16)

const SHOWN_BYTES = 3

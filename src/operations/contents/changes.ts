import { KeyProviderError } from '../../core/errors.ts'
import { contentGone, contentHeld } from '../../keys/content/errors.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { Tombstone } from '../../keys/ports/content-store.ts'
import type { DELETED_CONTENT, HELD_CONTENT } from '../answers/contents.ts'
import type { Answered } from '../answers/fields.ts'
import { audited } from '../audit/audited.ts'
import type { Management, Operator } from '../management.ts'
import type { AuditAction } from '../ports/audit.ts'
import { contentNotFound } from './contents.ts'

/** A change of one content, with the operator's reason. */
interface ContentChange {
  readonly contentId: string
  readonly reason: string
}

type DeletedContent = Answered<typeof DELETED_CONTENT>

type HeldContent = Answered<typeof HELD_CONTENT>

/** Everything that a change of contents needs. */
type ContentChanging = Pick<Management, 'store' | 'retention' | 'audit' | 'emit' | 'now'>

const MAX_REASON = 512

/**
 * Destroys a content permanently: deletes its secret, overrides and document. A later request of an encryptor is rejected
 * with ERR_CONTENT_GONE. Throws ERR_CONTENT_NOT_FOUND, ERR_CONTENT_HELD.
 */
export const deleteContent = recordedChange(
  'content.delete',
  async (management, ref, reason): Promise<DeletedContent> => {
    const { store, emit, now } = management
    const { tenant, contentId } = ref
    const before = await store.findSummary(ref)
    if (before === undefined && (await store.findByContent(ref, 1)).length === 0) throw contentNotFound(contentId)
    if (before?.tombstone?.cause === 'deleted') return toDeleted(contentId, before.tombstone, true)
    if (management.retention(ref).held) throw heldByRule(ref)
    const tombstone = { at: now(), reason, cause: 'deleted' } as const
    await store.putTombstone(ref, tombstone)
    emit({ type: 'content.deleted', tenant, contentId, at: tombstone.at, data: { reason } })
    return toDeleted(contentId, tombstone, false)
  },
)

/** Puts a content under legal hold: it neither expires nor can be deleted until it is released. Throws ERR_CONTENT_NOT_FOUND, ERR_CONTENT_GONE. */
export const holdContent = recordedChange('content.hold', async (management, ref, reason): Promise<HeldContent> => {
  if (!(await management.store.putHold(ref, reason))) throw await missing(management, ref)
  return { contentId: ref.contentId, held: true }
})

/** Lifts the legal hold of an operator. The retention period of the content starts again now. Throws ERR_CONTENT_NOT_FOUND, ERR_CONTENT_GONE, and ERR_CONTENT_HELD for a hold by a rule of the configuration. */
export const releaseContent = recordedChange('content.release', async (management, ref): Promise<HeldContent> => {
  const { held, keepMs } = management.retention(ref)
  if (held) throw heldByRule(ref)
  if (keepMs !== undefined) await grantTime(management, ref, management.now() + keepMs)
  if (!(await management.store.putHold(ref, undefined))) throw await missing(management, ref)
  return { contentId: ref.contentId, held: false }
})

type Change<T> = (management: ContentChanging, operator: Operator, change: ContentChange) => Promise<T>

/** Makes a change that has a reason and is recorded before and after. */
function recordedChange<T>(
  action: AuditAction,
  act: (management: ContentChanging, ref: ContentRef, reason: string) => Promise<T>,
): Change<T> {
  return async (management, operator, change) => {
    const { contentId } = change
    const reason = readReason(change)
    return audited(management, operator, { action, contentId, reason }, async () => ({
      result: await act(management, { tenant: operator.tenant, contentId }, reason),
    }))
  }
}

/** Call it before the hold is lifted: the next sweep would destroy a content that expired under the hold. */
async function grantTime({ store }: ContentChanging, ref: ContentRef, expiresAt: number): Promise<void> {
  const before = (await store.findSummary(ref))?.expiresAt
  if (before !== undefined && before < expiresAt) await store.putExpiry([{ ...ref, expiresAt }])
}

/** The trimmed reason. It goes into the audit log; the tombstone of a deleted content keeps it. */
function readReason({ reason }: ContentChange): string {
  const text = reason.trim()
  if (text !== '' && text.length <= MAX_REASON) return text
  throw new KeyProviderError(
    'ERR_API_REQUEST_INVALID',
    `reason: expected 1 to ${MAX_REASON} characters; say why, for a reader of the audit log in some years`,
  )
}

function toDeleted(contentId: string, { at }: Tombstone, already: boolean): DeletedContent {
  return { contentId, destroyedAt: new Date(at).toISOString(), already }
}

function heldByRule(ref: ContentRef): KeyProviderError {
  return contentHeld(ref, 'a rule of the configuration', 'Change retention.hold first.')
}

async function missing({ store }: ContentChanging, ref: ContentRef): Promise<KeyProviderError> {
  const summary = await store.findSummary(ref)
  if (summary?.tombstone === undefined) return contentNotFound(ref.contentId)
  return contentGone(ref, summary.tombstone.at)
}

import { KeyProviderError } from '../../core/errors.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import { readXml } from '../../formats/xml/reader.ts'
import { contentGone } from '../../keys/content/errors.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { AnswerOptions, AuthorizeContent } from '../../protocols/speke/answer.ts'
import type { SpekeDocument } from '../../protocols/speke/request.ts'
import { Signaler } from '../../protocols/speke/signaler.ts'
import {
  changedMeanwhile,
  etagOf,
  matchesEtag,
  NO_REVISION,
  requireMatch,
} from '../../protocols/transfer/conditions.ts'
import { differenceOf, readTransferDocument } from '../../protocols/transfer/document.ts'
import { type PreparedDocument, prepareDocument } from '../../protocols/transfer/fill.ts'
import { stripKeys } from '../../protocols/transfer/strip.ts'
import { audited } from '../audit/audited.ts'
import { deleteContent } from '../contents/changes.ts'
import type { ImportKey } from '../import/draft.ts'
import type { Management, Operator } from '../management.ts'
import type { StoredDocument } from '../ports/store.ts'
import { issuedDocument } from './issued.ts'
import { putDocument } from './put.ts'

/** The caller of a CPIX transfer request. */
export interface TransferCaller {
  readonly operator: Operator
  /** Its name, for the ledger and its signalling profile. */
  readonly client: string
  /** Throws ERR_FORBIDDEN unless the caller may do this with a content, encrypted for these recipients. */
  readonly authorize: AuthorizeContent
  /**
   * How the caller may receive keys. `clear`: it may issue or export keys. `encrypted`: for the recipients that it is pinned
   * to. `none`: it may read, but could name itself as the recipient.
   */
  readonly keys: 'clear' | 'encrypted' | 'none'
  /** Certificates (DER) to encrypt for where the document names no recipient. */
  readonly certificates?: readonly Uint8Array[] | undefined
}

/** Headers that make a request conditional. */
interface Conditions {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
}

/** An answered document. `body` is undefined if the caller has it already. */
export interface TransferredDocument {
  readonly status: 'created' | 'completed' | 'found' | 'unchanged'
  readonly etag: string
  readonly body: Uint8Array | undefined
  readonly contentId: string
  readonly keys: number
  readonly first: boolean
  /** The ledger entries of issued keys; undefined for keys that were recorded as an export. */
  readonly records?: readonly LedgerEntry[]
}

/** CPIX documents of contents. @see docs/guides/cpix-transfer.md */
export interface CpixTransfer {
  /** Creates a document, or completes one that is stored, and issues its keys. Throws ERR_DOCUMENT_EXISTS for another document. */
  post(caller: TransferCaller, contentId: string, bytes: Uint8Array): Promise<TransferredDocument>
  /** Returns the document with existing keys. Changes nothing. Throws ERR_CONTENT_EXPIRED, ERR_CONTENT_GONE, ERR_KEY_NOT_FOUND. */
  get(caller: TransferCaller, contentId: string, conditions?: Conditions): Promise<TransferredDocument>
  /** Replaces the document, and imports the keys that it brings. Returns the new ETag. */
  put(
    caller: TransferCaller,
    contentId: string,
    bytes: Uint8Array,
    conditions?: Conditions,
  ): Promise<{ readonly etag: string }>
  /** Destroys the content with its document. */
  delete(caller: TransferCaller, contentId: string, conditions?: Conditions): Promise<void>
}

export interface CpixTransferOptions extends Omit<AnswerOptions, 'contentKeys' | 'now' | 'randomBytes'> {
  /** The systems of a document that is made from issued keys, where no request named any. */
  readonly drmSystems: readonly DrmSystem[]
  /** The recipient that documents encrypt keys for so that they can be imported. */
  readonly importKey?: ImportKey | undefined
}

/** CPIX transfer over `management`. Documents are stored without keys, and filled for each request. */
export function createCpixTransfer(management: Management, options: CpixTransferOptions): CpixTransfer {
  const { store, emit, now, randomBytes } = management
  const { importKey, policy, findDrmSystem, xmlLimits, record, urls, warn } = options
  const filling = { ...options, ...management, signaler: new Signaler(urls, warn) }
  const newRevision = (): string => Buffer.from(randomBytes(12)).toString('base64url')
  const read = (bytes: Uint8Array, contentId: string) =>
    readTransferDocument(readXml(bytes, xmlLimits), contentId, findDrmSystem, policy)
  const prepare = ({ client, certificates = [] }: TransferCaller, ref: ContentRef, bytes: Uint8Array) =>
    prepareDocument(filling, { ref, bytes, client, certificates })

  const issue = async (
    { contentId }: ContentRef,
    prepared: PreparedDocument,
  ): Promise<Pick<TransferredDocument, 'body' | 'contentId' | 'keys' | 'first' | 'records'>> => {
    const { body, first } = await prepared.issue()
    record(prepared.ledgerEntries)
    return { body, contentId, keys: prepared.keys.length, first, records: prepared.ledgerEntries }
  }

  /** The ETag that a GET returns now: the write just made changed the stored sources of the keys. */
  const etagNow = async (caller: TransferCaller, ref: ContentRef, { xml, revision }: StoredDocument): Promise<string> =>
    etagOf(revision, (await prepare(caller, ref, Buffer.from(xml))).digest)

  return {
    async post(caller, contentId, bytes) {
      const { operator } = caller
      const ref = { tenant: operator.tenant, contentId }
      caller.authorize(contentId)
      const prepared = await prepare(caller, ref, bytes)
      authorizeRecipients(caller, contentId, prepared)
      const posted = read(bytes, contentId)
      const stored = await store.findDocument(ref)
      if (stored !== undefined) {
        refuseDifference(ref, posted, read(Buffer.from(stored.xml), contentId))
        const issued = await issue(ref, prepared)
        return { status: 'completed', etag: await etagNow(caller, ref, stored), ...issued }
      }
      const written = { xml: stripKeys(posted.cpix, undefined), revision: newRevision(), at: now() }
      const operation = { action: 'document.write', contentId, ...summaryOf(prepared) } as const
      return audited(management, operator, operation, async () => {
        const issued = await issue(ref, prepared)
        const isStored = await store.putDocument(ref, written, undefined)
        const current = isStored ? written : await store.findDocument(ref)
        if (current === undefined) throw changedMeanwhile()
        if (!isStored) refuseDifference(ref, posted, read(Buffer.from(current.xml), contentId))
        const status = isStored ? 'created' : 'completed'
        return { result: { status, etag: await etagNow(caller, ref, current), ...issued } as const }
      })
    },

    async get(caller, contentId, { ifNoneMatch } = {}) {
      const ref = { tenant: caller.operator.tenant, contentId }
      caller.authorize(contentId)
      const stored = await store.findDocument(ref)
      const text = stored?.xml ?? (await issuedDocument(management, options, ref))
      const prepared = await prepare(caller, ref, Buffer.from(text))
      authorizeRecipients(caller, contentId, prepared)
      refuseKeys(caller, prepared)
      prepared.requireKeys()
      const etag = etagOf(stored?.revision ?? NO_REVISION, prepared.digest)
      if (matchesEtag(ifNoneMatch, etag)) {
        return { status: 'unchanged', etag, body: undefined, contentId, keys: 0, first: false }
      }
      const operation = { action: 'key.export', contentId, ...summaryOf(prepared) } as const
      return audited(management, caller.operator, operation, async () => {
        const body = await prepared.open()
        const { keys, recipients = [] } = operation
        emit({
          type: 'key.exported',
          ...ref,
          at: now(),
          data: { keys, format: 'cpix', encrypted: recipients.length > 0, recipients },
        })
        return { result: { status: 'found', etag, body, contentId, keys, first: false } as const }
      })
    },

    async put(caller, contentId, bytes, { ifMatch } = {}) {
      const ref = { tenant: caller.operator.tenant, contentId }
      caller.authorize(contentId)
      const before = (await store.findDocument(ref))?.revision
      requireMatch(ifMatch, before)
      const written = await putDocument(management, caller.operator, readXml(bytes, xmlLimits), {
        findDrmSystem,
        policy,
        contentId,
        importKey,
        authorizeRecipients: (fingerprints) => caller.authorize(contentId, fingerprints),
        before,
        revision: newRevision(),
      })
      return { etag: await etagNow(caller, ref, written) }
    },

    async delete(caller, contentId, { ifMatch } = {}) {
      const ref = { tenant: caller.operator.tenant, contentId }
      caller.authorize(contentId)
      if (ifMatch !== undefined) requireMatch(ifMatch, (await store.findDocument(ref))?.revision, true)
      const { already, destroyedAt } = await deleteContent(management, caller.operator, {
        contentId,
        reason: 'deleted by CPIX transfer',
      })
      if (already) throw contentGone(ref, Date.parse(destroyedAt))
    },
  }
}

/** The members of an audit record that describe a document: never a key. */
function summaryOf({ keys, recipients, document }: PreparedDocument) {
  return {
    kids: keys.map(({ answeredKid }) => answeredKid),
    keys: keys.length,
    systemIds: [...new Set(document.drmSystems.map(({ systemId }) => systemId))],
    recipients: recipients?.map(({ fingerprint }) => fingerprint),
  }
}

function authorizeRecipients({ authorize }: TransferCaller, contentId: string, { recipients }: PreparedDocument): void {
  authorize(contentId, recipients?.map(({ fingerprint }) => fingerprint) ?? [])
}

/** POST completes a stored document and never changes it. */
function refuseDifference({ tenant, contentId }: ContentRef, posted: SpekeDocument, stored: SpekeDocument): void {
  const difference = differenceOf(posted, stored)
  if (difference === undefined) return
  throw new KeyProviderError(
    'ERR_DOCUMENT_EXISTS',
    `content ${JSON.stringify(contentId)} of tenant ${JSON.stringify(tenant)} has another document: ${difference}; ` +
      'change it with PUT and If-Match',
  )
}

function refuseKeys({ keys }: TransferCaller, { recipients }: PreparedDocument): void {
  if (keys === 'clear' || (keys === 'encrypted' && recipients !== undefined)) return
  const problem =
    keys === 'none'
      ? 'the client may not receive keys: give it the scope keys:issue or keys:export, or pin its recipients'
      : 'the document names no recipient, so its keys would be in the clear: that needs the scope keys:issue or keys:export, or a DeliveryDataList'
  throw new KeyProviderError('ERR_FORBIDDEN', problem)
}

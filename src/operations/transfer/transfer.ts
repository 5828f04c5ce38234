import { KeyProviderError } from '../../core/errors.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import { readXml } from '../../formats/xml/reader.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { AuthorizeContent } from '../../protocols/speke/answer.ts'
import type { SpekeDocument } from '../../protocols/speke/request.ts'
import { differenceOf, readTransferDocument } from '../../protocols/transfer/document.ts'
import { changedMeanwhile, etagOf, isKnown, NO_REVISION, requireMatch } from '../../protocols/transfer/etag.ts'
import { audited } from '../audit/audited.ts'
import { deleteContent } from '../contents/changes.ts'
import type { ImportKey } from '../import/format.ts'
import type { Management, Operator } from '../management.ts'
import type { StoredDocument } from '../ports/store.ts'
import { createPrepare, type FillOptions, type PreparedDocument } from './fill.ts'
import { issuedDocument } from './issued.ts'
import { importDocumentKeys } from './keys.ts'
import { stripKeys } from './strip.ts'

/** Who sends or asks for a document. */
export interface TransferCaller {
  readonly operator: Operator
  /** Its name, for the ledger and its signalling profile. */
  readonly client: string
  /** Throws ERR_FORBIDDEN unless it may do this with a content, encrypted for the holders of these certificates. */
  readonly authorize: AuthorizeContent
  /**
   * How it may have keys. `clear`: it was given leave to issue or to export them. `encrypted`: for recipients that were pinned for
   * it. One that only reads and may name any recipient could name itself: `none`.
   */
  readonly keys: 'clear' | 'encrypted' | 'none'
  /** DER certificates to encrypt for where the document names no recipient. */
  readonly certificates?: readonly Uint8Array[] | undefined
}

/** Headers that make a request conditional. */
export interface Conditions {
  readonly ifMatch?: string | undefined
  readonly ifNoneMatch?: string | undefined
}

/** A document that is given out. `body` is undefined where the caller has it already. */
export interface TransferredDocument {
  readonly status: 'created' | 'completed' | 'found' | 'unchanged'
  readonly etag: string
  readonly body: Uint8Array | undefined
  readonly contentId: string
  readonly keys: number
  readonly first: boolean
  /** What the ledger was told, for whoever records what is issued; undefined where it was recorded as an export. */
  readonly records?: readonly LedgerEntry[]
}

/** CPIX documents of contents: created or completed, given out, replaced, destroyed with their content. @see cpix.md 13 */
export interface CpixTransfer {
  post(caller: TransferCaller, contentId: string, bytes: Uint8Array): Promise<TransferredDocument>
  get(caller: TransferCaller, contentId: string, conditions?: Conditions): Promise<TransferredDocument>
  /** The new ETag. */
  put(
    caller: TransferCaller,
    contentId: string,
    bytes: Uint8Array,
    conditions?: Conditions,
  ): Promise<{ readonly etag: string }>
  delete(caller: TransferCaller, contentId: string, conditions?: Conditions): Promise<void>
}

export interface CpixTransferOptions extends FillOptions {
  /** Those that a document names when it is made from what was issued and no request said which. */
  readonly drmSystems: readonly DrmSystem[]
  /** Whom keys may be encrypted to, so that a document can bring them. */
  readonly importKey?: ImportKey | undefined
}

/** CPIX transfer over `management`. Documents are stored without any key, and filled when they are asked for. */
export function createCpixTransfer(management: Management, options: CpixTransferOptions): CpixTransfer {
  const { store, emit, now, randomBytes } = management
  const { importKey, policy, findDrmSystem, xmlLimits, record } = options
  const prepare = createPrepare(management, options)
  const newRevision = (): string => Buffer.from(randomBytes(12)).toString('base64url')
  const read = (bytes: Uint8Array, contentId: string) =>
    readTransferDocument(readXml(bytes, xmlLimits), contentId, findDrmSystem, policy)

  /** Fills a document for an encryptor, as an answer of SPEKE does. */
  const issue = async (
    { contentId }: ContentRef,
    prepared: PreparedDocument,
  ): Promise<Pick<TransferredDocument, 'body' | 'contentId' | 'keys' | 'first' | 'records'>> => {
    const { body, keys, first } = await prepared.fill()
    record(prepared.ledgerEntries)
    return { body, contentId, keys: keys.length, first, records: prepared.ledgerEntries }
  }

  /** The ETag that a GET would have: what was issued just now changed what is stored. */
  const etagNow = async (
    caller: TransferCaller,
    ref: ContentRef,
    { xml, revision }: StoredDocument,
  ): Promise<string> => {
    const { digest } = await prepare(ref, Buffer.from(xml), caller.client, caller.certificates ?? [])
    return etagOf(revision, digest)
  }

  return {
    async post(caller, contentId, bytes) {
      const { operator } = caller
      const ref = { tenant: operator.tenant, contentId }
      caller.authorize(contentId)
      const prepared = await prepare(ref, bytes, caller.client, caller.certificates ?? [])
      authorizeRecipients(caller, contentId, prepared)
      const posted = read(bytes, contentId)
      const standing = await store.findDocument(ref)
      if (standing !== undefined) {
        refuseDifference(ref, posted, read(Buffer.from(standing.xml), contentId))
        const issued = await issue(ref, prepared)
        return { status: 'completed', etag: await etagNow(caller, ref, standing), ...issued }
      }
      const written = { xml: stripKeys(posted.cpix, undefined), revision: newRevision(), at: now() }
      const operation = { action: 'document.write', contentId, ...summaryOf(prepared) } as const
      return audited(management, operator, operation, async () => {
        const issued = await issue(ref, prepared)
        const isStored = await store.putDocument(ref, written, undefined)
        const stands = isStored ? written : await store.findDocument(ref)
        if (stands === undefined) throw changedMeanwhile()
        if (!isStored) refuseDifference(ref, posted, read(Buffer.from(stands.xml), contentId))
        const status = isStored ? 'created' : 'completed'
        return { result: { status, etag: await etagNow(caller, ref, stands), ...issued } as const }
      })
    },

    async get(caller, contentId, { ifNoneMatch } = {}) {
      const ref = { tenant: caller.operator.tenant, contentId }
      caller.authorize(contentId)
      const standing = await store.findDocument(ref)
      const text = standing?.xml ?? (await issuedDocument(management, options, ref))
      const prepared = await prepare(ref, Buffer.from(text), caller.client, caller.certificates ?? [])
      authorizeRecipients(caller, contentId, prepared)
      refuseKeys(caller, prepared)
      const etag = etagOf(standing?.revision ?? NO_REVISION, prepared.digest)
      if (isKnown(ifNoneMatch, etag)) {
        return { status: 'unchanged', etag, body: undefined, contentId, keys: 0, first: false }
      }
      const operation = { action: 'key.export', contentId, ...summaryOf(prepared) } as const
      return audited(management, caller.operator, operation, async () => {
        const { body, keys, first } = await prepared.fill()
        const recipients = operation.recipients ?? []
        const data = { keys: keys.length, format: 'cpix', encrypted: recipients.length > 0, recipients }
        emit({ type: 'key.exported', ...ref, at: now(), data })
        return { result: { status: 'found', etag, body, contentId, keys: keys.length, first } as const }
      })
    },

    async put(caller, contentId, bytes, { ifMatch } = {}) {
      const { operator } = caller
      const ref = { tenant: operator.tenant, contentId }
      caller.authorize(contentId)
      const standing = await store.findDocument(ref)
      requireMatch(ifMatch, standing?.revision)
      return importDocumentKeys(
        management,
        operator,
        readXml(bytes, xmlLimits),
        { ...options, contentId, importKey },
        async (xml, document) => {
          caller.authorize(contentId, document.recipients?.map(({ fingerprint }) => fingerprint) ?? [])
          const written = { xml, revision: newRevision(), at: now() }
          const kids = document.contentKeys.map(({ kid }) => kid)
          await audited(management, operator, { action: 'document.write', contentId, kids }, async () => {
            const isStored = await store.putDocument(ref, written, standing?.revision)
            if (!isStored) throw changedMeanwhile()
            return { result: undefined }
          })
          return { etag: await etagNow(caller, ref, written) }
        },
      )
    },

    async delete(caller, contentId, { ifMatch } = {}) {
      const ref = { tenant: caller.operator.tenant, contentId }
      caller.authorize(contentId)
      if (ifMatch !== undefined) requireMatch(ifMatch, (await store.findDocument(ref))?.revision, true)
      const { already } = await deleteContent(management, caller.operator, {
        contentId,
        reason: 'deleted by CPIX transfer',
      })
      if (already) throw gone(ref)
    },
  }
}

/** What the audit log says of a document: never a key. */
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

/** POST completes what stands and never changes it. */
function refuseDifference({ tenant, contentId }: ContentRef, posted: SpekeDocument, standing: SpekeDocument): void {
  const difference = differenceOf(posted, standing)
  if (difference === undefined) return
  throw new KeyProviderError(
    'ERR_DOCUMENT_EXISTS',
    `content ${JSON.stringify(contentId)} of tenant ${JSON.stringify(tenant)} has a document that differs: ${difference}; PUT with If-Match changes it`,
  )
}

function refuseKeys({ keys }: TransferCaller, { recipients }: PreparedDocument): void {
  if (keys === 'clear' || (keys === 'encrypted' && recipients !== undefined)) return
  const problem =
    keys === 'none'
      ? 'keys are for clients with the scope keys:issue or keys:export, or encrypted for clients whose recipients are pinned'
      : 'the document names no recipient, so its keys would be in the clear: that needs the scope keys:issue or keys:export, or a DeliveryDataList'
  throw new KeyProviderError('ERR_FORBIDDEN', problem)
}

function gone({ contentId }: ContentRef): KeyProviderError {
  return new KeyProviderError('ERR_CONTENT_GONE', `content ${JSON.stringify(contentId)} was destroyed already`)
}

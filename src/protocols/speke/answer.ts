import type { Kid } from '../../formats/cenc.ts'
import { type Recipient, recipientError, validityProblem } from '../../formats/cpix/delivery-data.ts'
import type { XmlLimits } from '../../formats/xml/document.ts'
import { readXml } from '../../formats/xml/reader.ts'
import type { ContentKeys, OpenContent } from '../../keys/content/content-key.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { ContentRef, Tenant } from '../../keys/ports/content-ref.ts'
import { type AnsweredRecipient, fillAnswer } from './fill.ts'
import { isCurrent, type PreparedAnswer, PreparedAnswers, prepareAnswer, prepareId } from './prepare.ts'
import type { SignalingProfile, SpekePolicy } from './profile.ts'
import { readSpekeDocument, readSpekeVersion, type SpekeDocument } from './request.ts'
import type { FindDrmSystem } from './schemes.ts'
import { Signaler, type SignalingWarning } from './signaler.ts'
import type { SpekeVersion } from './tables/versions.ts'
import type { PlayerUrls } from './urls.ts'

/** A SPEKE request and its caller. */
export interface SpekeRequest {
  /** The X-Speke-Version header as sent. */
  readonly versionHeader: string | undefined
  readonly bytes: Buffer
  readonly tenant: Tenant
  /** The name of the authenticated caller, for the ledger. */
  readonly client: string
  /** Checks the caller's permissions before any key is created; undefined: the caller may request every content. */
  readonly authorize?: AuthorizeContent | undefined
  /** Records issued keys in the audit log before the answer leaves; undefined: no record. */
  readonly audit?: AuditIssued | undefined
}

/** Throws ERR_FORBIDDEN for a content or recipients that the caller has no permission for. Fingerprints are SHA-256 in hex. */
export type AuthorizeContent = (contentId: string, recipientFingerprints?: readonly string[]) => void

/**
 * Records issued keys in the audit log. Undefined: the answer need not wait. Rejects with ERR_AUDIT_UNAVAILABLE, and then nothing
 * is answered.
 */
type AuditIssued = (issued: IssuedAnswer) => Promise<void> | undefined

/** What an answer issued, without its keys. */
export interface IssuedAnswer extends ContentRef {
  readonly client: string
  /** The number of content keys in the answer. */
  readonly keys: number
  /** Whether this request created the content's secret or first keys. */
  readonly first: boolean
  /** The same object each time the same answer is given. */
  readonly records: readonly LedgerEntry[]
}

/** An answer document. */
interface SpekeAnswer extends IssuedAnswer {
  readonly body: Uint8Array
  /** The version of the answer. Without a request header, this is not always 1.0. */
  readonly spekeVersion: SpekeVersion['header']
  /** How many DRMSystem elements of the answer are empty: the request has no elements to fill in them. */
  readonly emptySystems: number
}

export interface AnswerOptions {
  readonly contentKeys: ContentKeys
  readonly findDrmSystem: FindDrmSystem
  readonly profileFor: (caller: ContentRef & { readonly client: string }) => SignalingProfile
  readonly policy: SpekePolicy
  readonly xmlLimits: Partial<XmlLimits>
  readonly urls: PlayerUrls
  /** Records each answer in the ledger. Must return at once. */
  readonly record: (entries: readonly LedgerEntry[]) => void
  readonly warn: (warning: AnswerWarning) => void
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: (size: number) => Uint8Array
}

/** A problem of an answered request that an operator should know. */
export type AnswerWarning =
  | SignalingWarning
  | { readonly kind: 'certificate-validity'; readonly path: string; readonly problem: string }

/** A request that was read and checked, or that is known from an earlier time. */
interface ReadRequest {
  readonly ref: ContentRef
  readonly kids: readonly Kid[]
  readonly recipients: readonly Pick<Recipient, 'fingerprint'>[] | undefined
}

/**
 * Answers SPEKE requests. A repeated request is prepared once: it costs a hash, its keys and a copy of the answer.
 * @see https://docs.aws.amazon.com/speke/latest/documentation/the-speke-api-v2.html
 */
export class SpekeAnswerer {
  readonly #options: AnswerOptions
  readonly #prepared = new PreparedAnswers()
  readonly #signaler: Signaler

  constructor(options: AnswerOptions) {
    this.#options = options
    this.#signaler = new Signaler(options.urls, options.warn)
  }

  /** Answers a CPIX request document with a CPIX response document. Throws KeyProviderError for a request it rejects. */
  async answer(request: SpekeRequest): Promise<SpekeAnswer> {
    const { contentKeys, record, randomBytes } = this.#options

    readSpekeVersion(request.versionHeader)
    const id = prepareId(request)
    const known = this.#prepared.find(id)
    const read = known ?? this.#parseAndCheck(request)
    authorize(request, read)
    const content = await contentKeys.open(read.ref, read.kids)
    const prepared = isCurrent(known, content) ? known : this.#prepare(id, request, read, content)
    rejectInvalidCertificates(prepared.recipients, this.#options)
    const { keys, first } = await content.issue(prepared.wanted)
    const body = fillAnswer(prepared, keys, randomBytes)
    const issued = {
      ...prepared.ref,
      client: request.client,
      keys: keys.length,
      first,
      records: prepared.ledgerEntries,
    }
    await request.audit?.(issued)
    record(issued.records)
    return { ...issued, body, spekeVersion: prepared.spekeVersion, emptySystems: prepared.emptySystems }
  }

  #parseAndCheck({ versionHeader, bytes, tenant }: SpekeRequest): ReadRequest & { readonly document: SpekeDocument } {
    const { xmlLimits, findDrmSystem, policy } = this.#options
    const document = readSpekeDocument(versionHeader, readXml(bytes, xmlLimits), findDrmSystem, policy)
    const { contentId, contentKeys, recipients } = document
    return { ref: { tenant, contentId }, kids: contentKeys.map(({ kid }) => kid), recipients, document }
  }

  /** Lays out the answer to a request that is new, or whose signalling has changed since. */
  #prepare(
    id: string,
    request: SpekeRequest,
    read: PreparedAnswer | { readonly document: SpekeDocument },
    content: OpenContent,
  ): PreparedAnswer {
    const { document } = 'document' in read ? read : this.#parseAndCheck(request)
    const ref = { tenant: request.tenant, contentId: document.contentId }
    const profile = this.#options.profileFor({ ...ref, client: request.client })
    const caller = { ...ref, client: request.client }
    const prepared = prepareAnswer(document, caller, content, profile, this.#signaler, this.#readAgain(request))
    return this.#prepared.keep(id, prepared)
  }

  /** Reads a document that has more elements than its sender wrote; undefined if the policy adds none. */
  #readAgain({ versionHeader }: SpekeRequest): ((text: string) => SpekeDocument) | undefined {
    const { findDrmSystem, policy } = this.#options
    if (policy.emptyDrmSystems === 'keep') return undefined
    return (text) =>
      readSpekeDocument(versionHeader, readXml(Buffer.from(text), EXPANDED_LIMITS), findDrmSystem, policy)
  }
}

/** Larger than every request with the elements that are added to it. */
const EXPANDED_LIMITS: Partial<XmlLimits> = { bytes: 16 * 1024 * 1024, elements: 100_000, allAttributes: 200_000 }

function authorize(request: SpekeRequest, { ref, recipients }: ReadRequest): void {
  request.authorize?.(ref.contentId, recipients?.map(({ fingerprint }) => fingerprint) ?? [])
}

/** Checks certificates in every answer: one may expire while its request is known. Throws ERR_RECIPIENT_INVALID. */
export function rejectInvalidCertificates(
  recipients: readonly AnsweredRecipient[] | undefined,
  { policy, now, warn }: Pick<AnswerOptions, 'policy' | 'now' | 'warn'>,
): void {
  for (const recipient of recipients ?? []) {
    const problem = validityProblem(recipient, now())
    if (problem === undefined) continue
    if (policy.certificateValidity === 'reject') throw recipientError(recipient.path, problem)
    warn({ kind: 'certificate-validity', path: recipient.path, problem })
  }
}

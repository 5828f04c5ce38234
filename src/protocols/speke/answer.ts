import { hash } from 'node:crypto'
import { BoundedCache } from '../../core/bounded-cache.ts'
import { fillOnce, fillSkeleton, type Skeleton, type Template, toSkeleton } from '../../core/template.ts'
import type { Kid } from '../../formats/cenc.ts'
import { type Recipient, recipientError, validityProblem } from '../../formats/cpix/delivery-data.ts'
import type { XmlLimits } from '../../formats/xml/limits.ts'
import { readXml } from '../../formats/xml/reader.ts'
import type { ContentKeys, OpenContent, WantedKey } from '../../keys/content/content-key.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { ContentRef, Tenant } from '../../keys/ports/content-ref.ts'
import { describeAnswer, ledgerEntries } from './describe.ts'
import { type AnsweredRecipient, toFilling } from './filling.ts'
import { answeredKids } from './kid-overrides.ts'
import { type AnswerFilling, layoutAnswer, wantedKeys } from './layout.ts'
import type { SignalingProfile, SpekePolicy } from './profile.ts'
import { readSpekeDocument, type SpekeDocument } from './request.ts'
import type { FindDrmSystem } from './schemes.ts'
import { createSignaler, type SignalingWarning } from './signaler.ts'
import type { SpekeVersion } from './tables/versions.ts'
import type { PlayerUrls } from './urls.ts'
import { readSpekeVersion } from './versions.ts'

/** A SPEKE request as it came in. */
export interface SpekeRequest {
  /** The X-Speke-Version header as sent. */
  readonly versionHeader: string | undefined
  readonly bytes: Buffer
  readonly tenant: Tenant
  /** The name of the authenticated caller, for the ledger. */
  readonly client: string
  /** Asked before any key is made; undefined where every caller may have everything. */
  readonly authorize?: AuthorizeContent | undefined
}

/** Throws for a content that the caller may not have, or recipients (SHA-256 of their certificates, in hex) that it must not encrypt for. */
export type AuthorizeContent = (contentId: string, recipientFingerprints?: readonly string[]) => void

/** An answer document and what the log wants to know of it. */
export interface SpekeAnswer {
  readonly body: Uint8Array
  readonly contentId: string
  /** The version it was answered as: without a header that is not always 1.0. @see speke.md A-02 */
  readonly spekeVersion: SpekeVersion['header']
  /** How many content keys it holds. */
  readonly keys: number
  /** Whether this request created the keys' source. */
  readonly first: boolean
  /** What the ledger was told of it: the same object each time the same answer is given. */
  readonly records: readonly LedgerEntry[]
}

/** Answers a CPIX request document with a CPIX response document; throws KeyProviderError for what it refuses. */
export type AnswerSpeke = (request: SpekeRequest) => Promise<SpekeAnswer>

/** What an answer needs of the world. */
export interface AnswerOptions {
  readonly contentKeys: ContentKeys
  readonly findDrmSystem: FindDrmSystem
  readonly profileFor: (caller: {
    readonly tenant: Tenant
    readonly client: string
    readonly contentId: string
  }) => SignalingProfile
  readonly policy: SpekePolicy
  readonly xmlLimits: Partial<XmlLimits>
  readonly urls: PlayerUrls
  /** Told of each answer; must return at once. */
  readonly record: (entries: readonly LedgerEntry[]) => void
  readonly warn: (warning: AnswerWarning) => void
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: (size: number) => Uint8Array
}

/** Something an operator should know of a request that was answered. */
export type AnswerWarning =
  | SignalingWarning
  | { readonly kind: 'certificate-validity'; readonly path: string; readonly problem: string }

/** An answer as far as it is known without its keys. It holds no key and nothing computed from one. */
interface PreparedAnswer {
  readonly ref: ContentRef
  readonly spekeVersion: SpekeVersion['header']
  readonly kids: readonly Kid[]
  readonly wanted: readonly WantedKey[]
  /** Without their elements, which would keep the whole document. */
  readonly recipients: readonly AnsweredRecipient[] | undefined
  readonly ledgerEntries: readonly LedgerEntry[]
  /** What of the stored content the layout depends on. */
  readonly signalingRevision: string
  readonly layout: Template<AnswerFilling> | Skeleton<AnswerFilling>
}

const MAX_PREPARED_BYTES = 24 * 1024 * 1024
/** About 20,000 hashes. */
const MAX_SEEN_ONCE_BYTES = 4 * 1024 * 1024

/**
 * Makes the function that answers SPEKE requests. Prepared answers are kept by a hash of the request, so that an encryptor
 * which repeats itself costs a hash, its keys and a copy; a request is kept the second time it is seen.
 */
export function createAnswer(options: AnswerOptions): AnswerSpeke {
  const prepared = new BoundedCache<PreparedAnswer>({ maxBytes: MAX_PREPARED_BYTES, sizeOf: sizeOfPrepared })
  const seenOnce = new BoundedCache<true>({ maxBytes: MAX_SEEN_ONCE_BYTES, sizeOf: () => 0 })
  const signal = createSignaler(options.urls, options.warn)

  async function prepare(request: SpekeRequest, open?: OpenContent): Promise<[PreparedAnswer, OpenContent]> {
    const document = readSpekeDocument(
      request.versionHeader,
      readXml(request.bytes, options.xmlLimits),
      options.findDrmSystem,
      options.policy,
    )
    authorize(request, document)
    const ref = { tenant: request.tenant, contentId: document.contentId }
    const kids = document.contentKeys.map(({ kid }) => kid)
    const content = open ?? (await options.contentKeys.open(ref, kids))
    return [prepareAnswer(document, request.client, content, ref, kids), content]
  }

  function prepareAnswer(
    document: SpekeDocument,
    client: string,
    content: OpenContent,
    ref: ContentRef,
    kids: readonly Kid[],
  ): PreparedAnswer {
    const { tenant } = ref
    const profile = options.profileFor({ ...ref, client })
    const keys = describeAnswer(document, answeredKids(document.contentKeys, content.kidOverrides), profile)
    return {
      ref,
      spekeVersion: document.version.header,
      kids,
      wanted: wantedKeys(keys),
      recipients: document.recipients?.map(({ path, publicKey, fingerprint, validFrom, validTo }) => ({
        path,
        publicKey,
        fingerprint,
        validFrom,
        validTo,
      })),
      ledgerEntries: ledgerEntries(document, keys, { tenant, client }),
      signalingRevision: content.signalingRevision,
      layout: layoutAnswer(document, keys, signal(ref, keys, profile, content), profile),
    }
  }

  function keep(cacheKey: string, answer: PreparedAnswer): PreparedAnswer {
    const kept = 'text' in answer.layout ? { ...answer, layout: toSkeleton(answer.layout) } : answer
    prepared.set(cacheKey, kept)
    return kept
  }

  return async (request) => {
    readSpekeVersion(request.versionHeader)
    const cacheKey = cacheKeyOf(request)
    let answer = prepared.get(cacheKey)
    let content: OpenContent
    if (answer === undefined) {
      ;[answer, content] = await prepare(request)
      if (seenOnce.get(cacheKey)) answer = keep(cacheKey, answer)
      else seenOnce.set(cacheKey, true)
    } else {
      authorize(request, { contentId: answer.ref.contentId, recipients: answer.recipients })
      content = await options.contentKeys.open(answer.ref, answer.kids)
      if (content.signalingRevision !== answer.signalingRevision) {
        ;[answer] = await prepare(request, content)
        answer = keep(cacheKey, answer)
      }
    }

    refuseInvalidCertificates(answer.recipients, options)
    const { keys, first } = await content.issue(answer.wanted)
    const filling = toFilling(answer, keys, options.randomBytes)
    const body = 'text' in answer.layout ? fillOnce(answer.layout, filling) : fillSkeleton(answer.layout, filling)
    options.record(answer.ledgerEntries)
    const { ref, spekeVersion } = answer
    return { body, contentId: ref.contentId, spekeVersion, keys: keys.length, first, records: answer.ledgerEntries }
  }
}

function authorize(
  request: SpekeRequest,
  of: { readonly contentId: string; readonly recipients: readonly Pick<Recipient, 'fingerprint'>[] | undefined },
): void {
  request.authorize?.(of.contentId, of.recipients?.map(({ fingerprint }) => fingerprint) ?? [])
}

/** What names a request: no two that could be answered differently share it, whatever their callers are called. */
function cacheKeyOf({ tenant, client, versionHeader = '', bytes }: SpekeRequest): string {
  const caller = `${tenant.length}:${tenant}${client.length}:${client}`
  return `${caller}${versionHeader}\n${hash('sha256', bytes, 'base64')}`
}

/** A certificate may expire while its request is remembered, so its time is looked at for every answer. */
export function refuseInvalidCertificates(
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

/** The bytes of a prepared answer in memory. A recipient keeps a public key of OpenSSL. */
function sizeOfPrepared({ layout, kids, recipients = [], ledgerEntries }: PreparedAnswer): number {
  const text = 'text' in layout ? layout.text.length : layout.bytes.length
  const recorded = ledgerEntries.reduce((sum, { keys }) => sum + 600 + 400 * keys.length, 0)
  return 1_000 + text + 200 * layout.holes.length + 250 * kids.length + 4_096 * recipients.length + recorded
}

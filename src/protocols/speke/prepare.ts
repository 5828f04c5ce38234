import { hash } from 'node:crypto'
import { BoundedCache } from '../../core/bounded-cache.ts'
import { type Skeleton, type Template, toSkeleton } from '../../core/template.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { OpenContent, WantedKey } from '../../keys/content/content-key.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import { answeredKids, describeAnswer, ledgerEntries } from './describe.ts'
import { expandEmptySystems, isEmptySystem } from './empty-systems.ts'
import type { AnsweredRecipient } from './fill.ts'
import { type AnsweredKey, type AnswerFilling, layoutAnswer, wantedKeys } from './layout.ts'
import type { SignalingProfile } from './profile.ts'
import type { SpekeDocument } from './request.ts'
import type { Signaler } from './signaler.ts'
import type { SpekeVersion } from './tables/versions.ts'

/** An answer without its keys. It holds no key and nothing computed from a key. */
export interface PreparedAnswer {
  readonly ref: ContentRef
  readonly spekeVersion: SpekeVersion['header']
  /** The kids of the request. */
  readonly kids: readonly Kid[]
  /** The keys of the answer. */
  readonly wanted: readonly WantedKey[]
  readonly recipients: readonly AnsweredRecipient[] | undefined
  readonly ledgerEntries: readonly LedgerEntry[]
  /** How many DRMSystem elements of the answer are empty: SPEKE fills only the elements of the request. */
  readonly emptySystems: number
  /** The stored signalling that the layout was made with. */
  readonly signalingRevision: string
  readonly layout: Template<AnswerFilling> | Skeleton<AnswerFilling>
}

/**
 * Lays out the answer to a checked document. `readAgain` reads the text of the document after elements were added to it; undefined: no
 * elements are added. Throws ERR_KID_CONFLICT.
 */
export function prepareAnswer(
  requested: SpekeDocument,
  { client, ...ref }: ContentRef & { readonly client: string },
  content: OpenContent,
  profile: SignalingProfile,
  signaler: Signaler,
  readAgain?: (text: string) => SpekeDocument,
): PreparedAnswer {
  const describe = (of: SpekeDocument): readonly AnsweredKey[] =>
    describeAnswer(of, answeredKids(of.contentKeys, content.kidOverrides), profile)
  let document = requested
  let keys = describe(document)
  if (readAgain !== undefined && document.drmSystems.some(isEmptySystem)) {
    document = readAgain(expandEmptySystems(document, keys, signaler.systemsOf(ref, keys, profile, content)))
    keys = describe(document)
  }
  return {
    ref,
    spekeVersion: document.version.header,
    kids: document.contentKeys.map(({ kid }) => kid),
    wanted: wantedKeys(keys),
    recipients: document.recipients?.map(withoutElement),
    ledgerEntries: ledgerEntries(document, keys, { tenant: ref.tenant, client }),
    emptySystems: document.drmSystems.filter(isEmptySystem).length,
    signalingRevision: content.signalingRevision,
    layout: layoutAnswer(document, keys, signaler.systemsOf(ref, keys, profile, content), profile),
  }
}

/** Whether the layout of a known answer still fits the stored signalling. */
export function isCurrent(known: PreparedAnswer | undefined, content: OpenContent): known is PreparedAnswer {
  return known?.signalingRevision === content.signalingRevision
}

const MAX_PREPARED_BYTES = 24 * 1024 * 1024
/** About 20,000 hashes. */
const MAX_SEEN_ONCE_BYTES = 4 * 1024 * 1024

/** The prepared answers in memory, by `prepareId`. An answer is kept when its request arrives for the second time. */
export class PreparedAnswers {
  readonly #prepared = new BoundedCache<PreparedAnswer>({ maxBytes: MAX_PREPARED_BYTES, sizeOf: sizeOfPrepared })
  readonly #seenOnce = new BoundedCache<true>({ maxBytes: MAX_SEEN_ONCE_BYTES, sizeOf: () => 0 })

  find(id: string): PreparedAnswer | undefined {
    return this.#prepared.get(id)
  }

  /** Keeps an answer, or notes that its request was seen once. Returns it as it is kept. */
  keep(id: string, answer: PreparedAnswer): PreparedAnswer {
    if (this.#seenOnce.get(id) === undefined) {
      this.#seenOnce.set(id, true)
      return answer
    }
    const kept = 'text' in answer.layout ? { ...answer, layout: toSkeleton(answer.layout) } : answer
    this.#prepared.set(id, kept)
    return kept
  }
}

/** Identifies a request. Two requests that could have different answers never share it, whatever the callers' names are. */
export function prepareId({
  tenant,
  client,
  versionHeader = '',
  bytes,
}: {
  readonly tenant: string
  readonly client: string
  readonly versionHeader: string | undefined
  readonly bytes: Buffer
}): string {
  const caller = `${tenant.length}:${tenant}${client.length}:${client}`
  return `${caller}${versionHeader}\n${hash('sha256', bytes, 'base64')}`
}

/** A recipient's element would keep its whole document in memory. */
function withoutElement({ path, publicKey, fingerprint, validFrom, validTo }: AnsweredRecipient): AnsweredRecipient {
  return { path, publicKey, fingerprint, validFrom, validTo }
}

/** The bytes of a prepared answer in memory. A recipient has a public key in OpenSSL's memory. */
function sizeOfPrepared({ layout, kids, recipients = [], ledgerEntries }: PreparedAnswer): number {
  const text = 'text' in layout ? layout.text.length : layout.bytes.length
  const recorded = ledgerEntries.reduce((sum, { keys }) => sum + 600 + 400 * keys.length, 0)
  return 1_000 + text + 200 * layout.holes.length + 250 * kids.length + 4_096 * recipients.length + recorded
}

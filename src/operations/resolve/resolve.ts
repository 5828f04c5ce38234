import { type ErrorCode, KeyProviderError } from '../../core/errors.ts'
import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import type { FoundKeyAndIv, OpenContent } from '../../keys/content/content-key.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type { LedgerKey, LedgerRecord } from '../../keys/ports/ledger-store.ts'
import { audited } from '../audit/audited.ts'
import { expiryOf } from '../contents/contents.ts'
import { issuedKids, type RecordsByContent } from '../contents/kids.ts'
import type { Management, Operator } from '../management.ts'
import { encryptResolution, readEncryption } from './encryption.ts'
import type { EncryptedResolution, Encryption, Resolution, ResolvedKey, UnresolvedKid } from './resolution.ts'

/** The query of a licence server. */
export interface ResolveQuery {
  /** Undefined: the kids are looked up in every issued content. */
  readonly contentId?: string | undefined
  /** 1 to 256. */
  readonly kids: readonly Kid[]
  /** Needed only for a kid that was requested with and without DRM; undefined: `drm`. */
  readonly contentKeyClass?: ContentKeyClass | undefined
  /** The recipient of the keys; undefined: clear keys. */
  readonly encryption?: Encryption | undefined
  /** Throws ERR_FORBIDDEN for a content or recipients that the caller has no permission for. */
  readonly authorize?: ((contentId: string, recipientFingerprints: readonly string[]) => void) | undefined
  /** Whether the caller may see a content; without it, the caller sees all. */
  readonly sees?: ((contentId: string) => boolean) | undefined
}

const MAX_KIDS = 256

/**
 * The keys of issued kids, for a licence server. Creates nothing. Rejects expired and destroyed contents, as for players. Writes
 * the audit log before a key leaves. Throws ERR_API_REQUEST_INVALID, ERR_RECIPIENT_INVALID, ERR_FORBIDDEN,
 * ERR_AUDIT_UNAVAILABLE. An error of one kid is listed beside the keys of the others.
 */
export async function resolveKeys(
  management: Management,
  operator: Operator,
  query: ResolveQuery,
): Promise<Resolution | EncryptedResolution> {
  const { contentId, encryption } = query
  const kids = [...new Set(query.kids)]
  if (kids.length === 0 || kids.length > MAX_KIDS) {
    throw new KeyProviderError('ERR_API_REQUEST_INVALID', `kids: expected 1 to ${MAX_KIDS}`)
  }
  const recipient = encryption && readEncryption(encryption, management.now())
  const recipients = recipient && [recipient.fingerprint]
  return audited(management, operator, { action: 'key.resolve', contentId, kids, recipients }, async () => {
    if (contentId !== undefined) query.authorize?.(contentId, recipients ?? [])
    const issued = await issuedKids(management.store, { tenant: operator.tenant, contentId, kids, sees: query.sees })
    const { errors, contents } = contentsOf(kids, issued, contentId)
    const resolved = await Promise.all(
      Array.from(contents, async ([id, wanted]) => {
        try {
          if (contentId === undefined) query.authorize?.(id, recipients ?? [])
          return await resolveContent(management, operator.tenant, id, wanted, query.contentKeyClass)
        } catch (error) {
          return wanted.map(({ kid }) => toUnresolved(kid, error))
        }
      }),
    )
    const keys = resolved.flat().filter((one) => 'key' in one)
    const resolution = { keys, errors: [...errors, ...resolved.flat().filter((one) => 'code' in one)] }
    const [only] = contents.size === 1 ? contents.keys() : []
    const result = recipient === undefined ? resolution : await encryptResolution(resolution, recipient, management)
    return { result, also: { keys: keys.length, ...(only !== undefined && { contentId: only }) } }
  })
}

/** A kid of one content, and its ledger records. */
interface WantedKid {
  readonly kid: Kid
  /** Empty if the ledger has none. */
  readonly records: readonly LedgerRecord[]
}

/** The content of each kid. */
function contentsOf(
  kids: readonly Kid[],
  issued: ReadonlyMap<Kid, RecordsByContent>,
  contentId: string | undefined,
): { readonly errors: readonly UnresolvedKid[]; readonly contents: ReadonlyMap<string, readonly WantedKid[]> } {
  const errors: UnresolvedKid[] = []
  const contents = new Map<string, WantedKid[]>()
  for (const kid of kids) {
    const places: RecordsByContent = issued.get(kid) ?? new Map(contentId === undefined ? [] : [[contentId, []]])
    const [place, ...others] = places
    if (place === undefined) errors.push({ kid, code: 'ERR_KEY_NOT_FOUND', message: NOT_ISSUED })
    else if (others.length > 0) {
      const contentIds = [...places.keys()].slice(0, MAX_NAMED)
      errors.push({ kid, code: 'ERR_KID_CONFLICT', message: AMBIGUOUS, contentIds })
    } else contents.set(place[0], [...(contents.get(place[0]) ?? []), { kid, records: place[1] }])
  }
  return { errors, contents }
}

async function resolveContent(
  { contentKeys, store, retention }: Pick<Management, 'contentKeys' | 'store' | 'retention'>,
  tenant: Tenant,
  contentId: string,
  wanted: readonly WantedKid[],
  contentKeyClass: ContentKeyClass | undefined,
): Promise<readonly (ResolvedKey | UnresolvedKid)[]> {
  const ref = { tenant, contentId }
  const kids = wanted.map(({ kid }) => kid)
  const [content, summary] = await Promise.all([contentKeys.open(ref, kids), store.findSummary(ref)])
  const expiresAt = summary && expiryOf(summary, retention(ref))
  const policy = { expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt).toISOString() }
  return wanted.map(({ kid, records }) => {
    const issued = issuedKey(kid, records, contentKeyClass)
    const found = findKey(content, kid, issued?.key.contentKeyClass ?? contentKeyClass)
    if (found === undefined) return { kid, code: 'ERR_KEY_NOT_FOUND', message: NO_KEY }
    return {
      kid,
      contentId,
      class: found.contentKeyClass,
      key: toBase64(found.contentKey),
      explicitIV: found.explicitIv && toBase64(found.explicitIv),
      commonEncryptionScheme: issued?.key.commonEncryptionScheme,
      intendedTrackTypes: issued?.key.intendedTrackTypes ?? [],
      contentKeyPeriod: issued && toPeriod(issued.record),
      policy,
    }
  })
}

/** The newest record of a kid in the requested class; without a class, the one with DRM if there is one. */
function issuedKey(
  kid: Kid,
  records: readonly LedgerRecord[],
  contentKeyClass: ContentKeyClass | undefined,
): { readonly record: LedgerRecord; readonly key: LedgerKey } | undefined {
  const issued = records.flatMap((record) =>
    record.keys.filter((key) => key.kid === kid).map((key) => ({ record, key })),
  )
  const ofClass = (wanted: ContentKeyClass) => issued.find(({ key }) => key.contentKeyClass === wanted)
  return contentKeyClass === undefined ? (ofClass('drm') ?? issued[0]) : ofClass(contentKeyClass)
}

/** The key of a class; without a class, an imported key of either class before a derived key. */
function findKey(
  content: OpenContent,
  kid: Kid,
  contentKeyClass: ContentKeyClass | undefined,
): (FoundKeyAndIv & { readonly contentKeyClass: ContentKeyClass }) | undefined {
  const classes: readonly ContentKeyClass[] = contentKeyClass === undefined ? ['drm', 'clear'] : [contentKeyClass]
  const found = classes.flatMap((one) => {
    const key = content.findWithIv({ contentKeyClass: one, kid })
    return key === undefined ? [] : [{ ...key, contentKeyClass: one }]
  })
  return found.find(({ source }) => source === 'override') ?? found[0]
}

/** The period of a record; undefined if its request had none. */
function toPeriod({ periodId, periodIndex, periodStart, periodEnd }: LedgerRecord): ResolvedKey['contentKeyPeriod'] {
  return periodId === '' ? undefined : { index: periodIndex, start: periodStart, end: periodEnd }
}

/** A rejected content does not stop the other contents. A failure stops all. */
function toUnresolved(kid: Kid, error: unknown): UnresolvedKid {
  if (!(error instanceof KeyProviderError) || !REFUSALS.includes(error.code)) throw error
  return { kid, code: error.code, message: error.message }
}

const REFUSALS: readonly ErrorCode[] = ['ERR_CONTENT_GONE', 'ERR_CONTENT_EXPIRED', 'ERR_FORBIDDEN']
const MAX_NAMED = 20
const NOT_ISSUED =
  'no encryptor of this tenant received this kid, or the ledger has deleted the record. Name the contentId to resolve it without the ledger'
const AMBIGUOUS = 'several contents have this kid, each with its own key: name the contentId'
const NO_KEY = 'the content has no key for this kid, and resolving creates none'

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

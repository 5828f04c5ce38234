import { KeyProviderError } from '../../core/errors.ts'
import { type ContentKeyClass, type Kid, type SystemId, toKid, toSystemId } from '../../formats/cenc.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type {
  ContentLife,
  KidOverride,
  StoredContent,
  StoredOverride,
  Tombstone,
} from '../../keys/ports/content-store.ts'
import type { StoredDataKey } from '../../keys/ports/data-key-store.ts'
import type { IssuedKid, KidQuery, LedgerRecord } from '../../keys/ports/ledger-store.ts'
import type {
  AuditHead,
  ContentQuery,
  ContentSummary,
  IdempotentWrite,
  StoredDocument,
} from '../../operations/ports/store.ts'

/** A row as an engine returns it. Every value is checked, because others can edit a database. */
export type Row = Readonly<Record<string, unknown>>

/** The stored form of a member of a kid override: '' matches any value. */
export function toMatch(value: string | number | undefined): string {
  return value === undefined ? '' : `=${value}`
}

/** The stored form of ready-made pssh boxes. */
export function toPsshJson(pssh: StoredOverride['pssh']): string {
  return JSON.stringify(Object.entries(pssh).map(([systemId, box]) => [systemId, Buffer.from(box).toString('base64')]))
}

export function toOverride(row: Row): StoredOverride {
  const pssh: [SystemId, Uint8Array][] = []
  for (const [systemId, box] of JSON.parse(toText(row.pssh)) as [string, string][]) {
    pssh.push([toSystemId(systemId) ?? damaged('a system id'), new Uint8Array(Buffer.from(box, 'base64'))])
  }
  return {
    contentKeyClass: toClass(row.class),
    kid: toStoredKid(row.kid),
    sealed: toBytes(row.sealed),
    pssh: Object.fromEntries(pssh),
  }
}

export function toKidOverride(row: Row): KidOverride {
  const [trackType, periodIndex] = [toText(row.track_type), toText(row.period_index)]
  return {
    intendedTrackType: trackType === '' ? undefined : trackType.slice(1),
    periodIndex: periodIndex === '' ? undefined : Number(periodIndex.slice(1)),
    kid: toStoredKid(row.kid),
  }
}

export function toTombstone(row: Row): Tombstone | undefined {
  const at = row.tombstone_at
  if (at === null) return undefined
  const cause = row.tombstone_cause === 'expired' ? 'expired' : 'deleted'
  return { at: Number(at), reason: toText(row.tombstone_reason), cause }
}

export function toLife(row: Row): ContentLife {
  return {
    createdAt: toNumber(row.created_at),
    expiresAt: toNumber(row.expires_at),
    hold: row.hold === null ? undefined : toText(row.hold),
    epoch: Number(row.epoch),
  }
}

/** Whether a row has more than kid overrides or a document. */
export function isBare({ sealed_secret, tombstone_at, created_at, expires_at, hold }: Row): boolean {
  return [sealed_secret, tombstone_at, created_at, expires_at, hold].every((one) => one === null)
}

export function toDataKey(row: Row): StoredDataKey {
  return { tenant: toText(row.tenant), generation: Number(row.generation), wrapped: toBytes(row.wrapped) }
}

export function toStoredKid(value: unknown): Kid {
  return toKid(toText(value)) ?? damaged('a kid')
}

export function toClass(value: unknown): ContentKeyClass {
  return value === 'clear' || value === 'drm' ? value : damaged('a class')
}

function toNumber(value: unknown): number | undefined {
  return value === null ? undefined : Number(value)
}

export function toText(value: unknown): string {
  return typeof value === 'string' ? value : damaged('text')
}

export function toBytes(value: unknown): Uint8Array {
  if (Buffer.isBuffer(value)) return new Uint8Array(value)
  return value instanceof Uint8Array ? value : damaged('bytes')
}

/** The error for a row that Keyspring did not write. */
export function damaged(expected: string): never {
  throw new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `the store holds a row that keyspring did not write: expected ${expected}; restore the store from a backup`,
  )
}

export function toIssuedKid(row: Row): IssuedKid {
  return { kid: toStoredKid(row.kid), contentKeyClass: toClass(row.class) }
}

/** The stored form of a ledger record, beside its `keep_until`. */
export function toLedgerJson({ keepUntil, ...record }: LedgerRecord): string {
  return JSON.stringify(record)
}

export function toLedgerRecord(row: Row): LedgerRecord {
  const { periodIndex, periodStart, periodEnd, ...record } = JSON.parse(toText(row.record)) as LedgerRecord
  // JSON omits undefined members.
  return { ...record, periodIndex, periodStart, periodEnd, keepUntil: toNumber(row.keep_until) }
}

/** The number of periods per content and class that a lookup of a kid returns by default. */
export const PERIODS_OF_KID = 100
/** The approximate total of periods that a lookup of a kid reads. */
export const MAX_PERIODS_OF_KID = 1_000

/** The order of periods. */
export function newestFirst(a: LedgerRecord, b: LedgerRecord): number {
  return b.lastAt - a.lastAt || b.firstAt - a.firstAt
}

/** Selects the periods that a lookup of a kid returns. */
export function periodsOfKid(
  records: readonly LedgerRecord[],
  kid: Kid,
  { contentId, periods = PERIODS_OF_KID }: KidQuery = {},
): readonly LedgerRecord[] {
  const taken = new Map<string, number>()
  return records
    .filter((record) => contentId === undefined || record.contentId === contentId)
    .sort((a, b) => b.firstAt - a.firstAt)
    .filter((record) => {
      const places = record.keys.filter((key) => key.kid === kid).map((key) => key.contentKeyClass + record.contentId)
      const isWanted = places.some((place) => (taken.get(place) ?? 0) < periods)
      for (const place of isWanted ? places : []) taken.set(place, (taken.get(place) ?? 0) + 1)
      return isWanted
    })
    .slice(0, MAX_PERIODS_OF_KID)
    .sort(newestFirst)
}

export function toDocument(row: Row): StoredDocument {
  return { xml: toText(row.xml), revision: toText(row.revision), at: Number(row.at) }
}

export function toSummary(row: Row): ContentSummary {
  return {
    contentId: toText(row.content_id),
    ...toLife(row),
    tombstone: toTombstone(row),
    hasSecret: row.sealed_secret !== null,
    overrides: Number(row.overrides),
    kidOverrides: Number(row.rules),
  }
}

export function toIdempotentWrite(row: Row): IdempotentWrite {
  const status = toNumber(row.status)
  return {
    tenant: toText(row.tenant),
    client: toText(row.client),
    key: toText(row.key),
    requestHash: toText(row.request_hash),
    at: Number(row.at),
    reply: status === undefined ? undefined : { status, body: toText(row.body) },
  }
}

export function toAuditHead(row: Row): AuditHead {
  return { chain: toText(row.chain), seq: Number(row.seq), sealed: toBytes(row.sealed) }
}

/** Reads return all overrides of a content up to this number, and beyond it only those of the requested kids. */
export const COMPLETE_OVERRIDES = 64

/**
 * The error for a row that is missing directly after it was written: someone removes rows, or the configured primary
 * is a replica.
 */
export function rowGone(): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    'the store does not return a row just written: check that it is the primary, and that no one else deletes rows',
  )
}

/** The error for a value sealed with a data key that a rotation removed meanwhile. Nothing could open it. */
export function dataKeyRemoved(tenant: Tenant): KeyProviderError {
  return new KeyProviderError(
    'ERR_DATA_KEY_REMOVED',
    `the data key in use for tenant ${JSON.stringify(tenant)} was removed by a rotation: retry`,
  )
}

/** The life of a content that has only kid overrides or a document. */
export const UNBORN: ContentLife = { createdAt: undefined, expiresAt: undefined, hold: undefined, epoch: 0 }

/** A content for which nothing is stored. */
export const NOTHING: StoredContent = {
  life: UNBORN,
  sealedSecret: undefined,
  overrides: [],
  overridesComplete: true,
  kidOverrides: [],
  tombstone: undefined,
}

/** The number of names that a search examines for one page. */
const SEARCHED_ROWS = 10_000
/** The largest page of a search. */
const MAX_PAGE = 1_000
/** Counting the overrides of a content stops at this number. */
export const COUNTED_OVERRIDES = 10_000

/** The number of names to read for one page: one more than it holds shows whether a next page exists. */
export function rowsToRead({ contains, limit }: Pick<ContentQuery, 'contains' | 'limit'>): number {
  return contains === undefined ? Math.min(limit, MAX_PAGE) + 1 : SEARCHED_ROWS
}

/** The names that match a search, from the first `rowsToRead` names after `startsWith` and `after` in byte order. */
export function pageOf(
  names: readonly string[],
  query: Pick<ContentQuery, 'startsWith' | 'contains' | 'limit'>,
): { readonly contentIds: readonly string[]; readonly next: string | undefined } {
  const { startsWith = '', contains = '', limit } = query
  const hasMore = names.length >= rowsToRead(query)
  const contentIds: string[] = []
  for (const [index, name] of names.entries()) {
    // Names with a common prefix are adjacent.
    if (!name.startsWith(startsWith)) return { contentIds, next: undefined }
    if (!name.includes(contains)) continue
    contentIds.push(name)
    if (contentIds.length < Math.min(limit, MAX_PAGE)) continue
    return { contentIds, next: hasMore || index < names.length - 1 ? name : undefined }
  }
  return { contentIds, next: hasMore ? names.at(-1) : undefined }
}

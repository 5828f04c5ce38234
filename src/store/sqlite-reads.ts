import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { type ContentKeyClass, type Kid, type SystemId, toKid, toSystemId } from '../cenc.ts'
import { KeyProviderError } from '../errors.ts'
import type {
  ContentRef,
  KidOverride,
  StoredContent,
  StoredDataKey,
  StoredOverride,
  Tenant,
  Tombstone,
} from '../keys/store.ts'
import { COMPLETE_OVERRIDES } from './content.ts'

type Row = Record<string, SQLOutputValue>

/** The reads of a SecretStore on one connection. Rows are checked as they come in: a file can be edited by others. */
export interface SqliteReads {
  findContent(ref: ContentRef, kids: readonly Kid[]): StoredContent | undefined
  listOverrides(ref: ContentRef): readonly StoredOverride[]
  findDataKeys(tenant: Tenant): readonly StoredDataKey[]
  sampleDataKeys(): readonly StoredDataKey[]
}

export function sqliteReads(db: DatabaseSync): SqliteReads {
  const ofContent = 'WHERE tenant = ? AND content_id = ?'
  const content = db.prepare(`SELECT sealed_secret, tombstone_at, tombstone_reason FROM content ${ofContent}`)
  const overrides = db.prepare(`SELECT kid, class, sealed, pssh FROM override ${ofContent} ORDER BY kid, class LIMIT ?`)
  const overridesOfKid = db.prepare(
    `SELECT kid, class, sealed, pssh FROM override ${ofContent} AND kid = ? ORDER BY class`,
  )
  const kidOverrides = db.prepare(
    `SELECT track_type, period_index, kid FROM kid_override ${ofContent} ORDER BY track_type, period_index`,
  )
  const dataKeys = db.prepare('SELECT tenant, generation, wrapped FROM data_key WHERE tenant = ? ORDER BY generation')
  const sample = db.prepare(
    'SELECT tenant, max(generation) AS generation, wrapped FROM data_key GROUP BY tenant ORDER BY tenant',
  )

  return {
    findContent({ tenant, contentId }, kids) {
      const row = content.get(tenant, contentId)
      const first = overrides.all(tenant, contentId, COMPLETE_OVERRIDES + 1)
      const rules = kidOverrides.all(tenant, contentId)
      if (row === undefined && first.length === 0 && rules.length === 0) return undefined
      const overridesComplete = first.length <= COMPLETE_OVERRIDES
      const known = overridesComplete
        ? first
        : [...new Set(kids)].flatMap((kid) => overridesOfKid.all(tenant, contentId, kid))
      return {
        sealedSecret: row === undefined || row.sealed_secret === null ? undefined : toBytes(row.sealed_secret),
        overrides: known.map(toOverride),
        overridesComplete,
        kidOverrides: rules.map(toKidOverride),
        tombstone: row === undefined ? undefined : toTombstone(row),
      }
    },
    listOverrides: ({ tenant, contentId }) => overrides.all(tenant, contentId, -1).map(toOverride),
    findDataKeys: (tenant) => dataKeys.all(tenant).map(toDataKey),
    sampleDataKeys: () => sample.all().map(toDataKey),
  }
}

/** How a part of a kid override is kept: '' matches any. */
export function toMatch(value: string | number | undefined): string {
  return value === undefined ? '' : `=${value}`
}

/** Ready-made pssh boxes as they are kept. */
export function toPsshJson(pssh: StoredOverride['pssh']): string {
  return JSON.stringify(Object.entries(pssh).map(([systemId, box]) => [systemId, Buffer.from(box).toString('base64')]))
}

function toOverride(row: Row): StoredOverride {
  const pssh: [SystemId, Uint8Array][] = []
  for (const [systemId, box] of JSON.parse(toText(row.pssh)) as [string, string][]) {
    pssh.push([toSystemId(systemId) ?? damaged('a system id'), new Uint8Array(Buffer.from(box, 'base64'))])
  }
  return {
    contentKeyClass: toClass(row.class),
    kid: toKid(toText(row.kid)) ?? damaged('a kid'),
    sealed: toBytes(row.sealed),
    pssh: Object.fromEntries(pssh),
  }
}

function toKidOverride(row: Row): KidOverride {
  const [trackType, periodIndex] = [toText(row.track_type), toText(row.period_index)]
  return {
    intendedTrackType: trackType === '' ? undefined : trackType.slice(1),
    periodIndex: periodIndex === '' ? undefined : Number(periodIndex.slice(1)),
    kid: toKid(toText(row.kid)) ?? damaged('a kid'),
  }
}

function toTombstone(row: Row): Tombstone | undefined {
  const at = row.tombstone_at
  return at === null ? undefined : { at: Number(at), reason: toText(row.tombstone_reason) }
}

function toDataKey(row: Row): StoredDataKey {
  return { tenant: toText(row.tenant), generation: Number(row.generation), wrapped: toBytes(row.wrapped) }
}

function toClass(value: SQLOutputValue | undefined): ContentKeyClass {
  return value === 'clear' || value === 'drm' ? value : damaged('a class')
}

function toText(value: SQLOutputValue | undefined): string {
  return typeof value === 'string' ? value : damaged('text')
}

function toBytes(value: SQLOutputValue | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : damaged('bytes')
}

function damaged(expected: string): never {
  throw new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `the store holds a row that keyspring did not write: expected ${expected}; restore the store from a backup`,
  )
}
